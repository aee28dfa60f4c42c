"""Class moments: one pass over the cells serves every pair of factors."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from ldvae_core.analysis import discriminant
from ldvae_core.analysis.discriminant import N_FOLDS, Grouped, by_group, folds, moments_of_parts


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


def moments(z, group, n_groups, centre=0.0):
    """Of all cells, as a comparison takes them."""
    return moments_of_parts(by_group(z, np.arange(len(z)), group, n_groups), np.full(z.shape[1], centre))


def test_moments_are_those_of_numpy(two_groups):
    """Means per group, and a covariance within groups in which a rare type counts as much as a common one."""
    z, group = two_groups
    found = moments(z, group, 2, 0.5)
    parts = [z[group == one] for one in (0, 1)]
    np.testing.assert_allclose(found.mean + 0.5, [part.mean(axis=0) for part in parts])
    np.testing.assert_allclose(found.covariance, np.mean([np.cov(part.T, ddof=0) for part in parts], axis=0))


def test_groups_join_to_the_moments_of_their_cells(two_groups):
    """Folds of a type together are the type."""
    z, group = two_groups
    fold = folds(group, seed=0)
    split = moments(z, group * N_FOLDS + fold, 2 * N_FOLDS)
    whole = moments(z, group, 2)
    np.testing.assert_allclose(split.together(N_FOLDS).covariance, whole.covariance)


def test_folds_spread_every_type_evenly(two_groups):
    """Each of the five folds holds a fifth of each type."""
    fold = folds(two_groups[1], seed=0)
    assert np.bincount(fold[:400]).tolist() == [80] * 5
    assert np.bincount(fold[400:]).tolist() == [4] * 5


def test_held_out_cells_are_classified_as_scikit_learn_does(two_groups, monkeypatch):
    """Each fold's cells by a discriminant of the other folds, both types counting the same; a piece at a time."""
    monkeypatch.setattr(discriminant, "CELLS_AT_ONCE", 7)
    (z, group), pairs, right = two_groups, np.array([[0, 1], [2, 0]]), np.zeros((2, 2))
    grouped = Grouped(z, group, 2, np.full(3, 0.5))
    folds_of = np.concatenate([grouped.folds(0), grouped.folds(1)])
    for held_out in (folds_of == fold for fold in range(N_FOLDS)):
        for row, pair in enumerate(pairs):
            lda = LinearDiscriminantAnalysis(priors=[0.5, 0.5], solver="lsqr", covariance_estimator=Plain())
            found = lda.fit(z[~held_out][:, pair], group[~held_out]).predict(z[held_out][:, pair])
            right[row] += np.bincount(group[held_out], weights=found == group[held_out], minlength=2)
    np.testing.assert_allclose(grouped.shares_right([0, 1], pairs), right / [400, 20])


def test_cells_that_fit_both_types_equally_go_to_the_first():
    """Where all cells are in one place, nothing tells the types apart."""
    grouped = Grouped(np.ones((20, 2)), np.arange(20) % 2, 2, np.zeros(2))
    assert grouped.shares_right([0, 1], np.array([[0, 1]])).tolist() == [[1.0, 0.0]]
    assert grouped.shares_right([1, 0], np.array([[0, 1]])).tolist() == [[1.0, 0.0]]


def test_a_type_is_spread_over_the_folds_whatever_else_is_there(two_groups):
    """Five folds of each type's own cells; other types, and cells without one, change nothing."""
    z, group = two_groups
    grouped, alone = Grouped(z, group, 2, np.zeros(3)), Grouped(z, np.where(group == 0, 0, -1), 1, np.zeros(3))
    assert (grouped.cells(0).tolist(), grouped.cells(1).tolist()) == (list(range(400)), list(range(400, 420)))
    assert (np.bincount(grouped.folds(0)).tolist(), np.bincount(grouped.folds(1)).tolist()) == ([80] * 5, [4] * 5)
    assert alone.cells(0).tolist() == list(range(400))
    assert alone.folds(0).tolist() == grouped.folds(0).tolist()


def test_moments_of_chosen_types_are_those_of_their_cells(two_groups):
    """In the order asked for, the folds of the first type first."""
    z, group = two_groups
    found = Grouped(z, group, 2, np.full(3, 0.5)).moments([1, 0]).together(N_FOLDS)
    whole = moments(z, 1 - group, 2, 0.5)
    np.testing.assert_allclose(found.mean, whole.mean)
    np.testing.assert_allclose(found.covariance, whole.covariance)
