"""The dot table of a design, and the samples behind a dot: every mark against its table."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from ldvae_core.plots.design import dot_size, plot_design, plot_samples
from ldvae_core.plots.theme import PALETTES


@pytest.fixture
def table():
    """Two groups of cells, three programs, the last of which was not tested."""
    rows = [(row, factor) for row in ("B <cells>", "T") for factor in range(3)]
    q = [0.001, 0.5, np.nan, 0.04, 0.06, np.nan]
    return pd.DataFrame(rows, columns=["row", "factor"]).assign(
        effect=[1.0, -0.2, 0.1, -2.0, 0.3, 0.0], low=-1.0, high=1.0, p=q, q=q, n_samples=8
    )


def trace_of(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_dot_is_a_row_of_the_table(table, mode):
    """Place, colour, area, ring and cross, and what a click carries."""
    figure = plot_design(table, names=["Factor 1", "Factor 2", "Factor 3"], mode=mode)
    dots = trace_of(figure, "tests")
    assert list(dots.x) == table["factor"].tolist()
    assert list(dots.y) == [0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(dots.marker.color, table["effect"], rtol=1e-6)
    rings = np.array(dots.marker.line.color) == PALETTES[mode].ink
    assert rings.tolist() == (table["q"] < 0.05).tolist()
    assert [symbol != "circle" for symbol in dots.marker.symbol] == table["q"].isna().tolist()
    assert [list(carried) for carried in dots.customdata][4] == [1, 1]
    assert list(figure.layout.yaxis.ticktext) == ["B &lt;cells&gt;", "T"]
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-2.0, 2.0)


def test_plotly_knows_every_property(table, samples):
    """Sheets are not checked when they are drawn."""
    for mode in ("light", "dark"):
        for figure in (plot_design(table, names=["a", "b", "c"], mode=mode),
                       plot_samples(samples, x_title="x", y_title="y", levels=["a", "b"], mode=mode)):  # fmt: skip
            go.Figure(figure.to_plotly_json())


def test_surer_dots_are_larger():
    """Their area with -log10 q, up to a limit."""
    sizes = dot_size(np.array([1.0, 0.5, 0.05, 0.001, 1e-9, 0.0]))
    assert (np.diff(sizes[:5]) > 0).all()
    assert sizes[4] == sizes[5]


def test_an_empty_table_has_titled_axes():
    """And says that nothing was tested."""
    empty = pd.DataFrame(columns=["row", "factor", "effect", "low", "high", "p", "q", "n_samples"])
    figure = plot_design(empty, names=[])
    assert figure.layout.xaxis.title.text == "Factor"
    assert figure.layout.annotations[0].text == "Nothing was tested"


@pytest.fixture
def samples():
    """Two pairs and a sample alone."""
    return pd.DataFrame(
        {"sample": list("abcde"), "x": [0.0, 1, 0, 1, 1], "y": [0.1, 0.5, 0.2, 0.9, 0.4], "n_cells": 50,
         "pair": ["u", "u", "v", "v", ""], "note": "arm: x"}
    )  # fmt: skip


def test_samples_of_a_pair_are_joined_and_levels_have_their_mean(samples):
    """A point a sample, at its mean."""
    figure = plot_samples(samples, x_title="arm", y_title="Factor 1", levels=["control", "treated"])
    points, means = trace_of(figure, "samples"), [trace for trace in figure.data if trace.name == "mean"]
    assert list(points.y) == samples["y"].tolist()
    assert np.abs(np.array(points.x) - samples["x"]).max() <= 0.14
    np.testing.assert_allclose([trace.y[0] for trace in means], [0.15, 0.6])
    assert list(trace_of(figure, "pairs").y) == [0.1, 0.5, None, 0.2, 0.9, None]


def test_a_number_stands_along_the_axis(samples):
    """Without bars, exactly where it is."""
    figure = plot_samples(samples.assign(x=[20.0, 31, 40, 55, 60], pair=""), x_title="age", y_title="Factor 1")
    assert [trace.name for trace in figure.data] == ["samples"]
    assert list(figure.data[0].x) == [20.0, 31, 40, 55, 60]


def test_no_samples_leave_titled_axes(samples):
    """Where a group of cells could not be tested."""
    figure = plot_samples(samples[:0], x_title="arm", y_title="Factor 1", levels=["a", "b"])
    assert figure.layout.annotations[0].text == "Not tested here"
