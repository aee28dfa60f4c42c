"""Cell type names at their clusters, in their colours: read on the spot, without a legend to look up."""

from collections.abc import Mapping

import numpy as np

from ldvae_core.analysis.raster import Raster, Window, peak
from ldvae_core.plots.escape import escape, plain
from ldvae_core.plots.frame import SMALLEST_SIDE, halo, words
from ldvae_core.plots.labels import Places, place_labels, text_size
from ldvae_core.plots.sheet import Canvas
from ldvae_core.plots.theme import FONT_SIZE, SMALL_SIZE, Mode, legible, palette

LONGEST_TYPE = 34  # characters
MOST_NAMES = 30  # beyond, the largest types are named
FURTHEST = 60.0  # px: a name further from its cluster than that says nothing; pointing at a bin names its type


def add_type_names(
    figure: Canvas, rasters: Mapping[str, Raster], colours: Mapping[str, str], window: Window, *, mode: Mode
) -> None:
    """The names of the largest types at their densest spots, smaller type for many."""
    cells = {name: int(raster.counts.sum()) for name, raster in rasters.items()}
    names = sorted((name for name in rasters if cells[name]), key=lambda name: -cells[name])[:MOST_NAMES]
    spots = np.array([peak(rasters[name]) for name in names]).reshape(-1, 2)
    size = FONT_SIZE if len(names) <= 8 else SMALL_SIZE
    inks = [colours.get(name, palette(mode).zero) for name in names]
    add_names(figure, names, spots, inks, window, mode=mode, font_size=size, furthest=FURTHEST)


def add_names(
    figure: Canvas,
    names: list[str],
    spots: np.ndarray,
    colours: list[str],
    window: Window,
    *,
    mode: Mode,
    font_size: int = FONT_SIZE,
    dots: np.ndarray | None = None,
    directions: np.ndarray | None = None,
    furthest: float = np.inf,
) -> Places:
    """Names beside (n, 2) spots in data units, none over another; the places found, in px of the smallest frame."""
    shown = [plain(name, longest=LONGEST_TYPE) for name in names]
    sizes = np.array([text_size(name, font_size) for name in shown]).reshape(-1, 2)
    sizes[:, 0] *= 1.05  # semi-bold
    places = place_labels(
        window.to_pixels(spots, SMALLEST_SIDE),
        sizes,
        frame=(SMALLEST_SIDE, SMALLEST_SIDE),
        dots=None if dots is None else window.to_pixels(dots, SMALLEST_SIDE),
        dot_cost=3.0,
        directions=directions,
        furthest=furthest,
    )
    inks = [legible(colour, mode, text=True) for colour in colours]
    _add_leaders(figure, places, inks, window)
    centres, seen = window.to_data(places.centres, SMALLEST_SIDE), places.placed
    font = {"size": font_size, "weight": 600, "shadow": halo(mode)}
    for row in np.flatnonzero(seen):  # one trace a colour
        text = [escape(shown[row], longest=LONGEST_TYPE)]
        figure.add_trace({**words(centres[[row]], text, colour=inks[row], font=font), "name": "type names"})
    return places


def _add_leaders(figure: Canvas, places: Places, inks: list[str], window: Window) -> None:
    leaders = window.to_data(places.leaders, SMALLEST_SIDE)
    for ink, leader in zip(inks, leaders, strict=True):
        if not np.isnan(leader).any():
            line = {"color": ink, "width": 1}
            figure.add_trace({"x": leader[:, 0], "y": leader[:, 1], "mode": "lines", "line": line,
                              "hoverinfo": "skip", "name": "leaders"})  # fmt: skip
