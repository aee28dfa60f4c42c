"""Enriched gene sets as bars with their names on them."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ldvae_core.plots.escape import escape
from ldvae_core.plots.frame import note_font, say_empty
from ldvae_core.plots.theme import TICK_SIZE, Mode, palette, template, three_digits, tint

ROW_HEIGHT, LONGEST_SET, MOST_BARS = 34, 58, 14  # px; characters; bars
MARGIN = {"l": 18, "r": 16, "t": 30, "b": 48}  # px
SMALLEST_Q = 1e-50
X_TITLE = "−log10 q (Benjamini-Hochberg)"
THRESHOLD = 0.05


def plot_enrichment(table: pd.DataFrame, *, mode: Mode = "light") -> go.Figure:
    """The strongest sets of one factor, most significant first, each bar under its set's name.

    table: rows of an enrichment table, columns set, end, size, overlap, q; the first 14 by q are drawn. Orange: at the
    high end of the factor, blue: at the low end; the dotted line is q = 0.05. A clicked bar carries the row's place in
    the table as customdata[0].
    """
    colours = palette(mode)
    shown = table.sort_values("q", kind="stable").head(MOST_BARS)
    height = MARGIN["t"] + MARGIN["b"] + ROW_HEIGHT * max(len(shown), 4)
    figure = go.Figure(layout=_layout(len(shown), height, mode))
    if shown.empty:
        return say_empty(figure, "No set shares a gene with this end", mode)
    rows = np.arange(len(shown), dtype=np.float64)
    strength = -np.log10(np.maximum(shown["q"].to_numpy(np.float64), SMALLEST_Q)) + 0.0
    inks = [colours.high if end == "positive" else colours.low for end in shown["end"]]
    names = [escape(name, longest=LONGEST_SET) for name in shown["set"]]
    figure.add_trace(
        go.Bar(
            x=strength,
            y=rows + 0.2,
            orientation="h",
            width=0.34,
            marker={"color": [tint(ink, mode, 0.85) for ink in inks], "line": {"width": 0}},
            customdata=[[int(place)] for place in shown.index],
            text=[_hover(row) for row in shown.itertuples()],
            textposition="none",
            hovertemplate="%{text}<extra></extra>",
            selected={"marker": {"opacity": 1.0}},
            unselected={"marker": {"opacity": 1.0}},
            name="sets",
        )
    )
    longest = max(float(strength.max()), -np.log10(THRESHOLD)) * 1.06
    figure.update_xaxes(range=[0, longest])
    for row, name in zip(rows, names, strict=True):  # annotations may run over the frame; text of traces is cut there
        figure.add_annotation(x=0, y=row - 0.2, text=name, xanchor="left", yanchor="middle", showarrow=False,
                              borderpad=0, font={"size": TICK_SIZE, "color": colours.ink})  # fmt: skip
    figure.add_vline(x=-np.log10(THRESHOLD), line={"color": colours.zero, "width": 1, "dash": "2px,3px"})
    figure.add_annotation(x=-np.log10(THRESHOLD), y=1.0, yref="y domain", yanchor="bottom", text="q = 0.05",
                          showarrow=False, font=note_font(mode))  # fmt: skip
    return figure


def _layout(n: int, height: int, mode: Mode) -> dict[str, object]:
    return {
        "template": template(mode),
        "height": height,
        "margin": MARGIN,
        "bargap": 0.2,
        "xaxis": {"title": {"text": X_TITLE}, "zeroline": True, "nticks": 7, "range": [0, 2]},
        "yaxis": {"range": [max(n, 4) - 0.4, -0.6], "showticklabels": False, "showgrid": False, "zeroline": False,
                  "title": {"text": ""}},
    }  # fmt: skip


def _hover(row: object) -> str:
    side = "high" if row.end == "positive" else "low"  # type: ignore[attr-defined]
    return (
        f"<b>{escape(row.set, longest=80)}</b><br>{side} end, {row.overlap} of {row.size} modelled genes"  # type: ignore[attr-defined]
        f"<br>q {three_digits(float(row.q))}"  # type: ignore[attr-defined]
    )
