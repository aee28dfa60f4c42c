"""Cells and genes of a pair of factors, side by side: the picture the program is about."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import streamlit as st

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import biplot_table
from ldvae_core.analysis.raster import Raster, contours, density_raster, type_rasters
from ldvae_core.plots.biplot import plot_biplot
from ldvae_core.plots.density import plot_density, plot_types
from ldvae_core.plots.frame import PAIR_HEIGHT
from ldvae_core.plots.theme import genes_title
from ldvae_core.runs.store import OpenRun
from pages.parts.figures import Panel, clicked
from pages.parts.runs import colours_of, go
from pages.parts.style import mode

MOST_COLOURED = 30  # types of one figure; more is a list of names, not a picture


@st.cache_resource(max_entries=64, show_spinner=False)
def _raster(memo: str, pair: tuple[int, int], _factors: Factors) -> Raster:
    x, y = (_factors.representation[:, factor] for factor in pair)
    return density_raster(x, y, from_zero=_factors.prior == "logistic_normal")


@st.cache_resource(max_entries=8, show_spinner=False)  # 10 MB each for 37 types
def _rasters(memo: str, pair: tuple[int, int], column: str, _factors: Factors, _opened: OpenRun) -> dict[str, Raster]:
    labels = _opened.labels(column)
    x, y = (_factors.representation[:, factor] for factor in pair)
    types = [str(name) for name in labels.cat.categories]
    return type_rasters(x, y, labels, types, from_zero=_factors.prior == "logistic_normal")


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
    raster = raster_of(opened, factors, pair)
    titles = {"x_title": factors.label(pair[0]), "y_title": factors.label(pair[1])}
    shared = {**titles, "mode": mode(), "height": height}
    if colour:
        figure = plot_types(_rasters(opened.memo(factors, colour), pair, colour, factors, opened),
                            colours_of(opened, colour), **shared)  # fmt: skip
    elif outlined and label:
        rasters = _rasters(opened.memo(factors, label), pair, label, factors, opened)
        lines = {name: contours(rasters[name]) for name in outlined}
        figure = plot_density(raster, contours=lines, colours=colours_of(opened, label), **shared)
    else:
        figure = plot_density(raster, **shared)
    figure.update_layout(dragmode="lasso" if on_area else "zoom")
    alt = f"Density of {factors.n_cells:,} cells over {titles['x_title']} (across) and {titles['y_title']} (up)."
    name, table = f"cells_{pair[0] + 1}_{pair[1] + 1}", lambda: _cell_table(opened, factors, pair)
    return Panel(figure, name, alt, table, "Cells", on_area=on_area)


def genes_panel(
    factors: Factors,
    pair: tuple[int, int],
    *,
    use: str = "shrunken",
    n_arrows: int = 8,
    table: pd.DataFrame | None = None,
    colours: Mapping[str, str] | None = None,
    height: int = PAIR_HEIGHT,
) -> Panel:
    """The biplot of loadings. table: from point_arrows, with the type every arrow points to, coloured by `colours`."""
    shown = table
    if shown is None:
        shown = biplot_table(factors, pair, use=use, n_arrows=n_arrows)  # type: ignore[arg-type]
    titles = [genes_title(factor, use, name=factors.name_of(factor)) for factor in pair]  # type: ignore[arg-type]
    figure = plot_biplot(shown, x_title=titles[0], y_title=titles[1], colours=colours, mode=mode(), height=height)
    figure.update_layout(dragmode="zoom")
    alt = f"Loadings of {factors.n_genes:,} genes on the same two factors, the {n_arrows} strongest with arrows."
    return Panel(figure, f"genes_{pair[0] + 1}_{pair[1] + 1}", alt, shown, "Genes", on_click=open_clicked_gene)


def open_clicked_gene(key: str) -> None:
    """For Panel.on_click: the Genes page with the gene whose point was clicked."""
    if data := clicked(key):
        go("genes.py", genes=[str(data[0])])


def _cell_table(opened: OpenRun, factors: Factors, pair: tuple[int, int]) -> pd.DataFrame:
    columns = {factors.label(factor): factors.representation[:, factor] for factor in pair}
    table = pd.DataFrame({"cell": opened.counts.cell_ids, **columns})
    return table if opened.label_column is None else table.assign(label=opened.labels().astype(str).to_numpy())
