"""The three views of the Factors page."""

from collections.abc import Callable

import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.findings import factor_finding, pair_finding
from ldvae_core.analysis.numbers import explained
from ldvae_core.analysis.programs import Use, biplot_table, top_genes
from ldvae_core.analysis.raster import Raster, density_raster
from ldvae_core.plots.distribution import binned_densities, plot_distribution
from ldvae_core.plots.gallery import plot_thumbnail
from ldvae_core.plots.ranked import EFFECT_TITLES, plot_ranked_loadings
from ldvae_core.plots.theme import THUMBNAIL_CONFIG, Mode
from ldvae_core.runs.store import OpenRun
from pages.parts.colour.choice import Colour
from pages.parts.colour.draw import small_picture
from pages.parts.colour.legend import hidden_types, show_legend
from pages.parts.factor_table import AT_ONCE, factor_file_of, factor_table_of, following, say_following
from pages.parts.factors.cards import show_card, show_cards
from pages.parts.figures import Panel, download_table, show_figure
from pages.parts.header import derived_badge
from pages.parts.later import A_MOMENT, Later, show_waiting
from pages.parts.pair import Pair, cells_panel, genes_panel, open_clicked_gene, open_pair
from pages.parts.per_run import per_run
from pages.parts.pickers import factor_list, two_factors
from pages.parts.runs import colours_of
from pages.parts.selection.region import plane_of_pair, select_cells_on
from pages.parts.selection.views import HINT, point_to_selection, show_saved, show_selection
from pages.parts.style import mode

LIST_HEIGHT = 640  # px
MOST_PAIRS = 12  # of the gallery on one screen
RIDGES_EACH = 15  # types with the highest and with the lowest medians, beside a factor's genes
MOST_NAMES = 12  # of a thumbnail: more cannot be read in it
THUMBNAIL_HEIGHT = 200  # px: as high as its two frames are wide, three in a row at 1440
HOW_PAIR = (
    "**Left:** every cell, placed by its position on two factors; darker is more cells (to the power 0.25, so that "
    "single cells show too). **Right:** every gene, placed by how strongly it loads on the same two factors: "
    "natural-log change of its share of a cell's molecules per standard deviation of the factor. A cell far to the "
    "right is rich in the genes far to the right. Sign and order of factors are arbitrary; both ends count."
)
HOW_USAGE = " Here factors are shares: at least 0, and they sum to 1 in every cell, so axes start at 0."
HOW_RANKED = (
    "The first genes of both ends: by default those that carry the largest share of the factor's explained deviance; "
    "their effects with 90% intervals. An effect of 1 means that a cell one standard deviation "
    "higher on this factor has e = 2.7 times as large a share of that gene. Orange rises with the factor, blue falls."
)
HOW_RIDGES = (
    "How the cells of each type lie on this factor; each curve is scaled to its own peak, the stroke is the median. Of "
    f"more than {2 * RIDGES_EACH} types those of the highest and of the lowest medians."
)


def show_pair(opened: OpenRun, factors: Factors, second: int, *, use: Use, n_arrows: int, colour: Colour) -> None:
    """The list of factors beside the density and the biplot of the chosen one against `second`."""
    followed = following(opened, factors)
    with st.container(key="split"):
        left, right = st.columns([0.24, 0.76], gap="medium")
    with left:
        first = factor_list(factors, factor_table_of(opened, factors, wait=False), key="x", height=LIST_HEIGHT)
    pair = two_factors(first, second, factors.n_factors)
    with right:
        panels = [
            cells_panel(
                opened,
                factors,
                pair,
                colour=colour,
                hidden=hidden_types(colour, "legend"),
                on_area=select_cells_on(plane_of_pair(factors, pair)),
            ),
            genes_panel(opened, factors, pair, use=use, n_arrows=n_arrows),
        ]

        def below() -> None:
            show_legend(opened, colour, key="legend")
            point_to_selection(opened)

        how = HOW_PAIR + (HOW_USAGE if factors.are_usages else "")
        show_figure(
            panels,
            key="pair",
            finding=pair_finding(factors, pair, followed),
            how_to_read=how,
            legends=[below],
        )
        say_following(opened, factors)
        derived_badge(opened.counts, colour.column or opened.label_column)
    show_selection(opened, factors, hint=HINT)
    show_saved(opened)


def show_gallery(opened: OpenRun, factors: Factors, *, use: Use, n_arrows: int, colour: Colour) -> None:
    """Consecutive pairs as in Fig. 1c, each opening its large view."""
    active = [k for k in range(factors.n_factors) if factors.active[k]] or list(range(factors.n_factors))
    pairs = [(active[i], active[i + 1]) for i in range(0, len(active) - 1, 2)]
    if len(active) % 2 and len(active) > 1:
        pairs.append((active[-2], active[-1]))
    followed = following(opened, factors)
    pairs = pairs[:MOST_PAIRS]
    titled = tuple((pair, (factors.label(pair[0]), factors.label(pair[1]))) for pair in pairs)
    drawn = _draw_thumbnails(opened, factors, titled, use, n_arrows, colour, hidden_types(colour, "legend"), mode())
    figures = drawn.now(patience=A_MOMENT)
    if figures is None:
        words = f"Placing {factors.n_cells:,} cells on {len(pairs)} pairs of factors"
        show_waiting(drawn, words, key="gallery_progress")
        return
    with st.grid(3, min_column_width=330, gap="medium", key="gallery"):
        for pair in pairs:
            with st.container(gap="xsmall", key=f"pair_{pair[0]}_{pair[1]}"):
                _thumbnail(factors, pair, figures[pair], followed)
    show_legend(opened, colour, key="legend")
    with st.container(horizontal=True, vertical_alignment="center"):
        idle = factors.n_factors - len(active)
        st.caption(
            f"{len(active)} active factors in order of strength"
            + (f", {idle} inactive ones left out." if idle else ".")
        )
        download_table(lambda: factor_file_of(opened, factors), "factors", key="gallery_csv")
    say_following(opened, factors)
    st.subheader("All programs", anchor=False)
    show_cards(opened, factors)
    derived_badge(opened.counts, opened.label_column)


def show_one_factor(opened: OpenRun, factors: Factors, *, use: Use, n: int) -> None:
    """One factor: both ends' genes with intervals, and where each cell type lies on it."""
    followed = following(opened, factors)
    with st.container(key="split"):
        left, right = st.columns([0.24, 0.76], gap="medium")
    with left:
        factor = factor_list(factors, factor_table_of(opened, factors, wait=False), key="x", height=LIST_HEIGHT)
    with right:
        show_card(opened, factors, factor)
        genes = top_genes(factors, factor, n, use=use)
        name = factors.label(factor)
        figure = plot_ranked_loadings(genes, x_title=EFFECT_TITLES[use], mode=mode())
        alt = f"The first genes of {name} at both ends."
        panels = [Panel(figure, f"factor_{factor + 1}_genes", alt, genes, "Genes", on_click=open_clicked_gene)]
        if opened.label_column:
            panels.append(_ridges(opened, factors, factor))
        show_figure(panels, key="factor", finding=factor_finding(factors, factor, followed),
                    how_to_read=f"{HOW_RANKED}\n\n{HOW_RIDGES}")  # fmt: skip
        say_following(opened, factors)
        derived_badge(opened.counts, opened.label_column)


@per_run(max_entries=10)
def _draw_thumbnails(
    opened: OpenRun, factors: Factors, titled: tuple[tuple[Pair, tuple[str, str]], ...], use: Use, n_arrows: int,
    colour: Colour, hidden: tuple[str, ...], look: Mode,
) -> Later[dict[Pair, Figure]]:  # fmt: skip
    """The thumbnails of these pairs, each with the titles of its axes: beside the page where there are many cells."""
    rasters = _rasters(opened, factors)

    def work(report: Callable[[float], None]) -> dict[Pair, Figure]:
        figures = {}
        for pair, (x_title, y_title) in titled:
            if pair not in rasters:
                x, y = (factors.representation[:, factor] for factor in pair)
                rasters[pair] = density_raster(x, y, from_zero=factors.are_usages)
            table = biplot_table(factors, pair, use=use, n_arrows=min(n_arrows, MOST_NAMES))
            figures[pair] = plot_thumbnail(
                rasters[pair],
                table,
                x_title=x_title,
                y_title=y_title,
                picture=small_picture(opened, factors, pair, rasters[pair], colour, hidden, look),
                mode=look,
                height=THUMBNAIL_HEIGHT,
            )
            report(len(figures) / len(titled))
        return figures

    return Later(work, at_once=factors.representation.size <= AT_ONCE)


@per_run(max_entries=6)
def _rasters(opened: OpenRun, factors: Factors) -> dict[Pair, Raster]:
    """Cells per bin of the pairs of a gallery, filled by whoever draws them first."""
    return {}


def _thumbnail(factors: Factors, pair: Pair, figure: Figure, followed: pd.DataFrame | None) -> None:
    finding = pair_finding(factors, pair, followed)
    share = " and ".join(explained(factors.explained_deviance[k]) for k in pair)
    st.plotly_chart(figure, theme=None, key=f"thumb_{pair[0]}_{pair[1]}", config=THUMBNAIL_CONFIG, alt=finding)
    words = f"Factors {pair[0] + 1} and {pair[1] + 1} · {share}"
    open_pair(pair, key=f"open_{pair[0]}_{pair[1]}", words=words)


def _ridges(opened: OpenRun, factors: Factors, factor: int) -> Panel:
    column = str(opened.label_column)
    labels = opened.labels(column)
    table = binned_densities(factors.representation[:, factor], labels, [str(name) for name in labels.cat.categories])
    name, shown, said = factors.label(factor), table, ""
    medians = table.drop_duplicates("group").set_index("group")["median"].sort_values()
    if len(medians) > 2 * RIDGES_EACH:  # the Cell types page has them all
        shown = table[table["group"].isin([*medians.index[:RIDGES_EACH], *medians.index[-RIDGES_EACH:]])]
        said = f", first and last {RIDGES_EACH} of {len(medians)} types"
    figure = plot_distribution(shown, x_title=f"{name}{said}", colours=colours_of(opened, column), mode=mode())
    return Panel(figure, f"factor_{factor + 1}_cells", f"Distribution of {name} in each type.", table, "Cells")
