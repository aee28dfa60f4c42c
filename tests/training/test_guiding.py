"""Factors that gene sets inform: where they start, and where training leaves them."""

import numpy as np
import pytest
import torch

from ldvae_core.data.split import split_cells
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.training.guiding import guided_start, pull_of
from ldvae_core.training.loop import Trainer


@pytest.fixture
def sets(planted):
    """The genes that two of the five programs move most, (genes, 2) bool."""
    strength = np.abs(planted.loadings[:, [4, 2]])
    return strength >= np.quantile(strength, 0.9, axis=0)


def test_a_start_is_the_sets_own(planted, sets):
    """Nothing outside the set, and inside it the program up to its sign."""
    counts = planted.counts
    share = np.asarray(counts.counts.sum(axis=0)).ravel() / counts.counts.sum()
    cells, theta = np.arange(counts.n_cells), np.full(len(share), 5.0)
    start = guided_start(counts.counts, counts.library_size, cells, sets, share, theta)
    assert (start[~sets] == 0).all()
    for s, program in enumerate((4, 2)):
        genes = sets[:, s]
        truth = planted.loadings[genes, program]
        assert abs(start[genes, s] @ truth) > 0.9 * np.linalg.norm(start[genes, s]) * np.linalg.norm(truth)


def test_a_pull_is_a_share_of_what_the_counts_tell():
    """0.3 of the information of a mean count, outside the set; none inside."""
    pull = pull_of(np.array([[True], [False]]), np.array([0.5, 0.5]), np.array([2.0, 2.0]), 8.0)
    assert pull.ravel() == pytest.approx([0.0, 0.3 * 4 * 2 / (4 + 2)])


@pytest.mark.parametrize("fast", [True, False], ids=["compiled", "autograd"])
def test_training_leaves_a_guided_factor_on_its_program(planted, sets, fast):
    """Factors 0 and 1 of 7, on the program of their sets."""
    counts = planted.counts
    trainer = Trainer(
        counts.counts, counts.library_size, split_cells(counts.n_cells, seed=0), np.zeros((counts.n_cells, 0)),
        model_config=ModelConfig(counts.n_genes, n_factors=7),
        training_config=TrainingConfig(n_epochs=25, threads=1), device=torch.device("cpu"), fast=fast, guide=sets,
    )  # fmt: skip
    trainer.train()
    found = trainer.model.decoder.loadings.detach().numpy()
    found = found - found.mean(axis=0)
    truth = planted.loadings - planted.loadings.mean(axis=0)
    cosines = np.abs(found.T @ truth) / np.linalg.norm(found, axis=0)[:, None] / np.linalg.norm(truth, axis=0)
    assert cosines[:2].argmax(axis=1).tolist() == [4, 2]
    assert cosines[[0, 1], [4, 2]].min() > 0.8
