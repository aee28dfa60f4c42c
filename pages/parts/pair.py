"""Cells and genes of a pair of factors, side by side: the picture the program is about."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import biplot_table
from ldvae_core.analysis.raster import Contour, Raster, Window, contours, density_raster, type_rasters
from ldvae_core.plots.biplot import plot_biplot
from ldvae_core.plots.density import plot_density, plot_types
from ldvae_core.plots.frame import PAIR_HEIGHT
from ldvae_core.plots.theme import Mode, genes_title
from ldvae_core.runs.store import OpenRun
from pages.parts.figures import Panel, clicked
from pages.parts.runs import colours_of, go
from pages.parts.style import mode

MOST_COLOURED = 30  # types of one figure; more is a list of names, not a picture


@st.cache_resource(max_entries=64, show_spinner=False)
def _raster(memo: str, pair: tuple[int, int], _factors: Factors) -> Raster:
    x, y = (_factors.representation[:, factor] for factor in pair)
    return density_raster(x, y, from_zero=_factors.are_usages)


@st.cache_resource(max_entries=5, show_spinner=False)  # 10 MB each for 37 types; the figures are kept too
def _rasters(memo: str, pair: tuple[int, int], column: str, _factors: Factors, _opened: OpenRun) -> dict[str, Raster]:
    labels = _opened.labels(column)
    x, y = (_factors.representation[:, factor] for factor in pair)
    types = [str(name) for name in labels.cat.categories]
    return type_rasters(x, y, labels, types, from_zero=_factors.are_usages)


@st.cache_resource(max_entries=64, show_spinner=False)
def _outlines(
    memo: str, pair: tuple[int, int], column: str, name: str, _factors: Factors, _opened: OpenRun
) -> list[Contour]:
    """Of one type: the others are not looked at."""
    whole = raster_of(_opened, _factors, pair)
    window = Window(*(float(edges[end]) for edges in (whole.x_edges, whole.y_edges) for end in (0, -1)))
    cells = np.flatnonzero(_opened.labels(column) == name)
    x, y = (_factors.representation[cells, factor] for factor in pair)
    return contours(density_raster(x, y, extent=window))


def raster_of(opened: OpenRun, factors: Factors, pair: tuple[int, int]) -> Raster:
    """Cells per bin in the plane of two factors."""
    return _raster(opened.memo(factors), pair, factors)


def cells_panel(
    opened: OpenRun,
    factors: Factors,
    pair: tuple[int, int],
    *,
    colour: str | None = None,
    outlined: Sequence[str] = (),
    label: str | None = None,
    height: int = PAIR_HEIGHT,
    on_area: Callable[[str], None] | None = None,
) -> Panel:
    """The density of cells. colour: annotation whose types mix their colours; outlined: types of `label` to outline.

    on_area: called when cells are drawn around, with the chart's key.
    """
    titles = (factors.label(pair[0]), factors.label(pair[1]))
    column = colour or (label if outlined else None)
    drawn = CellsDrawing(titles, colour, tuple(outlined), label, height, "lasso" if on_area else "zoom", mode())
    figure = _cells(opened.memo(factors, column), pair, drawn, opened, factors)
    alt = f"Density of {factors.n_cells:,} cells over {titles[0]} (across) and {titles[1]} (up)."
    name, table = f"cells_{pair[0] + 1}_{pair[1] + 1}", lambda: _cell_table(opened, factors, pair)
    return Panel(figure, name, alt, table, "Cells", on_area=on_area)


class CellsDrawing(NamedTuple):
    """What a drawing of cells depends on, but for the cells."""

    titles: tuple[str, str]
    colour: str | None
    outlined: tuple[str, ...]
    label: str | None
    height: int
    drag: str
    look: Mode


@st.cache_resource(max_entries=32, show_spinner=False)
def _cells(memo: str, pair: tuple[int, int], drawn: CellsDrawing, _opened: OpenRun, _factors: Factors) -> Figure:
    """The density, to be shown as it is: a selection, or another number of arrows, does not draw it anew."""
    opened, factors, label = _opened, _factors, drawn.label
    shared = {"x_title": drawn.titles[0], "y_title": drawn.titles[1], "mode": drawn.look, "height": drawn.height}
    if drawn.colour:
        rasters = _rasters(memo, pair, drawn.colour, factors, opened)
        figure = plot_types(rasters, colours_of(opened, drawn.colour), **shared)
    elif drawn.outlined and label:
        lines = {name: _outlines(memo, pair, label, name, factors, opened) for name in drawn.outlined}
        figure = plot_density(
            raster_of(opened, factors, pair), contours=lines, colours=colours_of(opened, label), **shared
        )
    else:
        figure = plot_density(raster_of(opened, factors, pair), **shared)
    return figure.update_layout(dragmode=drawn.drag)


def genes_panel(
    factors: Factors,
    pair: tuple[int, int],
    *,
    use: str = "shrunken",
    n_arrows: int = 8,
    table: pd.DataFrame | None = None,
    colours: Mapping[str, str] | None = None,
    height: int = PAIR_HEIGHT,
    memo: str = "",
) -> Panel:
    """The biplot of loadings. table: from point_arrows, with the type every arrow points to, coloured by `colours`.

    memo: opened.memo of the factors, under which a biplot without a table of its own is kept.
    """
    x_title, y_title = (genes_title(factor, use, name=factors.name_of(factor)) for factor in pair)  # type: ignore[arg-type]
    titles = (x_title, y_title)
    if table is None and memo:
        shown, figure = _genes(memo, pair, titles, use, n_arrows, height, mode(), factors)
    else:
        shown = biplot_table(factors, pair, use=use, n_arrows=n_arrows) if table is None else table  # type: ignore[arg-type]
        figure = _biplot(shown, titles, height, mode(), colours)
    alt = f"Loadings of {factors.n_genes:,} genes on the same two factors, the {n_arrows} strongest with arrows."
    return Panel(figure, f"genes_{pair[0] + 1}_{pair[1] + 1}", alt, shown, "Genes", on_click=open_clicked_gene)


@st.cache_resource(max_entries=32, show_spinner=False)
def _genes(
    memo: str, pair: tuple[int, int], titles: tuple[str, str], use: str, n_arrows: int, height: int, look: Mode,
    _factors: Factors,
) -> tuple[pd.DataFrame, Figure]:  # fmt: skip
    """The table and the biplot, to be shown as they are."""
    table = biplot_table(_factors, pair, use=use, n_arrows=n_arrows)  # type: ignore[arg-type]
    return table, _biplot(table, titles, height, look, None)


def _biplot(
    table: pd.DataFrame, titles: tuple[str, str], height: int, look: Mode, colours: Mapping[str, str] | None
) -> Figure:
    figure = plot_biplot(table, x_title=titles[0], y_title=titles[1], colours=colours, mode=look, height=height)
    return figure.update_layout(dragmode="zoom")


def open_pair(pair: tuple[int, int], *, key: str, words: str = "") -> None:
    """A button that opens the pair's large view. words: on it, by default which factors these are."""
    x, y = pair
    st.button(
        words or f"Open factors {x + 1} and {y + 1}",
        key=key,
        type="tertiary",
        icon=":material/open_in_full:",
        on_click=go,
        args=("factors.py",),
        kwargs={"view": "One pair", "x": x, "y": y},
    )


def open_clicked_gene(key: str) -> None:
    """For Panel.on_click: the Genes page with the gene whose point was clicked."""
    if data := clicked(key):
        go("genes.py", genes=[str(data[0])])


def _cell_table(opened: OpenRun, factors: Factors, pair: tuple[int, int]) -> pd.DataFrame:
    columns = {factors.label(factor): factors.representation[:, factor] for factor in pair}
    table = pd.DataFrame({"cell": opened.counts.cell_ids, **columns})
    return table if opened.label_column is None else table.assign(label=opened.labels().astype(str).to_numpy())
