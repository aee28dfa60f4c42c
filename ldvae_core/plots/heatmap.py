"""Tables of signs as blue, paper and orange: factors against cell types, factors against each other."""

from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ldvae_core.plots.colours import contrast
from ldvae_core.plots.escape import escape
from ldvae_core.plots.frame import say_empty, words_trace
from ldvae_core.plots.labels import text_size
from ldvae_core.plots.theme import (
    SMALL_SIZE,
    TICK_SIZE,
    Mode,
    diverging_colour,
    diverging_scale,
    factor_label,
    palette,
    template,
    three_digits,
)
from ldvae_core.plots.theme import (
    TICK_GAP as GAP,
)

ROW_HEIGHT, SMALLEST_HEIGHT, LARGEST_HEIGHT = 24, 180, 900  # px
LEAST_PRINTED = 0.15  # of the scale
MOST_PRINTED = 400  # cells of the table whose numbers are written in them
LONGEST_TYPE, LONGEST_HOVER = 28, 60  # characters
MARGIN = {"l": 60, "r": 76, "t": 30, "b": 48}  # px
_PAIR_HOVER = "%{hovertext}: %{z:.2f}<extra></extra>"
_SCALES: dict[str, tuple[str, float, float]] = {  # title, middle, half width
    "correlation": ("correlation", 0.0, 1.0),
    "auc": ("AUC", 0.5, 0.5),
}


def plot_association(
    table: pd.DataFrame,
    *,
    value: Literal["correlation", "auc"] = "correlation",
    sort: bool = True,
    mode: Mode = "light",
) -> go.Figure:
    """Factors across, cell types down; orange where a factor is high in a type, blue where it is low.

    table: from association_table; columns cell_type, factor (from 0), correlation, auc, n_cells. sort: types in the
    order of the factor they follow most, so that the strong ones form a diagonal; else as in the table. Numbers are
    written up to 400 cells. A clicked cell carries factor (from 0) and cell type as customdata.
    """
    if table.empty:
        figure = go.Figure(layout=_layout([], [], 60, mode, x_title="Factor"))
        return say_empty(figure, "No annotation to compare with", mode)
    types = list(dict.fromkeys(table["cell_type"]))
    grid = table.pivot(index="cell_type", columns="factor", values=value).loc[types]
    title, middle, half = _SCALES[value]
    if sort:
        grid = grid.iloc[_diagonal_order(np.nan_to_num(grid.to_numpy(np.float64) - middle))]
    names = [escape(name, longest=LONGEST_TYPE) for name in grid.index]
    left = 20 + max(text_size(str(name)[:LONGEST_TYPE], TICK_SIZE)[0] for name in grid.index)
    figure = go.Figure(layout=_layout([str(k + 1) for k in grid.columns], names, left, mode, x_title="Factor"))
    figure.add_trace(_cells(grid.to_numpy(np.float64), title, middle, half, mode))
    _print_numbers(figure, grid.to_numpy(np.float64), middle, half, mode)
    figure.add_trace(_targets(grid, table, title))
    return figure


def plot_correlation(correlation: np.ndarray, *, mode: Mode = "light") -> go.Figure:
    """Correlation of the factors over cells (Fig. S3): (n_factors, n_factors), as from covariance_view."""
    names = [str(k + 1) for k in range(len(correlation))]
    layout = _layout(names, names, 58, mode, x_title="Factor", y_title="Factor")
    layout["height"] = 360
    layout["xaxis"] |= {"constrain": "domain"}
    layout["yaxis"] |= {"scaleanchor": "x", "constrain": "domain"}
    figure = go.Figure(layout=layout)
    if not len(correlation):
        return say_empty(figure, "No factors to compare", mode)
    cells = _cells(np.asarray(correlation, np.float64), "correlation", 0.0, 1.0, mode)
    figure.add_trace(cells.update(hoverinfo=None, hovertext=_pair_names(len(correlation)), hovertemplate=_PAIR_HOVER))
    _print_numbers(figure, np.asarray(correlation, np.float64), 0.0, 1.0, mode, digits=1)
    return figure


def plot_spectrum(eigenvalue_share: np.ndarray, *, mode: Mode = "light") -> go.Figure:
    """Share of the standardised variance in each principal component of Z: components, which mix the factors.

    eigenvalue_share: (n_factors,), descending, sums to 1, as from covariance_view.
    """
    shares = np.asarray(eigenvalue_share, np.float64)
    figure = go.Figure(
        layout={
            "template": template(mode),
            "height": 360,
            "margin": MARGIN,
            "xaxis": {
                "title": {"text": "Component of the representation (not a factor)"},
                "showgrid": False,
                "dtick": 1,
            },
            "yaxis": {"title": {"text": "Share of standardised variance"}, "tickformat": ".0%", "rangemode": "tozero"},
            "bargap": 0.35,
        }
    )
    if not len(shares):
        return say_empty(figure, "No factors to compare", mode)
    figure.add_trace(
        go.Bar(
            x=np.arange(1, len(shares) + 1),
            y=shares,
            marker={"color": palette(mode).accent, "line": {"width": 0}},
            hovertemplate="component %{x}: %{y:.3p}<extra></extra>",
        )
    )
    if len(shares) > 12:
        figure.update_xaxes(dtick=5, tick0=0)
    return figure


def _layout(
    columns: list[str], rows: list[str], left: float, mode: Mode, *, x_title: str, y_title: str = ""
) -> dict[str, Any]:
    """Axes by number, with names as tick text: plotly would read markup in category names."""
    height = MARGIN["t"] + MARGIN["b"] + ROW_HEIGHT * len(rows)
    plain_axis = {"showgrid": False, "zeroline": False, "showline": False, **GAP}
    return {
        "template": template(mode),
        "height": int(np.clip(height, SMALLEST_HEIGHT, LARGEST_HEIGHT)),
        "margin": {**MARGIN, "l": left},
        "xaxis": {
            **plain_axis,
            "title": {"text": x_title},
            "tickvals": list(range(len(columns))),
            "ticktext": columns,
            "range": [-0.5, max(len(columns), 1) - 0.5],
            "tickangle": 0,
        },
        "yaxis": {
            **plain_axis,
            "title": {"text": y_title},
            "tickvals": list(range(len(rows))),
            "ticktext": rows,
            "range": [max(len(rows), 1) - 0.5, -0.5],
        },
    }


def _cells(values: np.ndarray, title: str, middle: float, half: float, mode: Mode) -> go.Heatmap:
    return go.Heatmap(
        z=values,
        zmid=middle,
        zmin=middle - half,
        zmax=middle + half,
        colorscale=diverging_scale(mode),
        xgap=1,
        ygap=1,
        hoverinfo="skip",
        colorbar={
            "title": {"text": title, "font": {"size": SMALL_SIZE}, "side": "top"},
            "tickvals": [middle - half, middle, middle + half],
            "tickfont": {"size": SMALL_SIZE},
            "thickness": 8,
            "outlinewidth": 0,
            "len": 140,
            "lenmode": "pixels",
            "y": 1,
            "yanchor": "top",
            "x": 1.0,
            "xpad": 12,
        },
        name=title,
    )


def _print_numbers(
    figure: go.Figure, values: np.ndarray, middle: float, half: float, mode: Mode, *, digits: int = 2
) -> None:
    """Numbers worth reading, without their leading zero; nothing where there is next to no association."""
    if values.size > MOST_PRINTED:
        return
    shares = (np.nan_to_num(values, nan=middle) - middle) / half
    places = np.argwhere(np.abs(shares) >= LEAST_PRINTED)
    colours = palette(mode)
    inks = np.array([_readable_on(diverging_colour(float(shares[tuple(p)]), mode), mode) for p in places], dtype=object)
    words = np.array([_short(float(values[tuple(place)]), digits) for place in places], dtype=object)
    for ink in (colours.ink, colours.paper):
        chosen = np.flatnonzero(inks == ink)
        trace = words_trace(places[chosen][:, ::-1], words[chosen], colour=ink, font={"size": SMALL_SIZE})
        figure.add_trace(trace.update(name="numbers"))


def _short(value: float, digits: int) -> str:
    return ("−" if value < 0 else "") + f"{abs(value):.{digits}f}".removeprefix("0")


def _readable_on(cell: str, mode: Mode) -> str:
    colours = palette(mode)
    return max((colours.ink, colours.paper), key=lambda ink: contrast(ink, cell))


def _targets(grid: pd.DataFrame, table: pd.DataFrame, title: str) -> go.Scatter:
    """Points nobody sees over the cells: a heatmap alone answers to no click."""
    details = table.set_index(["cell_type", "factor"])
    pairs = [(kind, factor) for kind in grid.index for factor in grid.columns]
    unseen = {"marker": {"opacity": 0.0}}
    rows = details.loc[pairs]
    return go.Scatter(
        x=np.tile(np.arange(len(grid.columns)), len(grid.index)),
        y=np.repeat(np.arange(len(grid.index)), len(grid.columns)),
        mode="markers",
        marker={"opacity": 0.0, "size": ROW_HEIGHT, "symbol": "square"},
        selected=unseen,
        unselected=unseen,
        customdata=np.array(
            [
                [int(factor), str(kind), three_digits(float(r)), three_digits(float(auc)), f"{int(n):,}"]
                for (kind, factor), r, auc, n in zip(
                    pairs, rows["correlation"], rows["auc"], rows["n_cells"], strict=True
                )
            ],
            dtype=object,
        ),
        text=np.repeat([escape(kind, longest=LONGEST_HOVER) for kind in grid.index], len(grid.columns)),
        hovertemplate="<b>%{text}</b> (%{customdata[4]} cells)<br>Factor %{x}: correlation %{customdata[2]}, "
        "AUC %{customdata[3]}<extra></extra>",
        name=title,
    )


def _pair_names(n: int) -> list[list[str]]:
    return [[f"{factor_label(row)} and {factor_label(column)}" for column in range(n)] for row in range(n)]


def _diagonal_order(values: np.ndarray) -> np.ndarray:
    """Rows by their strongest column, then by strength in it."""
    best = np.abs(values).argmax(axis=1)
    strength = np.abs(values).max(axis=1)
    return np.lexsort((-strength, best))
