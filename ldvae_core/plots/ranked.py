"""Loadings with their intervals, one line a gene or a factor."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ldvae_core.plots.escape import escape, italic, plain
from ldvae_core.plots.frame import say_empty, title
from ldvae_core.plots.labels import text_size
from ldvae_core.plots.theme import TICK_GAP, TICK_SIZE, Mode, palette, template, three_digits

ROW_HEIGHT = 19  # px
LONGEST_GENE = 24  # characters
MARGIN = {"l": 60, "r": 16, "t": 30, "b": 48}  # px
LOADING_TITLE = "Loading (log fold change per SD, 90% interval)"
EFFECT_TITLES = {
    "shrunken": "effect (log fold change per SD, shrunken)",
    "raw": "effect (log fold change per SD, raw)",
}


def plot_ranked_loadings(table: pd.DataFrame, *, x_title: str = LOADING_TITLE, mode: Mode = "light") -> go.Figure:
    """Both ends of one factor: the first gene of the high end on top, that of the low end at the bottom, a gap between.

    table: from top_genes; columns gene, end, rank, loading, low, high (log fold change per sd), deviance_share. Orange
    raises the gene, blue lowers it, as in the association table. A clicked gene carries its name as customdata[0].
    """
    high, low = (table[table["end"] == end].sort_values("rank") for end in ("positive", "negative"))
    table, positive = pd.concat([high, low[::-1]]), len(high)
    rows = np.arange(len(table), dtype=np.float64)
    rows[positive:] += 1.0 if 0 < positive < len(table) else 0.0
    names = [italic(gene, longest=LONGEST_GENE) for gene in table["gene"]]
    widths = [text_size(plain(gene, longest=LONGEST_GENE), TICK_SIZE)[0] for gene in table["gene"]]
    figure = _figure(rows, names, widths, x_title, mode)
    if table.empty:
        return say_empty(figure, "No genes at this end", mode)
    shares = table["deviance_share"] if "deviance_share" in table else pd.Series(np.nan, table.index)
    hover = [f"<b>{name}</b>{_share_words(share)}" for name, share in zip(names, shares, strict=True)]
    figure.add_trace(_points(table, rows, hover, table["gene"].astype(str).to_numpy(object), mode))
    if 0 < positive < len(table):
        figure.add_hline(y=positive, line={"color": palette(mode).lines, "width": 1, "dash": "2px,3px"})
    return figure


def plot_gene_loadings(table: pd.DataFrame, *, x_title: str = LOADING_TITLE, mode: Mode = "light") -> go.Figure:
    """One gene in every factor, in the factors' order; inactive factors are fainter.

    table: from gene_table; columns factor (from 0), label, loading, low, high, active. A clicked point carries the
    factor (from 0) as customdata[0].
    """
    rows = np.arange(len(table), dtype=np.float64)
    names = [escape(label, longest=LONGEST_GENE) for label in table["label"]]
    figure = _figure(rows, names, [text_size(name, TICK_SIZE)[0] for name in names], x_title, mode)
    if table.empty:
        return say_empty(figure, "No factors to show", mode)
    factors = table["factor"].astype(int).to_numpy(object)
    figure.add_trace(_points(table, rows, [f"<b>{name}</b>" for name in names], factors, mode))
    if "active" in table:
        figure.data[0].marker.opacity = np.where(table["active"].astype(bool), 1.0, 0.35)
    return figure


def _figure(rows: np.ndarray, names: Sequence[str], widths: Sequence[float], x_title: str, mode: Mode) -> go.Figure:
    colours = palette(mode)
    last = float(rows[-1]) if len(rows) else 6.0
    return go.Figure(
        layout={
            "template": template(mode),
            "height": int(MARGIN["t"] + MARGIN["b"] + ROW_HEIGHT * (last + 1)),
            "margin": {**MARGIN, "l": 18 + max([*widths, 24.0])},
            "xaxis": {"title": {"text": title(x_title)}, "zeroline": True, "nticks": 7},
            "yaxis": {
                **TICK_GAP,
                "tickvals": rows,
                "ticktext": list(names),
                "range": [last + 0.6, -0.6],
                "showgrid": False,
                "zeroline": False,
                "tickfont": {"size": TICK_SIZE, "color": colours.ink},
            },
        }
    )


def _points(table: pd.DataFrame, rows: np.ndarray, hover: Sequence[str], clicked: np.ndarray, mode: Mode) -> go.Scatter:
    colours = palette(mode)
    loading, low, high = (table[column].to_numpy(np.float64) for column in ("loading", "low", "high"))
    return go.Scatter(
        x=loading,
        y=rows,
        mode="markers",
        marker={"size": 7, "color": np.where(loading >= 0, colours.high, colours.low)},
        error_x={
            "array": np.nan_to_num(high - loading),
            "arrayminus": np.nan_to_num(loading - low),
            "color": colours.zero,
            "thickness": 1.3,
            "width": 0,
        },
        customdata=clicked[:, None],
        text=[
            f"{name}<br>{three_digits(x)}{_interval_words(a, b)}"
            for name, x, a, b in zip(hover, loading, low, high, strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
        selected={"marker": {"opacity": 1.0}},
        unselected={"marker": {"opacity": 1.0}},
        name="loadings",
    )


def _share_words(share: float) -> str:
    """Said under a gene's name; nothing where it is not known."""
    return "" if np.isnan(share) else f"<br>{abs(share):.1%} share of the factor's explained deviance"


def _interval_words(low: float, high: float) -> str:
    """Said after a loading; nothing for a baseline, which has none."""
    return "" if np.isnan(low) else f" (90% interval {three_digits(low)} to {three_digits(high)})"
