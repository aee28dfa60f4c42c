"""Factors of one run against those of another: how alike their loadings are, whatever sign and order."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from ldvae_core.plots.colour_bar import bar_beside
from ldvae_core.plots.escape import escape
from ldvae_core.plots.frame import say_empty, words_trace
from ldvae_core.plots.theme import SMALL_SIZE, TICK_GAP, Mode, palette, template

SQUARE = 26  # px, about
SMALLEST, LARGEST = 260, 640  # px
MARGIN = {"l": 64, "r": 72, "t": 30, "b": 50}  # px
MOST_PRINTED = 400  # squares with their number in them
LEAST_PRINTED = 0.3
LONGEST_NAME = 34  # characters of a run's name on an axis


def plot_matching(
    cosine: np.ndarray, pairs: np.ndarray, *, names: tuple[str, str] = ("A", "B"), mode: Mode = "light"
) -> go.Figure:
    """How well programs match, factors of the first run down, of the second across; matched squares carry a frame.

    cosine: (n_factors_a, n_factors_b), signs are ignored. pairs: (n_matched, 2), from a Matching. The columns stand
    in the order of their partners, so that programs both runs found form a diagonal.
    """
    values = np.abs(np.asarray(cosine, np.float64))
    order = _columns(pairs, values.shape[1])
    values = values[:, order]
    figure = go.Figure(layout=_layout(values.shape, [str(k + 1) for k in order], names, mode))
    if not values.size:
        return say_empty(figure, "No factors to match", mode)
    figure.add_trace(_squares(values, order, names, mode))
    place = {int(column): position for position, column in enumerate(order)}
    for row, column in pairs:
        x, y = place[int(column)], int(row)
        figure.add_shape(type="rect", x0=x - 0.5, x1=x + 0.5, y0=y - 0.5, y1=y + 0.5,
                         line={"color": palette(mode).ink, "width": 1.6})  # fmt: skip
    if values.size <= MOST_PRINTED:
        _print(figure, values, mode)
    return figure


def _columns(pairs: np.ndarray, n: int) -> np.ndarray:
    """Partners first, in the order of the rows; then those without one."""
    partners = [int(column) for _, column in sorted(map(tuple, np.asarray(pairs).tolist()))]
    return np.array([*partners, *(k for k in range(n) if k not in partners)], int)


def _layout(shape: tuple[int, int], columns: list[str], names: tuple[str, str], mode: Mode) -> dict[str, Any]:
    axis = {"showgrid": False, "zeroline": False, "showline": False, **TICK_GAP, "constrain": "domain"}
    titles = [f"Factor of {escape(name, longest=LONGEST_NAME)}" for name in names]
    n_rows, n_columns = max(shape[0], 1), max(shape[1], 1)
    return {
        "template": template(mode),
        "height": int(np.clip(MARGIN["t"] + MARGIN["b"] + SQUARE * n_rows, SMALLEST, LARGEST)),
        "margin": MARGIN,
        "xaxis": {
            **axis,
            "constraintoward": "right",  # beside its colour bar
            "title": {"text": titles[1]},
            "tickvals": list(range(len(columns))),
            "ticktext": columns,
            "range": [-0.5, n_columns - 0.5],
            "tickangle": 0,
        },
        "yaxis": {
            **axis,
            "title": {"text": titles[0]},
            "tickvals": list(range(shape[0])),
            "ticktext": [str(k + 1) for k in range(shape[0])],
            "range": [n_rows - 0.5, -0.5],
            "scaleanchor": "x",
        },
    }


def _squares(values: np.ndarray, order: np.ndarray, names: tuple[str, str], mode: Mode) -> go.Heatmap:
    colours = palette(mode)
    a, b = (escape(name, longest=LONGEST_NAME) for name in names)
    hover = [[f"factor {row + 1} of {a}<br>factor {column + 1} of {b}" for column in order]
             for row in range(len(values))]  # fmt: skip
    return go.Heatmap(
        z=values,
        zmin=0.0,
        zmax=1.0,
        colorscale=[[0.0, colours.middle], [0.5, colours.high_middle], [1.0, colours.high]],
        xgap=1,
        ygap=1,
        hovertext=hover,
        hovertemplate="%{hovertext}<br>match %{z:.2f}<extra></extra>",
        colorbar=bar_beside("match", [0, 0.5, 1]),
        name="match",
    )


def _print(figure: go.Figure, values: np.ndarray, mode: Mode) -> None:
    """Numbers worth reading, without their leading zero."""
    colours = palette(mode)
    places = np.argwhere(values >= LEAST_PRINTED)
    strong = np.array([values[tuple(place)] >= 0.75 for place in places], bool)
    for chosen, ink in ((~strong, colours.ink), (strong, colours.paper)):
        words = [f"{values[tuple(place)]:.2f}".removeprefix("0") for place in places[chosen]]
        trace = words_trace(places[chosen][:, ::-1], words, colour=ink, font={"size": SMALL_SIZE})
        figure.add_trace(trace.update(name="numbers"))
