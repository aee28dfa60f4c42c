"""Which cells lie inside a line drawn on a plane: exact for every cell, quick for two million.

The line is simplified once, before anything is counted, so that it fits into an address; from then on it is the region.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ldvae_core.errors import SettingsError

MOST_CORNERS = 120  # of a region, so that its address can be pasted anywhere
GRID = 256  # boxes a side that sort out the cells far from the line
TESTED_TOGETHER = 4_000_000  # cells times corners


@dataclass(frozen=True, eq=False)
class Region:
    """A closed polygon in data units; its border crosses itself as it likes, inside is where a ray crosses it oddly."""

    corners: np.ndarray  # (n, 2) float64, n >= 3, not repeated at the end

    def __post_init__(self) -> None:
        corners = self.corners
        if corners.ndim != 2 or corners.shape[1:] != (2,) or len(corners) < 3 or not np.isfinite(corners).all():
            raise SettingsError("A region needs at least three corners.", "Draw around the cells once more.")

    @property
    def text(self) -> str:
        """The corners as text for an address, exactly: region_from_text gives the same region."""
        return "~".join(f"{x:.6g}_{y:.6g}" for x, y in self.corners.tolist())

    def contains(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """(n_cells,) bool: the cells inside. x, y: (n_cells,); cells that are not finite are outside.

        Boxes of a grid that no edge comes near are inside or outside as a whole; only cells in the others are tested
        one by one, by the even-odd rule.
        """
        low, high = self.corners.min(axis=0), self.corners.max(axis=0)
        if not (high > low).all():
            return np.zeros(len(x), bool)
        step = (high - low) / GRID
        whole, uncertain = self._boxes(low, step)
        box = self._box_of(x, low[0], step[0]) * (GRID + 2) + self._box_of(y, low[1], step[1])
        inside = whole[box]
        close = np.flatnonzero(uncertain[box])
        inside[close] = self._crossings_odd(np.column_stack([x[close], y[close]]).astype(np.float64))
        return inside

    @staticmethod
    def _box_of(values: np.ndarray, low: float, step: float) -> np.ndarray:
        """1 to GRID, 0 and GRID + 1 for what lies outside or is no number; at most rounding away from the truth."""
        scaled = (np.asarray(values) - values.dtype.type(low)) * values.dtype.type(1 / step)
        with np.errstate(invalid="ignore"):
            return (np.clip(np.nan_to_num(scaled, copy=False, nan=-1.0), -0.5, GRID + 0.5) + 1).astype(np.int32)

    def _boxes(self, low: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Per box and a rim around them, (GRID + 2)**2 bool: is its centre inside; does an edge come near it."""
        n = GRID + 2
        middle = np.stack(np.meshgrid(*(np.arange(n) - 0.5,) * 2, indexing="ij"), axis=-1).reshape(-1, 2)
        near = np.zeros((n, n), bool)
        starts = (self.corners - low) / step
        for start, end in zip(starts, np.roll(starts, -1, axis=0), strict=True):
            along = np.linspace(0.0, 1.0, 2 + int(2 * np.abs(end - start).max()))[:, None]
            seen = 1 + np.clip((start + (end - start) * along).astype(np.int64), 0, GRID - 1)
            for dx in (-1, 0, 1):  # the neighbours too: steps of half a box may skip a corner of one
                for dy in (-1, 0, 1):
                    near[seen[:, 0] + dx, seen[:, 1] + dy] = True
        return self._crossings_odd(low + middle * step), near.ravel()

    def _crossings_odd(self, points: np.ndarray) -> np.ndarray:
        """(n,) bool: whether a ray to the right of each point crosses the border an odd number of times."""
        odd = np.empty(len(points), bool)
        size = max(1, TESTED_TOGETHER // len(self.corners))
        (x0, y0), (x1, y1) = self.corners.T, np.roll(self.corners, -1, axis=0).T
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(y1 != y0, (x1 - x0) / (y1 - y0), 0.0)
        for first in range(0, len(points), size):
            px, py = points[first : first + size, :1], points[first : first + size, 1:]
            crosses = (y0 > py) != (y1 > py)
            odd[first : first + size] = (crosses & (px < x0 + (py - y0) * slope)).sum(axis=1) % 2 == 1
        return odd


def region_of_box(x: Sequence[float], y: Sequence[float]) -> Region:
    """The rectangle between two corners, given in any order. Raises SettingsError when it has no extent."""
    (x_low, x_high), (y_low, y_high) = (sorted(float(value) for value in (side[0], side[-1])) for side in (x, y))
    if not (x_low < x_high and y_low < y_high):
        raise SettingsError("The box has no area.", "Draw it around some cells.")
    return Region(_short(np.array([(x_low, y_low), (x_high, y_low), (x_high, y_high), (x_low, y_high)])))


def region_of_lasso(x: Sequence[float], y: Sequence[float]) -> Region:
    """The lasso with at most MOST_CORNERS corners: those whose loss would move the line most are kept.

    Raises SettingsError when fewer than three different points are left.
    """
    corners = np.column_stack([np.asarray(x, np.float64), np.asarray(y, np.float64)])
    different = (corners != np.roll(corners, 1, axis=0)).any(axis=1)
    corners = corners[different] if different.any() else corners[:1]
    while len(corners) > MOST_CORNERS:
        before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
        (ax, ay), (bx, by) = (corners - before).T, (after - before).T
        loss = np.abs(ax * by - ay * bx)  # twice the area of the triangle that goes with a corner
        order = np.argsort(loss, kind="stable")
        drop = np.zeros(len(corners), bool)
        for corner in order:  # never two neighbours at once: their losses depend on each other
            if not (drop[corner - 1] or drop[(corner + 1) % len(corners)]):
                drop[corner] = True
            if drop.sum() == min(len(corners) - MOST_CORNERS, len(corners) // 8 + 1):
                break
        corners = corners[~drop]
    return Region(_short(corners))


def _short(corners: np.ndarray) -> np.ndarray:
    """Five digits of each coordinate: the address stays short, and the line moves by less than a pixel."""
    return np.array([[float(f"{value:.5g}") for value in corner] for corner in corners.tolist()])


def region_from_text(text: str) -> Region:
    """What Region.text wrote. Raises SettingsError for anything else: it comes from an address."""
    try:
        rows = [[float(value) for value in corner.split("_")] for corner in text.split("~")[: 2 * MOST_CORNERS]]
        return Region(np.array(rows, np.float64))
    except (ValueError, OverflowError):
        raise SettingsError("The selection in this address cannot be read.", "Draw it once more.") from None
