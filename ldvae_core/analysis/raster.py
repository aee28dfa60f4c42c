"""Clouds of cells as rasters and contours: exact 2-D histograms that cost the same to draw for any number of cells."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from contourpy import contour_generator
from scipy.ndimage import gaussian_filter

from ldvae_core.analysis.chunks import cell_chunks, codes_among

PIECE = 50_000  # points handled together, so that what is derived from them stays in the processor's cache
MARGIN = 0.03  # of the larger side, so that no cell sits on the frame


class Extent(NamedTuple):
    """A square window of the plane: both sides have the same length, so that axes are equal."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float


class Raster(NamedTuple):
    """Cells per bin. counts[row, column] belongs to y_edges[row] and x_edges[column]."""

    counts: np.ndarray  # (bins, bins) whole numbers
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
        low, high = (values.min(), values.max()) if len(values) else (0.0, 0.0)
        if not (np.isfinite(low) and np.isfinite(high)):
            finite = values[np.isfinite(values)]
            low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
        lows[axis], highs[axis] = low, high
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
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)  # a factor is a column of many: gathered once
    extent = extent or square_extent(x, y, from_zero=from_zero)
    x_edges, y_edges = _edges(extent, bins)
    counts = np.zeros(bins * bins + 1, np.int64)  # the last one for points outside
    for cells in cell_chunks(len(x), 1, entries=PIECE):
        counts += np.bincount(_flat(x[cells], y[cells], x_edges, y_edges), minlength=len(counts))
    return Raster(counts[:-1].reshape(bins, bins), x_edges, y_edges)


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
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    extent = extent or square_extent(x, y, from_zero=from_zero)
    x_edges, y_edges = _edges(extent, bins)
    codes, size = codes_among(labels, types), bins * bins + 1
    counts = np.zeros(len(types) * size, np.int32)
    for cells in cell_chunks(len(x), 1, entries=PIECE):
        at = codes[cells] * np.int64(size) + _flat(x[cells], y[cells], x_edges, y_edges)
        places, found = np.unique(at[at >= 0], return_counts=True)
        counts[places] += found
    stacks = counts.reshape(len(types), size)[:, :-1].reshape(len(types), bins, bins)
    return {str(name): Raster(counts, x_edges, y_edges) for name, counts in zip(types, stacks, strict=True)}


def mean_raster(
    x: np.ndarray, y: np.ndarray, values: np.ndarray, *, bins: int = 256, extent: Extent | None = None
) -> tuple[np.ndarray, Raster]:
    """Mean of a value (a gene's expression, say) over each bin's cells, NaN where there are none; and the raster."""
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    raster = density_raster(x, y, bins=bins, extent=extent)
    total = np.zeros(bins * bins + 1)
    for cells in cell_chunks(len(x), 1, entries=PIECE):
        flat = _flat(x[cells], y[cells], raster.x_edges, raster.y_edges)
        total += np.bincount(flat, weights=values[cells], minlength=len(total))
    total = total[:-1].reshape(bins, bins)
    return np.divide(total, raster.counts, out=np.full((bins, bins), np.nan), where=raster.counts > 0), raster


def coarser(raster: Raster, by: int) -> Raster:
    """Blocks of by x by bins as one, from the lower left corner; the last ones may reach beyond the window."""
    bins = len(raster.x_edges) - 1
    n = -(-bins // by)
    padded = np.zeros((n * by, n * by), raster.counts.dtype)
    padded[:bins, :bins] = raster.counts
    edges = [
        edges[0] + (edges[-1] - edges[0]) / bins * by * np.arange(n + 1) for edges in (raster.x_edges, raster.y_edges)
    ]
    return Raster(padded.reshape(n, by, n, by).sum(axis=(1, 3)), *edges)


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


def _flat(x: np.ndarray, y: np.ndarray, x_edges: np.ndarray, y_edges: np.ndarray) -> np.ndarray:
    """The place of each point in a raster read row by row; the one after the last for points outside."""
    bins = len(x_edges) - 1
    columns, rows = _bin_of(x, x_edges), _bin_of(y, y_edges)
    flat = rows * bins + columns
    flat[(rows == bins) | (columns == bins)] = bins * bins
    return flat


def _bin_of(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin each value falls into, the last one closed on both sides; len(edges) - 1 where there is none.

    Scaling finds it up to rounding; comparing with the edges themselves makes it exact.
    """
    bins = len(edges) - 1
    values = np.asarray(values, np.float64)
    scaled = (values - edges[0]) * (bins / (edges[-1] - edges[0]))
    outside = ~((values >= edges[0]) & (values <= edges[-1]))  # also what is no number
    scaled[outside] = 0.0
    index = np.minimum(scaled.astype(np.int64), bins - 1)
    index -= values < edges[index]
    index += values >= np.append(edges[1:-1], np.inf)[index]  # the last bin is closed: nothing lies beyond it
    index[outside] = bins
    return index
