"""The square frame that cells and genes share: fixed height, equal axes, so that the two panels of a pair match."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import plotly.graph_objects as go

from ldvae_core.analysis.raster import Window
from ldvae_core.plots.escape import escape
from ldvae_core.plots.sheet import Sheet
from ldvae_core.plots.theme import FONT_SIZE, SMALL_SIZE, Mode, bare_template, palette

PAIR_HEIGHT = 460  # px: pair, controls and sentence fit a 1440 x 900 window
COMPACT_HEIGHT = 220  # px: a pair in the gallery
MARGIN = {"l": 58, "r": 12, "t": 30, "b": 48}  # px; the top holds the tools, clear of the frame
SMALLEST_SIDE = 290  # px: names are placed for the narrowest frame; in a larger one they only move apart
LONGEST_TITLE = 52  # characters: as wide as the narrowest frame, so that none is cut off
SMALLEST_SPREAD = 1e-100  # data units: points closer than that are one point, and pixels per unit stay finite
FigureOrSheet = TypeVar("FigureOrSheet", go.Figure, Sheet)


def window_around(points: np.ndarray, *, room: float) -> Window:
    """The square around (n, 2) points and the origin, with `room` of its side kept free on every edge."""
    points = np.vstack([points[np.isfinite(points).all(axis=1)], np.zeros((1, 2))])
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max()) / (1 - 2 * room)
    side = side if side > SMALLEST_SPREAD else 2.0
    corner = (low + high - side) / 2
    return Window(float(corner[0]), float(corner[0] + side), float(corner[1]), float(corner[1] + side))


def square_sheet(window: Window, *, x_title: str, y_title: str, mode: Mode, height: int = PAIR_HEIGHT) -> Sheet:
    """Empty titled axes, equal, with zero lines. The frame is square and as high as the figure allows."""
    colours = palette(mode)
    axis = {
        "showgrid": False,
        "zeroline": True,
        "showline": True,
        "mirror": True,
        "linecolor": colours.lines,
        "nticks": 6,
        "constrain": "domain",
    }
    return Sheet(
        {
            "template": bare_template(mode),
            "height": height,
            "margin": MARGIN,
            "xaxis": {**axis, "range": [window.x_low, window.x_high], "title": {"text": title(x_title)}},
            "yaxis": {
                **axis,
                "range": [window.y_low, window.y_high],
                "title": {"text": title(y_title)},
                "scaleanchor": "x",
                "scaleratio": 1,
                "constraintoward": "top",  # a narrow frame stays under its tools
            },
            "uirevision": f"{x_title}|{y_title}",  # a zoom survives recolouring, not another pair
        }
    )


def title(text: str) -> str:
    """An axis title; what a person typed stays what it is."""
    return escape(text, longest=LONGEST_TITLE)


def say_empty(figure: FigureOrSheet, words: str, mode: Mode) -> FigureOrSheet:
    """One quiet line in the middle of empty axes."""
    figure.add_trace({"x": [None], "y": [None], "hoverinfo": "skip", "name": "nothing"})  # or plotly drops the axes
    figure.add_annotation(
        text=escape(words, longest=120),
        x=0.5,
        y=0.5,
        xref="x domain",
        yref="y domain",
        showarrow=False,
        font={"size": FONT_SIZE, "color": palette(mode).quiet},
    )
    return figure


def halo(mode: Mode) -> str:
    """A text shadow in the colour of the paper, so that names stay readable on top of dots and lines."""
    paper = palette(mode).paper
    return ", ".join(f"{x}px {y}px 2px {paper}" for x in (-1, 1) for y in (-1, 1)) + f", 0 0 4px {paper}"


def words_trace(
    places: np.ndarray, texts: Sequence[str], *, colour: str, font: dict[str, object] | None = None
) -> go.Scatter:
    """words, as a trace of its own."""
    return go.Scatter(words(places, texts, colour=colour, font=font))


def words(
    places: np.ndarray, texts: Sequence[str], *, colour: str, font: dict[str, object] | None = None
) -> dict[str, object]:
    """Escaped texts centred on (n, 2) places, in one colour that a selection elsewhere does not fade."""
    kept = {"textfont": {"color": colour}}
    return {
        "x": places[:, 0],
        "y": places[:, 1],
        "mode": "text",
        "text": list(texts),
        "textposition": "middle center",
        "textfont": {"color": colour, **(font or {})},
        "selected": kept,
        "unselected": kept,
        "hoverinfo": "skip",
    }


def note_font(mode: Mode) -> dict[str, object]:
    """For remarks on a figure."""
    return {"size": SMALL_SIZE, "color": palette(mode).quiet}
