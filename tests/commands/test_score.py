"""`score` places new cells where the run would have placed them, and refuses what it cannot place."""

import re

import anndata
import numpy as np
import pandas as pd
import pytest

from ldvae_core.runs.store import open_run_folder
from tests.commands.conftest import as_anndata


@pytest.fixture
def changed(planted, tmp_path):
    """changed(function) gives the path of the planted cells after function(anndata) -> anndata."""

    def write(change) -> str:
        path = tmp_path / "changed.h5ad"
        change(as_anndata(planted)).write_h5ad(path)
        return str(path)

    return write


MODELS = {
    "normal": (),
    "logistic-normal, batch norm": ("--prior", "logistic_normal", "--batch-norm"),
    "VAE, latent library": ("--decoder", "neural", "--library", "latent", "--likelihood", "zinb"),
    "corrected": ("--batch", "donor", "--dispersion", "gene_level"),
}


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_the_runs_own_cells_come_out_where_they_were(options, trained, counts_file, tmp_path, answer):
    """The saved representation, to single precision, on the axes people see; and the reported test error."""
    run, file = trained(*options), tmp_path / "placed.h5ad"
    found, words = answer("score", run, counts_file, "--to", file)
    placed, opened = anndata.read_h5ad(file), open_run_folder(run)
    saved = opened.factors[opened.axes].representation
    assert np.abs(placed.obsm["X_ldvae"] - saved).max() < 1e-5 * np.abs(saved).max()
    assert list(placed.obs_names) == opened.counts.cell_ids.tolist()
    errors = placed.obs["ldvae_reconstruction_error"].to_numpy()
    assert errors[opened.split == 2].mean() == pytest.approx(opened.metrics["test_reconstruction_error"], rel=1e-6)
    assert (found["genes_found"], found["genes_missing"], found["axes"]) == (80, 0, opened.axes)
    assert words.startswith("The run holds out 80 cells; 100 are needed")


def test_genes_are_found_by_name_wherever_they_stand(changed, trained, counts_file, tmp_path, answer):
    """Another order of genes, and more of them, change nothing."""

    def shuffle(cells):
        return cells[:100, np.random.default_rng(0).permutation(cells.n_vars)].copy()

    places = []
    for name, data in (("as they were", counts_file), ("shuffled", changed(shuffle))):
        answer("score", trained(), data, "--to", tmp_path / f"{name}.h5ad")
        places.append(anndata.read_h5ad(tmp_path / f"{name}.h5ad").obsm["X_ldvae"][:100])
    assert np.allclose(*places, atol=1e-5)


def test_genes_with_other_names_are_found_by_ensembl_id(changed, trained, tmp_path, answer):
    """The version behind the dot does not matter."""

    def rename(cells):
        cells.var_names = [f"other {name}" for name in cells.var_names]
        cells.var["gene_ids"] = [gene_id.split(".")[0] + ".7" for gene_id in cells.var["gene_ids"]]
        return cells

    found, _ = answer("score", trained(), changed(rename), "--to", tmp_path / "placed.h5ad")
    assert found["genes_found"] == 80
    saved = open_run_folder(trained()).factors["readable"].representation
    assert np.allclose(anndata.read_h5ad(tmp_path / "placed.h5ad").obsm["X_ldvae"], saved, atol=1e-4)


def test_missing_genes_are_named_and_count_as_zero(changed, trained, tmp_path, answer):
    """Their number and names on stderr; the same places as with those counts set to 0."""

    def silence(cells):
        cells.X = cells.X.multiply(np.arange(80) >= 5).tocsr().astype(np.float32)
        return cells

    files = []
    for name, change in (("missing", lambda cells: cells[:, 5:].copy()), ("zero", silence)):
        files.append(tmp_path / f"{name}.h5ad")
        found, words = answer("score", trained(), changed(change), "--to", files[-1])
        if name == "missing":
            assert found["genes_missing"] == 5
            assert "5 of 80 modelled genes are not in the data and count as 0: Abc1, Abc2" in words
    missing, zero = (anndata.read_h5ad(file) for file in files)
    assert np.allclose(missing.obsm["X_ldvae"], zero.obsm["X_ldvae"], atol=1e-6)
    assert missing.var["ldvae_measured"].tolist() == [False] * 5 + [True] * 75


def _rename(cells):
    cells.var = pd.DataFrame({"gene_ids": [f"y{i}" for i in range(80)]}, [f"x{i}" for i in range(80)])
    return cells


def _new_donor(cells):
    cells.obs["donor"] = np.where(np.arange(cells.n_obs) < 9, "carl", "anna")
    return cells


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_rename, "0 of the 80 modelled genes"),
        (lambda cells: cells[:, :39].copy(), "39 of the 80 modelled genes .* at least half"),
        (_new_donor, "'donor' has levels that the run has not learned: carl. The run has learned: anna, bert"),
        (lambda cells: anndata.AnnData(cells.X, var=cells.var), "corrects for 'donor', which the data has no"),
    ],
    ids=["other genes", "too few genes", "unknown level", "no such annotation"],
)
def test_what_cannot_be_placed_is_refused_in_words(change, words, changed, trained, tmp_path, refusal):
    """No file is written then."""
    run, file = trained(*MODELS["corrected"]), tmp_path / "placed.h5ad"
    assert re.search(words, refusal("score", run, changed(change), "--to", file))
    assert not file.exists()


def test_a_run_without_its_network_is_refused(trained, counts_file, tmp_path, refusal):
    """Baselines have none; runs made before it was kept must be trained again."""
    assert "is a baseline (PCA)" in refusal(
        "score", trained("--method", "pca"), counts_file, "--to", tmp_path / "placed.h5ad"
    )
    run = trained("--seed", "3")
    (run / "model.npz").unlink()
    assert "Train it again" in refusal("score", run, counts_file, "--to", tmp_path / "placed.h5ad")
