"""Learning curves: ranges, smoothing, names, standing still."""

import numpy as np
import pytest

from ldvae_core.plots.curves import plot_learning_curves
from ldvae_core.plots.series import robust_range, smooth, spread


def the(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def test_training_is_thin_and_validation_bold(history):
    """Validation is what counts; points that were not measured are left out."""
    figure = plot_learning_curves(history)
    assert the(figure, "validation").line.width > 2 * the(figure, "training").line.width
    assert not np.isnan(the(figure, "validation").y).any()
    assert figure.layout.yaxis.title.text == "Fit to cells (nats per cell, lower is better)"


def test_first_epochs_do_not_crush_the_rest_and_the_figure_says_so(history):
    """The frame shows what comes after; a note gives the value that lies outside."""
    figure = plot_learning_curves(history)
    assert figure.layout.yaxis.range[1] < 1100
    assert any("the first epochs lie above, from 1,850" in note.text for note in figure.layout.annotations)


def test_a_calm_history_is_shown_whole():
    """Nothing is clipped where the first points take no more room than the rest."""
    shown = robust_range([np.linspace(10, 0, 50)])
    assert shown.clipped is None
    assert shown.low < 0 < 10 < shown.high


def test_an_elbo_that_rises_is_clipped_below(history):
    """The first epochs of the ELBO lie below the frame."""
    notes = [note.text for note in plot_learning_curves(history, measure="elbo").layout.annotations]
    assert any("the first epochs lie below, from −1,850" in note for note in notes)


def test_the_kl_weight_runs_in_a_strip_below(history):
    """Thin, from 0 to 1, on its own axis."""
    weight = the(plot_learning_curves(history), "KL weight")
    assert (weight.yaxis, max(weight.y)) == ("y2", 1.0)
    assert "yaxis2" not in plot_learning_curves(history, measure="kl_weight").layout


def test_a_live_figure_stands_still(history):
    """While the curve grows, frame, axis and zoom stay."""
    early, late = (plot_learning_curves(history.iloc[:n], n_epochs=40).layout for n in (5, 60))
    assert early.xaxis.range == late.xaxis.range
    assert (early.height, early.margin, early.uirevision) == (late.height, late.margin, late.uirevision)


def test_hovered_numbers_are_written_as_everywhere(history):
    """'epoch 1,138' and '12,345', never 1.14e+3."""
    for trace in plot_learning_curves(history).data:
        assert "~g" not in trace.hovertemplate


def test_several_runs_are_told_apart_by_name_and_colour(history):
    """Each validation curve carries its run's name at its end."""
    figure = plot_learning_curves({"first": history, "second": history})
    texts = [note.text for note in figure.layout.annotations]
    assert {"first", "second"} <= set(texts)
    assert the(figure, "first, validation").line.color != the(figure, "second, validation").line.color


def test_smoothing_leaves_the_start_where_it_is():
    """A constant stays constant; the running mean is not pulled to zero."""
    assert smooth(np.full(5, 7.0), 0.9) == pytest.approx(np.full(5, 7.0))
    assert smooth(np.array([1.0, 3.0]), 0.0).tolist() == [1.0, 3.0]


def test_a_logarithmic_axis_shows_the_same_values(history):
    """The range is given in powers of ten, as plotly wants it; an ELBO, being negative, stays linear."""
    figure = plot_learning_curves(history, log_axis=True)
    assert figure.layout.yaxis.type == "log"
    assert 10 ** figure.layout.yaxis.range[0] == pytest.approx(1000, rel=0.02)
    assert plot_learning_curves(history, measure="elbo", log_axis=True).layout.yaxis.type is None


def test_names_at_the_ends_keep_their_distance():
    """Three ends at one height are spread, in order, inside the frame."""
    places = spread(np.array([99.0, 100.0, 98.0]), 15, 100)
    assert places.tolist() == [85.0, 100.0, 70.0]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_run_that_has_just_begun_has_its_axes(history, n):
    """No points, or one: titled axes, no error."""
    figure = plot_learning_curves(history.iloc[:n], n_epochs=40)
    assert figure.layout.xaxis.title.text == "Epoch"
    assert figure.layout.xaxis.range[1] > 40
