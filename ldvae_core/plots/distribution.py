"""One factor over cell types: a ridge each, drawn from binned shares, never from cells; side by side for conditions."""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy.ndimage import gaussian_filter1d

from ldvae_core.plots.escape import escape, plain
from ldvae_core.plots.frame import note_font, say_empty, title
from ldvae_core.plots.labels import text_size
from ldvae_core.plots.theme import TICK_GAP, TICK_SIZE, Mode, legible, palette, template, three_digits, tint

ROW_HEIGHT, OVERLAP = 30, 1.5  # px between ridges; how far the tallest reaches into the one above
LONGEST_TYPE, LONGEST_LEVEL = 34, 24  # characters
N_BINS = 120
MOST_POINTS = 9_000  # of all curves together: more ridges have coarser bins, so that a figure stays small
MARGIN = {"l": 60, "r": 16, "t": 40, "b": 48}  # px
GAP = 0.03  # between the panels of two levels, of the figure's width


def binned_densities(
    values: np.ndarray,
    labels: Sequence[str] | pd.Series,
    groups: Sequence[str],
    *,
    split: Sequence[str] | pd.Series | None = None,
    levels: Sequence[str] = (),
    n_bins: int | None = None,
) -> pd.DataFrame:
    """Share of each group's cells per bin of one factor: a table of fixed size for any number of cells.

    values: (n_cells,); labels: (n_cells,); split: (n_cells,), a second annotation whose `levels` divide each group.
    Columns: group; value (middle of the bin); density (per unit of the factor, lightly smoothed, integrates to 1);
    n_cells and median of the group; and with split, level first, its rows in the order of levels and then groups.
    Groups without cells are left out. All groups and levels share their bins, 120 unless there are very many curves.
    """
    values = np.asarray(values, np.float64)
    parts = [str(level) for level in levels] if split is not None else [""]
    n_curves = len(groups) * len(parts)
    n_bins = n_bins or int(np.clip(MOST_POINTS // max(n_curves, 1), 20, N_BINS))
    codes = _codes_of(labels, groups)
    if split is not None:
        level = _codes_of(split, parts)
        codes = np.where((codes >= 0) & (level >= 0), level * len(groups) + codes, -1)
    known = np.isfinite(values) & (codes >= 0)
    columns = ["group", "value", "density", "n_cells", "median"]
    if not known.any():
        return pd.DataFrame(columns=columns if split is None else ["level", *columns])
    values, codes = values[known], codes[known]
    low, high = float(values.min()), float(values.max())
    width = ((high - low) or 1.0) / n_bins
    bins = np.clip(((values - low) / width).astype(np.int64), 0, n_bins - 1)
    counts = np.bincount(codes * n_bins + bins, minlength=n_curves * n_bins).reshape(-1, n_bins).astype(np.float64)
    sizes = counts.sum(axis=1)
    density = gaussian_filter1d(counts, 1.2, axis=1, mode="reflect") / np.maximum(sizes, 1)[:, None] / width
    table = pd.DataFrame(
        {
            "group": np.repeat(np.array([str(group) for group in groups] * len(parts), object), n_bins),
            "value": np.tile(low + width * (np.arange(n_bins) + 0.5), n_curves),
            "density": density.ravel(),
            "n_cells": np.repeat(sizes.astype(np.int64), n_bins),
            "median": np.repeat(_medians(values, codes, n_curves), n_bins),
        }
    )
    if split is not None:
        table.insert(0, "level", np.repeat(np.array(parts, object), len(groups) * n_bins))
    return table[table["n_cells"] > 0].reset_index(drop=True)


def plot_distribution(
    table: pd.DataFrame,
    *,
    x_title: str,
    colours: Mapping[str, str] | None = None,
    sort: bool = True,
    counts: bool = False,
    mode: Mode = "light",
) -> go.Figure:
    """Ridges of one factor by group, each scaled to its own peak, with a stroke at the median.

    table: from binned_densities; with a column level, one panel each, side by side, with one order of groups and one
    range. colours: by group, from type_colours. sort: highest median on top (over all levels, weighted by cells); else
    as in the table. counts: the number of cells at the right of each ridge. The trace of a ridge is named by its group.
    """
    split = "level" in table
    levels = list(dict.fromkeys(table["level"])) if split else [""]
    groups = list(dict.fromkeys(table["group"]))
    if sort and groups:
        groups = _by_median(table, groups)
    figure = go.Figure(layout=_layout(groups, levels, table, x_title, mode, counts=counts))
    if not groups:
        return say_empty(figure, "No cells to show", mode)
    place = {group: float(len(groups) - 1 - row) for row, group in enumerate(groups)}
    curves = dict(iter(table.groupby(["level", "group"] if split else ["group"], sort=False)))
    for number, level in enumerate(levels):
        shown = {group: curves[key] for group in groups if (key := (level, group) if split else (group,)) in curves}
        for group, part in shown.items():  # from the top, so that lower ridges lie in front
            colour = legible((colours or {}).get(group, palette(mode).accent), mode)
            figure.add_trace(_ridge(part, group, place[group], colour, mode).update(_axes(number)))
        if counts:
            figure.add_trace(_counts(shown, place, mode).update(_axes(number)))
    if counts and not split:  # else said above each panel
        figure.add_annotation(text="cells", x=figure.data[-1].x[0], y=len(groups) - 1 + OVERLAP / 2, xanchor="right",
                              showarrow=False, font=note_font(mode))  # fmt: skip
    return figure


def _codes_of(labels: Sequence[str] | pd.Series, groups: Sequence[str]) -> np.ndarray:
    """(n_cells,) positions in groups, -1 for other labels; of categories only the names are read."""
    names = pd.Index([str(group) for group in groups])
    if isinstance(labels, pd.Series) and isinstance(labels.dtype, pd.CategoricalDtype):
        places = names.get_indexer(labels.cat.categories.astype(str))
        return np.append(places, -1)[labels.cat.codes.to_numpy()].astype(np.int64)
    return names.get_indexer(pd.Index(labels).astype(str)).astype(np.int64)


def _medians(values: np.ndarray, codes: np.ndarray, n_curves: int) -> np.ndarray:
    return pd.Series(values).groupby(codes).median().reindex(range(n_curves)).to_numpy()


def _by_median(table: pd.DataFrame, groups: list[str]) -> list[str]:
    keys = ["level", "group"] if "level" in table else ["group"]
    each = table.drop_duplicates(keys)
    weighted = (each["median"] * each["n_cells"]).groupby(each["group"]).sum()
    middle = weighted / each["n_cells"].groupby(each["group"]).sum()
    return list(middle.reindex(groups).sort_values(ascending=False, kind="stable").index)


def _axes(number: int) -> dict[str, str]:
    return {} if number == 0 else {"xaxis": f"x{number + 1}", "yaxis": f"y{number + 1}"}


def _layout(
    groups: Sequence[str], levels: Sequence[str], table: pd.DataFrame, x_title: str, mode: Mode, *, counts: bool
) -> dict[str, object]:
    widths = [text_size(plain(group, longest=LONGEST_TYPE), TICK_SIZE)[0] for group in groups]
    n, left = max(len(groups), 4), 18 + max([*widths, 24.0])
    layout: dict[str, object] = {
        "height": int(MARGIN["t"] + MARGIN["b"] + ROW_HEIGHT * (n - 1 + OVERLAP)),
        "margin": {**MARGIN, "l": left},
    }
    width = (1 - GAP * (len(levels) - 1)) / max(len(levels), 1)
    notes = []
    for number, level in enumerate(levels or [""]):
        suffix = "" if number == 0 else str(number + 1)
        start = number * (width + GAP)
        layout[f"xaxis{suffix}"] = {
            "title": {"text": title(x_title)},
            "showgrid": False,
            "zeroline": True,
            "domain": [start, min(start + width, 1.0)],
            "anchor": f"y{suffix}",
            **_range(table, counts),
            **({"matches": "x"} if number else {}),
        }
        layout[f"yaxis{suffix}"] = {
            **TICK_GAP,
            "tickvals": list(range(len(groups))),
            "ticktext": [escape(group, longest=LONGEST_TYPE) for group in reversed(groups)],
            "showticklabels": number == 0,
            "range": [-0.25, n - 1 + OVERLAP],
            "zeroline": False,
            "tickfont": {"size": TICK_SIZE, "color": palette(mode).ink},
            "anchor": f"x{suffix}",
            **({"matches": "y"} if number else {}),
        }
        if level:
            notes.append(_level_name(level, table, start, mode))
    look = {"mode": "lines", "fill": "toself", "hoveron": "fills", "hoverinfo": "text", "line": {"width": 1.5}}
    shared = copy.deepcopy(template(mode))  # the others' stays as it is
    shared.data.scatter = [look]  # said once, not with each of hundreds of ridges
    return {**layout, "template": shared, **({"annotations": notes} if notes else {})}


def _range(table: pd.DataFrame, counts: bool) -> dict[str, list[float]]:
    """The same for every panel, with room for the numbers of cells."""
    if table.empty:
        return {}
    low, high = float(table["value"].min()), float(table["value"].max())
    room = (high - low) or 1.0
    return {"range": [low - 0.02 * room, high + (0.16 if counts else 0.02) * room]}


def _level_name(level: str, table: pd.DataFrame, start: float, mode: Mode) -> dict[str, object]:
    n = int(table[table["level"] == level].drop_duplicates("group")["n_cells"].sum())
    return {
        "text": f"<b>{escape(level, longest=LONGEST_LEVEL)}</b> · {n:,} cells",
        "x": start,
        "y": 1.0,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": 4,
        "showarrow": False,
        "font": {**note_font(mode), "color": palette(mode).ink},
    }


def _ridge(part: pd.DataFrame, group: str, base: float, colour: str, mode: Mode) -> go.Scatter:
    """The filled curve, its baseline and the stroke at the median, drawn in one go: hundreds of them stay light."""
    x = part["value"].to_numpy(np.float64)
    height = part["density"].to_numpy(np.float64)
    y = base + OVERLAP * 0.92 * height / (height.max() or 1.0)
    median, n = float(part["median"].iloc[0]), int(part["n_cells"].iloc[0])
    top = float(np.interp(median, x, y))
    return go.Scatter(
        x=np.concatenate([x[:1], x, x[-1:], [median] * 3, x[:1]]).astype(np.float32),
        y=np.concatenate([[base], y, [base, base, top, base, base]]).astype(np.float32),
        fillcolor=tint(colour, mode, 0.35),
        line={"color": colour},
        text=f"<b>{escape(group)}</b><br>{n:,} cells, median {three_digits(median)}",
        name=escape(group, longest=LONGEST_TYPE),
    )


def _counts(shown: Mapping[str, pd.DataFrame], place: Mapping[str, float], mode: Mode) -> go.Scatter:
    """How many cells a ridge is made of, above the right end of its baseline."""
    right = max(float(part["value"].iloc[-1]) + 0.15 * float(np.ptp(part["value"]) or 1.0) for part in shown.values())
    return go.Scatter(
        x=[right] * len(shown),
        y=[place[group] for group in shown],
        mode="text",
        text=[f"{int(part['n_cells'].iloc[0]):,}" for part in shown.values()],
        textposition="top left",
        textfont={**note_font(mode)},
        fill="none",
        hoveron="points",
        hoverinfo="skip",
        name="number of cells",
    )
