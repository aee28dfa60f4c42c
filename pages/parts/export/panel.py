"""A figure for a paper: a pair of factors, what their cells and genes are, as one drawing of print size."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import biplot_table, top_genes
from ldvae_core.analysis.raster import contours, type_rasters
from ldvae_core.plots.biplot import plot_biplot
from ldvae_core.plots.density import plot_density
from ldvae_core.plots.figure_panel import Place, join_figures
from ldvae_core.plots.heatmap import plot_association
from ldvae_core.plots.ranked import plot_ranked_loadings
from ldvae_core.plots.theme import chart_config
from ldvae_core.runs.store import OpenRun
from pages.parts.factor_table import associations, say_associations
from pages.parts.pair import raster_of
from pages.parts.per_run import per_run
from pages.parts.pickers import factor_select, two_factors
from pages.parts.runs import colours_of
from pages.parts.text import plain, show

WIDTH, SIDE, GAP = 1000, 480, 20  # px
MOST_OUTLINED = 4
TOP, ARROWS = 8, 10  # genes of each end; with an arrow
HOW = (
    "**a** cells on two factors, with the regions that hold 25, 50, 75 and 90% of the cells of some types. **b** genes "
    "on the same factors; the arrows are the ten that load most. Then every factor with every type (AUC: 1, all cells "
    "of the type lie above all others; 0, below), and the first genes of both factors with their 90% intervals."
)


def show_panel(opened: OpenRun, factors: Factors) -> None:
    """The choices, the drawing, and a button that saves it."""
    st.subheader("A figure for a paper", anchor=False)
    if factors.n_factors < 2:
        show("It shows two factors, and this run has one.", kind="quiet")
        return
    column = opened.label_column
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="panel_controls"):
        x = factor_select("Across", factors, key="panel_x", default=0)
        y = factor_select("Up", factors, key="panel_y", default=1)
        outlined = _types(opened, factors, two_factors(x, y, factors.n_factors), column) if column else []
        show(
            '<button class="gpe-save" data-figure="paper_panel" data-format="svg">Save as SVG</button> '
            '<button class="gpe-save" data-figure="paper_panel" data-format="png">Save as PNG</button>',
            kind="files", width="content",
        )  # fmt: skip
    if column and associations(opened, factors) is None:
        say_associations(opened, factors)
        return
    figure = _draw(opened, factors, two_factors(x, y, factors.n_factors), column, tuple(outlined),
                   tuple(factors.label(k) for k in range(factors.n_factors)))  # fmt: skip
    with st.container(key="paper_panel_frame"):
        st.plotly_chart(
            figure, theme=None, key="paper_panel", width=WIDTH, on_select="ignore",
            config=_config(opened, figure),
            alt=f"Cells and genes on {plain(factors.label(x))} and {plain(factors.label(y))}, factors by type, and the "
            "first genes of both.",
        )  # fmt: skip
    with st.popover("How to read this", icon=":material/help:", type="tertiary", width="content"):
        st.markdown(HOW)


def _types(opened: OpenRun, factors: Factors, pair: tuple[int, int], column: str) -> list[str]:
    """Types to outline, at first those at the ends of the two factors."""
    names = [str(name) for name in opened.labels(column).cat.categories]
    table = associations(opened, factors)
    first: list[str] = []
    if table is not None:
        for factor in pair:
            rows = table[(table["factor"] == factor) & table["auc"].notna()].sort_values("auc")
            ends = [rows.iloc[-1]["cell_type"], rows.iloc[0]["cell_type"]] if len(rows) else []
            first += [str(name) for name in ends if str(name) in names]
    return st.multiselect("Types outlined", names, default=list(dict.fromkeys(first))[:MOST_OUTLINED],
                          max_selections=MOST_OUTLINED, key=f"panel_types_{column}_{pair[0]}_{pair[1]}",
                          format_func=plain, width=420)  # fmt: skip


@per_run(max_entries=8, spinner="Drawing the figure")
def _draw(
    opened: OpenRun, factors: Factors, pair: tuple[int, int], column: str | None, outlined: tuple[str, ...],
    labels: tuple[str, ...],
) -> go.Figure:  # fmt: skip
    """In light colours whatever the screen has: it is for paper."""
    x, y = pair
    lines, colours = {}, {}
    if column and outlined:
        across, up = (factors.representation[:, factor] for factor in pair)
        rasters = type_rasters(across, up, opened.labels(column), list(outlined), from_zero=factors.are_usages)
        lines, given = {name: contours(raster) for name, raster in rasters.items()}, colours_of(opened, column)
        colours = {name: given[name] for name in outlined}
    loading = [f"{labels[factor]} loading" for factor in pair]
    cells = plot_density(raster_of(opened, factors, pair), contours=lines, colours=colours, x_title=labels[x],
                         y_title=labels[y], height=SIDE)  # fmt: skip
    table = biplot_table(factors, pair, n_arrows=ARROWS)
    genes = plot_biplot(table, x_title=loading[0], y_title=loading[1], height=SIDE)
    parts = [Place(cells, 0, 0, SIDE + GAP // 2, SIDE), Place(genes, SIDE + GAP, 0, SIDE, SIDE)]
    bottom = float(SIDE + GAP)
    found = associations(opened, factors) if column else None
    if found is not None and len(found):
        heat = plot_association(found, value="auc")
        high = float(heat.layout.height)
        parts.append(Place(heat, 0, bottom, min(WIDTH, _natural_width(heat, factors.n_factors)), high))
        bottom += high + GAP
    ranked = [plot_ranked_loadings(top_genes(factors, factor, TOP), x_title=f"{title} (log fold change per SD)")
              for factor, title in zip(pair, loading, strict=True)]  # fmt: skip
    high = max(float(figure.layout.height) for figure in ranked)
    parts += [Place(figure, number * (SIDE + GAP), bottom, SIDE, high) for number, figure in enumerate(ranked)]
    return join_figures(parts, width=WIDTH, height=bottom + high)


def _config(opened: OpenRun, figure: go.Figure) -> dict[str, Any]:
    """Saved at its own size, whatever the window left it."""
    config = chart_config(f"{opened.run_id}_panel")
    size = {"width": figure.layout.width, "height": figure.layout.height}
    return config | {"responsive": False, "toImageButtonOptions": config["toImageButtonOptions"] | size}


def _natural_width(heat: go.Figure, n_factors: int) -> float:
    """Square-ish cells: no wider than they need."""
    return float(heat.layout.margin.l + heat.layout.margin.r + 46 * np.clip(n_factors, 6, 40))
