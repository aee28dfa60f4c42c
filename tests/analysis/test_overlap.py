"""Programs that go together are told from those that do not, by their loadings alone."""

import numpy as np
import pytest

from ldvae_core.analysis.overlap import program_overlap


def sparse_loadings(seed: int, n_programs: int = 6) -> np.ndarray:
    random = np.random.default_rng(seed)
    driven = random.random((500, n_programs)) < 0.1
    return np.where(driven, random.choice([-1, 1], driven.shape) * random.uniform(0.5, 1.1, driven.shape), 0.0)


def as_fitted(loadings: np.ndarray, correlation: float, seed: int) -> np.ndarray:
    """What a model with uncorrelated factors finds: W times a root of the factors' covariance, turned, with errors."""
    n = loadings.shape[1]
    covariance = np.full((n, n), correlation) + (1 - correlation) * np.eye(n)
    values, vectors = np.linalg.eigh(covariance)
    random = np.random.default_rng(seed)
    turn = np.linalg.qr(random.standard_normal((n, n)))[0]
    return loadings @ (vectors * values**0.5) @ turn + 0.03 * random.standard_normal(loadings.shape)


@pytest.mark.parametrize("seed", range(5))
def test_correlated_programs_are_told_from_uncorrelated_ones(seed):
    """Whatever the axes they are given on."""
    loadings = sparse_loadings(seed)
    assert not program_overlap(as_fitted(loadings, 0.0, seed)).is_strong
    assert program_overlap(as_fitted(loadings, 0.7, seed)).is_strong


def test_one_factor_and_dead_factors_overlap_with_nothing():
    """Nor do no loadings at all."""
    assert not program_overlap(sparse_loadings(0, 1)).is_strong
    assert not program_overlap(np.column_stack([sparse_loadings(0, 1), np.zeros((500, 2))])).is_strong
    assert not program_overlap(np.zeros((20, 3))).is_strong
