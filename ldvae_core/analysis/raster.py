"""Clouds of cells as rasters and contours: exact 2-D histograms that cost the same to draw for any number of cells."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from contourpy import contour_generator
from scipy.ndimage import gaussian_filter

MARGIN = 0.03  # of the larger side, so that no cell sits on the frame


class Extent(NamedTuple):
    """A square window of the plane: both sides have the same length, so that axes are equal."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float


class Raster(NamedTuple):
    """Cells per bin. counts[row, column] belongs to y_edges[row] and x_edges[column]."""

    counts: np.ndarray  # (bins, bins) int64
    x_edges: np.ndarray  # (bins + 1,)
    y_edges: np.ndarray  # (bins + 1,)


class Contour(NamedTuple):
    """One line around the densest region that holds the share `level` of the cells."""

    level: float
    x: np.ndarray
    y: np.ndarray


def square_extent(x: np.ndarray, y: np.ndarray, *, from_zero: bool = False) -> Extent:
    """The square window, with a 3% margin, that contains every finite point. from_zero: starts at 0 (usages)."""
    lows, highs = np.zeros(2), np.zeros(2)
    for axis, values in enumerate((x, y)):
        finite = values[np.isfinite(values)]
        if len(finite):
            lows[axis], highs[axis] = finite.min(), finite.max()
    if from_zero:
        lows = np.minimum(lows, 0.0)
    side = float((highs - lows).max()) or 1.0
    if from_zero:
        low, side = lows, side * (1 + MARGIN)
    else:
        side = side * (1 + 2 * MARGIN)
        low = (lows + highs - side) / 2
    return Extent(float(low[0]), float(low[0] + side), float(low[1]), float(low[1] + side))


def density_raster(
    x: np.ndarray, y: np.ndarray, *, bins: int = 256, extent: Extent | None = None, from_zero: bool = False
) -> Raster:
    """Cells per bin of a square window; equal to numpy.histogram2d on the same edges, transposed.

    x, y: (n_cells,); points that are not finite or lie outside are left out. extent: square_extent of the points unless
    given.
    """
    extent = extent or square_extent(x, y, from_zero=from_zero)
    x_edges, y_edges = _edges(extent, bins)
    flat = _bin_of(y, y_edges) * bins + _bin_of(x, x_edges)
    counts = np.bincount(flat[flat >= 0], minlength=bins * bins)
    return Raster(counts.reshape(bins, bins), x_edges, y_edges)


def type_rasters(
    x: np.ndarray,
    y: np.ndarray,
    labels: Sequence[str] | pd.Series,
    types: Sequence[str],
    *,
    bins: int = 256,
    extent: Extent | None = None,
    from_zero: bool = False,
) -> dict[str, Raster]:
    """One raster per cell type, all in the window of all the cells, in a single pass."""
    extent = extent or square_extent(x, y, from_zero=from_zero)
    x_edges, y_edges = _edges(extent, bins)
    codes = pd.Categorical(pd.Series(labels).astype(str), categories=[str(name) for name in types]).codes
    flat = _bin_of(y, y_edges) * bins + _bin_of(x, x_edges)
    seen = (flat >= 0) & (codes >= 0)
    counts = np.bincount(codes[seen].astype(np.int64) * bins * bins + flat[seen], minlength=len(types) * bins * bins)
    stacks = counts.reshape(len(types), bins, bins)
    return {str(name): Raster(counts, x_edges, y_edges) for name, counts in zip(types, stacks, strict=True)}


def mean_raster(
    x: np.ndarray, y: np.ndarray, values: np.ndarray, *, bins: int = 256, extent: Extent | None = None
) -> tuple[np.ndarray, Raster]:
    """Mean of a value (a gene's expression, say) over each bin's cells, NaN where there are none; and the raster."""
    raster = density_raster(x, y, bins=bins, extent=extent)
    flat = _bin_of(y, raster.y_edges) * bins + _bin_of(x, raster.x_edges)
    inside = flat >= 0
    total = np.bincount(flat[inside], weights=values[inside], minlength=bins * bins).reshape(bins, bins)
    return np.divide(total, raster.counts, out=np.full((bins, bins), np.nan), where=raster.counts > 0), raster


def contours(raster: Raster, levels: Sequence[float] = (0.25, 0.5, 0.75, 0.9)) -> list[Contour]:
    """Closed lines around the highest-density regions that hold the given shares of the cells.

    The density is the raster smoothed by a Gaussian whose width follows Scott's rule for the cells in it. Levels keep
    their order; a region in several pieces gives several lines. Empty without cells.
    """
    if not raster.counts.any():
        return []
    density, x, y = _smooth(raster)
    ordered = np.sort(density, axis=None)[::-1]
    held = np.cumsum(ordered)
    generator = contour_generator(x, y, density)
    lines = []
    for level in levels:
        threshold = ordered[min(np.searchsorted(held, level * held[-1]), len(ordered) - 1)]
        lines += [Contour(float(level), *line.T) for line in generator.lines(threshold)]
    return lines


def peak(raster: Raster) -> tuple[float, float]:
    """x, y of the densest spot: where a cell type's name belongs. (nan, nan) without cells."""
    if not raster.counts.any():
        return float("nan"), float("nan")
    density, x, y = _smooth(raster)
    row, column = np.unravel_index(density.argmax(), density.shape)
    return float(x[column]), float(y[row])


def _smooth(raster: Raster) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smoothed counts with room around them (so that lines close), and the bins' centres."""
    widths = [_bandwidth(raster.counts.sum(axis=1)), _bandwidth(raster.counts.sum(axis=0))]  # rows: y; columns: x
    room = int(np.ceil(4 * max(widths))) + 1
    density = gaussian_filter(np.pad(raster.counts.astype(np.float64), room), widths, mode="constant")
    density[[0, -1], :] = density[:, [0, -1]] = 0.0
    x, y = (_centres(edges, room) for edges in (raster.x_edges, raster.y_edges))
    return density, x, y


def _bandwidth(marginal: np.ndarray) -> float:
    """Scott's rule in bins, n**(-1/6) standard deviations, kept between 1.5 bins and 12."""
    position, n = np.arange(len(marginal)), marginal.sum()
    mean = (marginal * position).sum() / n
    sd = np.sqrt((marginal * (position - mean) ** 2).sum() / n)
    return float(np.clip(sd * n ** (-1 / 6), 1.5, 12.0))


def _centres(edges: np.ndarray, room: int) -> np.ndarray:
    width = edges[1] - edges[0]
    return edges[0] + width * (np.arange(-room, len(edges) - 1 + room) + 0.5)


def _edges(extent: Extent, bins: int) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.linspace(extent.x_low, extent.x_high, bins + 1),
        np.linspace(extent.y_low, extent.y_high, bins + 1),
    )


def _bin_of(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin each value falls into, the last one closed on both sides; far below 0 where there is none.

    Scaling finds it up to rounding; comparing with the edges themselves makes it exact.
    """
    bins = len(edges) - 1
    values = np.asarray(values, np.float64)
    inside = (values >= edges[0]) & (values <= edges[-1])
    scaled = (np.where(inside, values, edges[0]) - edges[0]) * (bins / (edges[-1] - edges[0]))
    index = np.minimum(scaled.astype(np.int64), bins - 1)
    index -= (values < edges[index]) & inside
    index += (values >= edges[index + 1]) & inside & (index < bins - 1)
    return np.where(inside, index, -(bins + 1) * bins)
