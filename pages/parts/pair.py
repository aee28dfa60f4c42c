"""Cells and genes of a pair of factors, side by side: the picture the program is about."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import Use, biplot_table
from ldvae_core.analysis.raster import Contour, Raster, contours, density_raster
from ldvae_core.plots.biplot import plot_biplot
from ldvae_core.plots.density import plot_density, window_of
from ldvae_core.plots.frame import PAIR_HEIGHT
from ldvae_core.plots.theme import Mode, genes_title
from ldvae_core.runs.store import OpenRun
from pages.parts.colour.choice import Colour
from pages.parts.colour.draw import draw_cells, raster_on
from pages.parts.figures import Panel, clicked
from pages.parts.per_run import per_run
from pages.parts.runs import colours_of, go
from pages.parts.selection.region import plane_of_pair
from pages.parts.style import mode

Pair = tuple[int, int]  # two factors, counted from 0


def raster_of(opened: OpenRun, factors: Factors, pair: Pair) -> Raster:
    """Cells per bin in the plane of two factors."""
    return raster_on(opened, plane_of_pair(factors, pair), factors.are_usages)


@per_run(max_entries=64)
def _outline(opened: OpenRun, factors: Factors, pair: Pair, column: str, name: str) -> list[Contour]:
    """Of one type: the others are not looked at."""
    cells = np.flatnonzero(opened.labels(column) == name)
    x, y = (factors.representation[cells, factor] for factor in pair)
    return contours(density_raster(x, y, extent=window_of(raster_of(opened, factors, pair))))


def cells_panel(
    opened: OpenRun,
    factors: Factors,
    pair: Pair,
    *,
    colour: Colour | None = None,
    hidden: tuple[str, ...] = (),
    outlined: Sequence[str] = (),
    label: str | None = None,
    height: int = PAIR_HEIGHT,
    on_area: Callable[[str], None] | None = None,
) -> Panel:
    """The cells of a pair. colour: what they are coloured by; hidden: its types without colour; outlined: types of
    `label` to outline.

    on_area: called when cells are drawn around, with the chart's key.
    """
    titles = (factors.label(pair[0]), factors.label(pair[1]))
    drag, colour = "lasso" if on_area else "zoom", colour or Colour()
    figure = _draw_cells(opened, factors, pair, titles, colour, hidden, tuple(outlined), label, drag, height, mode())
    by = f", coloured by {colour.said}" if colour.kind != "none" else ""
    alt = f"Density of {factors.n_cells:,} cells over {titles[0]} (across) and {titles[1]} (up){by}."
    name = f"cells_{pair[0] + 1}_{pair[1] + 1}"
    return Panel(
        figure, name, alt, lambda: _cell_table(opened, factors, pair, colour.column or label), "Cells", on_area=on_area
    )


@per_run(max_entries=32)
def _draw_cells(
    opened: OpenRun, factors: Factors, pair: Pair, titles: tuple[str, str], colour: Colour, hidden: tuple[str, ...],
    outlined: tuple[str, ...], label: str | None, drag: str, height: int, look: Mode,
) -> Figure:  # fmt: skip
    """The cells, to be shown as they are: a selection, or another number of arrows, does not draw them anew."""
    if outlined and label:
        lines = {name: _outline(opened, factors, pair, label, name) for name in outlined}
        figure = plot_density(
            raster_of(opened, factors, pair), contours=lines, colours=colours_of(opened, label), x_title=titles[0],
            y_title=titles[1], mode=look, height=height,
        )  # fmt: skip
    else:
        figure = draw_cells(
            opened, factors, plane_of_pair(factors, pair), titles, colour, hidden=hidden,
            from_zero=factors.are_usages, height=height, look=look,
        )  # fmt: skip
    return figure.update_layout(dragmode=drag)


def genes_panel(
    opened: OpenRun,
    factors: Factors,
    pair: Pair,
    *,
    use: Use = "shrunken",
    n_arrows: int = 8,
    table: pd.DataFrame | None = None,
    colours: Mapping[str, str] | None = None,
    height: int = PAIR_HEIGHT,
) -> Panel:
    """The biplot of loadings. table: from point_arrows, with the type every arrow points to, coloured by `colours`."""
    first, second = pair
    titles = (
        genes_title(first, use, name=factors.name_of(first)), genes_title(second, use, name=factors.name_of(second))
    )  # fmt: skip
    if table is None:
        table, figure = _draw_genes(opened, factors, pair, titles, use, n_arrows, height, mode())
    else:
        figure = plot_biplot(table, x_title=titles[0], y_title=titles[1], colours=colours, mode=mode(), height=height)
        figure.update_layout(dragmode="zoom")  # fmt: skip
    named = int(table["arrow"].sum())
    arrows = f", {named} of them with arrows and names" if named else ""
    alt = f"Loadings of {factors.n_genes:,} genes on the same two factors{arrows}."
    return Panel(figure, f"genes_{first + 1}_{second + 1}", alt, table, "Genes", on_click=open_clicked_gene)


@per_run(max_entries=32)
def _draw_genes(
    opened: OpenRun, factors: Factors, pair: Pair, titles: tuple[str, str], use: Use, n_arrows: int, height: int,
    look: Mode,
) -> tuple[pd.DataFrame, Figure]:  # fmt: skip
    """The table and the biplot, to be shown as they are."""
    table = biplot_table(factors, pair, use=use, n_arrows=n_arrows)
    figure = plot_biplot(table, x_title=titles[0], y_title=titles[1], mode=look, height=height)
    return table, figure.update_layout(dragmode="zoom")


def open_pair(pair: Pair, *, key: str, words: str = "") -> None:
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


def _cell_table(opened: OpenRun, factors: Factors, pair: Pair, shown: str | None) -> pd.DataFrame:
    """Places of all cells, and the annotation that the figure shows, else that of the run, under its own name."""
    columns = {factors.label(factor): factors.representation[:, factor] for factor in pair}
    table = pd.DataFrame({"cell": opened.counts.cell_ids, **columns})
    column = shown or opened.label_column
    return table if column is None else table.assign(**{column: opened.labels(column).astype(str).to_numpy()})
