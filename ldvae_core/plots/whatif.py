"""The genes that change most when a cell moves along its factors: before and after, or by how many times."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ldvae_core.plots.escape import italic, plain
from ldvae_core.plots.frame import say_empty, title
from ldvae_core.plots.labels import text_size
from ldvae_core.plots.theme import SMALL_SIZE, TICK_GAP, TICK_SIZE, Mode, palette, template, three_digits

ROW_HEIGHT = 21  # px
LONGEST_GENE = 24  # characters
MARGIN = {"l": 60, "r": 16, "t": 40, "b": 48}  # px
LEAST_ROWS = 12  # a figure of few genes is as high as one of some
TITLES = {
    "change": "Predicted molecules per 10,000 of the cell",
    "log2_fold": "Predicted change (log2 fold)",
}


def plot_changes(
    table: pd.DataFrame, *, by: Literal["change", "log2_fold"] = "change", mode: Mode = "light", rows: int = LEAST_ROWS
) -> go.Figure:
    """Rising genes on top in orange, falling ones at the bottom in blue.

    table: from largest_changes; columns gene, before, after, change (molecules per 10,000), log2_fold. by "change": a
    wide pale bar before, a narrow one in colour after; by "log2_fold": one bar from 0. rows: the least that the figure
    has room for, so that it keeps its height while genes come and go. A clicked bar carries its gene as customdata[0].
    """
    names = [italic(gene, longest=LONGEST_GENE) for gene in table["gene"]]
    widths = [text_size(plain(gene, longest=LONGEST_GENE), TICK_SIZE)[0] for gene in table["gene"]]
    figure = _figure(names, widths, TITLES[by], max(rows, len(names)), mode)
    if table.empty:
        return say_empty(figure, "No gene changes", mode)
    colours = palette(mode)
    places = np.arange(len(table), dtype=np.float64)
    ink = np.where(table["change"] >= 0, colours.high, colours.low)
    shared = {
        "y": places,
        "orientation": "h",
        "customdata": table["gene"].astype(str).to_numpy(object)[:, None],
        "text": list(map(_hover, names, table["before"], table["after"], table["log2_fold"])),
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
        "selected": {"marker": {"opacity": 1.0}},
        "unselected": {"marker": {"opacity": 1.0}},
    }
    if by == "change":
        figure.add_trace(go.Bar(x=table["before"], width=0.82, marker={"color": colours.dots}, name="before", **shared))
        figure.add_trace(go.Bar(x=table["after"], width=0.4, marker={"color": ink}, name="after", **shared))
        figure.update_layout(barmode="overlay")
        _legend(figure, mode)
    else:
        figure.add_trace(go.Bar(x=table["log2_fold"], width=0.6, marker={"color": ink}, name="change", **shared))
    rising = int((table["change"] > 0).sum())
    if 0 < rising < len(table):
        figure.add_hline(y=rising - 0.5, line={"color": colours.lines, "width": 1, "dash": "2px,3px"})
    return figure


def _figure(names: Sequence[str], widths: Sequence[float], x_title: str, rows: int, mode: Mode) -> go.Figure:
    return go.Figure(
        layout={
            "template": template(mode),
            "height": int(MARGIN["t"] + MARGIN["b"] + ROW_HEIGHT * rows),
            "margin": {**MARGIN, "l": 34 + max([*widths, 24.0])},
            "xaxis": {
                "title": {"text": title(x_title)},
                "zeroline": True,
                "nticks": 7,
                "rangemode": "tozero",
                "tickformat": ",",
            },
            "yaxis": {
                **TICK_GAP,
                "title": {"text": "Gene", "standoff": 4},
                "tickvals": list(range(len(names))),
                "ticktext": list(names),
                "range": [rows - 0.5, -0.5],
                "showgrid": False,
                "zeroline": False,
                "tickfont": {"size": TICK_SIZE, "color": palette(mode).ink},
            },
        }
    )


def _legend(figure: go.Figure, mode: Mode) -> None:
    """In words above the frame: what the two bars are."""
    colours = palette(mode)
    figure.add_annotation(
        text=(
            f'<span style="color:{colours.zero}">■</span> before   '
            f'<span style="color:{colours.high}">■</span> after, more   '
            f'<span style="color:{colours.low}">■</span> after, less'
        ),
        x=0,
        y=1,
        xref="x domain",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        yshift=4,
        showarrow=False,
        font={"size": SMALL_SIZE, "color": colours.quiet},
    )


def _hover(name: str, before: float, after: float, fold: float) -> str:
    return (
        f"<b>{name}</b><br>{three_digits(before)} → {three_digits(after)} molecules per 10,000"
        f"<br>log2 fold change {three_digits(fold)}"
    )
