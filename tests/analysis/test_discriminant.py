"""Class moments: one pass over the cells serves every pair of factors."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from ldvae_core.analysis.discriminant import N_FOLDS, by_group, folds, moments_of_groups, moments_of_parts, shares_right


class Plain:
    """Plain covariance of a class: given one, scikit-learn weighs the classes by their priors."""

    def fit(self, z):
        self.covariance_ = np.cov(z.T, ddof=0)
        return self


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


def test_held_out_cells_are_classified_as_scikit_learn_does(two_groups):
    """Each fold's cells by a discriminant of the other folds, both types counting the same."""
    z, group = two_groups[0][:, :2], two_groups[1]
    fold, right = folds(group, seed=0), np.zeros(2)
    for held_out in range(N_FOLDS):
        rest = fold != held_out
        lda = LinearDiscriminantAnalysis(priors=[0.5, 0.5], solver="lsqr", covariance_estimator=Plain())
        hit = lda.fit(z[rest], group[rest]).predict(z[~rest]) == group[~rest]
        right += np.bincount(group[~rest], weights=hit, minlength=2)
    parts = by_group(z, np.arange(420), group * N_FOLDS + fold, 2 * N_FOLDS)
    ours = shares_right(parts, moments_of_parts(parts, np.zeros(2)), 2)
    np.testing.assert_allclose(ours, right / [400, 20])
