"""New cells on all pairs of factors at once, over the run's own cells in grey."""

import numpy as np
import streamlit as st
from plotly.graph_objects import Figure

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import Use, biplot_table
from ldvae_core.analysis.raster import density_raster
from ldvae_core.plots.density import POWER, behind_picture, mean_picture, over, window_of
from ldvae_core.plots.gallery import plot_thumbnail
from ldvae_core.plots.theme import THUMBNAIL_CONFIG, Mode
from ldvae_core.runs.store import OpenRun
from pages.parts.colour.choice import Colour
from pages.parts.colour.draw import SMALL_BINS, small_picture
from pages.parts.colour.legend import hidden_types, show_legend
from pages.parts.factors.placed_window import window_with_run
from pages.parts.pair import Pair
from pages.parts.per_run import per_run
from pages.parts.style import mode
from pages.parts.text import show

MOST_PAIRS, HEIGHT, ARROWS = 12, 200, 6


def show_placed_gallery(
    opened: OpenRun, factors: Factors, run: OpenRun, drawn: Factors, *, colour: Colour, use: Use
) -> None:
    """Consecutive pairs, as the Gallery has them. run, drawn: the new cells, and their positions on these factors."""
    active = [k for k in range(factors.n_factors) if factors.active[k]] or list(range(factors.n_factors))
    pairs = [(active[i], active[i + 1]) for i in range(0, len(active) - 1, 2)]
    if len(active) % 2 and len(active) > 1:
        pairs.append((active[-2], active[-1]))
    titled = tuple((pair, (factors.label(pair[0]), factors.label(pair[1]))) for pair in pairs[:MOST_PAIRS])
    figures = _draw(opened, factors, run, drawn, titled, use, colour, hidden_types(colour, "placed_legend"), mode())
    with st.grid(3, min_column_width=330, gap="medium", key="placed_gallery"):
        for pair, titles in titled:
            with st.container(gap="xsmall", key=f"placed_pair_{pair[0]}_{pair[1]}"):
                alt = f"{drawn.n_cells:,} new cells over {titles[0]} and {titles[1]}, cells of the run behind."
                st.plotly_chart(figures[pair], theme=None, key=f"placed_thumb_{pair[0]}_{pair[1]}",
                                config=THUMBNAIL_CONFIG, alt=alt)  # fmt: skip
                show(f"Factors {pair[0] + 1} and {pair[1] + 1}", kind="quiet")
    show_legend(run, colour, key="placed_legend")


@per_run(max_entries=6, spinner="Drawing the new cells")
def _draw(
    opened: OpenRun, factors: Factors, run: OpenRun, drawn: Factors, titled: tuple[tuple[Pair, tuple[str, str]], ...],
    use: Use, colour: Colour, hidden: tuple[str, ...], look: Mode,
) -> dict[Pair, Figure]:  # fmt: skip
    figures = {}
    for pair, (x_title, y_title) in titled:
        window = window_with_run(opened, factors, drawn, pair)
        own, new = (
            density_raster(*(each.representation[:, k] for k in pair), bins=SMALL_BINS, extent=window)
            for each in (factors, drawn)
        )
        picture = small_picture(run, drawn, pair, new, colour, hidden, look)
        if picture is None:
            picture = mean_picture(np.where(new.counts > 0, new.counts**POWER, np.nan), look)
        assert window_of(new) == window_of(own)
        figures[pair] = plot_thumbnail(
            new, biplot_table(factors, pair, use=use, n_arrows=ARROWS), x_title=x_title, y_title=y_title,
            picture=over(picture, behind_picture(own, look)), mode=look, height=HEIGHT,
        )  # fmt: skip
    return figures
