"""`train --guide`: factors that gene sets inform, from the command line to the export."""

from dataclasses import replace

import anndata
import numpy as np
import pytest

from ldvae_core.data.gmt import read_gmt
from ldvae_core.data.guide import Guide
from ldvae_core.durable import read_json
from ldvae_core.report.methods import methods
from ldvae_core.runs.opened import open_run_folder
from ldvae_core.runs.recipe import train_command
from ldvae_core.runs.settings import RunSettings
from tests.commands.conftest import SHORT, as_anndata

LONGER = ["--factors", "5", "--epochs", "25", "--genes", "80", "--device", "cpu"]


@pytest.fixture(scope="module")
def sets_file(planted, tmp_path_factory):
    """The genes of the strongest program in another case, with one that is not there, and genes drawn at random."""
    names = as_anndata(planted).var_names
    program = np.abs(planted.loadings).sum(axis=0).argmax()
    moved = np.flatnonzero(np.abs(planted.loadings[:, program]) > 0.25)
    rest = np.random.default_rng(0).choice(len(names), 12, replace=False)
    lines = [["Moved", "", *(names[g].upper() for g in moved), "Nowhere"], ["Random", "", *names[rest]]]
    path = tmp_path_factory.mktemp("sets") / "mine.gmt"
    path.write_text("\n".join("\t".join(line) for line in lines))
    return path


def test_a_guided_factor_is_named_after_its_set_and_says_what_the_data_changed(
    answer, counts_file, sets_file, tmp_path
):
    """The set of a planted program is active; on every axes its factor bears its name, also in the export."""
    told, _ = answer("train", counts_file, "--out", tmp_path / "run", *LONGER, "--guide", sets_file)
    moved, random = told["guided"]
    assert (moved["set"], moved["active"], moved["not_modelled"]) == ("Moved", True, ["Nowhere"])
    assert len(moved["kept"]) + len(moved["dropped"]) == moved["n_modelled"]
    assert random["active"] or random["factor"] is None
    opened = open_run_folder(tmp_path / "run")
    for factors in (opened.factors["readable"], opened.factors["gene_sparse"]):
        assert factors.guided_by.count("Moved") == 1
    assert opened.factors["readable"].name_of(moved["factor"] - 1) == "Moved"
    answer("export", tmp_path / "run", "--to", tmp_path / "run.h5ad")
    assert (
        f"Factor {moved['factor']} · Moved" in anndata.read_h5ad(tmp_path / "run.h5ad").uns["ldvae"]["factors"]["names"]
    )


def test_a_guide_turns_axes_and_changes_no_prediction(trained, sets_file):
    """The same model as without: test error and ELBO."""
    alone, guided = trained(), trained("--guide", str(sets_file))
    before, after = (read_json(folder / "metrics.json") for folder in (alone, guided))
    for figure in ("test_reconstruction_error", "test_elbo"):
        assert after[figure] == pytest.approx(before[figure], rel=1e-5)


def test_methods_name_the_sets_that_placed_an_axis_alone(trained, sets_file):
    """Inactive sets placed none; on the axes as trained there is no guided factor."""
    opened = open_run_folder(trained("--guide", str(sets_file)))
    readable = opened.factors["readable"]
    for sets, said in (
        (("Moved", "", ""), "The axis of one factor was placed by a gene set (Moved)."),
        (("Moved", "", "Random"), "The axes of 2 factors were placed by gene sets (Moved, Random), one factor a set."),
    ):
        factors = replace(readable, guided_by=sets)
        assert said in methods(opened, factors, version="1", tested=False).words
    none = methods(opened, replace(readable, guided_by=()), version="1", tested=False).words
    assert "gene set" not in none


def test_sets_are_kept_with_the_run(answer, counts_file, sets_file, tmp_path):
    """With their digest, so that the run can be resumed and repeated without the file."""
    answer("train", counts_file, "--out", tmp_path / "run", *SHORT, "--guide", sets_file)
    kept = RunSettings.read(tmp_path / "run")
    assert kept.guide.names == ("Moved", "Random")
    assert read_json(tmp_path / "run" / "run.json")["settings"]["guide"]["digest"] == kept.guide.digest
    assert train_command(kept, "again")[-2:] == ["--guide", "guide.gmt"]
    assert Guide.of(read_gmt((tmp_path / "run" / "guide.gmt").read_bytes(), "mine.gmt")) == kept.guide


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--factors", "1"], "2 gene sets, one factor each, and the model has 1"),
        (["--prior", "logistic_normal"], "normal prior"),
        (["--decoder", "neural"], "linear decoder"),
    ],
)
def test_models_that_cannot_be_guided_are_refused(refusal, counts_file, sets_file, tmp_path, options, words):
    """Before anything is read, and without a folder left behind."""
    assert words in refusal("train", counts_file, "--out", tmp_path / "run", *options, "--guide", sets_file)
    assert not (tmp_path / "run").exists()


def test_a_set_of_too_few_modelled_genes_is_refused_by_name(refusal, counts_file, tmp_path):
    """With the number of its genes that are modelled."""
    (tmp_path / "few.gmt").write_text("Tiny\t\tAbc1\tAbc2\tNowhere\n")
    said = refusal("train", counts_file, "--out", tmp_path / "run", *SHORT, "--guide", tmp_path / "few.gmt")
    assert "Fewer than 3 genes of a set are modelled: Tiny (2)." in said
