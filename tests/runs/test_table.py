"""The table of runs: plain words, figures with errors, the best of a group, and why a figure is missing."""

import shutil

import pytest

from ldvae_core.durable import read_json, write_json
from ldvae_core.model.config import ModelConfig
from ldvae_core.model.describe import model_words
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.table import METRICS, missing_words, runs_table

ERROR, ELBO, IWLL, GAIN = METRICS


@pytest.fixture(name="make")
def _make(workspace, store, finished_folder):
    """A finished run with the given model and metrics; gives its card."""

    def make(run_id, model=None, **metrics):
        folder = workspace.runs / run_id
        shutil.copytree(finished_folder, folder)
        RunSettings(name=run_id, data_source="demo", model=ModelConfig.from_dict(model or {})).write(folder)
        write_json(folder / "metrics.json", read_json(folder / "metrics.json") | metrics)
        return store.card(run_id)

    return make


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({}, "LDVAE, normal"),
        ({"prior": "logistic_normal", "batch_norm": True}, "LDVAE, logistic-normal + batch norm"),
        ({"intercept": False}, "LDVAE, normal + no intercept"),
        ({"decoder": "neural"}, "VAE"),
        ({"method": "pca"}, "PCA"),
        ({"method": "nmf", "n_factors": 4}, "NMF"),
        ({"method": "gene_mean"}, "gene mean"),
        ({"covariates": ["donor"]}, "LDVAE, normal, corrected for donor"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_model_is_said_in_plain_words(model, words):
    """What a biologist calls it, without the names of settings."""
    assert model_words(ModelConfig.from_dict(model)) == words


def test_a_row_holds_figures_with_their_errors(make):
    """Mean and standard error side by side, NaN where older runs have none."""
    row = runs_table([make("a", test_elbo_se=0.5, gain=3.0)], {"a": 1}).iloc[0]
    assert (row["test_error"], row["elbo"], row["elbo_se"], row["gain"]) == (12.5, -14.0, 0.5, 3.0)
    assert row[["test_error_se", "iwll"]].isna().all()
    assert (row["group"], row["factors"], row["state"]) == (1, 10, "finished")


def test_a_missing_figure_has_its_reason(make):
    """Old runs have to be trained again; PCA and NMF have no bound; a figure that is there needs no word."""
    old, components = make("old"), make("pca-1", {"method": "pca"}, test_elbo=None)
    assert missing_words(old, ERROR) == ""
    assert missing_words(old, GAIN) == "the run was made before this was measured: train it again to have it"
    for metric in (ELBO, IWLL, GAIN):
        assert missing_words(components, metric).startswith("PCA and NMF have no distribution over factors, hence no")


def test_the_gene_mean_has_no_factors(make):
    """Whatever its settings say about their number."""
    assert make("mean", {"method": "gene_mean"}).n_factors == 0
