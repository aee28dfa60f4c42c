"""Class moments: one pass over the cells serves every pair of factors."""

import numpy as np
import pytest

from ldvae_core.analysis.discriminant import N_FOLDS, folds, moments_of_groups


@pytest.fixture
def two_groups():
    """A tight group of 400 cells and a wide one of 20, on three factors."""
    rng = np.random.default_rng(0)
    return np.vstack([rng.normal(0, 1, (400, 3)), rng.normal(2, 5, (20, 3))]), np.repeat([0, 1], [400, 20])


def test_moments_are_those_of_numpy(two_groups):
    """Means per group, and a covariance within groups in which a rare type counts as much as a common one."""
    z, group = two_groups
    moments = moments_of_groups(z, np.arange(420), group, 2, np.full(3, 0.5))
    parts = [z[group == one] for one in (0, 1)]
    np.testing.assert_allclose(moments.mean + 0.5, [part.mean(axis=0) for part in parts])
    np.testing.assert_allclose(moments.covariance, np.mean([np.cov(part.T, ddof=0) for part in parts], axis=0))


def test_groups_join_to_the_moments_of_their_cells(two_groups):
    """Folds of a type together are the type."""
    z, group = two_groups
    fold = folds(group, seed=0)
    split = moments_of_groups(z, np.arange(420), group * N_FOLDS + fold, 2 * N_FOLDS, np.zeros(3))
    whole = moments_of_groups(z, np.arange(420), group, 2, np.zeros(3))
    np.testing.assert_allclose(split.together(N_FOLDS).covariance, whole.covariance)


def test_folds_spread_every_type_evenly(two_groups):
    """Each of the five folds holds a fifth of each type."""
    fold = folds(two_groups[1], seed=0)
    assert np.bincount(fold[:400]).tolist() == [80] * 5
    assert np.bincount(fold[400:]).tolist() == [4] * 5
