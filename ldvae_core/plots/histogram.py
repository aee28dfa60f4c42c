"""Quality of cells as histograms, with the threshold a person sets."""

from typing import Literal

import numpy as np
import plotly.graph_objects as go

from ldvae_core.plots.frame import note_font, say_empty, title
from ldvae_core.plots.theme import Mode, palette, template, three_digits, tint

HISTOGRAM_HEIGHT = 220  # px
MARGIN = {"l": 58, "r": 14, "t": 46, "b": 46}  # px
N_BINS = 60


def plot_histogram(
    values: np.ndarray,
    *,
    x_title: str,
    threshold: float | None = None,
    keep: Literal["above", "below"] = "above",
    log_axis: bool = False,
    share: bool = False,
    mode: Mode = "light",
    height: int = HISTOGRAM_HEIGHT,
) -> go.Figure:
    """Cells per bin of one quality measure; what the threshold leaves out is grey, and counted in words.

    values: (n_cells,). threshold: kept cells lie at or `keep` it. log_axis: bins of equal ratio, for library sizes;
    values of 0 then stand in the first bin. share: values are shares, shown as %.
    """
    figure = go.Figure(
        layout={
            "template": template(mode),
            "height": height,
            "margin": MARGIN,
            "bargap": 0.06,
            "xaxis": {"title": {"text": title(x_title)}, "showgrid": False, "zeroline": False},
            "yaxis": {"title": {"text": "Cells"}, "rangemode": "tozero", "nticks": 4, "separatethousands": True},
        }
    )
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return say_empty(figure, "No cells to show", mode)
    edges = _edges(values, log_axis)
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    at = np.log10(edges) if log_axis else edges
    limit = None if threshold is None or (log_axis and threshold <= 0) else threshold
    colours = palette(mode)
    kept = np.ones(len(counts), bool) if limit is None else _is_kept((edges[:-1] + edges[1:]) / 2, limit, keep)
    form = three_digits if not share else lambda value: f"{value:.3g}%".replace("-", "−")
    scale = 100.0 if share else 1.0
    figure.add_trace(
        go.Bar(
            x=(at[:-1] + at[1:]) / 2,
            width=np.diff(at),
            y=counts,
            marker={"color": np.where(kept, tint(colours.accent, mode, 0.75), colours.lines), "line": {"width": 0}},
            text=[
                f"{form(a * scale)} to {form(b * scale)}: {n:,} cells"
                for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)
            ],
            textposition="none",
            hovertemplate="%{text}<extra></extra>",
            name="cells",
        )
    )
    _ticks(figure, edges, log_axis, share)
    if limit is not None:
        _mark(figure, values, limit, keep, log_axis, form(limit * scale), mode)
    return figure


def _edges(values: np.ndarray, log_axis: bool) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if log_axis:
        positive = values[values > 0]
        low = float(positive.min()) if len(positive) else 1.0
        high = max(high, low * 1.01)
        return np.geomspace(low, high, N_BINS + 1)
    return np.linspace(low, high if high > low else low + 1.0, N_BINS + 1)


def _is_kept(values: np.ndarray, limit: float, keep: str) -> np.ndarray:
    return values >= limit if keep == "above" else values <= limit


def _ticks(figure: go.Figure, edges: np.ndarray, log_axis: bool, share: bool) -> None:
    """Round values on a logarithmic axis that is drawn as logarithms; % for shares."""
    if share:
        figure.update_xaxes(tickformat=".0%" if edges[-1] > 0.05 else ".1%")
    if log_axis:
        decades = np.arange(np.floor(np.log10(edges[0])), np.ceil(np.log10(edges[-1])) + 1)
        steps = (1, 2, 5) if len(decades) <= 4 else (1,)
        marks = [m * 10.0**d for d in decades for m in steps if edges[0] <= m * 10.0**d <= edges[-1]]
        figure.update_xaxes(
            tickvals=np.log10(marks or [edges[0]]), ticktext=[three_digits(m) for m in marks or [edges[0]]]
        )


def _mark(
    figure: go.Figure, values: np.ndarray, limit: float, keep: str, log_axis: bool, word: str, mode: Mode
) -> None:
    """The threshold's line, and above the frame how many cells it keeps."""
    n = int(_is_kept(values, limit, keep).sum())
    at = float(np.log10(limit)) if log_axis else limit
    figure.add_vline(x=at, line={"color": palette(mode).ink, "width": 1.5, "dash": "5px,3px"})
    figure.add_annotation(
        text=f"{'at least' if keep == 'above' else 'at most'} {word}: keeps {n:,} of {len(values):,} cells",
        x=0,
        y=1,
        xref="x domain",
        yref="y domain",
        xanchor="left",
        yanchor="bottom",
        yshift=2,
        showarrow=False,
        font=note_font(mode),
    )
