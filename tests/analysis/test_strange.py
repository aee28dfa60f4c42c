"""Cells of a kind that the run has never seen are told from others, and types are summed up without their cells."""

import numpy as np
import pandas as pd
import pytest

from ldvae_core.analysis.factor_effects import auc
from ldvae_core.analysis.strange import FEWEST, UNLIKELY, neighbourhood_means, reference_of, strangeness

CENTRES = np.array([[0, 0, 0, 0], [4, 0, 0, 0], [0, 4, 0, 0], [0, 0, 2.5, 0]], float)


def cells_of(kinds: np.ndarray, seed: int) -> np.ndarray:
    """Positions around the centres of their kinds."""
    noise = np.random.default_rng(seed).normal(size=(len(kinds), 4))
    return (CENTRES[kinds] + noise).astype(np.float32)


@pytest.fixture(scope="module")
def reference():
    """Three kinds of cells, a fourth unseen; three named, a few cells of a rare type, and some without a label."""
    kinds = np.repeat([0, 1, 2], 600)
    split = np.tile([0, 0, 0, 1, 2], 360)
    names = np.array(["a", "b", "c"], dtype=object)[kinds]
    names[:10], names[10:20] = "rare", "not labelled"
    labels = pd.Series(pd.Categorical(names), name="kind")
    return reference_of(cells_of(kinds, 1), split, labels, unlabelled="not labelled")


def test_an_unseen_kind_is_far(reference):
    """Of cells that overlap with known ones: neighbours together tell what one cell cannot."""
    kinds = np.repeat([0, 1, 3], 200)
    found = strangeness(reference, cells_of(kinds, 2))
    assert auc(found.distance[kinds == 3], found.distance[kinds < 3]) > 0.95


def test_ordinary_cells_are_called_strange_as_rarely_as_said(reference):
    """New cells of the kinds that were seen."""
    found = strangeness(reference, cells_of(np.repeat([0, 1, 2], 1_000), 3))
    assert found.is_strange.mean() < 3 * UNLIKELY
    assert abs(np.mean(found.beyond) - 0.5) < 0.1


def test_the_nearest_type_is_named(reference):
    """Names of types with enough cells, and no other."""
    assert reference.names == ("a", "b", "c")
    kinds = np.repeat([0, 1, 2], 100)
    assert (strangeness(reference, cells_of(kinds, 4)).nearest == kinds).mean() > 0.9


def test_small_types_are_not_kept(reference):
    """A mean of few cells would be hardly less than a cell."""
    assert (reference.sizes >= FEWEST).all()


def test_without_labels_groups_are_found():
    """A kind that is far from all of them is told, too."""
    kinds = np.repeat([0, 1, 2], 600)
    found = reference_of(cells_of(kinds, 1), np.tile([0, 0, 0, 1, 2], 360), None)
    new = np.repeat([0, 3], 200)
    far = strangeness(found, cells_of(new, 5)).distance
    assert auc(far[new == 3], far[new == 0]) > 0.8


@pytest.mark.parametrize("n_new", [150, 260, 777, 4_000])
def test_how_many_are_called_strange_does_not_hang_on_how_many_come(n_new):
    """However many cells are new or held out, about 1% of ordinary ones; the mean of eight references."""
    shares = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        cells, split = rng.normal(size=(1_500, 4)).astype(np.float32), np.tile([0, 0, 0, 1, 2], 300)
        found = reference_of(cells, split, None)
        shares.append(strangeness(found, rng.normal(size=(n_new, 4)).astype(np.float32)).is_strange.mean())
    assert np.mean(shares) < 2.5 * UNLIKELY


def test_too_few_held_out_cells_call_none_strange():
    """Of eight, a cell like them lies beyond all every ninth time."""
    rng = np.random.default_rng(0)
    cells, split = rng.normal(size=(400, 4)).astype(np.float32), np.repeat([0, 1, 2], [392, 4, 4])
    found = strangeness(reference_of(cells, split, None), 9 + rng.normal(size=(300, 4)).astype(np.float32))
    assert not found.is_strange.any()
    assert found.beyond.min() == pytest.approx(1 / 9, abs=1e-6)


@pytest.mark.parametrize("n_cells", [1, 2, 11, 30])
def test_few_cells_are_placed_too(reference, n_cells):
    """A neighbourhood is then all of them."""
    found = strangeness(reference, cells_of(np.zeros(n_cells, int), 6))
    assert np.isfinite(found.distance).all()
    assert found.distance.shape == (n_cells,)


def test_shares_that_sum_to_one_have_distances():
    """They vary in one direction less than there are factors."""
    shares = np.random.default_rng(0).dirichlet(np.ones(4), 900).astype(np.float32)
    found = strangeness(reference_of(shares, np.tile([0, 0, 1], 300), None), shares)
    assert np.isfinite(found.distance).all()


def test_neighbourhood_means_keep_the_mean():
    """Every cell counts once in every tree, but for a few that stand in two leaves."""
    random = np.random.default_rng(0)
    values = random.normal(size=500)
    smooth = neighbourhood_means(random.normal(size=(500, 3)), values)
    assert smooth.mean() == pytest.approx(values.mean(), abs=0.05)
    assert smooth.std() < values.std() / 2
