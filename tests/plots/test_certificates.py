"""How many programs, as a picture: every factor twice, the bar, the number."""

import numpy as np
import pytest

from ldvae_core.analysis.certificates import Certificates, Program
from ldvae_core.plots.certificates import plot_certificates


@pytest.fixture
def found():
    """Two programs that come back, one factor that does not; two of shuffled counts."""
    programs = tuple(Program(0.9, half, half > 0.6, half / 10) for half in (0.2, 0.95, 0.8))
    return Certificates(programs, 0.6, "samples", tuple(Program(np.nan, 0.3, False, 0.001) for _ in range(2)))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_factors_stand_by_what_they_explain_and_certified_ones_are_filled(found, mode):
    """With their match in the other samples; shuffled counts beside them."""
    figure = plot_certificates(found, mode=mode)
    half = next(trace for trace in figure.data if trace.name == "in other samples")
    assert list(half.y) == [0.95, 0.8, 0.2]
    assert list(half.marker.symbol) == ["circle", "circle", "circle-open"]
    explained = next(trace for trace in figure.data if trace.name == "explained")
    assert list(explained.y) == pytest.approx([9.5, 8.0, 2.0])
    shuffled = next(trace for trace in figure.data if trace.name == "shuffled counts")
    assert list(shuffled.y) == [0.3, 0.3]


def test_the_bar_and_the_number_are_drawn(found):
    """Dotted: the match that is asked for, and the line after the last program that counts."""
    across, upright = plot_certificates(found).layout.shapes
    assert (across.y0, across.y1) == (0.6, 0.6)
    assert (upright.x0, upright.x1) == (2.5, 2.5)


def test_without_factors_the_axes_are_empty():
    """And titled."""
    figure = plot_certificates(Certificates((), 0.6, "cells"))
    assert figure.layout.annotations[0].text == "Nothing was tried"
