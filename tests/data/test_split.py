"""Three shares of the cells."""

import numpy as np

from ldvae_core.data.split import SPLIT_NAMES, TEST, TRAIN, VALIDATION, split_cells


def test_the_same_seed_gives_the_same_split():
    """Models are compared on the same held-out cells."""
    assert np.array_equal(split_cells(1000, seed=3), split_cells(1000, seed=3))
    assert not np.array_equal(split_cells(1000, seed=3), split_cells(1000, seed=4))


def test_shares_are_as_asked():
    """Numbers of cells to the nearest whole one; positions are those of SPLIT_NAMES."""
    split = split_cells(1003, validation_share=0.1, test_share=0.2, seed=0)
    assert split.dtype == np.int8
    assert np.bincount(split).tolist() == [702, 100, 201]
    assert [SPLIT_NAMES[k] for k in (TRAIN, VALIDATION, TEST)] == ["train", "validation", "test"]


def test_every_held_out_share_has_a_cell():
    """Even of 50 cells and 1%."""
    assert np.bincount(split_cells(50, validation_share=0.001, test_share=0.001, seed=0)).tolist() == [48, 1, 1]
