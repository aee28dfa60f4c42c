"""Names beside points, none over another, none over the edge: a small greedy placement in pixels, always the same.

Positions are found for one size of frame. In a larger frame they are scaled with the data while the names keep their
size, so that what was apart stays apart and what was inside stays inside.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

LINE_HEIGHT = 1.3  # of the font size
PADDING = 2.0  # px kept free around a name
# Advance widths in em of the widest face a browser may fall back to (DejaVu Sans), by class of character.
_WIDTHS = {"ijlI.,:;'|!": 0.35, 'frt-()/[]" ': 0.42, "mwMW%@": 1.0, "GOQDNHU": 0.8}
_NARROW = {character: width for characters, width in _WIDTHS.items() for character in characters}
_GAPS = np.array([4.0, 7.0, 11.0, 16.0, 24.0, 34.0, 48.0, 66.0, 90.0, 120.0])  # px from point to name
_TURNS = np.deg2rad([0, 15, -15, 30, -30, 50, -50, 70, -70, 95, -95, 120, -120, 150, -150, 180])
_FILLED = np.array([0.6, 0.75])  # of a box, by the letters of the usual faces; less in a frame that has grown
_BACKWARDS = np.deg2rad(140)
_LEADER_FROM = 13.0  # px: a name further off is tied to its point by a line
_ON_A_LINE, _ON_A_POINT, _CROSSING, _TURNED = 50.0, 30.0, 60.0, 12.0  # costs, in px of distance


class Places(NamedTuple):
    """Where each name goes, px from the lower left corner. Names that found no room are not placed, only dropped."""

    centres: np.ndarray  # (n, 2); NaN where not placed
    placed: np.ndarray  # (n,) bool
    leaders: np.ndarray  # (n, 2, 2): from point to name; NaN where the name stands close by


def text_size(text: str, font_size: float) -> tuple[float, float]:
    """Width and height in px that the plain text surely fits into."""
    width = sum(_NARROW.get(c, 0.68 if c.isascii() else 1.0) for c in text)
    return width * font_size, LINE_HEIGHT * font_size


def fitted(text: str, font_size: float, width: float) -> str:
    """The text, or its two ends around an ellipsis where it is wider than `width` px: ids differ at their ends."""
    if text_size(text, font_size)[0] <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        head = (kept + 1) // 2
        shorter = f"{text[:head].rstrip()}…{text[len(text) - kept + head :].lstrip()}"
        if text_size(shorter, font_size)[0] <= width:
            return shorter
    return f"{text[:1]}…"


def place_labels(
    points: np.ndarray,
    sizes: np.ndarray,
    *,
    frame: tuple[float, float],
    directions: np.ndarray | None = None,
    lines: np.ndarray | None = None,
    dots: np.ndarray | None = None,
    dot_cost: float = 0.6,
    furthest: float = np.inf,
) -> Places:
    """Place names beside their points, the first the best.

    points: (n, 2) px, most important first; sizes: (n, 2) px of the names; frame: width, height in px. directions:
    (n, 2) where a name would rather stand, outward from the frame's centre by default. lines: (m, 2, 2) and dots:
    (k, 2) are avoided where possible; the names and the frame's edges always are. dot_cost: px of distance worth
    walking to uncover one dot. furthest: px; a name without room within that distance of its point is dropped.
    """
    points, sizes = np.asarray(points, np.float64).reshape(-1, 2), np.asarray(sizes, np.float64).reshape(-1, 2)
    n = len(points)
    directions = points - np.array(frame) / 2 if directions is None else np.asarray(directions, np.float64)
    obstacles = _on_lines(lines), (np.empty((0, 2)) if dots is None else np.asarray(dots, np.float64).reshape(-1, 2))
    centres, leaders = np.full((n, 2), np.nan), np.full((n, 2, 2), np.nan)
    boxes = np.empty((0, 4))
    for i in range(n):
        half = sizes[i] / 2 + PADDING
        best = np.inf
        for candidates in (_beside, partial(_everywhere, frame=frame)):
            spots, cost = candidates(points[i], half, directions[i])
            allowed = _inside(spots, half, frame) & ~_meets(spots, half, boxes) & (cost <= min(furthest, best))
            if not allowed.any():
                continue
            spots, cost = spots[allowed], cost[allowed]
            cost = cost + _crowding(spots, half, points, obstacles, dot_cost)
            cost = cost + _crossings(spots, half, points[i], boxes, leaders)
            if cost.min() < best:
                best, centres[i] = cost.min(), spots[cost.argmin()]
            if best < _ON_A_LINE:
                break  # else a name nearby would cover an arrow: perhaps the rest of the frame has better room
        if np.isfinite(best):
            leader = _leader(points[i], centres[i], half)
            if np.hypot(*(leader[1] - leader[0])) > _LEADER_FROM:
                leaders[i] = leader
            boxes = np.vstack([boxes, [*(centres[i] - half), *(centres[i] + half)]])
    return Places(centres, ~np.isnan(centres[:, 0]), leaders)


def _beside(point: np.ndarray, half: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, ...]:
    """Candidate centres around a point, and what each costs: distance, and turning away from the wished direction.

    Backwards only close by: a longer leader would run along the arrow that points here.
    """
    angle = np.arctan2(direction[1], direction[0])
    turns, gaps = (grid.ravel() for grid in np.meshgrid(_TURNS, _GAPS, indexing="ij"))
    sensible = (np.abs(turns) < _BACKWARDS) | (gaps < _LEADER_FROM)
    turns, gaps = turns[sensible], gaps[sensible]
    ways = np.column_stack([np.cos(angle + turns), np.sin(angle + turns)])
    with np.errstate(divide="ignore"):
        reach = np.min(half / np.abs(ways), axis=1)  # from the centre of a name to its edge, looking back
    return point + ways * (gaps + reach)[:, None], gaps + _TURNED * np.abs(turns)


def _everywhere(
    point: np.ndarray, half: np.ndarray, direction: np.ndarray, frame: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """A fine grid over the whole frame, for a crowd."""
    x = np.arange(half[0] + 1, frame[0] - half[0], 9.0)
    y = np.arange(half[1] + 1, frame[1] - half[1], 7.0)
    spots = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    away = spots - point
    distance = np.hypot(*away.T)
    backward = away @ direction < np.cos(_BACKWARDS) * distance * np.hypot(*direction)
    return spots, distance + frame[0] * backward  # backwards only where there is nothing else


def _inside(spots: np.ndarray, half: np.ndarray, frame: tuple[float, float]) -> np.ndarray:
    return ((spots - half >= 0) & (spots + half <= frame)).all(axis=1)


def _meets(spots: np.ndarray, half: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(n,) whether a box of half-size `half` at each spot meets any of the boxes (low x, low y, high x, high y)."""
    low, high = (spots - half)[:, None], (spots + half)[:, None]
    return ((low < boxes[None, :, 2:]) & (high > boxes[None, :, :2])).all(axis=2).any(axis=1)


def _crowding(
    spots: np.ndarray, half: np.ndarray, points: np.ndarray, obstacles: tuple[np.ndarray, np.ndarray], dot_cost: float
) -> np.ndarray:
    """What the box at each spot would cover: points to be named, lines, dots."""
    costs = ((points, _ON_A_POINT), (obstacles[0], _ON_A_LINE), (obstacles[1], dot_cost))
    return sum((weight * np.sqrt(_within(spots, half, what)) for what, weight in costs), np.zeros(len(spots)))


def _within(spots: np.ndarray, half: np.ndarray, what: np.ndarray) -> np.ndarray:
    """How many of the (k, 2) places lie in the box at each spot."""
    low, high = spots.min(axis=0) - half, spots.max(axis=0) + half
    near = what[((what > low) & (what < high)).all(axis=1)]
    across = np.abs(spots[:, :1] - near[:, 0]) < half[0]
    return np.count_nonzero(across & (np.abs(spots[:, 1:] - near[:, 1]) < half[1]), axis=1)


def _crossings(
    spots: np.ndarray, half: np.ndarray, point: np.ndarray, boxes: np.ndarray, leaders: np.ndarray
) -> np.ndarray:
    """Costs of a leader through names that stand already, and of standing on their leaders."""
    steps = np.linspace(0.1, 1.0, 12)[:, None, None]
    path = point + (spots - point) * steps  # (12, n, 2)
    hit = ((path[:, :, None] > boxes[:, :2]) & (path[:, :, None] < boxes[:, 2:])).all(axis=3).any(axis=(0, 2))
    known = leaders[~np.isnan(leaders[:, 0, 0])]
    return _CROSSING * hit + _CROSSING * (_within(spots, half, _on_lines(known)) > 0)


def _leader(point: np.ndarray, centre: np.ndarray, half: np.ndarray) -> np.ndarray:
    """(2, 2): from the point straight towards the name's centre, up to the letters, which fill most of the box."""
    way = point - centre
    with np.errstate(divide="ignore"):
        reach = float(np.min(half * _FILLED / np.abs(way)))
    return np.stack([point, centre + way * min(reach, 1.0)])


def _on_lines(lines: np.ndarray | None) -> np.ndarray:
    """Points every few px along (m, 2, 2) lines."""
    if lines is None or len(lines) == 0:
        return np.empty((0, 2))
    lines = np.asarray(lines, np.float64)
    steps = np.linspace(0.08, 1.0, 24)[:, None, None]
    return (lines[:, 0] + (lines[:, 1] - lines[:, 0]) * steps).reshape(-1, 2)
