"""Tables of signs as blue, paper and orange: factors against cell types, factors against each other."""

from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ldvae_core.plots.colour_bar import bar_beside
from ldvae_core.plots.colours import contrast
from ldvae_core.plots.escape import escape, plain
from ldvae_core.plots.frame import say_empty, words
from ldvae_core.plots.labels import text_size
from ldvae_core.plots.sheet import Canvas, Sheet
from ldvae_core.plots.theme import (
    SMALL_SIZE,
    TICK_SIZE,
    Mode,
    bare_template,
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
LEAST_ROW = 15  # px: names of rows stay apart, however many there are
LEAST_PRINTED = 0.15  # of the scale
MOST_PRINTED, MOST_COLUMNS = 400, 20  # cells of a table whose numbers are written in them; columns, likewise
LONGEST_TYPE, LONGEST_HOVER = 34, 60  # characters
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
    written up to 400 cells. A clicked cell carries its factor (from 0) as customdata[0].
    """
    if table.empty:
        figure = go.Figure(layout=_layout([], [], 60, mode, x_title="Factor"))
        return say_empty(figure, "No annotation to compare with", mode)
    types = list(dict.fromkeys(table["cell_type"]))
    grid = _grid(table, value).loc[types]
    title, middle, half = _SCALES[value]
    if sort:
        grid = grid.iloc[_diagonal_order(np.nan_to_num(grid.to_numpy(np.float64) - middle))]
    names = [escape(name, longest=LONGEST_TYPE) for name in grid.index]
    left = 20 + max(text_size(plain(name, longest=LONGEST_TYPE), TICK_SIZE)[0] for name in grid.index)
    sheet = Sheet(_layout([str(int(k) + 1) for k in grid.columns], names, left, mode, x_title="Factor"))
    sheet.add_trace(_cells(grid.to_numpy(np.float32), title, middle, half, mode))
    _print_numbers(sheet, grid.to_numpy(np.float64), middle, half, mode)
    r, auc, n_cells = (_grid(table, column).loc[grid.index] for column in ("correlation", "auc", "n_cells"))
    for row, kind in enumerate(grid.index):
        named = f"<b>{escape(kind, longest=LONGEST_HOVER)}</b> ({int(n_cells.iloc[row].max()):,} cells)"
        numbers = zip(grid.columns, r.to_numpy()[row], auc.to_numpy()[row], strict=True)
        carried = [[int(k), three_digits(float(one)), three_digits(float(other))] for k, one, other in numbers]
        sheet.add_trace(_targets(row, named, carried))
    return sheet.figure()


def plot_correlation(correlation: np.ndarray, *, mode: Mode = "light") -> go.Figure:
    """Correlation of the factors over cells (Fig. S3): (n_factors, n_factors), as from covariance_view."""
    names = [str(k + 1) for k in range(len(correlation))]
    layout = _layout(names, names, 58, mode, x_title="Factor", y_title="Factor")
    layout["height"] = 360
    layout["xaxis"] |= {"constrain": "domain", "constraintoward": "right"}  # beside its colour bar
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
    around = MARGIN["t"] + MARGIN["b"]
    height = np.clip(around + ROW_HEIGHT * len(rows), SMALLEST_HEIGHT, LARGEST_HEIGHT)
    plain_axis = {"showgrid": False, "zeroline": False, "showline": False, **GAP}
    return {
        "template": bare_template(mode),
        "height": int(max(height, around + LEAST_ROW * len(rows))),
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
        colorbar=bar_beside(title, [middle - half, middle, middle + half]),
        name=title,
    )


def _print_numbers(
    figure: Canvas, values: np.ndarray, middle: float, half: float, mode: Mode, *, digits: int = 2
) -> None:
    """Numbers worth reading, without their leading zero; nothing where there is next to no association."""
    if values.size > MOST_PRINTED or values.shape[1] > MOST_COLUMNS:
        return
    shares = (np.nan_to_num(values, nan=middle) - middle) / half
    places = np.argwhere(np.abs(shares) >= LEAST_PRINTED)
    colours = palette(mode)
    inks = np.array([_readable_on(diverging_colour(float(shares[tuple(p)]), mode), mode) for p in places], dtype=object)
    texts = [_short(float(values[tuple(place)]), digits) for place in places]
    for ink in (colours.ink, colours.paper):
        chosen = np.flatnonzero(inks == ink)
        trace = words(places[chosen][:, ::-1], [texts[k] for k in chosen], colour=ink, font={"size": SMALL_SIZE})
        figure.add_trace({**trace, "name": "numbers"})


def _short(value: float, digits: int) -> str:
    return ("−" if value < 0 else "") + f"{abs(value):.{digits}f}".removeprefix("0")


def _readable_on(cell: str, mode: Mode) -> str:
    colours = palette(mode)
    return max((colours.ink, colours.paper), key=lambda ink: contrast(ink, cell))


def _grid(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Types x factors."""
    return table.pivot(index="cell_type", columns="factor", values=column)


def _targets(row: int, kind: str, carried: list[list[object]]) -> dict[str, Any]:
    """Points nobody sees over the cells of one type: a heatmap alone answers to no click.

    A trace for each type sends its name once, however long it is. carried: by each point, its factor first.
    """
    unseen = {"marker": {"opacity": 0.0}}
    return {
        "x": np.arange(len(carried), dtype=np.int16),
        "y": np.full(len(carried), row, np.int16),
        "mode": "markers",
        "marker": {"opacity": 0.0, "size": ROW_HEIGHT, "symbol": "square"},
        "selected": unseen,
        "unselected": unseen,
        "customdata": carried,
        "hovertemplate": f"{kind}<br>Factor %{{x}}: correlation %{{customdata[1]}}, AUC %{{customdata[2]}}"
        "<extra></extra>",
        "name": "targets",
    }


def _pair_names(n: int) -> list[list[str]]:
    return [[f"{factor_label(row)} and {factor_label(column)}" for column in range(n)] for row in range(n)]


def _diagonal_order(values: np.ndarray) -> np.ndarray:
    """Rows by their strongest column, then by strength in it."""
    best = np.abs(values).argmax(axis=1)
    strength = np.abs(values).max(axis=1)
    return np.lexsort((-strength, best))
