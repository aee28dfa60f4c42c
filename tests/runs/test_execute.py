"""Every model of the family, and every baseline, goes from its settings to saved results."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from ldvae_core.data.counts import CountMatrix, make_count_matrix
from ldvae_core.data.prepare import DataChoices
from ldvae_core.data.split import TEST, split_cells
from ldvae_core.data.synthetic import plant_programs
from ldvae_core.durable import read_json, read_table
from ldvae_core.errors import LdvaeError, SettingsError
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.runs.execute import execute
from ldvae_core.runs.opened import HISTORY_COLUMNS, open_run_folder
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.states import read_folder_state
from ldvae_core.training.loop import Trainer

PAPER = {
    "VAE": {"decoder": "neural"},
    "normal": {},
    "normal, batch norm": {"batch_norm": True},
    "logistic-normal": {"prior": "logistic_normal"},
    "logistic-normal, batch norm": {"prior": "logistic_normal", "batch_norm": True},
}
LIKELIHOODS, LIBRARIES = ("nb", "zinb", "poisson"), ("observed", "latent")
CORRECTIONS = (((), "gene"), (("donor",), "gene"), (("donor",), "gene_level"), (("donor", "lane"), "gene_level"))
FIGURES = ("test_reconstruction_error", "test_elbo", "test_iwll")
METHODS = ("pca", "nmf", "gene_mean")


def covering() -> list:
    """Each of the paper's models with each likelihood, over which the other choices are dealt out in turn."""
    cases = []
    for place, ((name, model), likelihood) in enumerate(itertools.product(PAPER.items(), LIKELIHOODS)):
        columns, dispersion = CORRECTIONS[place % 4]
        library, intercept = LIBRARIES[(place // 2) % 2], place % 3 > 0
        dispersion = "gene" if likelihood == "poisson" else dispersion
        settings = {**model, "likelihood": likelihood, "library": library, "intercept": intercept,
                    "covariates": list(columns), "dispersion": dispersion}  # fmt: skip
        cases.append(pytest.param(settings, id=f"{name}, {likelihood}, {library}, {len(columns)} {dispersion}"))
    return cases


def counts_of(n_cells: int, n_genes: int, *, permuted: bool = False) -> CountMatrix:
    """Planted programs, or the same counts shuffled over cells within every gene."""
    planted = plant_programs(n_cells=n_cells, n_genes=n_genes, n_factors=3, seed=6).counts
    values, random = planted.counts.toarray(), np.random.default_rng(0)
    if permuted:
        values = random.permuted(values, axis=0)
    lanes = pd.DataFrame({"donor": random.choice(["a", "b"], n_cells), "lane": random.choice(["1", "2", "3"], n_cells)})
    return make_count_matrix(values, cell_ids=planted.cell_ids, gene_names=planted.gene_names,
                             annotations=lanes.set_index(planted.cell_ids))  # fmt: skip


@pytest.fixture(scope="module")
def few_cells() -> CountMatrix:
    """A hundred and twenty cells of 20 genes, from two donors in three lanes."""
    return counts_of(120, 20)


@pytest.fixture
def train(tmp_path):
    """train(counts, model, **training) -> the finished run folder."""

    def run(counts: CountMatrix, model: dict, *, answers=lambda: "go", **training) -> Path:
        folder = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        model, training = {"n_factors": 3, "n_hidden": 16, **model}, {"n_epochs": 2, "threads": 1, **training}
        choices = DataChoices(gene_selection="variance", n_genes=counts.n_genes)
        RunSettings(
            "tiny", "demo", choices=choices, model=ModelConfig.from_dict(model), training=TrainingConfig(**training)
        ).write(folder)
        execute(folder, open_counts=lambda: counts, should_stop=answers)
        return folder

    return run


@pytest.mark.parametrize("model", covering())
def test_every_kind_of_model_trains_to_figures_and_factors(train, few_cells, model):
    """Finite figures with standard errors, ELBO <= IWLL, and factors of the right shape."""
    folder = train(few_cells, model)
    run = open_run_folder(folder)
    assert np.isfinite([run.metrics[name] for name in (*FIGURES, *(f"{name}_se" for name in FIGURES))]).all()
    assert run.metrics["test_elbo"] <= run.metrics["test_iwll"]
    assert (run.metrics["iwll_draws"], run.metrics["test_cells"], run.metrics["iwll_cells"]) == (64, 12, 12)
    assert run.factors["as_trained"].loadings.shape == (20, 3)
    assert np.isfinite(run.factors[run.axes].representation).all()


def test_a_gpu_too_small_for_a_minibatch_leaves_a_notice_with_the_results(train, few_cells, monkeypatch):
    """People can see that the run was not the one they asked for."""
    slices = Trainer._minibatches

    def limited(trainer):
        if trainer.minibatch_size > 50:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return slices(trainer)

    monkeypatch.setattr(Trainer, "_minibatches", limited)
    (notice,) = open_run_folder(train(few_cells, {})).metrics["notices"]
    assert notice == "The memory of the GPU was too small for minibatches of 96 cells: training went on with 48."


@pytest.mark.parametrize(("fault", "words"), [
    (torch.OutOfMemoryError("CUDA out of memory."), "The memory of the GPU is too small for this run"),
    (torch.AcceleratorError("CUDA error: an illegal memory access"), "The GPU failed during this run"),
], ids=["full", "lost"])  # fmt: skip
def test_a_fault_of_a_gpu_is_written_down_in_words(train, few_cells, monkeypatch, tmp_path, fault, words):
    """Wherever in the run it happens, here where counts go to the device; the folder says it too."""

    def refuse(*given):
        raise fault

    monkeypatch.setattr("ldvae_core.training.loop.MinibatchSource", refuse)
    with pytest.raises(LdvaeError, match=words):
        train(few_cells, {})
    state = read_folder_state(next(tmp_path.iterdir()))
    assert (state.stage, state.error.startswith(words)) == ("failed", True)


def test_a_dispersion_per_level_is_kept_by_name(train, few_cells):
    """What each level adds to log inverse dispersion, centred over the levels of its covariate."""
    folder = train(few_cells, {"covariates": ["donor", "lane"], "dispersion": "gene_level"}, n_epochs=20)
    table = read_table(folder / "dispersion_levels.parquet")
    assert list(table.columns) == ["donor: a", "donor: b", "lane: 1", "lane: 2", "lane: 3"]
    assert table.abs().to_numpy().max() > 0.01
    assert table.iloc[:, :2].sum(axis=1).abs().max() < 1e-5
    assert list(table.index) == open_run_folder(folder).counts.gene_names.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_a_baseline_run_has_the_layout_of_every_run(train, few_cells, method):
    """It opens like any other; figures that it does not have are null, and its loadings claim no interval."""
    run = open_run_folder(train(few_cells, {"method": method}))
    n_factors = 0 if method == "gene_mean" else 3
    factors = run.factors["as_trained"]
    assert (len(run.history), tuple(run.history.columns)) == (0, HISTORY_COLUMNS)
    assert factors.representation.shape == (120, n_factors)
    assert np.isnan(factors.loadings_se).all()
    np.testing.assert_array_equal(factors.loadings, factors.loadings_shrunken)
    assert set(run.factors) == {"as_trained"}
    assert run.metrics["n_factors"] == n_factors
    assert (run.metrics["test_iwll"] is None) == (run.metrics["structure_found"] is None) == (method != "gene_mean")


def test_the_gene_means_are_the_yardstick_itself(train, few_cells):
    """Their error is the null error of every run on the same cells; ELBO and IWLL are minus it, and the gain is 0."""
    means, ldvae = (open_run_folder(train(few_cells, model)).metrics for model in ({"method": "gene_mean"}, {}))
    error = means["test_reconstruction_error"]
    assert means["null_error"] == ldvae["null_error"] == error == -means["test_elbo"] == -means["test_iwll"]
    assert (means["gain"], means["structure_found"]) == (0.0, False)


def test_programs_are_found_and_their_absence_too(train):
    """Planted programs are structure; the same counts permuted within genes are none, though they share their genes."""
    planted, permuted = counts_of(800, 80), counts_of(800, 80, permuted=True)
    found = [open_run_folder(train(counts, {}, n_epochs=40)).metrics for counts in (planted, permuted)]
    assert [metrics["structure_found"] for metrics in found] == [True, False]
    assert found[0]["chance_gain"] > 2 > 0 > found[1]["chance_gain"]


@pytest.mark.parametrize("method", METHODS[:2])
def test_baselines_find_planted_programs_too(train, method):
    """Lower error than the gene means, and factors that explain deviance on their own terms."""
    run = open_run_folder(train(counts_of(400, 40), {"method": method}))
    assert run.metrics["test_reconstruction_error"] < run.metrics["null_error"] - 1
    assert run.factors["as_trained"].explained_deviance.max() > 0.01
    assert run.factors["as_trained"].active.all()


@pytest.mark.parametrize("method", METHODS)
def test_a_baseline_learns_nothing_from_test_cells(train, few_cells, method):
    """Other counts in test cells, of the same library size, change neither loadings nor inverse dispersions."""
    values, test = few_cells.counts.toarray(), split_cells(120, seed=0) == TEST
    values[test] = values[test][:, ::-1]
    other = replace(few_cells, counts=sparse.csr_matrix(values))
    found = [open_run_folder(train(counts, {"method": method})).factors["as_trained"] for counts in (few_cells, other)]
    np.testing.assert_array_equal(found[1].inverse_dispersion, found[0].inverse_dispersion)
    order = [factors.trained_as.argsort() for factors in found]  # test cells decide on strengths and signs
    loadings = [np.abs(factors.loadings[:, place]) for factors, place in zip(found, order, strict=True)]
    np.testing.assert_array_equal(*loadings)


@pytest.mark.parametrize("answer", ["cancel", "pause", "stop"])
def test_a_baseline_can_be_told_to_end(train, few_cells, answer):
    """Cancelled and paused runs leave no results; a stopped one keeps what NMF had learned."""
    asked = iter(["go", "go", answer])
    folder = train(few_cells, {"method": "nmf"}, answers=lambda: next(asked, "go"))
    assert read_folder_state(folder).stage == {"cancel": "cancelled", "pause": "paused", "stop": "stopped"}[answer]
    assert (folder / "metrics.json").exists() == (answer == "stop")
    assert read_json(folder / "progress.json")["n_steps"] == 22


def test_an_annotation_with_one_level_is_refused(train, few_cells):
    """In words, with the number found; state.json keeps them."""
    one_donor = few_cells.annotations.assign(donor="a")
    counts = make_count_matrix(few_cells.counts, cell_ids=few_cells.cell_ids, gene_names=few_cells.gene_names,
                               annotations=one_donor)  # fmt: skip
    with pytest.raises(SettingsError, match=r"The annotation 'donor' has 1 levels; a covariate has 2 to 500\."):
        train(counts, {"covariates": ["donor"]})
