"""What a curve needs before it is drawn: a range, smoothing, and room for the names at its end."""

from typing import NamedTuple

import numpy as np

FIRST = 0.1  # share of the points that may leave the frame
CRUSHED = 0.6  # they leave it only where they would take more than this share of it


class Range(NamedTuple):
    """What the axis shows, and the value furthest outside it, if the first epochs lie there."""

    low: float
    high: float
    clipped: float | None


def robust_range(series: list[np.ndarray]) -> Range:
    """A range over all series that first points do not crush.

    Each series' first tenth (at least one point, of five or more) leaves the frame where it would take more than 60% of
    it; everything later is always inside.
    """
    later = [values[max(1, int(np.ceil(FIRST * len(values)))) if len(values) >= 5 else 0 :] for values in series]
    everything, rest = np.concatenate(series), np.concatenate(later)
    low, high = float(rest.min()), float(rest.max())
    outside = max(everything.max() - high, low - everything.min())
    crushed = outside > CRUSHED * (np.ptp(everything) or 1.0)
    clipped = None
    if crushed:
        clipped = float(everything.max() if everything.max() - high >= low - everything.min() else everything.min())
    else:
        low, high = float(everything.min()), float(everything.max())
    pad = 0.08 * (high - low) or 0.01 * abs(high) or 0.1
    return Range(low - pad, high + pad, clipped)


def smooth(values: np.ndarray, weight: float) -> np.ndarray:
    """Running mean that keeps `weight` of the past at each point (0: none); the start is not pulled to 0."""
    if weight <= 0:
        return values
    mean, total, result = 0.0, 0.0, np.empty(len(values))
    for i, value in enumerate(values):
        mean, total = weight * mean + (1 - weight) * value, weight * total + (1 - weight)
        result[i] = mean / total
    return result


def spread(wanted: np.ndarray, step: float, room: float) -> np.ndarray:
    """Places along a line of length `room`, in the order wanted and at least `step` apart, near where they were."""
    order = np.argsort(wanted, kind="stable")
    places = wanted[order].astype(np.float64)
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + step)
    top = room
    for i in range(len(places) - 1, -1, -1):
        places[i] = min(places[i], top)
        top = places[i] - step
    result = np.empty(len(places))
    result[order] = places
    return result
