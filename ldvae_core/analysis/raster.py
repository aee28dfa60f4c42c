"""Clouds of cells as rasters and contours: exact 2-D histograms that cost the same to draw for any number of cells."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from contourpy import contour_generator
from scipy.ndimage import gaussian_filter

from ldvae_core.analysis.chunks import codes_among
from ldvae_core.data.chunks import cell_chunks

PIECE = 50_000  # points handled together, so that what is derived from them stays in the processor's cache
FEW = 8  # times fewer points than places: these are sorted instead
CLOSE = 1e-6  # bins: far more than scaling is wrong by near 0
MARGIN = 0.03  # of the larger side, so that no cell sits on the frame


class Window(NamedTuple):
    """A square part of the plane, in data units: both sides have the same length, so that axes are equal."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    @property
    def side(self) -> float:
        """Width, in data units."""
        return self.x_high - self.x_low

    def to_pixels(self, points: np.ndarray, side: float) -> np.ndarray:
        """(n, 2) data -> (n, 2) px from the lower left corner of a frame `side` px wide."""
        return (np.asarray(points, np.float64) - (self.x_low, self.y_low)) * (side / self.side)

    def to_data(self, pixels: np.ndarray, side: float) -> np.ndarray:
        """The way back."""
        return np.asarray(pixels, np.float64) * (self.side / side) + (self.x_low, self.y_low)


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


def square_extent(x: np.ndarray, y: np.ndarray, *, from_zero: bool = False) -> Window:
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
    return Window(float(low[0]), float(low[0] + side), float(low[1]), float(low[1] + side))


def both_windows(first: Window, second: Window) -> Window:
    """The smallest square window that contains two others, from their common corner below on the left."""
    low_x, low_y = min(first.x_low, second.x_low), min(first.y_low, second.y_low)
    side = max(first.x_high - low_x, second.x_high - low_x, first.y_high - low_y, second.y_high - low_y)
    return Window(low_x, low_x + side, low_y, low_y + side)


def density_raster(
    x: np.ndarray, y: np.ndarray, *, bins: int = 256, extent: Window | None = None, from_zero: bool = False
) -> Raster:
    """Cells per bin of a square window; equal to numpy.histogram2d on the same edges, transposed.

    x, y: (n_cells,); points that are not finite or lie outside are left out. extent: square_extent of the points unless
    given.
    """
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)  # a factor is a column of many: gathered once
    extent = extent or square_extent(x, y, from_zero=from_zero)
    x_edges, y_edges = _edges(extent, bins)
    counts = np.zeros((bins + 1) ** 2, np.int64)
    for cells in cell_chunks(len(x), 1, entries=PIECE):
        counts += np.bincount(_flat(x[cells], y[cells], x_edges, y_edges), minlength=len(counts))
    return Raster(_inside(counts, bins), x_edges, y_edges)


def type_rasters(
    x: np.ndarray,
    y: np.ndarray,
    labels: Sequence[str] | pd.Series,
    types: Sequence[str],
    *,
    bins: int = 256,
    extent: Window | None = None,
    from_zero: bool = False,
) -> dict[str, Raster]:
    """One raster per cell type, all in the window of all the cells, in a single pass."""
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    extent = extent or square_extent(x, y, from_zero=from_zero)
    x_edges, y_edges = _edges(extent, bins)
    codes, size = codes_among(labels, types) + 1, (bins + 1) ** 2  # 0: of no type asked for
    counts = np.zeros((len(types) + 1) * size, np.int32)
    for many in cell_chunks(len(x), 1):
        at = codes[many] * size
        for cells in cell_chunks(len(at), 1, entries=PIECE):
            at[cells] += _flat(x[many][cells], y[many][cells], x_edges, y_edges)
        _count(at, counts)
    stacks = _inside(counts.reshape(-1, size)[1:], bins)
    return {str(name): Raster(counts, x_edges, y_edges) for name, counts in zip(types, stacks, strict=True)}


def mean_raster(
    x: np.ndarray, y: np.ndarray, values: np.ndarray, *, bins: int = 256, extent: Window | None = None
) -> tuple[np.ndarray, Raster]:
    """Mean of a value (a gene's expression, say) over each bin's cells, NaN where there are none; and the raster."""
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    x_edges, y_edges = _edges(extent or square_extent(x, y), bins)
    counts, total = np.zeros((bins + 1) ** 2, np.int64), np.zeros((bins + 1) ** 2)
    for cells in cell_chunks(len(x), 1, entries=PIECE):
        flat = _flat(x[cells], y[cells], x_edges, y_edges)
        counts += np.bincount(flat, minlength=len(counts))
        total += np.bincount(flat, weights=values[cells], minlength=len(total))
    counts, total = _inside(counts, bins), _inside(total, bins)
    mean = np.divide(total, counts, out=np.full((bins, bins), np.nan), where=counts > 0)
    return mean, Raster(counts, x_edges, y_edges)


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
        lines += [Contour(float(level), *np.asarray(line).T) for line in generator.lines(threshold)]
    return lines


def peak(raster: Raster) -> tuple[float, float]:
    """x, y of the densest spot: where a cell type's name belongs. (nan, nan) without cells.

    The density is that of contours; it is highest between the cells, so that nothing outside them is smoothed.
    """
    if not raster.counts.any():
        return float("nan"), float("nan")
    rows, columns = (np.flatnonzero(raster.counts.any(axis=axis)) for axis in (1, 0))
    filled = raster.counts[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float64)
    density = gaussian_filter(filled, _widths(raster), mode="constant")
    row, column = np.unravel_index(density.argmax(), density.shape)
    x, y = _centres(raster.x_edges, 0), _centres(raster.y_edges, 0)
    return float(x[columns[0] + column]), float(y[rows[0] + row])


def _smooth(raster: Raster) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smoothed counts with room around them (so that lines close), and the bins' centres."""
    widths = _widths(raster)
    room = int(np.ceil(4 * max(widths))) + 1
    density = gaussian_filter(np.pad(raster.counts.astype(np.float64), room), widths, mode="constant")
    density[[0, -1], :] = density[:, [0, -1]] = 0.0
    x, y = (_centres(edges, room) for edges in (raster.x_edges, raster.y_edges))
    return density, x, y


def _widths(raster: Raster) -> list[float]:
    """Of the Gaussian, in bins: along the rows (y) and along the columns (x)."""
    return [_bandwidth(raster.counts.sum(axis=1)), _bandwidth(raster.counts.sum(axis=0))]


def _bandwidth(marginal: np.ndarray) -> float:
    """Scott's rule in bins, n**(-1/6) standard deviations, kept between 1.5 bins and 12."""
    position, n = np.arange(len(marginal)), marginal.sum()
    mean = (marginal * position).sum() / n
    sd = np.sqrt((marginal * (position - mean) ** 2).sum() / n)
    return float(np.clip(sd * n ** (-1 / 6), 1.5, 12.0))


def _centres(edges: np.ndarray, room: int) -> np.ndarray:
    width = edges[1] - edges[0]
    return edges[0] + width * (np.arange(-room, len(edges) - 1 + room) + 0.5)


def _edges(extent: Window, bins: int) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.linspace(extent.x_low, extent.x_high, bins + 1),
        np.linspace(extent.y_low, extent.y_high, bins + 1),
    )


def _flat(x: np.ndarray, y: np.ndarray, x_edges: np.ndarray, y_edges: np.ndarray) -> np.ndarray:
    """The place of each point in a raster read row by row, which has one more row and column: for points outside."""
    flat = _bin_of(y, y_edges)
    flat *= len(x_edges)
    flat += _bin_of(x, x_edges)
    return flat


def _inside(counts: np.ndarray, bins: int) -> np.ndarray:
    """(..., bins, bins) of (..., (bins + 1)**2) counted at the places of _flat: without what lies outside."""
    return np.ascontiguousarray(counts.reshape(*counts.shape[:-1], bins + 1, bins + 1)[..., :-1, :-1])


def _count(places: np.ndarray, counts: np.ndarray) -> None:
    """Add to counts how often each of its places comes up. A few cells are not worth a walk over every place."""
    if len(places) < len(counts) // FEW:
        seen, found = np.unique(places, return_counts=True)
        counts[seen] += found
    else:
        np.add(counts, np.bincount(places, minlength=len(counts)), out=counts, casting="unsafe")


def _bin_of(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin each value falls into, the last one closed on both sides; len(edges) - 1 where there is none.

    Scaling finds it up to rounding; comparing those close to an edge with the edges themselves makes it exact.
    """
    bins = len(edges) - 1
    values = np.asarray(values, np.float64)
    scaled = values - edges[0]
    scaled *= bins / (edges[-1] - edges[0])
    known = len(values) and values.min() >= edges[0] and values.max() <= edges[-1]  # false with what is no number
    outside = None if known else ~((values >= edges[0]) & (values <= edges[-1]))
    if outside is not None:
        scaled[outside] = 0.0
    index = scaled.astype(np.int64)
    scaled -= index
    width = (edges[-1] - edges[0]) / bins
    off = CLOSE + 8 * np.finfo(np.float64).eps * max(abs(edges[0]), abs(edges[-1])) / width  # far from 0: coarser
    close = np.flatnonzero((scaled < off) | (scaled > 1 - off))
    near, at = values[close], np.minimum(index[close], bins - 1)
    at -= near < edges[at]
    at += near >= np.append(edges[1:-1], np.inf)[at]  # the last bin is closed: nothing lies beyond it
    index[close] = at
    if outside is not None:
        index[outside] = bins
    return index
