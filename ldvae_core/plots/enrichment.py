"""Enriched gene sets as bars with their names on them."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ldvae_core.plots.escape import escape
from ldvae_core.plots.frame import note_font, say_empty
from ldvae_core.plots.sheet import Sheet
from ldvae_core.plots.theme import TICK_SIZE, Mode, bare_template, palette, three_digits, tint

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
    sheet = Sheet(_layout(len(shown), height, mode))
    if shown.empty:
        return say_empty(sheet, "No set shares a gene with this end", mode).figure()
    rows = np.arange(len(shown), dtype=np.float64)
    strength = -np.log10(np.maximum(shown["q"].to_numpy(np.float64), SMALLEST_Q)) + 0.0
    inks = [colours.high if end == "positive" else colours.low for end in shown["end"]]
    clear = {"marker": {"opacity": 1.0}}
    sheet.add_trace(
        {
            "type": "bar",
            "x": strength,
            "y": rows + 0.2,
            "orientation": "h",
            "width": 0.34,
            "marker": {"color": [tint(ink, mode, 0.85) for ink in inks], "line": {"width": 0}},
            "customdata": [[int(place)] for place in shown.index],
            "text": [_hover(row) for row in shown.to_dict("records")],
            "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
            "selected": clear,
            "unselected": clear,
            "name": "sets",
        }
    )
    longest = max(float(strength.max()), -np.log10(THRESHOLD)) * 1.06
    # names as annotations, which may run over the frame: text of traces is cut there
    names = [{"x": 0, "y": row - 0.2, "text": escape(name, longest=LONGEST_SET), "xanchor": "left",
              "yanchor": "middle", "showarrow": False, "borderpad": 0,
              "font": {"size": TICK_SIZE, "color": colours.ink}}
             for row, name in zip(rows, shown["set"], strict=True)]  # fmt: skip
    line = -np.log10(THRESHOLD)
    threshold = {"x": line, "y": 1.0, "yref": "y domain", "yanchor": "bottom", "text": "q = 0.05", "showarrow": False,
                 "font": note_font(mode)}  # fmt: skip
    dotted = {"type": "line", "x0": line, "x1": line, "y0": 0, "y1": 1, "yref": "y domain",
              "line": {"color": colours.zero, "width": 1, "dash": "2px,3px"}}  # fmt: skip
    sheet.layout["xaxis"]["range"] = [0, longest]
    sheet.layout |= {"shapes": [dotted], "annotations": [*names, threshold]}
    return sheet.figure()


def _layout(n: int, height: int, mode: Mode) -> dict[str, Any]:
    return {
        "template": bare_template(mode),
        "height": height,
        "margin": MARGIN,
        "bargap": 0.2,
        "xaxis": {"title": {"text": X_TITLE}, "zeroline": True, "nticks": 7, "range": [0, 2]},
        "yaxis": {"range": [max(n, 4) - 0.4, -0.6], "showticklabels": False, "showgrid": False, "zeroline": False,
                  "title": {"text": ""}},
    }  # fmt: skip


def _hover(row: Mapping[Hashable, Any]) -> str:
    side = "high" if row["end"] == "positive" else "low"
    return (
        f"<b>{escape(row['set'], longest=80)}</b><br>{side} end, {row['overlap']} of {row['size']} modelled genes"
        f"<br>q {three_digits(row['q'])}"
    )
