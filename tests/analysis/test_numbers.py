"""Numbers in words: the same everywhere, and never more than the computation knows."""

import numpy as np
import pytest

from ldvae_core.analysis.numbers import explained, fold, interval_words, small_number


@pytest.mark.parametrize(("low", "high"), [(1.81, 1.84), (1.8049, 1.8112), (30.1, 30.4)])
def test_the_ends_of_an_interval_are_told_apart(low, high):
    """Never '1.8 to 1.8'."""
    first, last = interval_words(low, high).split(" to ")
    assert first != last


@pytest.mark.parametrize(
    ("share", "said"), [(-0.0012, "nothing"), (0.0, "nothing"), (0.0001, "under 0.1%"), (0.185, "18.5%")]
)
def test_a_factor_explains_nothing_or_a_share(share, said):
    """A share below 0 is a factor that predicts worse than none."""
    assert explained(share) == said


def test_what_is_too_small_to_tell_apart_is_said_so():
    """Not 'q = 1e-1066', which no computation of ours has."""
    assert small_number(-1066.0) == "< 1e-300"
    assert small_number(np.nan) == ""


def test_large_folds_are_no_powers_of_ten():
    """'110-fold', not '1.1e+02-fold'."""
    assert [fold(ratio) for ratio in (1.84, 110.4, 1234.0)] == ["1.8", "110", "1,234"]
