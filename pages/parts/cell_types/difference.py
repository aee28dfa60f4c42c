"""Why do these differ? Two groups of cells: which are compared, and what sets them apart."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from ldvae_core.analysis.difference import REST, Difference
from ldvae_core.analysis.difference_words import factors_sentence, genes_sentence, pair_sentence, unit_sentence
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import Use, biplot_table
from ldvae_core.analysis.raster import Contour, contours, type_rasters
from ldvae_core.analysis.type_genes import point_arrows, single_out
from ldvae_core.plots.density import plot_density, window_of
from ldvae_core.plots.theme import palette
from ldvae_core.plots.volcano import plot_volcano
from ldvae_core.runs.groups import Level, basis_sentence, cells_at, chosen_factors, compare_in_run
from ldvae_core.runs.opened import OpenRun
from pages.parts.comparing import HOW_GENES, everything, is_quick, noted, progress_words
from pages.parts.figures import Panel, show_figure
from pages.parts.later import Later, show_waiting
from pages.parts.pair import Pair, cells_panel, genes_panel, open_clicked_gene, open_pair, raster_of
from pages.parts.per_run import per_run
from pages.parts.runs import colours_of
from pages.parts.selection.tables import show_factor_table, show_gene_table
from pages.parts.style import mode
from pages.parts.text import as_html, count, percent, plain, show

HOW_PAIR = (
    "The two factors were chosen among all pairs: in their plane a straight line tells the two groups apart best. "
    "**Left:** all cells in grey, and around the cells of each group the regions that hold 25, 50, 75 and 90% of them. "
    "**Right:** the genes on the same two factors; an arrow has the colour of the group in which its gene is higher by "
    "the counts (q < 5%). **AUC** is the chance that a cell of one group lies further along than one of the other: 0.5 "
    "is no difference, 1 a complete one."
)


@dataclass(frozen=True)
class Groups:
    """What is compared: values of an annotation, where, and what counts as one observation."""

    column: str
    first: str
    second: str  # REST: all other cells
    within: tuple[str, str] | None = None  # another annotation and its value
    samples: str | None = None  # the annotation whose values are the units; None: cells are

    @property
    def names(self) -> tuple[str, str]:
        """Of the two groups, as people read them."""
        return self.first, self.second


def show_difference(opened: OpenRun, factors: Factors, groups: Groups, *, use: Use, n_arrows: int) -> None:
    """The groups in the plane of the best pair, what sets them apart in words, genes and factors as tables."""
    later = _difference(opened, factors, groups)
    if (difference := later.now()) is None:
        show_waiting(later, progress_words(opened), key="difference_progress")
        return
    among = f"Among {groups.within[1]}: " if groups.within else ""
    said = f"{among}{factors_sentence(difference, factors)} {pair_sentence(difference, factors)}".strip()
    if difference.best is not None:
        panels = _pair_panels(opened, factors, groups, difference, use=use, n_arrows=n_arrows)
        show_figure(panels, key="difference", finding=said, how_to_read=HOW_PAIR)
    _facts(difference, factors)
    basis = basis_sentence(opened, everything(opened))
    show(as_html(f"{unit_sentence(difference)} {basis}", longest=800), kind="quiet")
    st.subheader("Genes", anchor=False)
    with st.container(key="split_genes"):
        left, right = st.columns([0.43, 0.57], gap="medium")
    with right:
        show_gene_table(difference.genes, difference.names)
    with left:
        colours = _colours(opened, groups)
        tested = difference.genes[difference.genes["q"].notna()]
        figure = plot_volcano(tested, names=groups.names, colours=colours, mode=mode())
        alt = f"Fold change of {len(tested):,} genes against how sure it is."
        panel = Panel(figure, "difference_genes", alt, difference.gene_table, "Genes", on_click=open_clicked_gene)
        lone = "" if difference.best is not None else f"{said} "
        show_figure(panel, key="volcano", finding=f"{lone}{genes_sentence(difference)}", how_to_read=HOW_GENES)
    st.subheader("Factors", anchor=False)
    show_factor_table(difference, factors)


def masks_of(opened: OpenRun, groups: Groups) -> tuple[np.ndarray, np.ndarray]:
    """(n_cells,) bool of both groups."""
    first = cells_at(opened, Level(groups.column, groups.first))
    second = ~first if groups.second == REST else cells_at(opened, Level(groups.column, groups.second))
    if groups.within is None:
        return first, second
    inside = cells_at(opened, Level(*groups.within))
    return first & inside, second & inside


@per_run(max_entries=32)
def _difference(opened: OpenRun, factors: Factors, groups: Groups) -> Later[Difference]:
    def work(report: Callable[[float], None]) -> Difference:
        columns = [groups.column, groups.within[0] if groups.within else None]
        made = compare_in_run(
            opened,
            factors,
            *masks_of(opened, groups),
            everything=everything(opened),
            sample_column=groups.samples,
            names=groups.names,
            chosen_on=chosen_factors(opened, factors, columns),
            report=report,
        )
        return noted(opened, made)

    return Later(work, at_once=is_quick(opened))


@per_run(max_entries=32)
def _outlines(opened: OpenRun, factors: Factors, groups: Groups, pair: Pair) -> dict[str, list[Contour]]:
    x, y = (factors.representation[:, factor] for factor in pair)
    first, second = masks_of(opened, groups)
    codes = np.full(len(first), -1, np.int8)
    codes[second], codes[first] = 1, 0
    label = pd.Series(pd.Categorical.from_codes(codes, pd.Index(groups.names)))
    rasters = type_rasters(x, y, label, groups.names, extent=window_of(raster_of(opened, factors, pair)))
    return {name: contours(raster) for name, raster in rasters.items()}


def _pair_panels(
    opened: OpenRun, factors: Factors, groups: Groups, difference: Difference, *, use: Use, n_arrows: int
) -> list[Panel]:
    best = difference.best
    assert best is not None
    colours = dict(zip(groups.names, _colours(opened, groups), strict=True))
    table = biplot_table(factors, best.pair, use=use, n_arrows=n_arrows)
    apart = single_out({(0, 1): difference.genes}, factors.gene_names, groups.names)
    arrows = point_arrows(table, best.directions, apart, n_each=max(1, round(n_arrows / 2)) if n_arrows else 0)
    cells = cells_panel(opened, factors, best.pair)
    lines = _outlines(opened, factors, groups, best.pair)
    x, y = (factors.label(factor) for factor in best.pair)
    figure = plot_density(
        raster_of(opened, factors, best.pair), x_title=x, y_title=y, contours=lines, colours=colours, mode=mode()
    )
    figure.update_layout(dragmode="zoom")
    genes = genes_panel(opened, factors, best.pair, use=use, table=arrows, colours=colours, n_arrows=n_arrows)
    return [cells._replace(figure=figure), genes]


def _facts(difference: Difference, factors: Factors) -> None:
    facts = [(plain(name, longest=32), _size(difference, number)) for number, name in enumerate(difference.names)]
    if (best := difference.best) is not None:
        facts += [
            ("Best pair of factors", f"{best.pair[0] + 1} and {best.pair[1] + 1}"),
            ("AUC of that pair", f"{difference.pair_auc:.3f}"),
            ("Balanced accuracy", percent(best.balanced_accuracy)),
        ]
    facts.append(("Genes that differ (q < 5%)", f"{difference.n_found:,} of {difference.n_tested:,}"))
    show(
        "".join(f"<div><span>{as_html(name)}</span><b>{as_html(value)}</b></div>" for name, value in facts),
        kind="facts",
    )
    if difference.best is not None:
        open_pair(difference.best.pair, key="open_difference")


def _size(difference: Difference, number: int) -> str:
    cells = count(difference.n_cells[number], "cell")
    return cells if difference.design is None else f"{cells}, {count(difference.design.n[number], 'sample')}"


def _colours(opened: OpenRun, groups: Groups) -> tuple[str, str]:
    given, rest = colours_of(opened, groups.column), palette(mode()).quiet
    return given.get(groups.first, rest), given.get(groups.second, rest)
