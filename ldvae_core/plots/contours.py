"""One set of contours per cell type, each with its own dashes and its name beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ldvae_core.analysis.raster import Contour, Window
from ldvae_core.plots.escape import escape
from ldvae_core.plots.sheet import Canvas
from ldvae_core.plots.theme import CONTOUR_WIDTH, DASHES, Mode, legible, palette, tint
from ldvae_core.plots.type_names import add_names


def add_contours(
    figure: Canvas,
    contours: Mapping[str, Sequence[Contour]],
    colours: Mapping[str, str],
    window: Window,
    *,
    mode: Mode,
) -> None:
    """Lines around the densest regions: the innermost full and bold, the outer ones thinner.

    contours: by cell type, from analysis.raster.contours. Types without lines are left out.
    """
    drawn = {name: lines for name, lines in contours.items() if len(lines)}
    inks = [colours.get(name, palette(mode).accent) for name in drawn]
    for order, (name, lines) in enumerate(drawn.items()):
        for level in sorted({line.level for line in lines}, reverse=True):
            pieces = [line for line in lines if line.level == level]
            figure.add_trace(_level_trace(name, pieces, level, legible(inks[order], mode), order, mode))
    if drawn:
        _name_contours(figure, drawn, inks, window, mode)


def _level_trace(name: str, pieces: list[Contour], level: float, colour: str, order: int, mode: Mode) -> dict[str, Any]:
    gap = np.array([np.nan])
    x = np.concatenate([part for piece in pieces for part in (piece.x, gap)])
    y = np.concatenate([part for piece in pieces for part in (piece.y, gap)])
    return {
        "x": x.astype(np.float32),
        "y": y.astype(np.float32),
        "mode": "lines",
        "line": {
            "color": colour if level <= 0.5 else tint(colour, mode, 0.75),
            "width": CONTOUR_WIDTH if level <= 0.75 else CONTOUR_WIDTH * 0.7,
            "dash": DASHES[order % len(DASHES)],
        },
        "hoverinfo": "text",
        "text": f"{escape(name)}: {level:.0%} of its cells are inside",
        "hoveron": "points",
        "name": escape(name),
    }


def _name_contours(
    figure: Canvas, drawn: Mapping[str, Sequence[Contour]], inks: list[str], window: Window, mode: Mode
) -> None:
    """Each name just outside its own cluster, away from the other clusters."""
    outlines = [_outline(lines) for lines in drawn.values()]
    centres = np.array([_core(lines) for lines in drawn.values()])
    away = centres - centres.mean(axis=0) if len(centres) > 1 else np.array([[0.0, 1.0]])
    tops = np.array([_furthest(outline, way) for outline, way in zip(outlines, away, strict=True)])
    add_names(figure, list(drawn), tops, inks, window, mode=mode, dots=np.concatenate(outlines), directions=away)


def _outline(lines: Sequence[Contour]) -> np.ndarray:
    """(k, 2) points on the lines of a type, every few px of the smallest frame's worth."""
    return np.concatenate([np.column_stack([line.x, line.y])[::2] for line in lines])


def _core(lines: Sequence[Contour]) -> np.ndarray:
    inner = [line for line in lines if line.level == min(line.level for line in lines)]
    largest = max(inner, key=lambda line: np.ptp(line.x) * np.ptp(line.y))
    return np.array([largest.x.mean(), largest.y.mean()])


def _furthest(outline: np.ndarray, way: np.ndarray) -> np.ndarray:
    return outline[(outline @ way).argmax()]
