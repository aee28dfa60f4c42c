"""From counts to named programs: what was planted is what is read."""

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from ldvae_core.analysis.factors import Factors, build_factors
from ldvae_core.analysis.matching import Matching, match_factors
from ldvae_core.analysis.uncertainty import INTERVAL_90
from ldvae_core.data.split import split_cells
from ldvae_core.data.synthetic import Planted, plant_programs
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.training.loop import Trainer
from ldvae_core.training.score import folded_decoder, represent

SIZES = {5: (2000, 300, 60), 10: (2000, 400, 50), 20: (2000, 600, 40)}  # factors: cells, genes, epochs
CROWDED = (2000, 400, 40)  # 20 programs share genes so much that varimax itself prefers to mix two of them


def factors_of(trainer, planted: Planted, axes: str = "readable") -> Factors:
    """What a finished run shows, on one thread."""
    counts, posterior = planted.counts, represent(trainer.model, trainer.source)
    loadings, intercept = folded_decoder(trainer.model, posterior.mean, np.zeros((counts.n_cells, 0)))
    theta = trainer.model.bounded_log_theta().detach().exp().numpy()
    with threadpool_limits(1):
        return build_factors(
            representation=posterior.mean, posterior_variance=posterior.variance, loadings=loadings,
            intercept=intercept, inverse_dispersion=theta, counts=counts.counts, library_size=counts.library_size,
            prior="normal", split=split_cells(counts.n_cells, seed=0), axes=axes, gene_names=counts.gene_names,
        )  # fmt: skip


@pytest.fixture(scope="module")
def factors_of_planted(planted) -> Factors:
    """The readable factors of a model trained on the planted counts for 100 epochs."""
    torch.set_num_threads(1)
    counts = planted.counts
    trainer = Trainer(
        counts.counts, counts.library_size, split_cells(counts.n_cells, seed=0), np.zeros((counts.n_cells, 0)),
        model_config=ModelConfig(counts.n_genes, n_factors=5), training_config=TrainingConfig(n_epochs=100),
        device=torch.device("cpu"),
    )  # fmt: skip
    trainer.train()
    return factors_of(trainer, planted)


def correlations(factors: Factors, planted: Planted, matching: Matching) -> np.ndarray:
    """Of each matched pair's positions over cells, up to sign."""
    pairs = (np.corrcoef(factors.representation[:, a], planted.representation[:, b]) for a, b in matching.pairs)
    return np.abs([pair[0, 1] for pair in pairs])


@pytest.mark.parametrize("n_factors", SIZES)
def test_every_planted_program_is_one_readable_factor(n_factors, trainer_for):
    """Loadings and cells alike, whatever sign and place: half match to 0.95, none below 0.9, and all are alive."""
    n_cells, n_genes, n_epochs = SIZES[n_factors]
    planted = plant_programs(n_cells=n_cells, n_genes=n_genes, n_factors=n_factors, seed=1)
    trainer = trainer_for(planted, n_epochs=n_epochs)
    trainer.train()
    factors = factors_of(trainer, planted)
    matching = match_factors(factors.loadings, planted.loadings)
    cells = correlations(factors, planted, matching)
    assert factors.active.all()
    assert (np.median(matching.match), np.median(cells)) >= (0.95, 0.95)
    assert min(matching.match.min(), cells.min()) >= 0.9


def test_programs_that_share_many_genes_are_all_found_whatever_the_axes(trainer_for):
    """The factors together hold at least 90% of how every one of 20 planted programs varies over cells."""
    n_cells, n_genes, n_epochs = CROWDED
    planted = plant_programs(n_cells=n_cells, n_genes=n_genes, n_factors=20, seed=1)
    trainer = trainer_for(planted, n_epochs=n_epochs)
    trainer.train()
    z, truth = represent(trainer.model, trainer.source).mean, planted.representation
    z, truth = z - z.mean(axis=0), truth - truth.mean(axis=0)
    rest = truth - z @ np.linalg.lstsq(z, truth, rcond=None)[0]
    assert (1 - (rest**2).sum(axis=0) / (truth**2).sum(axis=0)).min() >= 0.9


def test_batch_norm_does_not_hide_the_programs(planted, trainer_for):
    """Folded into the loadings that are shown, it leaves them the planted ones."""
    trainer = trainer_for(planted, model={"batch_norm": True}, n_epochs=60)
    trainer.train()
    factors = factors_of(trainer, planted)
    matching = match_factors(factors.loadings, planted.loadings)
    assert matching.match.min() >= 0.95
    assert correlations(factors, planted, matching).min() >= 0.95


@pytest.mark.parametrize("truth_by", ["regression", "rotation", "sign"])
def test_intervals_of_a_trained_models_loadings_cover_the_truth(factors_of_planted, planted, truth_by):
    """From counts alone: 90% intervals hold 85 to 95% of the planted loadings, however these are brought to our axes.

    By regression of the planted positions on ours, by the best rotation, or only by order and sign: the last asks the
    intervals to know how well the axes are known. Shrunken intervals hold at least as many.
    """
    factors = factors_of_planted
    truth = planted.loadings @ TO_OUR_AXES[truth_by](factors, planted)
    raw = np.abs(factors.loadings - truth) < INTERVAL_90 * factors.loadings_se
    shrunken = np.abs(factors.loadings_shrunken - truth) < INTERVAL_90 * factors.loadings_shrunken_sd
    assert 0.85 <= raw.mean() <= 0.95
    assert 0.85 <= shrunken.mean() <= 0.98


def _by_regression(factors, planted) -> np.ndarray:
    design = np.column_stack([np.ones(factors.n_cells), factors.representation])
    return np.linalg.lstsq(design, planted.representation, rcond=None)[0][1:].T


def _by_rotation(factors, planted) -> np.ndarray:
    left, _, right = np.linalg.svd(planted.loadings.T @ factors.loadings)
    return left @ right


def _by_sign(factors, planted) -> np.ndarray:
    found = match_factors(planted.loadings, factors.loadings)
    turn = np.zeros((planted.loadings.shape[1], factors.n_factors))
    turn[found.pairs[:, 0], found.pairs[:, 1]] = np.where(found.same_sign, 1.0, -1.0)
    return turn


TO_OUR_AXES = {"regression": _by_regression, "rotation": _by_rotation, "sign": _by_sign}
