"""Genes against groups of cells: dots (share of cells and mean) or squares (mean against the gene's highest)."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ldvae_core.plots.colour_bar import bar_above
from ldvae_core.plots.escape import escape, italic, plain
from ldvae_core.plots.frame import note_font, say_empty
from ldvae_core.plots.labels import text_size
from ldvae_core.plots.sheet import Sheet
from ldvae_core.plots.theme import TICK_GAP, TICK_SIZE, Mode, bare_template, palette, viridis

ROW_HEIGHT, LARGEST_DOT, SMALLEST_DOT = 24, 18.0, 1.5  # px
SMALLEST_HEIGHT, LARGEST_HEIGHT = 220, 1400  # px
MOST_GENES = 40  # of one drawing; more are in the table
FEW_GENES = 12  # fill the width; fewer take their share of it
LONGEST_GROUP, LONGEST_GENE = 34, 16  # characters
SIZES, SIZES_FROM = (0.25, 0.5, 1.0), 184.0  # shares shown in the legend; px from its left end, after the colours


def plot_dots(table: pd.DataFrame, *, unit: str, group_title: str = "Group", mode: Mode = "light") -> go.Figure:
    """A dot for every gene (across) and group of cells (down): area is the share of cells with counts, colour the mean.

    table: from expression_by_group; columns gene, position, group, n_cells, share, mean; the first 40 genes are drawn.
    unit: of the mean. A clicked dot carries the gene's position as customdata[0].
    """
    sheet, tables = _frame(table, group_title, mode)
    if tables is None:
        return sheet.figure()
    shares, means = tables
    high = float(np.nanmax(means.to_numpy())) or 1.0
    dots = _targets(table, shares, means)
    sizes = np.maximum(LARGEST_DOT * np.sqrt(shares.to_numpy(np.float64)), SMALLEST_DOT).astype(np.float32).ravel()
    dots["marker"] |= {"size": sizes, "coloraxis": "coloraxis", "opacity": 1.0, "line": {"width": 0}}
    sheet.add_trace(dots)
    _colour_bar(sheet, f"mean {unit}", high, mode)
    _size_legend(sheet, mode)
    return sheet.figure()


def plot_expression_map(table: pd.DataFrame, *, group_title: str = "Group", mode: Mode = "light") -> go.Figure:
    """The same as squares: each gene's mean as a share of its highest group's, so that weak genes show too."""
    sheet, tables = _frame(table, group_title, mode)
    if tables is None:
        return sheet.figure()
    shares, means = tables
    values = means.to_numpy(np.float64)
    top = values.max(axis=0)
    relative = np.divide(values, top, out=np.zeros_like(values), where=top > 0)
    sheet.add_trace(
        {"type": "heatmap", "z": relative.astype(np.float32), "xgap": 1, "ygap": 1, "coloraxis": "coloraxis",
         "hoverinfo": "skip", "name": "means"}
    )  # fmt: skip
    dots, unseen = _targets(table, shares, means), {"marker": {"opacity": 0.0}}
    dots["marker"] |= {"opacity": 0.0, "size": ROW_HEIGHT, "symbol": "square"}
    sheet.add_trace({**dots, "selected": unseen, "unselected": unseen})
    _colour_bar(sheet, "share of the gene's highest mean", 1.0, mode)
    return sheet.figure()


def _frame(table: pd.DataFrame, group_title: str, mode: Mode) -> tuple[Sheet, tuple[pd.DataFrame, pd.DataFrame] | None]:
    """Titled axes, and shares and means (groups x genes) in the order of `table`; None for an empty one."""
    genes = list(dict.fromkeys(table["position"]))[:MOST_GENES]
    groups = list(dict.fromkeys(table["group"]))
    names = table.drop_duplicates("position").set_index("position")["gene"] if genes else pd.Series(dtype=object)
    shown = [plain(names[gene], longest=LONGEST_GENE) for gene in genes]
    left = 44 + max([text_size(plain(group, longest=LONGEST_GROUP), TICK_SIZE)[0] for group in groups] or [40.0])
    bottom = 40 + max([text_size(name, TICK_SIZE)[0] for name in shown] or [20.0])
    height = int(np.clip(64 + bottom + ROW_HEIGHT * len(groups), SMALLEST_HEIGHT, LARGEST_HEIGHT))
    ink = {"size": TICK_SIZE, "color": palette(mode).ink}
    axis = {"showgrid": False, "zeroline": False, **TICK_GAP}
    layout = {
        "template": bare_template(mode),
        "height": height,
        "margin": {"l": left, "r": 24, "t": 64, "b": bottom},
        "xaxis": {**axis, "title": {"text": "Gene", "standoff": bottom - 34}, "tickvals": list(range(len(genes))),
                  "ticktext": [italic(names[gene], longest=LONGEST_GENE) for gene in genes], "tickangle": -90,
                  "range": [-0.7, max(len(genes), 1) - 0.3], "domain": [0.0, _width(len(genes))]},
        "yaxis": {**axis, "title": {"text": escape(group_title, longest=LONGEST_GROUP)},
                  "tickvals": list(range(len(groups))),
                  "ticktext": [escape(group, longest=LONGEST_GROUP) for group in groups],
                  "range": [max(len(groups), 1) - 0.4, -0.6], "tickfont": ink},
    }  # fmt: skip
    sheet = Sheet(layout)
    if not genes or not groups:
        return say_empty(sheet, "No genes to show", mode), None
    kept = table[table["position"].isin(genes)]
    shares, means = (
        kept.pivot(index="group", columns="position", values=value).loc[groups, genes] for value in ("share", "mean")
    )
    return sheet, (shares, means)


def _width(n_genes: int) -> float:
    """Share of the figure's width that so few genes take, so that their title stands below them."""
    return min((n_genes + 0.4) / (FEW_GENES + 0.4), 1.0) if n_genes else 1.0


def _targets(table: pd.DataFrame, shares: pd.DataFrame, means: pd.DataFrame) -> dict[str, Any]:
    """All dots, group by group, as one trace: a hundred groups are drawn as quickly as one.

    shares, means: groups x genes. Under the pointer the browser writes gene and group as they stand on the axes.
    """
    sizes = table.drop_duplicates("group").set_index("group")["n_cells"].to_dict()
    n_groups, n_genes = shares.shape
    percent = np.round(100 * shares.to_numpy(np.float64)).astype(np.int64)
    carried = [[int(gene), int(percent[row, column]), int(sizes[group])] for row, group in enumerate(shares.index)
               for column, gene in enumerate(shares.columns)]  # fmt: skip
    clear = {"marker": {"opacity": 1.0}}
    return {
        "x": np.tile(np.arange(n_genes, dtype=np.int16), n_groups),
        "y": np.repeat(np.arange(n_groups, dtype=np.int16), n_genes),
        "mode": "markers",
        "marker": {"color": means.to_numpy(np.float32).ravel()},
        "customdata": carried,  # lists: a click brings typed arrays back as dictionaries
        "hovertemplate": "<b>%{x}</b> in %{y} (%{customdata[2]:,} cells)<br>%{customdata[1]}% with counts, "
        "mean %{marker.color:.3g}<extra></extra>",
        "selected": clear,
        "unselected": clear,
        "name": "groups",
    }


def _colour_bar(sheet: Sheet, title: str, high: float, mode: Mode) -> None:
    colours = viridis(mode)
    sheet.layout["coloraxis"] = {
        "colorscale": [[place / (len(colours) - 1), colour] for place, colour in enumerate(colours)],
        "cmin": 0.0,
        "cmax": high,
        "colorbar": bar_above(title, nticks=4),
    }


def _size_legend(sheet: Sheet, mode: Mode) -> None:
    """Three dots of known share, above the frame beside the colours."""
    places = {"xref": "x domain", "yref": "y domain", "x": 0.0, "y": 1.0, "showarrow": False, "xanchor": "left",
              "font": note_font(mode)}  # fmt: skip
    x, words, circles = SIZES_FROM, [{**places, "text": "cells with counts", "xshift": SIZES_FROM, "yshift": 46}], []
    for share in SIZES:
        size = LARGEST_DOT * np.sqrt(share)
        circles.append(
            {"type": "circle", "xref": "x domain", "yref": "y domain", "xsizemode": "pixel", "ysizemode": "pixel",
             "xanchor": 0.0, "yanchor": 1.0, "x0": x, "x1": x + size, "y0": 20 - size / 2, "y1": 20 + size / 2,
             "line": {"width": 0}, "fillcolor": palette(mode).quiet}
        )  # fmt: skip
        words.append({**places, "text": f"{share:.0%}", "xshift": x + size + 4, "yshift": 20, "yanchor": "middle"})
        x += size + 38
    sheet.layout |= {"shapes": circles, "annotations": words}
