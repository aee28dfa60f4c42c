"""A pair of factors as a thumbnail: cells and genes side by side, small, quiet, cheap to draw by the dozen."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ldvae_core.analysis.raster import Raster, Window, coarser, density_raster
from ldvae_core.plots.biplot import add_arrows, arrange
from ldvae_core.plots.density import POWER, add_picture, corners, quantise, raster_trace, window_of
from ldvae_core.plots.frame import COMPACT_HEIGHT, say_empty, title
from ldvae_core.plots.sheet import Sheet
from ldvae_core.plots.theme import TICK_SIZE, Mode, bare_template, grey_scale, palette

MARGIN = {"l": 26, "r": 6, "t": 8, "b": 26}  # px; no tick labels, only the factors' names
SMALLEST_SIDE = 140  # px of a frame in a gallery of three columns
NAME_SIZE = 10  # px
GENE_BINS = 48
THINNED = 3  # bins of the density drawn as one: they are about two pixels wide then
ROOM = 0.16  # of the frame, for names


def plot_thumbnail(
    raster: Raster,
    table: pd.DataFrame,
    *,
    x_title: str,
    y_title: str,
    picture: np.ndarray | None = None,
    mode: Mode = "light",
    height: int = COMPACT_HEIGHT,
) -> go.Figure:
    """The density of cells and, in a frame of the same size, the biplot with its arrows and names.

    raster: from density_raster; table: from biplot_table. Genes without an arrow are drawn as a raster too, so that a
    gallery of ten pairs stays light. picture: (bins, bins, 4) uint8 of the cells in colour, in place of their density.
    Without hover or tools: show it with THUMBNAIL_CONFIG.
    """
    cells = coarser(raster, THINNED)
    genes = arrange(table, side=SMALLEST_SIDE, font_size=NAME_SIZE, room=ROOM)
    sheet = Sheet(_layout(window_of(raster), genes.window, x_title, y_title, mode, height))
    if picture is not None:
        sheet.add_trace(corners(window_of(raster)))
        add_picture(sheet, picture, window_of(raster))
    elif cells.counts.any():
        levels = quantise(np.asarray(cells.counts, np.float64) ** POWER, low=0.0)
        sheet.add_trace(raster_trace(cells, levels, grey_scale(mode)))
    if table.empty:
        return say_empty(sheet, "No genes", mode).figure()
    others = table.loc[~table["arrow"].astype(bool), ["x", "y"]].to_numpy(np.float64)
    cloud = density_raster(*others.T, bins=GENE_BINS, extent=genes.window)
    if cloud.counts.any():
        levels = quantise(cloud.counts.astype(float), low=0.0)
        sheet.add_trace(raster_trace(cloud, levels, _cloud(mode), axes=("x2", "y2")))
    add_arrows(sheet, genes, mode=mode, font_size=NAME_SIZE, axes=("x2", "y2"))
    for trace in sheet.data:  # a thumbnail answers to nothing, so what would be shown and clicked is not sent
        for unused in ("hovertemplate", "customdata", *(() if trace.get("mode") == "text" else ("text",))):
            trace.pop(unused, None)
        trace["hoverinfo"] = "skip"
    return sheet.figure()


def _cloud(mode: Mode) -> list[list[object]]:
    """One grey for every bin with a gene."""
    return [
        [0.0, "rgba(0,0,0,0)"],
        [0.5 / 255, "rgba(0,0,0,0)"],
        [0.5 / 255, palette(mode).dots],
        [1.0, palette(mode).dots],
    ]


def _layout(cells: Window, genes: Window, x_title: str, y_title: str, mode: Mode, height: int) -> dict[str, object]:
    axis = {
        "showgrid": False,
        "showticklabels": False,
        "showline": True,
        "mirror": True,
        "zeroline": True,
        "constrain": "domain",
        "fixedrange": True,
    }
    layout: dict[str, object] = {
        "template": bare_template(mode),
        "height": height,
        "margin": MARGIN,
        "dragmode": False,
        "hovermode": False,
    }
    for window, number, domain in ((cells, "", [0.0, 0.48]), (genes, "2", [0.52, 1.0])):
        name = {"font": {"size": TICK_SIZE, "color": palette(mode).quiet}, "standoff": 4}
        layout[f"xaxis{number}"] = {
            **axis,
            "range": [window.x_low, window.x_high],
            "domain": domain,
            "anchor": f"y{number}",
            "title": {**name, "text": title(x_title)},
            "constraintoward": "right" if number == "" else "left",
        }
        layout[f"yaxis{number}"] = {
            **axis,
            "range": [window.y_low, window.y_high],
            "anchor": f"x{number}",
            "scaleanchor": f"x{number}",
            "scaleratio": 1,
            "constraintoward": "top",
            "title": {**name, "text": title(y_title) if number == "" else ""},
        }
    return layout
