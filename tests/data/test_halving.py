"""Two halves share no cell, and no sample where samples are the units."""

import numpy as np
import pytest

from ldvae_core.data.halving import can_halve, halves


@pytest.mark.parametrize("n_cells", [2, 7, 1000])
def test_every_cell_is_in_one_half(n_cells):
    """Both of the same size, to one cell."""
    first, second = halves(n_cells, seed=0, number=0)
    assert sorted([*first, *second]) == list(range(n_cells))
    assert abs(len(first) - len(second)) <= 1


def test_a_number_is_a_way_of_halving():
    """The same again for the same, another for another."""
    again = [halves(500, seed=3, number=number)[0].tolist() for number in (0, 0, 1)]
    assert again[0] == again[1]
    assert again[0] != again[2]


@pytest.mark.parametrize("sizes", [(50, 50, 50, 50), (400, 10, 10, 10), (5, 80, 20, 30, 60, 2, 9)])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_sample_is_in_one_half_whole_and_each_half_has_two(sizes, number):
    """However many cells a sample has."""
    samples = np.random.default_rng(0).permutation(np.repeat([f"donor {k}" for k in range(len(sizes))], sizes))
    first, second = (
        set(samples[half].tolist()) for half in halves(len(samples), seed=1, number=number, samples=samples)
    )
    assert not first & second
    assert len(first | second) == len(sizes)
    assert min(len(first), len(second)) >= 2


def test_three_samples_cannot_be_halved():
    """Two are needed on either side."""
    assert can_halve(np.array(list("abcd")))
    assert not can_halve(np.array(list("abcabc")))
