"""Cells in any plane, in any colouring: one drawing for pairs of factors and for maps."""

from typing import Any

import numpy as np
from plotly.graph_objects import Figure

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.genes import UNIT
from ldvae_core.analysis.raster import Raster, density_raster, mean_raster, type_rasters
from ldvae_core.plots.density import mean_picture, plot_density, plot_mean, plot_types, types_picture, window_of
from ldvae_core.plots.theme import Mode, cells_title
from ldvae_core.runs.store import OpenRun
from pages.parts.colour.choice import Colour
from pages.parts.colour.values import cells_by_value, mean_over
from pages.parts.per_run import per_run
from pages.parts.runs import colours_of
from pages.parts.selection.region import Plane
from pages.parts.text import plain

HISTOGRAM_BINS = 48
SMALL_BINS = 86  # of a thumbnail: two pixels each


def draw_cells(
    opened: OpenRun, factors: Factors, plane: Plane, titles: tuple[str, str], colour: Colour, *,
    hidden: tuple[str, ...] = (), from_zero: bool = False, behind: Raster | None = None, height: int, look: Mode,
) -> Figure:  # fmt: skip
    """The cells of a plane in a colouring. hidden: types drawn in grey; from_zero: usages, whose axes start at 0.

    behind: other cells in grey, in the window of the plane.
    """
    shared: dict[str, Any] = {"x_title": titles[0], "y_title": titles[1], "mode": look, "height": height,
                              "behind": behind}  # fmt: skip
    if colour.column is not None:
        rasters = _rasters_of_types(opened, plane, colour.column, from_zero)
        return plot_types(rasters, colours_of(opened, colour.column), hidden=hidden, **shared)
    raster = raster_on(opened, plane, from_zero)
    if colour.kind == "none":
        return plot_density(raster, shade="viridis" if behind is not None else "grey", **shared)
    mean = means_of(opened, factors, plane, colour, from_zero)
    counts, edges = _spread(opened, factors, colour)
    return plot_mean(mean, raster, value_title=_title(factors, colour), spread=(counts, edges), **shared)


def small_picture(
    opened: OpenRun, factors: Factors, pair: tuple[int, int], raster: Raster, colour: Colour, hidden: tuple[str, ...],
    look: Mode,
) -> np.ndarray | None:  # fmt: skip
    """The cells of a pair in a colouring, for a thumbnail: (bins, bins, 4) uint8; None for their number.

    raster: of the pair, for its window.
    """
    if colour.kind == "none":
        return None
    window, (x, y) = window_of(raster), (factors.representation[:, k] for k in pair)
    if colour.column is not None:
        labels = opened.labels(colour.column)
        types = [str(name) for name in labels.cat.categories]
        rasters = type_rasters(x, y, labels, types, bins=SMALL_BINS, extent=window)
        return types_picture(rasters, colours_of(opened, colour.column), look, hidden=hidden)
    if colour.kind == "factor":
        values = factors.representation[:, colour.factor]
        return mean_picture(mean_raster(x, y, values, bins=SMALL_BINS, extent=window)[0], look)
    coarse = density_raster(x, y, bins=SMALL_BINS, extent=window)
    return mean_picture(mean_over(opened, colour.genes, x, y, coarse), look)


@per_run(max_entries=64)
def raster_on(opened: OpenRun, plane: Plane, from_zero: bool) -> Raster:
    """Cells per bin of a plane."""
    return density_raster(plane.x, plane.y, extent=plane.window, from_zero=from_zero)


@per_run(max_entries=6)  # 10 MB each for 37 types; the figures are kept too
def _rasters_of_types(opened: OpenRun, plane: Plane, column: str, from_zero: bool) -> dict[str, Raster]:
    labels = opened.labels(column)
    types = [str(name) for name in labels.cat.categories]
    return type_rasters(plane.x, plane.y, labels, types, extent=plane.window, from_zero=from_zero)


@per_run(max_entries=32)
def means_of(opened: OpenRun, factors: Factors, plane: Plane, colour: Colour, from_zero: bool) -> np.ndarray:
    """Mean of a factor, or of genes, over the cells of each bin: (bins, bins), NaN without cells."""
    raster = raster_on(opened, plane, from_zero)
    if colour.genes:
        return mean_over(opened, colour.genes, plane.x, plane.y, raster, colour.among)
    return mean_raster(plane.x, plane.y, factors.representation[:, colour.factor], extent=window_of(raster))[0]


@per_run(max_entries=64)
def _spread(opened: OpenRun, factors: Factors, colour: Colour) -> tuple[np.ndarray, np.ndarray]:
    if colour.genes:
        return cells_by_value(opened, colour.genes, HISTOGRAM_BINS, colour.among)
    return np.histogram(np.ascontiguousarray(factors.representation[:, colour.factor]), HISTOGRAM_BINS)


def _title(factors: Factors, colour: Colour) -> str:
    if colour.kind == "factor":
        return f"Mean {cells_title(colour.factor, factors.prior, name=factors.name_of(colour.factor))}"
    if len(colour.genes) == 1 or colour.name:
        return f"{plain(colour.name or colour.said, longest=24)}, mean {UNIT}"
    return f"{colour.said}, {UNIT}"
