"""The Genes page: one gene, a pasted list, partners, groups of cells, and what programs mean."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ldvae_core.data.folder import save_counts
from ldvae_core.data.gmt import GeneSets
from ldvae_core.errors import SettingsError
from ldvae_core.jobs import worker
from ldvae_core.jobs.queue import Queue
from ldvae_core.runs.enrichment_jobs import ENRICHMENT, ENRICHMENT_KIND
from ldvae_core.runs.store import RunStore
from pages.parts import any_gene
from pages.parts.genes import enrichment_results


@pytest.fixture(autouse=True)
def _planted_sets(monkeypatch):
    """Sets of the planted genes instead of the shipped thousands."""

    def sets(key, species=None):
        names = [f"Gene{k:02d}" for k in range(60)]
        return GeneSets(key, {"first": tuple(names[:12]), "last": tuple(names[48:])}, translated=key == "hallmark")

    monkeypatch.setattr("pages.parts.genes.enrichment.load_collection", sets)
    monkeypatch.setattr("pages.parts.genes.enrichment._shipped", sets)


@pytest.fixture
def names(planted):
    return planted.counts.gene_names.tolist()


def chart(at, number):
    return json.loads(at.get("plotly_chart")[number].proto.spec)


def titles(at, axis="x"):
    return [chart(at, k)["layout"][f"{axis}axis"]["title"]["text"] for k in range(len(at.get("plotly_chart")))]


def test_a_gene_in_the_address_shows_loadings_beside_expression(open_page, finished_run, names):
    """Its profile over all factors, and its mean per bin over the two it loads on most."""
    at = open_page("genes.py", genes=names[0])
    assert not at.exception
    assert titles(at)[0] == "Loading (log fold change per SD, 90% interval)"
    assert titles(at)[1].startswith("Factor ")
    assert titles(at)[2] == "Gene"


def test_typed_genes_are_found_in_any_case_and_lists_are_taken_apart(open_page, finished_run, names, words):
    """What was pasted becomes genes; what is not modelled is said, and why."""
    at = open_page("genes.py")
    at.multiselect(key="genes").set_value([f"{names[3].upper()}, {names[1]};Nanog"]).run()
    assert at.multiselect(key="genes").value == [names[3], names[1]]
    assert "1 gene is not among the 60 modelled genes" in words(at)
    assert "Nanog" in words(at)


def test_the_entry_that_adds_what_was_typed_adds_all_that_begin_so(open_page, finished_run, names):
    """It stands last in the list; a pasted list is taken at its word."""
    at = open_page("genes.py")
    at.multiselect(key="genes").set_value(["gene0"]).run()
    assert at.multiselect(key="genes").value == names[:9]
    at.multiselect(key="genes").set_value([f"gene0, {names[12]}"]).run()
    assert at.multiselect(key="genes").value == [names[12]]


def test_a_name_that_the_gene_does_not_have_here_is_said(open_page, finished_run, words):
    """R writes a point where the file has something else."""
    at = open_page("genes.py")
    at.multiselect(key="genes").set_value(["Gene.03"]).run()
    assert at.multiselect(key="genes").value == ["Gene03"]
    assert "Gene.03 is called <i>Gene03</i> here." in words(at)


def test_without_a_gene_the_strongest_ones_are_offered(open_page, finished_run):
    """An empty state says what to do next, and a click does it."""
    at = open_page("genes.py")
    at.button(key="first_gene_0").click().run()
    assert len(at.multiselect(key="genes").value) == 1
    assert not at.exception


def test_another_gene_brings_its_own_pair_of_factors(open_page, finished_run, names, planted):
    """The pair follows the gene until somebody chooses another one; a link keeps its own."""
    at = open_page("genes.py", genes=names[0], across="Factor 4", up="Factor 3")
    assert titles(at)[1] == "Factor 4"
    at.multiselect(key="genes").set_value([names[5]]).run()
    opened_pair = [at.selectbox(key=key).value for key in ("across", "up")]
    assert opened_pair != [3, 2]
    assert not at.exception


def test_a_list_is_drawn_over_all_factors(open_page, finished_run, names):
    """Several genes: a map of loadings, and all of them in the groups."""
    at = open_page("genes.py", genes=names[:3])
    assert "Factor" in titles(at)
    assert len(chart(at, titles(at).index("Gene"))["layout"]["xaxis"]["ticktext"]) == 3


def test_enrichment_is_kept_with_the_run(open_page, finished_run, workspace):
    """Over-representation is there at once, and as a table in the run's folder."""
    at = open_page("genes.py")
    kept = list((RunStore(workspace).additions(finished_run).folder / "enrichment").glob("*.parquet"))
    assert not at.exception
    assert titles(at)[-1] == "−log10 q (Benjamini-Hochberg)"
    assert len(kept) == 1
    assert "factor" in pd.read_parquet(kept[0])


def test_the_longer_method_waits_to_be_asked(open_page, finished_run):
    """Pre-ranked enrichment starts by a button, and says how long it takes."""
    at = open_page("genes.py")
    at.segmented_control(key="enrich_by").set_value("Pre-ranked").run()
    assert at.button(key="enrich_start").label == "Compute"


def test_the_longer_method_is_a_job_that_can_be_stopped(open_page, finished_run, workspace, words):
    """One click puts it into the queue, another one takes it out; a failure is said in words."""
    at = open_page("genes.py")
    at.segmented_control(key="enrich_by").set_value("Pre-ranked").run()
    at.button(key="enrich_start").click().run()
    (job,) = Queue(workspace).all(ENRICHMENT)
    assert (job.subject, job.state, job.arguments["axes"]) == (finished_run, "queued", "readable")
    assert "Pre-ranked enrichment" in words(at)
    at.button(key="enrich_stop").click().run()
    assert at.button(key="enrich_start")
    at.button(key="enrich_start").click().run()
    worker.run(workspace, replace(ENRICHMENT_KIND, perform=lambda *given: 1 / 0), idle_seconds=0)
    at.run()
    assert "The program made a mistake" in words(at)
    assert not at.exception


def test_the_species_can_be_changed_and_orthologues_are_said(open_page, finished_run, words):
    """Human collections on mouse genes go through orthologues, and the page says so."""
    at = open_page("genes.py", species="Mouse")
    at.selectbox(key="sets").select("hallmark").run()
    assert "one-to-one orthologues in mouse" in words(at)


def test_own_gene_sets_stay_with_the_run(open_page, finished_run):
    """An uploaded GMT file is checked, kept, and among the gene sets from then on, until it is taken back."""
    at = open_page("genes.py")
    line = "\t".join(["mine", "about", *(f"gene{k:02d}" for k in range(8))])
    at.get("file_uploader")[0].upload("mine.gmt", f"{line}\nbroken\n".encode(), "text/plain").run()
    at.run()
    assert not at.exception
    assert "mine.gmt" in at.selectbox(key="sets").options
    at.button(key="undo").click().run()
    assert not at.exception
    assert "mine.gmt" not in at.selectbox(key="sets").options


@pytest.mark.parametrize("prior", ["normal", "logistic_normal"])
def test_runs_without_annotations_have_genes_too(open_page, make_run, planted, names, prior):
    """No groups to draw, and everything else as ever."""
    bare = pd.DataFrame(index=planted.counts.annotations.index)
    at = open_page("genes.py", run=make_run(annotations=bare, prior=prior), genes=names[0])
    assert not at.exception
    assert "Gene" not in titles(at)


def test_hostile_groups_stay_letters(open_page, make_run, planted, names, words):
    """A cell type that looks like HTML is shown as it is written."""
    kinds = np.where(np.arange(planted.counts.n_cells) % 2, "<img src=1>", "b")
    at = open_page("genes.py", run=make_run(annotations=pd.DataFrame({"cell_type": kinds})), genes=names[0])
    assert not at.exception
    assert "<img src=1>" not in words(at)


def test_a_list_is_looked_through_once(open_page, finished_run, names, monkeypatch):
    """All drawings of the page take their genes out of one pass over the counts, on any pair of factors."""
    passes, real = [], any_gene.counts_of_known
    monkeypatch.setattr(any_gene, "counts_of_known", lambda *given: passes.append(given[-1]) or real(*given))
    at = open_page("genes.py", genes=names[5:8])
    at.selectbox(key="across").set_value(3).run()
    assert not at.exception
    assert passes == [(5, 6, 7)]


@pytest.fixture
def with_others(workspace, planted, make_run):
    """A run of a data set that has two more genes than were modelled."""
    counts = planted.counts
    more = sparse.csr_matrix(np.random.default_rng(0).poisson(1.0, (counts.n_cells, 2)).astype(np.uint16))
    save_counts(
        replace(
            counts,
            counts=sparse.hstack([more, counts.counts], format="csr"),
            gene_names=np.array(["Xist", "Nanog", *counts.gene_names]),
            gene_ids=None,
        ),
        workspace.datasets / "mine",
    )
    return make_run(data_source="mine")


def test_a_gene_that_was_not_modelled_is_seen_without_loadings(open_page, with_others, words):
    """Found in any case, named for what it is, drawn over the cells and in the groups."""
    at = open_page("genes.py", run=with_others)
    at.multiselect(key="genes").set_value(["xist"]).run()
    assert not at.exception
    assert at.multiselect(key="genes").value == ["Xist"]
    assert "1 gene is not modelled" in words(at)
    assert "of the cells have counts of it" in words(at)
    assert not any(title.startswith("Loading") for title in titles(at))
    assert titles(at)[0].startswith("Factor ")
    assert "Xist" in json.dumps(chart(at, titles(at).index("Gene")))


def test_modelled_genes_of_a_list_keep_their_loadings(open_page, with_others, names, words):
    """Whatever stands first; what no gene is called is said."""
    at = open_page("genes.py", run=with_others)
    at.multiselect(key="genes").set_value([f"Nanog, {names[2]}, {names[4]}, Nobody"]).run()
    assert not at.exception
    assert "1 gene is not among the 62 genes of the data set" in words(at)
    assert f"Genes that load like *{names[2]}*" in [element.value for element in at.subheader]
    assert len(chart(at, titles(at).index("Gene"))["layout"]["xaxis"]["ticktext"]) == 3


def test_that_no_set_fits_is_found_out_once(monkeypatch):
    """A refusal is kept like a result; it reaches every visit as itself."""
    tried = []

    def none_fits(names, found):
        tried.append(names)
        raise SettingsError("No set fits.", "Choose another.")

    monkeypatch.setattr(enrichment_results, "background", none_fits)
    run = SimpleNamespace(counts=SimpleNamespace(gene_names="genes"))
    for _ in range(3):
        with pytest.raises(SettingsError, match=r"^No set fits\. Choose another\.$"):
            enrichment_results.background_of("a stamp", "a digest", run, None)
    assert tried == ["genes"]


def test_enter_takes_one_gene_and_a_star_takes_all(open_page, finished_run):
    """No entry that takes every match stands where Enter finds it; a star at the end asks for that."""
    at = open_page("genes.py")
    assert at.multiselect(key="genes").proto.select_all == 0
    at.multiselect(key="genes").set_value(["gene1*"]).run()
    assert at.multiselect(key="genes").value == [f"Gene1{k}" for k in range(10)]
