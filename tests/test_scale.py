"""The page on scale says what its script computes, and that agrees with everything that was measured."""

import pytest

from benchmarks.scale import TARGET, cost, measurements, page


def test_the_page_is_that_of_the_script():
    """Nobody edits it by hand."""
    assert TARGET.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("known", measurements(), ids=lambda known: known.what)
def test_the_model_agrees_with_what_was_measured(known):
    """Within the factor given there, either way."""
    assert 1 / known.within <= known.modelled / known.measured <= known.within


def test_what_is_said_to_break_breaks_there():
    """The sizes in the table of what gives way, and not before."""
    assert cost(5e6).view > 0.5 > cost(4e6).view
    assert cost(5e6).page_bytes > 1.5e9 > cost(2e6).page_bytes
    assert cost(1e7).train_bytes > 8e9 > cost(8e6).train_bytes
    assert cost(1e5).refining > cost(1e5).first_pass
    assert cost(1e8).disk_bytes > 0.5e12
    assert 5_000 < cost(1e8).first_step < 6_000
