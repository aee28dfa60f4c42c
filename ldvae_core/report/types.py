"""The section on cell types: which factors separate them, and the plane of the two strongest factors."""

import numpy as np

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.findings import auc_words
from ldvae_core.analysis.programs import biplot_table
from ldvae_core.analysis.raster import density_raster, square_extent, type_rasters
from ldvae_core.analysis.separation import association_table
from ldvae_core.plots.biplot import plot_biplot
from ldvae_core.plots.density import plot_density, plot_types
from ldvae_core.plots.heatmap import plot_association
from ldvae_core.plots.theme import type_colours
from ldvae_core.report.page import Section, figure, table
from ldvae_core.runs.opened import OpenRun

SIDE, ARROWS = 620, 12  # px; genes with an arrow
MOST_TYPES = 100


def types_section(opened: OpenRun, factors: Factors) -> Section:
    """The heat map and the best factor of every type; then cells and genes on the first two active factors."""
    if not factors.n_factors:
        return Section("Cells", "")
    body = "" if opened.label_column is None else _types(opened, factors, opened.label_column)
    active = [factor for factor in range(factors.n_factors) if factors.active[factor]]
    if len(active) > 1:
        body += _pair(opened, factors, (active[0], active[1]))
    return Section("Cells and their types", body)


def _types(opened: OpenRun, factors: Factors, column: str) -> str:
    found = association_table(factors, opened.labels(column))
    known = found[found["auc"].notna()]
    rows = []
    for name, own in known.groupby("cell_type", sort=False, observed=True):
        best = own.iloc[int((own["auc"] - 0.5).abs().argmax())]
        high = best["auc"] >= 0.5
        rows.append([name, f"{int(best['n_cells']):,}", factors.label(int(best["factor"])), "high" if high else "low",
                     auc_words(float(best["auc"] if high else 1 - best["auc"]))])  # fmt: skip
    caption = (
        f"Chance that a cell of the type ({column}) lies higher on the factor than one of another type (AUC): 1, all "
        "of them do; 0, none; 0.5, as likely as not."
    )
    heat = plot_association(found, value="auc")
    columns = ["Type", "Cells", "Factor that separates it best", "End", "AUC"]
    drawn = figure(heat, caption, key="types", width=int(np.clip(260 + 46 * factors.n_factors, 480, 1_000)))
    return drawn + table(columns, rows, numbers=("Cells", "AUC"))


def _pair(opened: OpenRun, factors: Factors, pair: tuple[int, int]) -> str:
    x, y = (np.asarray(factors.representation[:, factor]) for factor in pair)
    titles = [factors.label(factor) for factor in pair]
    extent, column = square_extent(x, y, from_zero=factors.are_usages), opened.label_column
    labels = None if column is None else opened.labels(column)
    if labels is not None and len(labels.cat.categories) <= MOST_TYPES:
        names = [str(name) for name in labels.cat.categories]
        colours = type_colours(names, opened.given_colours(str(column)))
        cells = plot_types(type_rasters(x, y, labels, names, extent=extent), colours, x_title=titles[0],
                           y_title=titles[1], height=SIDE)  # fmt: skip
        words = f"Cells on the two strongest factors, coloured by {column}."
    else:
        cells = plot_density(density_raster(x, y, extent=extent), x_title=titles[0], y_title=titles[1], height=SIDE)
        words = "Density of cells on the two strongest factors."
    genes = plot_biplot(biplot_table(factors, pair, n_arrows=ARROWS), x_title=f"{titles[0]} loading",
                        y_title=f"{titles[1]} loading", height=SIDE)  # fmt: skip
    return figure(cells, words, key="cells", width=SIDE) + figure(
        genes, "Genes on the same two factors; arrows are those that load most.", key="genes", width=SIDE
    )
