"""How a run learns: training thin, validation bold, in a range that the first epochs do not crush."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ldvae_core.plots.escape import escape
from ldvae_core.plots.frame import note_font, say_empty
from ldvae_core.plots.series import Range, robust_range, smooth, spread
from ldvae_core.plots.theme import (
    OKABE_ITO,
    SMALL_SIZE,
    TICK_SIZE,
    Mode,
    legible,
    palette,
    template,
    three_digits,
    tint,
)

Measure = Literal["reconstruction_error", "kl", "elbo", "kl_weight"]
TITLES: dict[Measure, str] = {
    "reconstruction_error": "Fit to cells (nats per cell, lower is better)",
    "kl": "KL divergence (nats per cell)",
    "elbo": "ELBO (nats per cell)",
    "kl_weight": "KL weight",
}
Part = Literal["training", "validation"]
CURVES_HEIGHT = 320  # px
MARGIN = {"l": 72, "r": 98, "t": 30, "b": 46}  # px; names of lines stand at the right
MAIN, STRIP = (0.24, 1.0), (0.0, 0.13)  # of the plot's height: the measure, and the KL weight below it
NAME_STEP = 15.0  # px between names of lines
LONGEST_NAME = 14  # characters


class Line(NamedTuple):
    """One curve, ready to draw."""

    run: str
    part: Part
    epochs: np.ndarray
    values: np.ndarray


def plot_learning_curves(
    history: pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    measure: Measure = "reconstruction_error",
    smoothing: float = 0.0,
    log_axis: bool = False,
    n_epochs: float | None = None,
    mode: Mode = "light",
    height: int = CURVES_HEIGHT,
) -> go.Figure:
    """One measure against epochs, for one run or several under their names, with the KL weight in a strip below.

    history: columns epoch, train_<measure>, validation_<measure> (NaN where not measured), kl_weight. smoothing: 0 to
    below 1, weight of the past in a running mean of the training curve. log_axis: logarithmic values (not for the ELBO,
    which is negative, nor the weight). n_epochs: planned, so that the axis stands still while the curve grows. The
    range leaves out first epochs that would crush the rest, and says so. No points yet: titled, empty axes.
    """
    runs = {"": history} if isinstance(history, pd.DataFrame) else dict(history)
    lines = [line for name, table in runs.items() for line in _lines(name, table, measure, smoothing)]
    logarithmic = log_axis and measure in ("reconstruction_error", "kl") and all((i.values > 0).all() for i in lines)
    figure = _axes(measure, mode, height, _last_epoch(runs, n_epochs))
    inks = run_inks(list(runs), mode)
    if measure != "kl_weight":
        for name, table in runs.items():
            figure.add_trace(_weight_trace(table, inks[name] if len(runs) > 1 else palette(mode).quiet))
    if not lines:
        figure.update_layout(yaxis={"range": [0, 1], "showticklabels": False})
        return say_empty(figure, "The curve starts with the first measured epoch", mode)
    shown = robust_range([np.log10(line.values) if logarithmic else line.values for line in lines])
    figure.update_yaxes(range=[shown.low, shown.high], selector={"anchor": "x"})
    if logarithmic:
        figure.update_layout(
            yaxis={"type": "log", "title": {"text": TITLES[measure].replace("per cell", "per cell, log", 1)}}
        )
    for line in lines:
        figure.add_trace(_trace(line, inks[line.run], many=len(runs) > 1, mode=mode))
    _name_lines(figure, lines, inks, shown, height, logarithmic, many=len(runs) > 1)
    _say_clipped(figure, shown, logarithmic, mode)
    if len(runs) > 1 and measure != "kl_weight":
        _note(figure, "thin: training, bold: validation", mode, above=False)
    return figure


def _lines(run: str, table: pd.DataFrame, measure: Measure, smoothing: float) -> list[Line]:
    columns: dict[Part, str] = {"training": f"train_{measure}", "validation": f"validation_{measure}"}
    if measure == "kl_weight":
        columns = {"training": "kl_weight"}
    lines = []
    for part, column in columns.items():
        if column not in table:
            continue
        known = np.isfinite(table[column].to_numpy(np.float64))
        values = table[column].to_numpy(np.float64)[known]
        if len(values):
            values = smooth(values, smoothing) if part == "training" and measure != "kl_weight" else values
            lines.append(Line(run, part, table["epoch"].to_numpy(np.float64)[known], values))
    return lines


def _axes(measure: Measure, mode: Mode, height: int, last_epoch: float) -> go.Figure:
    colours = palette(mode)
    strip = measure != "kl_weight"
    small = {"size": SMALL_SIZE, "color": colours.quiet}
    layout = {
        "template": template(mode),
        "height": height,
        "margin": MARGIN,
        "hovermode": "x",
        "uirevision": f"curves {measure}",
        "xaxis": {
            "title": {"text": "Epoch"},
            "range": [-0.01 * last_epoch, 1.01 * last_epoch],
            "anchor": "y2" if strip else "y",
            "showgrid": False,
            "zeroline": False,
        },
        "yaxis": {
            "title": {"text": TITLES[measure]},
            "domain": MAIN if strip else (0.0, 1.0),
            "anchor": "x",
            "zeroline": False,
            "nticks": 6,
            "separatethousands": True,
        },
    }
    if strip:
        layout["yaxis2"] = {
            "domain": STRIP,
            "range": [-0.06, 1.12],
            "tickvals": [0, 1],
            "tickfont": small,
            "showgrid": False,
            "zeroline": False,
            "showline": False,
            "fixedrange": True,
        }
    figure = go.Figure(layout=layout)
    if strip:
        figure.add_annotation(
            text="KL weight", x=1, y=STRIP[1] / 2, xref="paper", yref="paper", xanchor="left", yanchor="middle",
            xshift=6, showarrow=False, font=small,
        )  # fmt: skip
    return figure


def _trace(line: Line, ink: str, *, many: bool, mode: Mode) -> go.Scatter:
    bold = line.part == "validation"
    label = f"{escape(line.run)}, {line.part}" if many else line.part
    return go.Scatter(
        x=line.epochs,
        y=line.values,
        mode="lines+markers" if len(line.values) < 3 else "lines",  # a single point is no line
        line={"color": ink if bold else tint(ink, mode, 0.7), "width": 2.6 if bold else 1.1},
        marker={"size": 6 if bold else 4},
        name=label,
        hovertemplate=f"epoch %{{x:,.1~f}}, {label}: %{{y:,.5~r}}<extra></extra>",
    )


def _weight_trace(table: pd.DataFrame, ink: str) -> go.Scatter:
    return go.Scatter(
        x=table["epoch"].to_numpy(np.float64),
        y=table["kl_weight"].to_numpy(np.float64),
        yaxis="y2",
        mode="lines",
        line={"color": ink, "width": 1.2},
        name="KL weight",
        hovertemplate="KL weight %{y:.3~r}<extra></extra>",
    )


def _name_lines(
    figure: go.Figure, lines: list[Line], inks: dict[str, str], shown: Range, height: int, log: bool, *, many: bool
) -> None:
    """A name at the end of each line, in its colour, moved apart where ends meet; of several runs only the bold one."""
    named = [line for line in lines if not many or line.part == "validation"] or lines
    ends = np.array([np.log10(line.values[-1]) if log else line.values[-1] for line in named])
    share = MAIN[1] - MAIN[0] if "yaxis2" in figure.layout else 1.0
    pixels = (height - MARGIN["t"] - MARGIN["b"]) * share
    wanted = np.clip((ends - shown.low) / (shown.high - shown.low), 0, 1) * pixels
    for line, place in zip(named, spread(wanted, NAME_STEP, pixels), strict=True):
        figure.add_annotation(
            text=escape(line.run, longest=LONGEST_NAME) if many else line.part,
            x=1,
            xref="paper",
            xshift=6,
            y=shown.low + place / pixels * (shown.high - shown.low),
            yref="y",
            xanchor="left",
            showarrow=False,
            font={"size": TICK_SIZE, "color": inks[line.run], "weight": 600 if line.part == "validation" else 400},
            hovertext=three_digits(float(line.values[-1])),
        )


def _say_clipped(figure: go.Figure, shown: Range, log: bool, mode: Mode) -> None:
    if shown.clipped is None:
        return
    value = 10**shown.clipped if log else shown.clipped
    above = shown.clipped > shown.high
    arrow, side = ("↑", "above") if above else ("↓", "below")
    _note(figure, f"{arrow} the first epochs lie {side}, from {three_digits(value)}", mode, above=above)


def _note(figure: go.Figure, words: str, mode: Mode, *, above: bool) -> None:
    """A remark over the frame, or under it, between it and the strip."""
    figure.add_annotation(
        text=words,
        x=0.0,
        y=1.0 if above else 0.0,
        xref="x domain",
        yref="y domain",
        xanchor="left",
        yanchor="bottom" if above else "top",
        showarrow=False,
        font=note_font(mode),
    )


def run_inks(runs: Sequence[str], mode: Mode) -> dict[str, str]:
    """A colour for every run, legible as text; the accent for a single one."""
    if len(runs) == 1:
        return {runs[0]: palette(mode).accent}
    return {run: legible(OKABE_ITO[i % len(OKABE_ITO)], mode, text=True) for i, run in enumerate(runs)}


def _last_epoch(runs: Mapping[str, pd.DataFrame], n_epochs: float | None) -> float:
    """Where the axis ends: the plan, or what was measured, or 1."""
    measured = [float(table["epoch"].max()) for table in runs.values() if len(table)]
    return max([*measured, n_epochs or 0.0]) or 1.0
