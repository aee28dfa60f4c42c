"""The Genes page: loadings, expression over a pair of factors, partners, and groups of cells."""

import functools
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.genes import (
    UNIT,
    expression_by_group,
    gene_finding,
    group_finding,
    loading_table,
    partners,
    strongest_factors,
)
from ldvae_core.analysis.programs import Use, gene_table, top_genes
from ldvae_core.analysis.raster import Raster
from ldvae_core.plots.dotplot import MOST_GENES, plot_dots, plot_expression_map
from ldvae_core.plots.genes import plot_loading_map, plot_profile
from ldvae_core.runs.groups import share_sentence
from ldvae_core.runs.store import OpenRun
from pages.parts.any_gene import gathered, known
from pages.parts.colour.choice import Colour, colour_picker
from pages.parts.colour.draw import means_of
from pages.parts.colour.legend import hidden_types, show_legend
from pages.parts.figures import Panel, clicked, download_table, show_figure
from pages.parts.gene_links import open_gene_rows
from pages.parts.header import derived_badge
from pages.parts.pair import Pair, cells_panel, raster_of
from pages.parts.per_run import per_run
from pages.parts.pickers import annotation_picker, factor_select, segments, two_factors
from pages.parts.runs import go
from pages.parts.selection.region import plane_of_pair
from pages.parts.style import mode
from pages.parts.text import as_html, literal, percent, plain, show
from pages.parts.text import gene as italic

COLOUR_OF = "genes_colour_of"  # the gene whose colours the cells were given
PAIR_OF = "genes_pair_of"  # the gene whose strongest factors the pair was set to
MOST_PARTNERS = 50  # rows on screen; the file has all genes
KINDS: dict[Literal["dots", "map"], str] = {"dots": "Dot plot", "map": "Heat map"}
HOW_GENE = (
    "**Left:** how strongly the gene loads on every factor, with 90% intervals: natural-log change of its share of a "
    "cell's molecules per standard deviation of the factor. Click a point to see that factor. **Right:** cells placed "
    f"on two factors, coloured by the mean of {UNIT} over the cells of each small square (CP10k: counts per 10,000 "
    "counts of the cell). The pair is the one the gene loads on most, until you choose another; so are the colours the "
    "gene's."
)
HOW_LIST = "Loadings of the genes of your list on every factor. Click a square to see that gene alone."
HOW_GROUPS = (
    "**Dot plot:** a dot's area is the share of the group's cells with counts of the gene, its colour the mean of "
    f"{UNIT} over all cells of the group. **Heat map:** the same means, each gene against its own highest. Click a "
    "gene to see it alone. CP10k: counts per 10,000 counts of the cell."
)


def pair_pickers(factors: Factors, genes: np.ndarray) -> Pair:
    """Two factors; a newly asked gene brings the two it loads on most, a link brings its own."""
    if len(genes) and factors.n_factors > 1:
        first, axes = int(genes[0]), strongest_factors(factors, int(genes[0]))
        before = st.session_state.get(PAIR_OF)
        if before != (factors.axes, first) and (before is not None or not {"across", "up"} & set(st.query_params)):
            st.session_state["across"], st.session_state["up"] = int(axes[0]), int(axes[1])
        st.session_state[PAIR_OF] = (factors.axes, first)
    if factors.n_factors < 2:
        return 0, 0
    across = factor_select("Across", factors, key="across", default=0)
    up = factor_select("Up", factors, key="up", default=1, help="The factor drawn upwards.")
    return two_factors(across, up, factors.n_factors)


def show_gene(opened: OpenRun, factors: Factors, genes: np.ndarray, pair: Pair, colour: Colour, *, use: Use) -> None:
    """The first gene: its loadings beside its expression, or whatever else the cells are to be coloured by."""
    gene = int(genes[0])
    name, modelled = str(known(opened).names[gene]), gene < opened.counts.n_genes
    panels = [_profile(factors, gene, use)] if modelled else []
    if factors.n_factors > 1:
        drawn = genes_drawn(genes)
        among = drawn if set(colour.genes) <= set(drawn) else ()
        panels.append(_cells(opened, factors, pair, replace(colour, among=among)))
    if modelled:
        finding = gene_finding(factors, gene, _partners(opened, factors, gene, use), use=use)
    else:
        share = len(gathered(opened, genes_drawn(genes))[gene].cells) / opened.counts.n_cells
        finding = f"{name} is not modelled; {percent(share)} of the cells have counts of it."
    ids = f' <span class="gpe-quiet">{as_html(_id_of(opened, gene))}</span>'
    show(italic(name) + ids, kind="name")
    if not panels:
        show(as_html(finding), kind="quiet")
        return
    show_figure(
        panels,
        key="gene",
        finding=finding,
        how_to_read=f"{HOW_GENE} {share_sentence(opened)}",
        legends=[functools.partial(show_legend, opened, colour, key="genes_legend")],
    )


def cells_colour(opened: OpenRun, factors: Factors, genes: np.ndarray) -> Colour:
    """What the cells are coloured by: the first gene asked for, until something else is chosen, for each gene anew."""
    name = str(known(opened).names[int(genes[0])])
    if st.session_state.get(COLOUR_OF, name) != name:
        st.session_state["genes_colour"] = name
    st.session_state[COLOUR_OF] = name
    return colour_picker(opened, factors, "Colour cells by", key="genes_colour", default=name, width=125)


def _profile(factors: Factors, gene: int, use: Use) -> Panel:
    name, table = str(factors.gene_names[gene]), gene_table(factors, gene, use=use)
    names = [factors.label(factor) for factor in range(factors.n_factors)]
    return Panel(plot_profile(table, names, mode=mode()), f"loadings_{name}", f"Loading of {name} on every factor.",
                 table, "Loadings", on_click=_open_factor)  # fmt: skip


def _cells(opened: OpenRun, factors: Factors, pair: Pair, colour: Colour) -> Panel:
    panel = cells_panel(opened, factors, pair, colour=colour, hidden=hidden_types(colour, "genes_legend"))
    if not colour.genes:
        return panel
    x_title, y_title = (factors.label(factor) for factor in pair)

    def bins() -> pd.DataFrame:
        mean = means_of(opened, factors, plane_of_pair(factors, pair), colour, factors.are_usages)
        return _bins(mean, raster_of(opened, factors, pair), x_title, y_title)

    return panel._replace(name=f"expression_{colour.said}", label="Expression", table=bins)


def show_list(opened: OpenRun, factors: Factors, genes: np.ndarray, *, use: Use) -> None:
    """Several genes: all loadings in one picture."""
    if len(genes) < 2:
        return
    table = loading_table(factors, genes.tolist(), use=use)
    names = [factors.label(factor) for factor in range(factors.n_factors)]
    top = table.loc[table.groupby("position", sort=False)["loading"].apply(lambda own: own.abs().idxmax())]
    factor, n = int(top["factor"].mode().iloc[0]), int((top["factor"] == top["factor"].mode().iloc[0]).sum())
    share = "Both" if n == len(genes) == 2 else f"{n} of {len(genes):,}"
    finding = f"{share} genes load most on {factors.label(factor)}."
    panel = Panel(plot_loading_map(table, names, mode=mode()), "loadings", f"Loadings of {len(genes)} genes.", table,
                  "Loadings", on_click=lambda key: _open_position(key, opened))  # fmt: skip
    show_figure(panel, key="gene_list", finding=finding, how_to_read=HOW_LIST)


def show_partners(opened: OpenRun, factors: Factors, gene: int, *, use: Use) -> None:
    """The genes whose loadings point the same way; a chosen row opens its gene."""
    table, name = _partners(opened, factors, gene, use), str(factors.gene_names[gene])
    st.subheader(f"Genes that load like *{literal(name, longest=40)}*", anchor=False)
    if table.empty:
        show(f"{italic(name)} loads on no factor, so no gene is like it.", kind="quiet")
        return
    top = table.head(MOST_PARTNERS)
    shown = pd.DataFrame(
        {
            "Gene": [plain(partner, longest=40) for partner in top["gene"]],
            "Cosine": top["cosine"],
            "Strength": top["strength"],
            "Loads most on": [plain(factors.label(int(factor)), longest=60) for factor in top["factor"]],
            "Loading there": top["loading"],
        }
    )
    number = st.column_config.NumberColumn
    st.dataframe(
        shown,
        hide_index=True,
        height=250,
        key="partners",
        on_select=open_gene_rows("partners", top["gene"].tolist()),
        selection_mode="single-row",
        column_config={
            "Cosine": number(
                format="%.3f", help="Of the two genes' loadings over all factors: 1 is the same direction."
            ),
            "Strength": number(format="%.2f", help="Length of the gene's vector of loadings (log fold change per SD)."),
            "Loading there": number(format="%.2f", help="Log fold change per SD of that factor."),
        },
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        one = " With one factor, genes can only agree or disagree." if factors.n_factors == 1 else ""
        st.caption(f"The {len(top):,} most alike of {len(table):,} genes that load on any factor, by the cosine of "
                   f"their loadings. Choose a row to open its gene.{one}")  # fmt: skip
        download_table(table.drop(columns="position").assign(factor=table["factor"] + 1), f"partners_of_{name}",
                       key="partners_csv")  # fmt: skip


def show_groups(opened: OpenRun, genes: np.ndarray) -> None:
    """The genes in the groups of an annotation, as dots or squares; nothing without annotations."""
    st.subheader("In groups of cells", anchor=False)
    with st.container(horizontal=True, vertical_alignment="top", gap="small"):
        column = annotation_picker(opened, key="genes_by", label="Annotation")
        if column is None:
            show("These cells carry no annotation to group them by.", kind="quiet")
            return
        kind = segments("Drawing", KINDS, key="genes_as")
    chosen = genes_drawn(genes)
    table = _expression(opened, column, chosen)
    if kind == "dots":
        figure = plot_dots(table, unit=UNIT, group_title=column, mode=mode())
    else:
        figure = plot_expression_map(table, group_title=column, mode=mode())
    alt = f"{len(chosen)} genes in the groups of {column}."
    panel = Panel(figure, "genes_by_group", alt, table.drop(columns="position"), KINDS[kind],
                  on_click=lambda key: _open_position(key, opened))  # fmt: skip
    cut = f" The first {MOST_GENES} of {len(genes):,} genes are drawn." if len(genes) > MOST_GENES else ""
    show_figure(panel, key="gene_groups", finding=group_finding(table, column) + cut,
                how_to_read=f"{HOW_GROUPS} {share_sentence(opened)}")  # fmt: skip
    derived_badge(opened.counts, column)


def offer_first_genes(factors: Factors) -> None:
    """With no gene asked for: the strongest genes of the strongest factor, a click away."""
    names = top_genes(factors, 0, 6)["gene"].tolist()
    with st.container(border=True, key="no_gene"):
        st.markdown(f"**No gene yet.** Type one above or paste a list. The strongest genes of "
                    f"{literal(factors.label(0))}:")  # fmt: skip
        with st.container(horizontal=True, gap="small"):
            for place, name in enumerate(names):
                st.button(f"*{literal(name, longest=24)}*", key=f"first_gene_{place}", on_click=go, args=("genes.py",),
                          kwargs={"genes": [name]})  # fmt: skip
            st.button("All of them", key="first_genes", icon=":material/genetics:", on_click=go, args=("genes.py",),
                      kwargs={"genes": names})  # fmt: skip


def genes_drawn(genes: np.ndarray) -> tuple[int, ...]:
    """Those of a list whose counts are looked for: all drawings of the page take them out of one pass."""
    return tuple(int(gene) for gene in genes[:MOST_GENES])


@per_run(max_entries=32, spinner="Looking through the counts")
def _expression(opened: OpenRun, column: str, genes: tuple[int, ...]) -> pd.DataFrame:
    found, size = gathered(opened, genes), opened.counts.molecules
    return expression_by_group(found, opened.labels(column), size, known(opened).names)


@per_run(max_entries=32)
def _partners(opened: OpenRun, factors: Factors, gene: int, use: Use) -> pd.DataFrame:
    return partners(factors, gene, use=use)


def _bins(mean: np.ndarray, raster: Raster, x_title: str, y_title: str) -> pd.DataFrame:
    rows, columns = np.nonzero(raster.counts)
    return pd.DataFrame({x_title: raster.x_edges[columns], y_title: raster.y_edges[rows],
                         "cells": raster.counts[rows, columns], "mean": mean[rows, columns]})  # fmt: skip


def _id_of(opened: OpenRun, gene: int) -> str:
    ids = known(opened).ids
    name = "" if ids is None else str(ids[gene])
    return name if name != str(known(opened).names[gene]) else ""


def _open_factor(key: str) -> None:
    if data := clicked(key):
        go("factors.py", view="One factor", x=int(data[0]))


def _open_position(key: str, opened: OpenRun) -> None:
    if data := clicked(key):
        go("genes.py", genes=[str(known(opened).names[int(data[0])])])
