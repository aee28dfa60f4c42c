"""Figures of the test cells, one run a row: dots with their standard errors."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ldvae_core.plots.curves import run_inks
from ldvae_core.plots.escape import escape
from ldvae_core.plots.frame import note_font, say_empty
from ldvae_core.plots.held_out import LONGEST_NAME, WIDEN, short_value
from ldvae_core.plots.labels import text_size
from ldvae_core.plots.theme import TICK_GAP, TICK_SIZE, Mode, palette, template, three_digits

ROW_HEIGHT = 30  # px of a run


def plot_test_metric(table: pd.DataFrame, *, x_title: str, mode: Mode = "light") -> go.Figure:
    """One figure of every run as a dot with its standard error, in the order given, the best in bold.

    table: columns name (unique), value (NaN: no dot), se (NaN: no interval), best ("", or words such as "best"),
    baseline (bool: an open dot).
    """
    rows = np.arange(len(table), dtype=np.float64)
    names = [escape(name, longest=LONGEST_NAME) for name in table["name"]]
    labels = [f"<b>{name}</b>" if best else name for name, best in zip(names, table["best"], strict=True)]
    widths = [text_size(str(name)[:LONGEST_NAME], TICK_SIZE)[0] for name in table["name"]]
    figure = go.Figure(layout=_dot_layout(rows, labels, 24 + max([*widths, 40.0]) * 1.05, x_title, mode))
    if table["value"].notna().sum() == 0:
        return say_empty(figure, "No run chosen has this figure", mode)
    inks = run_inks([str(name) for name in table["name"][~table["baseline"].astype(bool)]], mode)
    values, errors = table["value"].to_numpy(np.float64), np.nan_to_num(table["se"].to_numpy(np.float64))
    colours = [inks.get(str(name), palette(mode).quiet) for name in table["name"]]
    low, high = _dot_range(values, errors, table["baseline"].to_numpy(bool))
    figure.update_xaxes(range=[low, high])
    for row in np.flatnonzero(np.isfinite(values)):
        if not low <= values[row] <= high:
            _point_outside(figure, float(values[row]), float(rows[row]), right=values[row] > high, mode=mode)
            continue
        figure.add_trace(
            go.Scatter(
                x=[values[row]],
                y=[rows[row]],
                error_x={"array": [errors[row]], "color": colours[row], "thickness": 1.6, "width": 0},
                mode="markers",
                marker={
                    "size": 10,
                    "color": colours[row],
                    "symbol": "circle-open" if table["baseline"].iloc[row] else "circle",
                    "line": {"width": 2, "color": colours[row]},
                },
                name=names[row],
                hovertemplate=f"<b>{names[row]}</b><br>{short_value(values[row])} ± {three_digits(errors[row])}"
                + (f", {table['best'].iloc[row]}" if table["best"].iloc[row] else "")
                + "<extra></extra>",
            )
        )
    return figure


def _dot_layout(rows: np.ndarray, labels: list[str], left: float, x_title: str, mode: Mode) -> dict[str, Any]:
    last = float(rows[-1]) if len(rows) else 2.0
    return {
        "template": template(mode),
        "height": int(30 + 62 + ROW_HEIGHT * (last + 1.2)),
        "margin": {"l": left, "r": 24, "t": 30, "b": 62},
        "xaxis": {
            "title": {"text": x_title.replace(" (", "<br>(")},
            "nticks": 7,
            "zeroline": False,
            "separatethousands": True,
        },
        "yaxis": {
            **TICK_GAP,
            "tickvals": rows,
            "ticktext": labels,
            "range": [last + 0.6, -0.6],
            "showgrid": False,
            "zeroline": False,
            "tickfont": {"size": TICK_SIZE, "color": palette(mode).ink},
        },
    }


def _dot_range(values: np.ndarray, errors: np.ndarray, baseline: np.ndarray) -> tuple[float, float]:
    """Every run with its whiskers; baselines as far as they do not crush them."""
    known = np.isfinite(values)
    runs = known & ~baseline if (known & ~baseline).any() else known
    low, high = float((values - errors)[runs].min()), float((values + errors)[runs].max())
    room = WIDEN * (high - low)
    near = known & (values >= low - room) & (values <= high + room)
    low, high = min(low, float((values - errors)[near].min())), max(high, float((values + errors)[near].max()))
    pad = 0.06 * (high - low) or 0.5
    return low - pad, high + pad


def _point_outside(figure: go.Figure, value: float, row: float, *, right: bool, mode: Mode) -> None:
    words, end = short_value(value), {"x": 1.0, "xanchor": "right"} if right else {"x": 0.0, "xanchor": "left"}
    text = f"{words} →" if right else f"← {words}"
    figure.add_annotation(text=text, **end, xref="x domain", y=row, yref="y", showarrow=False, font=note_font(mode))
