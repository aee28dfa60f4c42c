"""Runs beside each other on cells they did not learn from: curves on one axis, as in Fig. 1b."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ldvae_core.plots.curves import TITLES, Measure, run_inks
from ldvae_core.plots.escape import escape
from ldvae_core.plots.frame import note_font, say_empty
from ldvae_core.plots.labels import text_size
from ldvae_core.plots.series import Range, robust_range, spread
from ldvae_core.plots.theme import (
    DASHES,
    OKABE_ITO,
    TICK_SIZE,
    Mode,
    palette,
    template,
    three_digits,
)

CURVES_HEIGHT = 400  # px
NAME_STEP = 15.0  # px between names at the ends of lines
LONGEST_NAME = 36  # characters
MARGIN = {"l": 72, "t": 30, "b": 46}  # px
WIDEN = 0.7  # a baseline may lie this many times the range of the runs away; beyond it, only an arrow tells of it


def plot_held_out(
    histories: Mapping[str, pd.DataFrame],
    *,
    baselines: Mapping[str, float] | None = None,
    measure: Literal["reconstruction_error", "elbo"] = "reconstruction_error",
    log_axis: bool = False,
    mode: Mode = "light",
    height: int = CURVES_HEIGHT,
) -> go.Figure:
    """Validation curves of several runs, each named at its end; baselines, which have no epochs, as dashed lines.

    histories: by the name to show, columns epoch, validation_<measure> (nats per cell, NaN where not measured).
    baselines: name -> value on the same axis. log_axis: for the fit, which is positive. The range
    leaves out first epochs that would crush the rest, and says so. Nothing measured: titled, empty axes.
    """
    lines = {name: points for name, table in histories.items() if len((points := _points(table, measure))[0])}
    flat = {name: float(value) for name, value in (baselines or {}).items() if np.isfinite(value)}
    names = [*lines, *flat]
    log = log_axis and measure == "reconstruction_error"
    height = max(height, int(NAME_STEP * len(names)) + MARGIN["t"] + MARGIN["b"] + 20)
    figure = _curve_axes(measure, log, max([points[0].max() for points in lines.values()], default=1.0), height, mode)
    figure.update_layout(margin={**MARGIN, "r": _buffers(names)})
    if not names:
        figure.update_layout(yaxis={"range": [0, 1], "showticklabels": False})
        return say_empty(figure, "No run chosen has been measured on held-out cells yet", mode)
    scale = np.log10 if log else np.asarray
    shown, beyond = _range([scale(y) for _, y in lines.values()], {name: float(scale(y)) for name, y in flat.items()})
    figure.update_yaxes(range=[shown.low, shown.high])
    inks = _inks(histories, flat, mode)
    for number, (name, (epochs, values)) in enumerate(lines.items()):
        figure.add_trace(_curve(name, epochs, values, inks[name], DASHES[number // len(OKABE_ITO) % len(DASHES)]))
    for name, value in flat.items():
        if name not in beyond:
            figure.add_hline(y=value, line={"color": inks[name], "width": 1.6, "dash": "6px,4px"})
    ends = {name: float(scale(y[-1])) for name, (_, y) in lines.items()}
    ends |= {name: float(scale(y)) for name, y in flat.items() if name not in beyond}
    _name_ends(figure, ends, inks, shown, height)
    _say_outside(figure, shown, {name: flat[name] for name in beyond}, log, mode)
    return figure


def _points(table: pd.DataFrame, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and values where the validation cells were measured."""
    column = f"validation_{measure}"
    if column not in table:
        return np.empty(0), np.empty(0)
    values = table[column].to_numpy(np.float64)
    known = np.isfinite(values)
    return table["epoch"].to_numpy(np.float64)[known], values[known]


def _range(curves: list[np.ndarray], flat: Mapping[str, float]) -> tuple[Range, list[str]]:
    """What is shown, and the baselines that lie too far away for it."""
    shown = robust_range(curves or [np.array(list(flat.values()))])
    room, beyond, low, high = WIDEN * (shown.high - shown.low), [], shown.low, shown.high
    for name, value in flat.items():
        if shown.low - room <= value <= shown.high + room:
            pad = 0.06 * (shown.high - shown.low)
            low, high = min(low, value - pad), max(high, value + pad)
        else:
            beyond.append(name)
    return Range(low, high, shown.clipped), beyond


def _inks(histories: Mapping[str, Any], flat: Mapping[str, float], mode: Mode) -> dict[str, str]:
    """By the order of all runs, drawn or not; baselines in the quiet ink of what is only for orientation."""
    return run_inks(list(histories), mode) | dict.fromkeys(flat, palette(mode).quiet)


def _buffers(names: list[str]) -> float:
    """Right margin: as wide as the longest name."""
    return 14 + 1.08 * max((text_size(name[:LONGEST_NAME], TICK_SIZE)[0] for name in names), default=80.0)


def _curve_axes(measure: Measure, log: bool, last_epoch: float, height: int, mode: Mode) -> go.Figure:
    said = TITLES[measure].replace("to cells", "to unseen cells").replace("ELBO", "ELBO of unseen cells")
    return go.Figure(
        layout={
            "template": template(mode),
            "height": height,
            "hovermode": "x",
            "uirevision": f"held out {measure}",
            "xaxis": {
                "title": {"text": "Epoch"},
                "range": [-0.01 * last_epoch, 1.01 * last_epoch],
                "showgrid": False,
                "zeroline": False,
            },
            "yaxis": {
                "title": {"text": said.replace("per cell", "per cell, log", 1) if log else said},
                "type": "log" if log else "linear",
                "zeroline": False,
                "nticks": 7,
                "separatethousands": True,
            },
        }
    )


def _curve(name: str, epochs: np.ndarray, values: np.ndarray, ink: str, dash: str) -> go.Scatter:
    label = escape(name, longest=LONGEST_NAME)
    return go.Scatter(
        x=epochs,
        y=values,
        mode="lines+markers" if len(values) < 3 else "lines",
        line={"color": ink, "width": 2.2, "dash": dash},
        marker={"size": 6},
        name=label,
        hovertemplate=f"{label}: %{{y:,.5~r}}<extra></extra>",
    )


def _name_ends(
    figure: go.Figure, ends: Mapping[str, float], inks: Mapping[str, str], shown: Range, height: int
) -> None:
    pixels = height - MARGIN["t"] - MARGIN["b"]
    wanted = np.clip((np.array(list(ends.values())) - shown.low) / (shown.high - shown.low), 0, 1) * pixels
    for name, place in zip(ends, spread(wanted, NAME_STEP, pixels), strict=True):
        figure.add_annotation(
            text=escape(name, longest=LONGEST_NAME),
            x=1,
            xref="paper",
            xshift=6,
            y=place / pixels,
            yref="paper",
            xanchor="left",
            yanchor="middle",  # left to itself, plotly hangs high ones and stands low ones on their place
            showarrow=False,
            font={"size": TICK_SIZE, "color": inks[name]},
        )


def _say_outside(figure: go.Figure, shown: Range, beyond: Mapping[str, float], log: bool, mode: Mode) -> None:
    notes = []
    if shown.clipped is not None:
        value = 10**shown.clipped if log else shown.clipped
        above = shown.clipped > shown.high
        notes.append(f"{'↑' if above else '↓'} the first epochs lie {'above' if above else 'below'}, "
                     f"from {three_digits(value)}")  # fmt: skip
    for name, value in beyond.items():
        above = (np.log10(value) if log else value) > shown.high
        notes.append(f"{'↑' if above else '↓'} {escape(name, longest=LONGEST_NAME)}: {short_value(value)}")
    if notes:
        figure.add_annotation(
            text=" · ".join(notes), x=0.0, y=1.0, xref="x domain", yref="y domain", xanchor="left", yanchor="bottom",
            showarrow=False, font=note_font(mode),
        )  # fmt: skip


def short_value(value: float) -> str:
    """One decimal where it matters: 497.4, 2,239.5, −0.31."""
    return f"{'−' if value < 0 else ''}{abs(value):,.1f}" if abs(value) >= 10 else three_digits(value)
