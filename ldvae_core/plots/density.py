"""The cells of a pair of factors: a raster of how many lie where, with contours, types or a value on top."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from ldvae_core.analysis.raster import Contour, Raster, Window
from ldvae_core.plots.colour_bar import add_colour_bar, rebinned
from ldvae_core.plots.colours import gamma, linear, rgb
from ldvae_core.plots.contours import add_contours
from ldvae_core.plots.escape import escape
from ldvae_core.plots.frame import PAIR_HEIGHT, say_empty, square_sheet
from ldvae_core.plots.png import png_address
from ldvae_core.plots.sheet import Sheet
from ldvae_core.plots.theme import Mode, grey_scale, legible, palette, three_digits, viridis, viridis_scale
from ldvae_core.plots.type_names import add_type_names

POWER = 0.25  # of the paper's Fig. 1c: single cells and crowds are both seen
HOVER_BINS = 48
LONGEST_HOVER = 60  # characters of a type's name, of which there may be one a bin
NO_CELLS = "No cells to show"
Shade = Literal["grey", "viridis"]
BEHIND = (0.25, 0.45)  # how opaque cells behind others are: single ones, and more for crowds


def plot_density(
    raster: Raster,
    *,
    x_title: str,
    y_title: str,
    contours: Mapping[str, Sequence[Contour]] | None = None,
    colours: Mapping[str, str] | None = None,
    shade: Shade = "grey",
    behind: Raster | None = None,
    select: bool = False,
    mode: Mode = "light",
    height: int = PAIR_HEIGHT,
) -> go.Figure:
    """Cells per bin, to the power 0.25 (as in the paper's Fig. 1c), in an equal, square frame.

    raster: from density_raster; its window is the frame's, so usages start at 0. contours: per cell type, from
    analysis.raster.contours, drawn in `colours` with each name at its cluster. shade: "grey", or "viridis" with a
    scale where the density itself is the message. behind: other cells, in the same window, in grey. select: a drag
    draws a lasso (for charts that answer to it), else it moves the view. No cells: empty titled axes.
    """
    sheet = base_sheet(raster, x_title=x_title, y_title=y_title, mode=mode, height=height, select=select)
    if not raster.counts.any():
        return say_empty(sheet, NO_CELLS, mode).figure()
    _put_behind(sheet, behind, mode)
    scaled = np.asarray(raster.counts, np.float64) ** POWER
    if shade == "grey":
        sheet.add_trace(raster_trace(raster, quantise(scaled, low=0.0), grey_scale(mode, soft=bool(contours))))
    else:
        sheet.add_trace(raster_trace(raster, quantise(scaled, low=1.0), viridis_scale(mode)))
        most = int(raster.counts.max())
        add_colour_bar(sheet, raster, title="cells per bin", low="1", high=three_digits(most), mode=mode)
    if contours:
        add_contours(sheet, contours, colours or {}, window_of(raster), mode=mode)
    return sheet.figure()


def plot_mean(
    mean: np.ndarray,
    raster: Raster,
    *,
    x_title: str,
    y_title: str,
    value_title: str,
    spread: tuple[np.ndarray, np.ndarray] | None = None,
    behind: Raster | None = None,
    select: bool = False,
    mode: Mode = "light",
    height: int = PAIR_HEIGHT,
) -> go.Figure:
    """Mean of a value over the cells of each bin, in viridis: a gene's expression over a pair of factors.

    mean: (bins, bins), NaN without cells, as from mean_raster. value_title: what is averaged, with its unit. spread:
    how many cells have which value, counts and edges, drawn above the scale. behind: as of plot_density.
    """
    sheet = base_sheet(raster, x_title=x_title, y_title=y_title, mode=mode, height=height, select=select)
    known = mean[np.isfinite(mean)]
    if not len(known):
        return say_empty(sheet, NO_CELLS, mode).figure()
    low, high = _scale_of(mean)
    _put_behind(sheet, behind, mode)
    sheet.add_trace(raster_trace(raster, quantise(mean, low=low, high=high), viridis_scale(mode)))
    cut = "≥ " if known.max() > high else ""
    ends = {"low": three_digits(low), "high": cut + three_digits(high)}
    heights = None if spread is None else rebinned(*spread, low, high)
    add_colour_bar(sheet, raster, title=value_title, **ends, heights=heights, mode=mode)
    return sheet.figure()


def plot_types(
    rasters: Mapping[str, Raster],
    colours: Mapping[str, str],
    *,
    x_title: str,
    y_title: str,
    hidden: Collection[str] = (),
    behind: Raster | None = None,
    select: bool = False,
    mode: Mode = "light",
    height: int = PAIR_HEIGHT,
) -> go.Figure:
    """Every bin in the mix of its cell types' colours, by their share of its cells; names at the clusters.

    rasters: from type_rasters, all in one window. colours: from type_colours. hidden: types without colour and name,
    whose cells are a faint grey where no other cell lies. behind: as of plot_density.
    """
    first = next(iter(rasters.values()), None)
    empty = Raster(np.zeros((1, 1), int), np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    sheet = base_sheet(first or empty, x_title=x_title, y_title=y_title, mode=mode, height=height, select=select)
    counts = np.stack([raster.counts for raster in rasters.values()] or [empty.counts])  # (types, bins, bins)
    if first is None or not counts.any():
        return say_empty(sheet, NO_CELLS, mode).figure()
    window = window_of(first)
    pixels = types_picture(rasters, colours, mode, hidden=hidden)
    add_picture(sheet, pixels if behind is None else over(pixels, behind_picture(behind, mode)), window)
    sheet.add_trace(_what_is_here(counts, list(rasters), window))
    named = {name: raster for name, raster in rasters.items() if name not in hidden}
    add_type_names(sheet, named, colours, window, mode=mode)
    return sheet.figure()


def types_picture(
    rasters: Mapping[str, Raster], colours: Mapping[str, str], mode: Mode, *, hidden: Collection[str] = ()
) -> np.ndarray:
    """(bins, bins, 4) uint8, first row on top: the mix of the types' colours in every bin. As of plot_types."""
    counts = np.stack([raster.counts for raster in rasters.values()])
    inks = [colours.get(name, palette(mode).zero) for name in rasters]
    return _mix(counts, inks, np.array([name not in hidden for name in rasters]), mode)


def mean_picture(mean: np.ndarray, mode: Mode) -> np.ndarray:
    """The same of a value's mean, in viridis: (bins, bins), NaN without cells."""
    low, high = _scale_of(mean)
    stops = np.stack([rgb(colour) for colour in viridis(mode)])
    levels = quantise(mean, low=low, high=high)
    at = np.clip((levels.astype(float) - 1) / 254, 0, 1) * (len(stops) - 1)
    inks = np.stack([np.interp(at, np.arange(len(stops)), stops[:, c]) for c in range(3)], axis=-1)
    return np.dstack([np.round(255 * inks), np.where(levels > 0, 255, 0)]).astype(np.uint8)[::-1]


def add_picture(sheet: Sheet, pixels: np.ndarray, window: Window) -> None:
    """A picture as large as the frame's window, behind its lines."""
    sheet.add_layout_image(
        source=png_address(pixels),
        xref="x",
        yref="y",
        x=window.x_low,
        y=window.y_high,
        sizex=window.side,
        sizey=window.side,
        sizing="stretch",
        layer="below",
    )


def mark_cells(figure: go.Figure, raster: Raster, *, mode: Mode) -> go.Figure:
    """The figure with some of its cells marked upon what it shows. raster: of these, in the window of the figure."""
    accent = palette(mode).accent
    scale = [[0.0, "rgba(0,0,0,0)"], [0.5 / 255, "rgba(0,0,0,0)"], [0.5 / 255, accent], [1.0, accent]]
    trace = raster_trace(raster, quantise(raster.counts.astype(np.float64), low=0.0), scale)
    return figure.add_trace(go.Heatmap({**trace, "zsmooth": False, "name": "marked cells"}))


def behind_picture(raster: Raster, mode: Mode) -> np.ndarray:
    """(bins, bins, 4) uint8, first row on top: cells in grey, to lie behind others."""
    scaled = (raster.counts / max(int(raster.counts.max()), 1)) ** POWER
    pixels = np.zeros((*raster.counts.shape, 4), np.uint8)
    pixels[..., :3] = np.round(255 * rgb(palette(mode).quiet))
    pixels[..., 3] = np.where(raster.counts > 0, np.round(255 * (BEHIND[0] + BEHIND[1] * scaled)), 0)
    return pixels[::-1]


def _put_behind(sheet: Sheet, raster: Raster | None, mode: Mode) -> None:
    if raster is not None:
        add_picture(sheet, behind_picture(raster, mode), window_of(raster))


def over(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """One picture upon another, as light passes: plotly draws but one picture of a frame."""
    top, bottom = (picture[..., 3:] / 255 for picture in (above, below))
    opaque = top + bottom * (1 - top)
    inks = above[..., :3] * top + below[..., :3] * bottom * (1 - top)
    inks = np.divide(inks, opaque, out=np.zeros_like(inks), where=opaque > 0)
    return np.round(np.dstack([inks, 255 * opaque])).astype(np.uint8)


def _scale_of(mean: np.ndarray) -> tuple[float, float]:
    """Both ends of the scale of means, of which one at least is known: one cell rules no scale."""
    known = mean[np.isfinite(mean)]
    low = min(0.0, float(known.min()))
    return low, float(np.quantile(known[known > low], 0.99)) if (known > low).any() else low + 1.0


def base_sheet(raster: Raster, *, x_title: str, y_title: str, mode: Mode, height: int, select: bool) -> Sheet:
    """The frame of the raster's window, ready for box and lasso."""
    sheet = square_sheet(window_of(raster), x_title=x_title, y_title=y_title, mode=mode, height=height)
    if select:
        sheet.layout["dragmode"] = "lasso"
    sheet.add_trace(corners(window_of(raster)))
    return sheet


def window_of(raster: Raster) -> Window:
    """The part of the plane a raster covers."""
    return Window(*(float(edges[i]) for edges in (raster.x_edges, raster.y_edges) for i in (0, -1)))


def corners(window: Window) -> dict[str, Any]:
    """Two points nobody sees: plotly offers box and lasso only to figures that have points."""
    unseen = {"marker": {"opacity": 0.0}}
    return {
        "x": [window.x_low, window.x_high],
        "y": [window.y_low, window.y_high],
        "mode": "markers",
        "marker": {"opacity": 0.0, "size": 1},
        "selected": unseen,
        "unselected": unseen,
        "hoverinfo": "skip",
        "name": "corners",
    }


def raster_trace(
    raster: Raster, levels: np.ndarray, scale: list[Any], *, axes: tuple[str, str] = ("x", "y")
) -> dict[str, Any]:
    """(bins, bins) uint8 as a picture: 0 empty, 1 to 255 along the scale; a few dozen kB for any number of cells."""
    step_x, step_y = (float(edges[1] - edges[0]) for edges in (raster.x_edges, raster.y_edges))
    return {
        "type": "heatmap",
        "z": levels,
        "x0": float(raster.x_edges[0]) + step_x / 2,
        "dx": step_x,
        "y0": float(raster.y_edges[0]) + step_y / 2,
        "dy": step_y,
        "zmin": 0,
        "zmax": 255,
        "colorscale": scale,
        "showscale": False,
        "zsmooth": "fast",  # the browser resamples: bins that are no whole number of pixels would show a lattice
        "hoverinfo": "skip",
        "name": "cells",
        "xaxis": axes[0],
        "yaxis": axes[1],
    }


def quantise(values: np.ndarray, *, low: float, high: float | None = None) -> np.ndarray:
    """(bins, bins) uint8: 0 where there is nothing (NaN, or a count of 0 when high is None), else 1 to 255."""
    present = np.isfinite(values) if high is not None else values > 0
    high = float(values[present].max()) if high is None else high
    levels = np.zeros(values.shape, np.uint8)
    share = np.clip((values[present] - low) / ((high - low) or 1.0), 0.0, 1.0)
    levels[present] = 1 + np.round(254 * share).astype(np.uint8)
    return levels


def _what_is_here(counts: np.ndarray, types: list[str], window: Window) -> dict[str, Any]:
    """Points nobody sees, at most 48 x 48, that name the commonest type under the pointer and count the cells.

    counts: (types, bins, bins).
    """
    bins = counts.shape[1]
    edges = np.unique(np.linspace(0, bins, min(HOVER_BINS, bins) + 1).astype(int))
    blocks = np.add.reduceat(np.add.reduceat(counts, edges[:-1], axis=1), edges[:-1], axis=2)
    total, names = blocks.sum(axis=0), [escape(name, longest=LONGEST_HOVER) for name in types]
    rows, columns = np.nonzero(total)
    best = blocks[:, rows, columns].argmax(axis=0)
    middle = (edges[:-1] + edges[1:]) / 2 * window.side / bins
    unseen = {"marker": {"opacity": 0.0}}
    return {
        "x": (window.x_low + middle[columns]).astype(np.float32),
        "y": (window.y_low + middle[rows]).astype(np.float32),
        "mode": "markers",
        "marker": {"opacity": 0.0, "size": 8},
        "selected": unseen,
        "unselected": unseen,
        "text": [names[kind] for kind in best],
        "customdata": np.column_stack([blocks[best, rows, columns], total[rows, columns]]).astype(np.int32),
        "hovertemplate": "<b>%{text}</b><br>%{customdata[0]:,} of %{customdata[1]:,} cells here<extra></extra>",
        "name": "types here",
    }


def _mix(counts: np.ndarray, colours: list[str], shown: np.ndarray, mode: Mode) -> np.ndarray:
    """(bins, bins, 4) uint8, first row on top: colours averaged as light; crowds opaque, single cells fainter.

    counts: (types, bins, bins), of some cells; colours: one a type; shown: (types,) bool, the others are grey.
    """
    every, total = counts.sum(axis=0), counts[shown].sum(axis=0)
    pixels = np.zeros((*total.shape, 4), np.uint8)
    seen, behind = total > 0, every > 0
    pixels[behind, :3] = np.round(255 * rgb(palette(mode).sparse))
    pixels[behind, 3] = np.round((0.35 + 0.3 * (every[behind] / every.max()) ** POWER) * 255)
    if seen.any():
        inks = linear(np.stack([rgb(legible(colour, mode)) for colour in colours]))[shown]  # (types, 3)
        light = counts[:, seen][shown].T.astype(np.float64) @ inks / total[seen, None]
        pixels[seen, :3] = np.round(gamma(light) * 255)
        pixels[seen, 3] = np.round((0.45 + 0.55 * (total[seen] / total.max()) ** POWER) * 255)
    return pixels[::-1]
