"""Planted programs: the counts follow the model they are said to follow."""

import numpy as np
import pytest

from ldvae_core.data.synthetic import plant_programs


def test_the_same_arguments_give_the_same_counts():
    """Seeded, whatever else ran before."""
    one, other = (plant_programs(n_cells=100, n_genes=50, seed=7) for _ in range(2))
    assert one.counts.fingerprint == other.counts.fingerprint
    assert plant_programs(n_cells=100, n_genes=50, seed=8).counts.fingerprint != one.counts.fingerprint


def test_mean_and_variance_follow_the_planted_model():
    """Over 4,000 cells each gene's residual variance is m + m^2/theta, and its residual mean 0."""
    planted = plant_programs(n_cells=4000, n_genes=60, n_factors=3, seed=0)
    logits = planted.representation @ planted.loadings.T + planted.intercept
    fraction = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = planted.counts.library_size[:, None] * fraction
    residual = planted.counts.counts.toarray() - expected
    variance = expected + expected**2 / planted.inverse_dispersion
    assert np.abs((residual.mean(axis=0) / np.sqrt(variance.mean(axis=0))) * np.sqrt(4000)).max() < 5
    assert np.median((residual**2 / variance).mean(axis=0)) == pytest.approx(1, abs=0.1)


def test_truth_is_aligned_with_the_counts():
    """Rows of the truth belong to the genes that are left; loadings are centred."""
    planted = plant_programs(n_cells=60, n_genes=3000, depth=60, seed=0)
    assert planted.counts.n_genes < 3000
    assert len(planted.loadings) == len(planted.intercept) == len(planted.inverse_dispersion) == planted.counts.n_genes
    assert np.allclose(planted.loadings.mean(axis=0), 0)
    assert planted.representation.shape == (planted.counts.n_cells, 5)
