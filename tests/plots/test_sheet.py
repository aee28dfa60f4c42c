"""Figures that are put together without plotly's checks: here they are checked."""

import json

import plotly.graph_objects as go
import pytest

from ldvae_core.analysis.raster import contours, mean_raster
from ldvae_core.plots.biplot import plot_biplot
from ldvae_core.plots.density import plot_density, plot_mean, plot_types
from ldvae_core.plots.gallery import plot_thumbnail
from ldvae_core.plots.sheet import Sheet
from ldvae_core.plots.theme import OKABE_ITO, bare_template, template

TITLES = {"x_title": "Factor 1", "y_title": "Factor 2"}


@pytest.fixture(name="drawings")
def _drawings(cloud, raster, rasters, loadings, no_cells):
    """By name, every figure made on a Sheet, with all that it may hold."""
    colours = dict(zip(rasters, OKABE_ITO, strict=False))
    lines = {name: contours(found) for name, found in rasters.items()}
    mean, _ = mean_raster(cloud[0], cloud[1], cloud[0], bins=64)
    typed = loadings.assign(cell_type=[list(rasters)[row % 3] for row in range(len(loadings))])
    return lambda mode: {
        "density": plot_density(raster, contours=lines, colours=colours, select=True, mode=mode, **TITLES),
        "viridis": plot_density(raster, shade="viridis", mode=mode, **TITLES),
        "mean": plot_mean(mean, raster, value_title="Ttr", mode=mode, **TITLES),
        "types": plot_types(rasters, colours, mode=mode, **TITLES),
        "no types": plot_types({}, {}, mode=mode, **TITLES),
        "biplot": plot_biplot(typed, colours=colours, mode=mode, **TITLES),
        "thumbnail": plot_thumbnail(raster, loadings, mode=mode, **TITLES),
        "no cells": plot_density(no_cells, mode=mode, **TITLES),
        "no genes": plot_thumbnail(no_cells, loadings.iloc[:0], mode=mode, **TITLES),
    }


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_property_of_a_figure_on_a_sheet_is_one_that_plotly_knows(drawings, mode):
    """plotly's own checks accept each of them, and change nothing but lists into tuples."""
    for name, figure in drawings(mode).items():
        assert json.loads(go.Figure(figure.to_dict()).to_json()) == json.loads(figure.to_json()), name


def test_a_finished_sheet_can_be_changed_like_any_figure(raster):
    """Pages set the tool of a drag, and more is merged into what is there."""
    figure = plot_density(raster, **TITLES).update_layout(dragmode="lasso", xaxis={"zeroline": False})
    assert (figure.layout.dragmode, figure.layout.xaxis.zeroline) == ("lasso", False)
    assert figure.layout.xaxis.title.text == "Factor 1"


def test_figures_of_a_sheet_share_nothing():
    """A change to one figure reaches neither the next one nor the template that all have."""
    sheet = Sheet({"template": bare_template("light")})
    first = sheet.figure()
    first.layout.template.layout.font.size = 99
    first.update_layout(height=7)
    assert sheet.figure().layout.height is None
    assert sheet.figure().layout.template.layout.font.size == template("light").layout.font.size != 99


def test_a_sheet_takes_traces_of_both_kinds():
    """Dictionaries as they are, plotly's objects as what they hold."""
    sheet = Sheet({})
    sheet.add_trace({"x": [1, 2]})
    sheet.add_trace(go.Heatmap(z=[[1]]))
    assert [trace.type for trace in sheet.figure().data] == ["scatter", "heatmap"]
