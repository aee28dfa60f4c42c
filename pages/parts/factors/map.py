"""The map: all cells in one picture, neighbours in the factors side by side, coloured by what one asks for."""

import functools

import numpy as np
import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from ldvae_core.analysis.factors import Factors
from ldvae_core.plots.theme import Mode
from ldvae_core.runs.additions import LEIDEN
from ldvae_core.runs.maps import read_map
from ldvae_core.runs.store import OpenRun
from pages.parts.colour.choice import NOTHING, Colour, colour_picker, say_missing_colour
from pages.parts.colour.draw import draw_cells
from pages.parts.colour.legend import hidden_types, show_legend
from pages.parts.factors.map_progress import offer_map, recompute, show_progress, status_of
from pages.parts.factors.own_maps import OF_RUN, pick_map, show_own_map
from pages.parts.figures import Panel, show_figure
from pages.parts.header import derived_badge
from pages.parts.per_run import per_run
from pages.parts.runs import store
from pages.parts.selection.region import Plane, map_plane, select_cells_on
from pages.parts.selection.views import HINT, show_saved, show_selection
from pages.parts.style import mode
from pages.parts.tables import with_labels
from pages.parts.text import plain

HEIGHT = 500  # px
NOTABLE = 0.5  # sd of a factor that the mean of a cluster lies off its centre, before that is said
HOW_MAP = (
    "UMAP lays cells out so that those near each other in all active factors lie near each other here; clusters are "
    "Leiden communities of the same neighbours. Who is next to whom is meaningful; the axes, the distances between "
    "far groups and the areas are not: read those off the factors. Darker or more opaque is more cells (to the power "
    "0.25). In the colours of an annotation, a spot has the mix of its cells' colours; for a factor or genes, their "
    "mean."
)


def show_map(opened: OpenRun, factors: Factors) -> None:
    """The map of the run in two colourings; without one, what it is and how to get it; while it is made, how far.

    Or one of those that came with the file.
    """
    if opened.counts.maps:
        controls = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="own_map_controls")
        with controls:
            option = pick_map(opened)
        if option != OF_RUN:
            show_own_map(opened, factors, option, controls)
            return
    status = status_of(opened)
    if status.state != "ready":
        show_progress(opened, status)
    if not status.about:
        if status.state != "running":
            offer_map(opened, status)
        return
    plane = map_plane(opened)
    if plane is None:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="map_controls"):
        colours = {
            side: colour_picker(opened, factors, f"Colour, {side}", key=f"map_{side}", default=default, width=230)
            for side, default in (("left", opened.label_column or NOTHING), ("right", LEIDEN))
        }
        recompute(opened, status)
    say_missing_colour(opened, "map_left", "map_right")
    panels = [_panel(opened, factors, plane, colour, side) for side, colour in colours.items()]
    legends = [functools.partial(show_legend, opened, colour, key=f"legend_{side}") for side, colour in colours.items()]
    finding = _finding(opened, factors, plane, opened.label_column)
    show_figure(panels, key="map", finding=finding, how_to_read=HOW_MAP, legends=legends)
    for column in dict.fromkeys(colour.column for colour in colours.values()):
        if column != LEIDEN:
            derived_badge(opened.counts, column)
    derived_badge(opened.counts, LEIDEN)
    show_selection(opened, factors, hint=HINT)
    show_saved(opened)


def _panel(opened: OpenRun, factors: Factors, plane: Plane, colour: Colour, side: str) -> Panel:
    """The map in one colouring."""
    figure = _draw(opened, factors, plane, colour, hidden_types(colour, f"legend_{side}"), factors.names, mode())
    alt = f"UMAP of {factors.n_cells:,} cells on the factors, coloured by {colour.said}."
    name, label = f"map_{side}", f"Map, {side}"
    return Panel(figure, name, alt, lambda: _table(opened), label, on_area=select_cells_on(plane))


@per_run(max_entries=24)
def _draw(
    opened: OpenRun, factors: Factors, plane: Plane, colour: Colour, hidden: tuple[str, ...], names: tuple[str, ...],
    look: Mode,
) -> Figure:  # fmt: skip
    """The map in one colouring, to be shown as it is. names: of the factors."""
    figure = draw_cells(opened, factors, plane, ("UMAP 1", "UMAP 2"), colour, hidden=hidden, height=HEIGHT, look=look)
    axis = {"showticklabels": False, "zeroline": False}
    return figure.update_layout(dragmode="lasso", xaxis=axis, yaxis=axis)


def _table(opened: OpenRun) -> pd.DataFrame:
    found = read_map(store().workspace, opened.run_id, opened.counts.n_cells)
    if found is None:
        return pd.DataFrame()
    table = pd.DataFrame({"cell": opened.counts.cell_ids, "UMAP 1": found.positions[:, 0],
                          "UMAP 2": found.positions[:, 1], "cluster": np.asarray(found.clusters) + 1})  # fmt: skip
    return with_labels(table, opened)


@per_run(max_entries=8)
def _finding(opened: OpenRun, factors: Factors, plane: Plane, column: str | None) -> str:
    """How many clusters there are, and what the largest one is. plane: the map they were found with."""
    found = read_map(store().workspace, opened.run_id, opened.counts.n_cells)
    if found is None:
        return ""
    clusters = np.asarray(found.clusters)
    sizes = np.bincount(clusters)
    first = f"{len(sizes):,} cluster{'s' * (len(sizes) != 1)} in the space of the factors"
    largest = f"Cluster 1, the largest, holds {sizes[0] / len(clusters):.0%} of the cells"
    if column is not None and column != LEIDEN:
        labels = opened.labels(column)
        types = labels.cat.codes.to_numpy()[clusters == 0]
        counts = np.bincount(types[types >= 0], minlength=1)
        kind = plain(labels.cat.categories[int(counts.argmax())], longest=60)
        return f"{first}; {largest}, and {counts.max() / sizes[0]:.0%} of them are {kind}."
    means = [np.mean(factors.representation[:, k][clusters == 0], dtype=np.float64) for k in range(factors.n_factors)]
    scale = np.where(factors.scale > 0, factors.scale, np.inf)
    distance = (np.array(means) - factors.centre) / scale
    k = int(np.abs(distance).argmax())
    if not abs(distance[k]) >= NOTABLE:
        return f"{first}; {largest}."
    side = "high" if distance[k] > 0 else "low"
    return f"{first}; {largest}, which lie {side} on {factors.label(k)}."
