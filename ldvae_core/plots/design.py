"""Programs against a design: a dot for each program and group of cells, and the samples behind one of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ldvae_core.plots.colour_bar import bar_above
from ldvae_core.plots.escape import escape, escape_all, plain
from ldvae_core.plots.frame import note_font, say_empty, title
from ldvae_core.plots.labels import text_size
from ldvae_core.plots.sheet import Sheet
from ldvae_core.plots.theme import (
    TICK_GAP,
    TICK_SIZE,
    Mode,
    bare_template,
    diverging_scale,
    palette,
    three_digits,
)

FOUND = 0.05
ROW_HEIGHT, SMALLEST_HEIGHT, LARGEST_HEIGHT = 26, 210, 1400  # px
SMALLEST_DOT, LARGEST_DOT, SUREST = 3.5, 18.0, 4.0  # px; -log10 q from which dots grow no more
LONGEST_ROW, LONGEST_NAME = 30, 40  # characters
FEW_COLUMNS = 12  # fill the width; fewer take their share of it
MARKS, MARKS_FROM = (0.5, 0.05, 0.001), 196.0  # q in the legend; px from its left end, after the colours
TOP, BOTTOM = 66, 52  # px
SAMPLES_HEIGHT = 360  # px
JITTER = 0.14  # of the distance between two levels


def plot_design(table: pd.DataFrame, *, names: Sequence[str], row_title: str = "", mode: Mode = "light") -> go.Figure:
    """Programs across, groups of cells down: colour is the effect, area how sure it is, a ring marks q < 5%.

    table: columns row (its name on the axis), factor (from 0), effect, low, high, p, q (NaN: not tested, a cross),
    n_samples, in the order drawn. names: of all factors. A clicked dot carries [factor, row] as customdata.
    """
    rows, factors = list(dict.fromkeys(table["row"])), sorted(set(table["factor"]))
    sheet = Sheet(_layout(rows, [str(factor + 1) for factor in factors], row_title, mode))
    if table.empty:
        return say_empty(sheet, "Nothing was tested", mode).figure()
    q = table["q"].to_numpy(np.float64)
    reach = float(np.nanmax(np.abs(table["effect"].to_numpy(np.float64)))) or 1.0
    sheet.layout["coloraxis"] = _colours(reach, mode)
    colours, tested = palette(mode), np.isfinite(q)
    places = {"x": [factors.index(factor) for factor in table["factor"]],
              "y": [rows.index(row) for row in table["row"]]}  # fmt: skip
    clear = {"marker": {"opacity": 1.0}}
    sheet.add_trace(
        {
            **places,
            "mode": "markers",
            "marker": {
                "size": np.where(tested, dot_size(q), 7.0).astype(np.float32),
                "color": table["effect"].to_numpy(np.float32),
                "coloraxis": "coloraxis",
                "symbol": np.where(tested, "circle", "x-thin-open").tolist(),
                "line": {"width": np.where(q < FOUND, 2.0, np.where(tested, 0.5, 1.0)).tolist(),
                         "color": np.where(q < FOUND, colours.ink, colours.zero).tolist()},
                "opacity": 1.0,
            },
            "customdata": [[int(factor), int(row)] for factor, row in zip(table["factor"], places["y"], strict=True)],
            "text": [_hover(row, names) for row in table.to_dict("records")],
            "hovertemplate": "%{text}<extra></extra>",
            "selected": clear,
            "unselected": clear,
            "name": "tests",
        }
    )  # fmt: skip
    _legend(sheet, mode)
    return sheet.figure()


def dot_size(q: np.ndarray) -> np.ndarray:
    """Diameter in px: the area grows with -log10 q, up to q = 0.0001."""
    with np.errstate(divide="ignore"):
        sure = np.clip(-np.log10(np.nan_to_num(q, nan=1.0)), 0.0, SUREST)
    return SMALLEST_DOT + (LARGEST_DOT - SMALLEST_DOT) * np.sqrt(sure / SUREST)


def plot_samples(
    samples: pd.DataFrame, *, x_title: str, y_title: str, levels: Sequence[str] = (), mode: Mode = "light"
) -> go.Figure:
    """The samples of one program and group of cells as points, by condition; samples of a pair are joined.

    samples: columns sample, x (the place of the level, or a number), y (mean position), n_cells, pair ("" without
    one), note. levels: of the condition, in the order of their places; () for a number. A bar is the mean of a level.
    """
    colours = palette(mode)
    axis = {"showgrid": False, "zeroline": False, "showline": True, "linecolor": colours.lines}
    ticks: dict[str, Any] = {}
    if levels:
        ticks = {"tickvals": list(range(len(levels))), "ticktext": escape_all(levels, longest=22),
                 "range": [-0.6, len(levels) - 0.4]}  # fmt: skip
    sheet = Sheet(
        {
            "template": bare_template(mode),
            "height": SAMPLES_HEIGHT,
            "margin": {"l": 62, "r": 16, "t": 24, "b": 52},
            "xaxis": {**axis, **ticks, "title": {"text": title(x_title)}},
            "yaxis": {**axis, "showgrid": True, "title": {"text": title(y_title)}},
        }
    )
    if samples.empty:
        return say_empty(sheet, "Not tested here", mode).figure()
    x = samples["x"].to_numpy(np.float64) + (_spread(samples) if levels else 0.0)
    y = samples["y"].to_numpy(np.float64)
    _join_pairs(sheet, samples["pair"].tolist(), x, y, mode)
    for number in range(len(levels)):
        own = y[samples["x"].to_numpy() == number]
        if len(own):
            sheet.add_trace(
                {"x": [number - 0.24, number + 0.24], "y": [own.mean()] * 2, "mode": "lines", "hoverinfo": "skip",
                 "line": {"color": colours.ink, "width": 2}, "name": "mean"}
            )  # fmt: skip
    hover = [
        f"<b>{escape(row['sample'], longest=LONGEST_NAME)}</b> ({int(row['n_cells']):,} cells)<br>"
        f"{escape(row['note'], longest=120)}<br>{three_digits(row['y'])}"
        for row in samples.to_dict("records")
    ]
    sheet.add_trace(
        {"x": x, "y": y, "mode": "markers", "text": hover, "hovertemplate": "%{text}<extra></extra>",
         "marker": {"size": 9, "color": colours.accent, "line": {"width": 1, "color": colours.paper}},
         "name": "samples"}
    )  # fmt: skip
    return sheet.figure()


def _spread(samples: pd.DataFrame) -> np.ndarray:
    """Sideways, so that samples of equal means stay apart; the same every time."""
    place = samples.groupby("x").cumcount().to_numpy(np.float64)
    return JITTER * (np.mod(place * 0.618, 1.0) - 0.5) * 2


def _join_pairs(sheet: Sheet, pairs: list[str], x: np.ndarray, y: np.ndarray, mode: Mode) -> None:
    across: list[float | None] = []
    up: list[float | None] = []
    for pair in dict.fromkeys(pair for pair in pairs if pair):
        rows = sorted((row for row, other in enumerate(pairs) if other == pair), key=lambda row: x[row])
        across += [*(float(x[row]) for row in rows), None]
        up += [*(float(y[row]) for row in rows), None]
    if across:
        sheet.add_trace({"x": across, "y": up, "mode": "lines", "hoverinfo": "skip", "name": "pairs",
                         "line": {"color": palette(mode).zero, "width": 1}})  # fmt: skip


def _layout(rows: list[str], columns: list[str], row_title: str, mode: Mode) -> dict[str, Any]:
    shown = [plain(row, longest=LONGEST_ROW) for row in rows]
    left = 30 + max([text_size(row, TICK_SIZE)[0] for row in shown] or [40.0])
    height = int(np.clip(TOP + BOTTOM + ROW_HEIGHT * len(rows), SMALLEST_HEIGHT, LARGEST_HEIGHT))
    lines = {"showgrid": True, "gridcolor": palette(mode).lines, "zeroline": False, **TICK_GAP}
    width = min((len(columns) + 0.4) / (FEW_COLUMNS + 0.4), 1.0) if columns else 1.0
    return {
        "template": bare_template(mode),
        "height": height,
        "margin": {"l": left, "r": 24, "t": TOP, "b": BOTTOM},
        "xaxis": {**lines, "title": {"text": "Factor", "standoff": 26}, "tickangle": 0,
                  "tickvals": list(range(len(columns))),
                  "ticktext": columns, "range": [-0.7, max(len(columns), 1) - 0.3], "domain": [0.0, width]},
        "yaxis": {**lines, "title": {"text": title(row_title)}, "tickvals": list(range(len(rows))),
                  "ticktext": [escape(row, longest=LONGEST_ROW) for row in rows],
                  "range": [max(len(rows), 1) - 0.4, -0.6],
                  "tickfont": {"size": TICK_SIZE, "color": palette(mode).ink}},
    }  # fmt: skip


def _hover(row: dict[Any, Any], names: Sequence[str]) -> str:
    found = f"q {row['q']:.2g}, p {row['p']:.2g}" if np.isfinite(row["q"]) else "not tested"
    return (
        f"<b>{escape(names[row['factor']], longest=LONGEST_NAME)}</b> · {escape(row['row'], longest=LONGEST_NAME)}<br>"
        f"effect {three_digits(row['effect'])} ({three_digits(row['low'])} to {three_digits(row['high'])})<br>"
        f"{found}, {int(row['n_samples'])} samples"
    )


def _colours(reach: float, mode: Mode) -> dict[str, Any]:
    return {
        "colorscale": diverging_scale(mode),
        "cmin": -reach,
        "cmax": reach,
        "colorbar": bar_above(
            "effect", tickvals=[-reach, 0.0, reach], ticktext=[three_digits(-reach), "0", three_digits(reach)]
        ),
    }


def _legend(sheet: Sheet, mode: Mode) -> None:
    """Dots of known q, above the frame beside the colours; found ones with their ring."""
    places = {"xref": "x domain", "yref": "y domain", "x": 0.0, "y": 1.0, "showarrow": False, "xanchor": "left",
              "font": note_font(mode)}  # fmt: skip
    x, circles = MARKS_FROM, []
    words = [{**places, "text": "q (ring: under 5%)", "xshift": x, "yshift": 46}]
    for q in MARKS:
        size = float(dot_size(np.array([q]))[0])
        ring = q < FOUND
        circles.append(
            {"type": "circle", "xref": "x domain", "yref": "y domain", "xsizemode": "pixel", "ysizemode": "pixel",
             "xanchor": 0.0, "yanchor": 1.0, "x0": x, "x1": x + size, "y0": 20 - size / 2, "y1": 20 + size / 2,
             "line": {"width": 2 if ring else 0, "color": palette(mode).ink}, "fillcolor": palette(mode).dots}
        )  # fmt: skip
        words.append({**places, "text": f"{q:g}", "xshift": x + size + 4, "yshift": 20, "yanchor": "middle"})
        x += size + 42
    sheet.layout |= {"shapes": circles, "annotations": words}
