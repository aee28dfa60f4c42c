"""Maps that came with the file, each beside a pair of factors or another map: cells selected in one show in both."""

import numpy as np
import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure
from streamlit.delta_generator import DeltaGenerator

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.raster import density_raster
from ldvae_core.data.own_maps import is_spatial
from ldvae_core.errors import LdvaeError
from ldvae_core.plots.density import mark_cells, window_of
from ldvae_core.plots.frame import PAIR_HEIGHT
from ldvae_core.plots.theme import Mode
from ldvae_core.runs.store import OpenRun
from pages.parts.colour.choice import NOTHING, Colour, colour_picker, say_missing_colour
from pages.parts.colour.draw import draw_cells, raster_on
from pages.parts.colour.legend import hidden_types, show_legend
from pages.parts.figures import Panel, show_figure
from pages.parts.header import derived_badge
from pages.parts.per_run import per_run
from pages.parts.pickers import factor_select, replace_absent, two_factors
from pages.parts.selection.region import FAULT, Chosen, Plane, chosen_cells, own_plane, plane_of_pair, select_cells_on
from pages.parts.selection.views import HINT, point_to_selection, show_saved, show_selection
from pages.parts.style import mode
from pages.parts.tables import with_labels
from pages.parts.text import plain

OF_RUN, PAIR, OF_FILE = "run", "factors", "file:"  # options; of a map of the file, OF_FILE and its name
HOW = (
    "**Left:** places that came with the file; nothing of the programs went into them. **Right:** the same cells on "
    "two factors, or on another map. Draw around cells on either side: they are marked on both, and what sets them "
    "apart is said below. Places in a tissue have one scale for both axes, and y runs downwards as in a picture of it. "
    "Cells without a place are not drawn."
)


def pick_map(opened: OpenRun) -> str:
    """Which map to show, kept in the address: OF_RUN, or one that came with the file, as show_own_map takes it."""
    options = [OF_RUN, *_options(opened)]
    replace_absent("map_of", options, OF_RUN)
    return st.selectbox("Map", options, format_func=_called, key="map_of", bind="query-params", width=230)


def _options(opened: OpenRun) -> list[str]:
    return [f"{OF_FILE}{name}" for name in opened.counts.maps]


def show_own_map(opened: OpenRun, factors: Factors, option: str, controls: DeltaGenerator) -> None:
    """A map of the file, and beside it a pair of factors or another one, in one colouring. controls: where to ask."""
    with controls:
        others = [PAIR, *(other for other in _options(opened) if other != option)]
        others = others if factors.n_factors > 1 else others[1:] or [option]
        replace_absent("map_beside", others, others[0])
        beside = st.selectbox(
            "Beside it", others, format_func=_called, key="map_beside", bind="query-params", width=190
        )
        pair = (0, 0)
        if beside == PAIR:
            first = factor_select("Across", factors, key="map_x", default=0)
            second = factor_select("Up", factors, key="map_y", default=1)
            pair = two_factors(first, second, factors.n_factors)
        default = opened.label_column or NOTHING
        colour = colour_picker(opened, factors, "Colour cells by", key="map_colour", default=default, width=210)
    say_missing_colour(opened, "map_colour")
    name, other = option.removeprefix(OF_FILE), beside.removeprefix(OF_FILE)
    left = own_plane(opened, name)
    if beside == PAIR:
        right, titles = plane_of_pair(factors, pair), (factors.label(pair[0]), factors.label(pair[1]))
    else:
        right, titles = own_plane(opened, other), _titles(other)
    chosen, hidden = _chosen(opened), hidden_types(colour, "own_map_legend")
    panels = [
        _panel(opened, factors, plane, words, colour, hidden, chosen, label)
        for plane, words, label in ((left, _titles(name), "Map"), (right, titles, "Beside it"))
    ]

    def below() -> None:
        show_legend(opened, colour, key="own_map_legend")
        point_to_selection(opened)

    show_figure(panels, key="own_map", finding=_finding(opened, name), how_to_read=HOW, legends=[below])
    derived_badge(opened.counts, colour.column or opened.label_column)
    show_selection(opened, factors, hint=HINT)
    show_saved(opened)


def _called(option: str) -> str:
    named = {OF_RUN: "UMAP of this run", PAIR: "two factors"}
    return named.get(option) or plain(f"{option.removeprefix(OF_FILE).removeprefix('X_')} of the file", longest=50)


def _titles(name: str) -> tuple[str, str]:
    if is_spatial(name):
        return "x in the tissue", "y in the tissue (downwards)"
    bare = plain(name.removeprefix("X_"), longest=30)
    return f"{bare} 1", f"{bare} 2"


def _chosen(opened: OpenRun) -> Chosen | None:
    try:
        return chosen_cells(opened)
    except LdvaeError as fault:
        st.session_state[FAULT] = fault  # for show_selection to say
        return None


def _panel(
    opened: OpenRun, factors: Factors, plane: Plane, titles: tuple[str, str], colour: Colour, hidden: tuple[str, ...],
    chosen: Chosen | None, label: str,
) -> Panel:  # fmt: skip
    figure = _draw(opened, factors, plane, titles, colour, hidden, factors.names, chosen, mode())
    marked = f" {chosen.n_cells:,} selected cells are marked." if chosen is not None else ""
    alt = f"{opened.counts.n_cells:,} cells over {titles[0]} and {titles[1]}, coloured by {colour.said}.{marked}"
    name = label.lower().replace(" ", "_")
    return Panel(figure, name, alt, lambda: _table(opened, plane, titles), label, on_area=select_cells_on(plane))


@per_run(max_entries=24)
def _draw(
    opened: OpenRun, factors: Factors, plane: Plane, titles: tuple[str, str], colour: Colour, hidden: tuple[str, ...],
    names: tuple[str, ...], chosen: Chosen | None, look: Mode,
) -> Figure:  # fmt: skip
    """names: of the factors."""
    of_pair = factors.are_usages and plane.name.startswith(factors.axes)
    figure = draw_cells(opened, factors, plane, titles, colour, hidden=hidden, from_zero=of_pair, height=PAIR_HEIGHT,
                        look=look)  # fmt: skip
    if chosen is not None and chosen.n_cells:
        window = window_of(raster_on(opened, plane, of_pair))
        x, y = (np.asarray(values)[chosen.cells] for values in (plane.x, plane.y))
        mark_cells(figure, density_raster(x, y, extent=window), mode=look)
    if not plane.name.startswith(factors.axes):
        axis = {"showticklabels": False, "zeroline": False}
        figure.update_layout(xaxis=axis, yaxis=axis)
    return figure.update_layout(dragmode="lasso")


def _table(opened: OpenRun, plane: Plane, titles: tuple[str, str]) -> pd.DataFrame:
    downwards = "downwards" in titles[1]
    return with_labels(pd.DataFrame({"cell": opened.counts.cell_ids, titles[0]: np.asarray(plane.x),
                                     titles[1]: -plane.y if downwards else np.asarray(plane.y)}), opened)  # fmt: skip


@per_run(max_entries=12)
def _finding(opened: OpenRun, name: str) -> str:
    placed = int(np.isfinite(np.asarray(opened.counts.maps[name])).all(axis=1).sum())
    n = opened.counts.n_cells
    where = "places in the tissue" if is_spatial(name) else "places on a map"
    missing = "" if placed == n else f"; {n - placed:,} cells have none"
    return f"{plain(name, longest=60)} holds {where} that came with the file, of {placed:,} cells{missing}."
