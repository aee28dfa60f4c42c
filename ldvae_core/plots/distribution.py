"""One factor over cell types: a ridge each, drawn from binned shares, never from cells."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy.ndimage import gaussian_filter1d

from ldvae_core.plots.escape import escape, plain
from ldvae_core.plots.frame import say_empty, title
from ldvae_core.plots.labels import text_size
from ldvae_core.plots.theme import TICK_GAP, TICK_SIZE, Mode, legible, palette, template, three_digits, tint

ROW_HEIGHT, OVERLAP = 30, 1.5  # px between ridges; how far the tallest reaches into the one above
LONGEST_TYPE = 28  # characters
N_BINS = 120
MARGIN = {"l": 60, "r": 16, "t": 40, "b": 48}  # px


def binned_densities(
    values: np.ndarray, labels: Sequence[str] | pd.Series, groups: Sequence[str], *, n_bins: int = N_BINS
) -> pd.DataFrame:
    """Share of each group's cells per bin of one factor: a table of fixed size for any number of cells.

    values: (n_cells,); labels: (n_cells,). Columns: group; value (middle of the bin); density (per unit of the factor,
    lightly smoothed, integrates to 1); n_cells and median of the group. Groups without cells are left out.
    """
    values = np.asarray(values, np.float64)
    codes = pd.Categorical(pd.Series(labels).astype(str), categories=[str(group) for group in groups]).codes
    known = np.isfinite(values) & (codes >= 0)
    columns = ["group", "value", "density", "n_cells", "median"]
    if not known.any():
        return pd.DataFrame(columns=columns)
    values, codes = values[known], codes[known].astype(np.int64)  # pandas codes are int8: products overflow
    low, high = float(values.min()), float(values.max())
    width = ((high - low) or 1.0) / n_bins
    bins = np.clip(((values - low) / width).astype(np.int64), 0, n_bins - 1)
    counts = np.bincount(codes * n_bins + bins, minlength=len(groups) * n_bins).reshape(-1, n_bins).astype(np.float64)
    sizes = counts.sum(axis=1)
    density = gaussian_filter1d(counts, 1.2, axis=1, mode="reflect") / np.maximum(sizes, 1)[:, None] / width
    medians = pd.Series(values).groupby(codes).median().reindex(range(len(groups))).to_numpy()
    table = pd.DataFrame(
        {
            "group": np.repeat(np.array([str(group) for group in groups], object), n_bins),
            "value": np.tile(low + width * (np.arange(n_bins) + 0.5), len(groups)),
            "density": density.ravel(),
            "n_cells": np.repeat(sizes.astype(np.int64), n_bins),
            "median": np.repeat(medians, n_bins),
        }
    )
    return table[table["n_cells"] > 0].reset_index(drop=True)


def plot_distribution(
    table: pd.DataFrame,
    *,
    x_title: str,
    colours: Mapping[str, str] | None = None,
    sort: bool = True,
    mode: Mode = "light",
) -> go.Figure:
    """Ridges of one factor by group, each scaled to its own peak, with a stroke at the median.

    table: from binned_densities. colours: by group, from type_colours. sort: highest median on top; else as in the
    table. A clicked ridge carries its group as customdata[0].
    """
    groups = list(dict.fromkeys(table["group"]))
    if sort:
        medians = table.drop_duplicates("group").set_index("group")["median"]
        groups = list(medians.sort_values(ascending=False, kind="stable").index)
    figure = go.Figure(layout=_layout(groups, x_title, mode))
    if not groups:
        return say_empty(figure, "No cells to show", mode)
    for row, group in enumerate(groups):  # from the top, so that lower ridges lie in front
        colour = legible((colours or {}).get(group, palette(mode).accent), mode)
        for trace in _ridge(table[table["group"] == group], group, float(len(groups) - 1 - row), colour, mode):
            figure.add_trace(trace)
    return figure


def _layout(groups: Sequence[str], x_title: str, mode: Mode) -> dict[str, object]:
    widths = [text_size(plain(group, longest=LONGEST_TYPE), TICK_SIZE)[0] for group in groups]
    n = max(len(groups), 4)
    return {
        "template": template(mode),
        "height": int(MARGIN["t"] + MARGIN["b"] + ROW_HEIGHT * (n - 1 + OVERLAP)),
        "margin": {**MARGIN, "l": 18 + max([*widths, 24.0])},
        "xaxis": {"title": {"text": title(x_title)}, "showgrid": False, "zeroline": True},
        "yaxis": {
            **TICK_GAP,
            "tickvals": list(range(len(groups))),
            "ticktext": [escape(group, longest=LONGEST_TYPE) for group in reversed(groups)],
            "range": [-0.25, n - 1 + OVERLAP],
            "zeroline": False,
            "tickfont": {"size": TICK_SIZE, "color": palette(mode).ink},
        },
    }


def _ridge(part: pd.DataFrame, group: str, base: float, colour: str, mode: Mode) -> list[go.Scatter]:
    """Its baseline, the filled curve upon it, and the median."""
    x = part["value"].to_numpy(np.float64)
    height = part["density"].to_numpy(np.float64)
    y = base + OVERLAP * 0.92 * height / (height.max() or 1.0)
    median, n = float(part["median"].iloc[0]), int(part["n_cells"].iloc[0])
    top = float(np.interp(median, x, y))
    words = f"<b>{escape(group)}</b><br>{n:,} cells, median {three_digits(median)}"
    curve = go.Scatter(
        x=np.concatenate([x[:1], x, x[-1:]]),
        y=np.concatenate([[base], y, [base]]),
        mode="lines",
        fill="toself",
        fillcolor=tint(colour, mode, 0.35),
        line={"color": colour, "width": 1.4},
        hoveron="fills",
        hoverinfo="text",
        text=words,
        customdata=np.full((len(x) + 2, 1), str(group), dtype=object),
        name=escape(group),
    )
    stroke = go.Scatter(
        x=[median, median],
        y=[base, top],
        mode="lines",
        line={"color": colour, "width": 2},
        hoverinfo="skip",
        name="median",
    )
    return [curve, stroke]
