"""`report`: one file that needs nothing else, says only what this run did, and is harmless whatever names it holds."""

import html
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ldvae_core.analysis.programs import strongest_genes
from ldvae_core.commands.sources import opened_run
from ldvae_core.report.page import POLICY
from ldvae_core.runs.additions import Additions
from ldvae_core.runs.looked import Looked

MARKUP = "<script>alert(1)</script>"


@pytest.fixture
def report(answer, tmp_path):
    """report(run): the command's answer and the page without the drawing library."""

    def write(run):
        given, _ = answer("report", run, "--to", tmp_path / "report.html")
        content = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert given["bytes"] == (tmp_path / "report.html").stat().st_size < 15_000_000
        return given, re.sub(r"<script>.*?</script>", "", content, flags=re.DOTALL)

    return write


def test_it_needs_nothing_else(report, trained):
    """No address but inside; the policy forbids all others to the browser."""
    _, page = report(trained())
    assert not re.search(r"(src|href)=(?!\"#)", page)
    assert POLICY in page
    assert "default-src 'none'" in POLICY
    assert "http" not in POLICY


def test_every_figure_can_be_drawn(report, trained):
    """Each place has its content, which is JSON of a figure of that width."""
    _, page = report(trained())
    drawn = dict(re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', page))
    assert {"curves", "types", "cells", "genes", "program0"} <= set(drawn)
    assert set(drawn) == set(re.findall(r'data-figure="(\w+)"', page))
    for content in drawn.values():
        assert json.loads(content)["layout"]["width"] > 0


def test_every_program_is_there_with_its_genes(report, trained):
    """Thirty of each end, in the order of the pages; how much each explains."""
    given, page = report(trained())
    opened = opened_run(str(trained()))
    factors = opened.factors[opened.axes]
    assert given["n_factors"] == 3
    for factor in range(3):
        for end in ("positive", "negative"):
            assert ", ".join(strongest_genes(factors, factor, 30, end=end)) in page


def test_what_people_wrote_is_shown_and_harmless(report, trained, tmp_path):
    """Names and notes are text, whatever they hold."""
    run = trained("--seed", "7")
    kept = Additions.beside(run)
    kept.write_factor_note("readable", 0, name=f"mine {MARKUP}", notes=f"see {MARKUP}", who="Anna")
    _, page = report(run)
    assert MARKUP not in page
    assert html.escape(f"mine {MARKUP}") in page
    assert "(Anna, " in page
    assert "\\u003cscript" in page  # the name on the figure's axis


@pytest.mark.parametrize(
    ("options", "said", "not_said"),
    [
        ((), ["linear decoder (LDVAE)", "standard normal prior", "most variable", "varimax"], ["PCA", "additive"]),
        (("--gene-selection", "variance"), ["highest variance of raw counts"], ["Stuart"]),
        (("--prior", "logistic_normal"), ["logistic-normal prior"], ["varimax"]),
        (("--decoder", "neural"), ["a neural decoder", "mean slopes over cells"], ["linear decoder (LDVAE)"]),
        (("--batch", "donor"), ["additive effects of donor"], []),
        (("--method", "pca"), ["principal components"], ["Adam", "variational autoencoder with"]),
        (("--method", "gene_mean"), ["mean share of each gene"], ["Adam", "Shrunken"]),
    ],
)
def test_methods_say_what_this_run_did(report, trained, options, said, not_said):
    """And nothing else: neither in words nor among the works."""
    _, page = report(trained(*options))
    methods = html.unescape(page[page.index(">Methods</h2>") :].partition("</section>")[0])
    whole = html.unescape(page)
    for words in said:
        assert words in (methods if words != "mean slopes over cells" else whole)
    for words in not_said:
        assert words not in methods
    cited = {int(number) for number in re.findall(r"\[(\d+)\]", methods)}
    assert cited == set(range(1, methods.count("<li>") + 1))


def test_the_figures_are_those_of_the_run(report, trained):
    """Fit to unseen cells in the table and in the methods."""
    _, page = report(trained())
    error = opened_run(str(trained())).metrics["test_reconstruction_error"]
    assert f"{error:,.2f}" in page
    assert f"is {error:.2f} nats per cell" in page


def test_nobodys_folders_are_told(report, trained, counts_file):
    """The command names the file alone."""
    _, page = report(trained())
    assert str(counts_file.parent) not in page
    assert f"train {counts_file.name} --out" in page


def test_comparisons_are_counted_once(report, trained):
    """Looked at twice, counted once; a damaged file counts none and keeps nobody from the report."""
    from ldvae_core.runs.groups import compare_in_run

    run = trained("--seed", "8")
    opened = opened_run(str(run))
    first = (opened.labels(opened.label_column).cat.codes == 0).to_numpy()
    made = compare_in_run(opened, opened.factors[opened.axes], first, everything=None, names=("these", "rest"))
    looked = Looked(Additions.beside(run))
    looked.note(made)
    looked.note(made)
    assert [(each.first, each.unit, each.n_tested) for each in looked.comparisons()] == [
        ("these", "cell", made.n_tested)
    ]
    _, page = report(run)
    assert "Benjamini" in page
    assert f">{made.n_tested:,} genes<" in page
    (run / "kept" / "comparisons.json").write_text("{")
    assert looked.comparisons() == []
    _, page = report(run)
    assert "Benjamini" not in page[page.index(">Methods</h2>") :]


def test_a_folder_that_is_not_there_is_made_or_refused_in_words(refusal, trained, tmp_path):
    """A file in the place of the folder."""
    (tmp_path / "file").write_text("")
    assert "report.html" in refusal("report", trained(), "--to", tmp_path / "file" / "report.html")


def test_designs_are_counted_too(report, trained):
    """Programs that were tested against a condition, on the Cell types page."""
    from ldvae_core.runs.designs import Design, tested_design

    run = trained("--seed", "9")
    opened = opened_run(str(run))
    rng = np.random.default_rng(0)
    donors = rng.integers(0, 6, opened.counts.n_cells)
    added = {"person": [f"p{d}" for d in donors], "arm": ["a" if d < 3 else "b" for d in donors]}
    annotations = opened.counts.annotations.assign(**{name: pd.Categorical(values) for name, values in added.items()})
    opened = replace(opened, counts=replace(opened.counts, annotations=annotations))
    design = Design(("person",), "arm")
    effects = tested_design(opened, opened.factors[opened.axes], design)
    looked = Looked(Additions.beside(run))
    looked.note_design(design, effects)
    looked.note_design(design, effects)
    (kept,) = looked.comparisons()
    assert (kept.first, kept.second, kept.tested) == ("arm, by person", "all cells", "programs")
    _, page = report(run)
    assert f">{effects.n_tested} programs<" in page
