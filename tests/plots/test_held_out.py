"""Runs beside each other: held-out curves, figures of the test cells, matched factors."""

import numpy as np
import pandas as pd
import pytest

from ldvae_core.plots.dots import plot_test_metric
from ldvae_core.plots.held_out import plot_held_out
from ldvae_core.plots.matching import plot_matching
from tests.plots.conftest import NASTY, texts_of


@pytest.fixture(name="figures")
def _figures():
    """Three runs, the second one best, the last one a baseline."""
    return pd.DataFrame({"name": ["a", "b", "PCA"], "value": [500.0, 490.0, 900.0], "se": [5.0, np.nan, 5.0],
                         "best": ["", "best", ""], "baseline": [False, False, True]})  # fmt: skip


def notes(figure):
    return [note.text for note in figure.layout.annotations]


def test_only_held_out_points_are_drawn(history):
    """One line a run through the measured validation points, named at its end."""
    figure = plot_held_out({"first": history, "second": history + 5})
    assert [trace.name for trace in figure.data] == ["first", "second"]
    np.testing.assert_allclose(figure.data[0].y, history["validation_reconstruction_error"].dropna())
    assert {"first", "second"} <= set(notes(figure))
    assert figure.layout.yaxis.title.text == "Fit to unseen cells (nats per cell, lower is better)"


def test_first_epochs_do_not_crush_the_comparison(history):
    """The frame shows what comes after, and says what it leaves out."""
    figure = plot_held_out({"a": history, "b": history})
    assert figure.layout.yaxis.range[1] < 1200
    assert any("first epochs lie above" in note for note in notes(figure))


def test_a_baseline_is_a_dashed_line_named_at_its_end(history):
    """It has no epochs; near the curves it is drawn across the frame."""
    figure = plot_held_out({"a": history}, baselines={"PCA": 1030.0})
    assert (figure.layout.shapes[0].y0, figure.layout.shapes[0].line.dash) == (1030.0, "6px,4px")
    assert "PCA" in notes(figure)


def test_a_far_baseline_is_told_and_not_drawn(history):
    """The gene mean lies far above good models: an arrow and its value, so that curves keep their room."""
    figure = plot_held_out({"a": history}, baselines={"gene mean": 9000.0})
    assert not figure.layout.shapes
    assert any("↑ gene mean: 9,000.0" in note for note in notes(figure))


def test_the_logarithmic_axis_is_for_errors_only(history):
    """An ELBO is negative."""
    assert plot_held_out({"a": history}, log_axis=True).layout.yaxis.type == "log"
    assert plot_held_out({"a": history}, log_axis=True, measure="elbo").layout.yaxis.type == "linear"


def test_dots_have_whiskers_and_the_best_is_bold(figures):
    """One dot a run with its standard error; the best run's name in bold, a far baseline at the edge in words."""
    figure = plot_test_metric(figures, x_title="Test error (nats per cell)")
    assert [list(trace.x) for trace in figure.data] == [[500.0], [490.0]]
    assert [trace.error_x.array[0] for trace in figure.data] == [5.0, 0.0]
    assert list(figure.layout.yaxis.ticktext) == ["a", "<b>b</b>", "PCA"]
    assert notes(figure) == ["900.0 →"]


def test_curves_and_dots_of_a_run_share_its_colour(figures, history):
    """One thing, one colour, in both figures."""
    curves = plot_held_out({"a": history, "b": history}, baselines={"PCA": 900.0})
    dots = plot_test_metric(figures, x_title="x")
    assert [trace.line.color for trace in curves.data] == [trace.marker.color for trace in dots.data]


def test_matched_factors_form_a_diagonal():
    """Columns stand in the order of their partners; matched squares carry a frame; signs do not matter."""
    cosine = np.array([[0.1, -0.9, 0.2], [0.95, 0.0, 0.1]])
    figure = plot_matching(cosine, np.array([[0, 1], [1, 0]]), names=("A", "B"))
    np.testing.assert_allclose(figure.data[0].z, [[0.9, 0.1, 0.2], [0.0, 0.95, 0.1]])
    assert list(figure.layout.xaxis.ticktext) == ["2", "1", "3"]
    assert [(shape.x0, shape.y0) for shape in figure.layout.shapes] == [(-0.5, -0.5), (0.5, 0.5)]


def test_nothing_to_compare_gives_titled_empty_axes(figures):
    """An empty comparison is a normal input."""
    for figure in (plot_held_out({}), plot_test_metric(figures.iloc[:0], x_title="x"),
                   plot_matching(np.empty((0, 0)), np.empty((0, 2), int))):  # fmt: skip
        assert figure.layout.annotations
        assert figure.layout.xaxis.title.text


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_names_of_runs_stay_letters(name, history, figures):
    """Markup in a run's name is shown as it is written."""
    drawn = [plot_held_out({name: history}, baselines={f"{name}!": 1030.0}),
             plot_test_metric(figures.assign(name=[name, "b", "c"]), x_title="x"),
             plot_matching(np.eye(2), np.array([[0, 0], [1, 1]]), names=(name, "B"))]  # fmt: skip
    texts = [text for figure in drawn for text in texts_of(figure)]
    assert not any("<b>Sox2" in text or "<a " in text or "\n" in text or len(text) > 500 for text in texts)
