"""The map: all cells in one picture, neighbours in the factors side by side, coloured by what one asks for."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.raster import Raster, density_raster, mean_raster, square_extent, type_rasters
from ldvae_core.plots.density import plot_density, plot_mean, plot_types
from ldvae_core.plots.theme import Mode, cells_title
from ldvae_core.runs.additions import LEIDEN
from ldvae_core.runs.maps import read_map
from ldvae_core.runs.store import OpenRun
from pages.parts.factors.map_progress import offer_map, recompute, show_progress, status_of
from pages.parts.figures import Panel, show_figure
from pages.parts.header import derived_badge
from pages.parts.per_run import per_run
from pages.parts.pickers import replace_absent
from pages.parts.runs import colours_of, store
from pages.parts.selection.region import Plane, map_plane, select_cells_on
from pages.parts.selection.views import HINT, show_saved, show_selection
from pages.parts.style import mode
from pages.parts.tables import with_labels
from pages.parts.text import plain

HEIGHT = 500  # px
NOTHING, FACTOR = "none", "factor:"
HOW_MAP = (
    "UMAP lays cells out so that those near each other in all active factors lie near each other here; clusters are "
    "Leiden communities of the same neighbours. Who is next to whom is meaningful; the axes, the distances between "
    "far groups and the areas are not: read those off the factors. Darker or more opaque is more cells (to the power "
    "0.25). In the colours of an annotation, a spot has the mix of its cells' colours; for a factor, their mean."
)


def show_map(opened: OpenRun, factors: Factors) -> None:
    """The map of the run in two colourings; without one, what it is and how to get it; while it is made, how far."""
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
        left = _colour_picker(opened, factors, "Left", key="map_left", default=opened.label_column or NOTHING)
        right = _colour_picker(opened, factors, "Right", key="map_right", default=LEIDEN)
        recompute(opened, status)
    panels = [_panel(opened, factors, plane, colour, side) for side, colour in (("left", left), ("right", right))]
    show_figure(panels, key="map", finding=_finding(opened, factors, plane, opened.label_column), how_to_read=HOW_MAP)
    for column in dict.fromkeys((left, right)):
        if column != LEIDEN:
            derived_badge(opened.counts, column)
    derived_badge(opened.counts, LEIDEN)
    show_selection(opened, factors, hint=HINT)
    show_saved(opened)


def _panel(opened: OpenRun, factors: Factors, plane: Plane, colour: str, side: str) -> Panel:
    """The map in one colouring. colour: an annotation, "factor:3" (counted from 0), or "none" for the density."""
    figure, said = _draw(opened, factors, plane, colour, factors.names, mode())
    alt = f"UMAP of {factors.n_cells:,} cells on the factors, coloured by {said}."
    name, label = f"map_{side}", f"Map, {side}"
    return Panel(figure, name, alt, lambda: _table(opened), label, on_area=select_cells_on(plane))


@per_run(max_entries=24)
def _draw(
    opened: OpenRun, factors: Factors, plane: Plane, colour: str, names: tuple[str, ...], look: Mode
) -> tuple[Figure, str]:
    """The map in one colouring, to be shown as it is, and what it is coloured by. names: of the factors."""
    shared: dict[str, Any] = {"x_title": "UMAP 1", "y_title": "UMAP 2", "mode": look, "height": HEIGHT}
    if colour in opened.counts.annotations.columns:
        rasters = _rasters_of_types(opened, plane, colour)
        figure, said = plot_types(rasters, colours_of(opened, colour), **shared), plain(colour, longest=60)
    elif (factor := _factor_of(colour, factors)) is not None:
        mean, raster = _means(opened, factors, plane, factor)
        title = cells_title(factor, factors.prior, name=factors.name_of(factor))
        figure, said = plot_mean(mean, raster, value_title=f"Mean {title}", **shared), factors.label(factor)
    else:
        figure, said = plot_density(_density(opened, plane), **shared), "the number of cells"
    hidden = {"showticklabels": False, "zeroline": False}
    figure.update_layout(dragmode="lasso", xaxis=hidden, yaxis=hidden)
    return figure, said


@per_run(max_entries=8)
def _density(opened: OpenRun, plane: Plane) -> Raster:
    return density_raster(plane.x, plane.y)


@per_run(max_entries=3)  # 10 MB each for 37 types; the figures are kept too
def _rasters_of_types(opened: OpenRun, plane: Plane, column: str) -> dict[str, Raster]:
    labels = opened.labels(column)
    return type_rasters(plane.x, plane.y, labels, [str(name) for name in labels.cat.categories])


@per_run(max_entries=32)
def _means(opened: OpenRun, factors: Factors, plane: Plane, factor: int) -> tuple[np.ndarray, Raster]:
    values = np.asarray(factors.representation[:, factor], np.float64)
    return mean_raster(plane.x, plane.y, values, extent=square_extent(plane.x, plane.y))


def _colour_picker(opened: OpenRun, factors: Factors, label: str, *, key: str, default: str) -> str:
    columns = list(opened.label_columns)
    options = [NOTHING, *columns, *(f"{FACTOR}{k}" for k in range(factors.n_factors))]
    place = options.index(default) if default in options else 0
    replace_absent(key, options, options[place])

    def words(option: str) -> str:
        factor = None if option in columns else _factor_of(option, factors)
        if factor is not None:
            return plain(factors.label(factor), longest=40)
        return "Number of cells" if option == NOTHING and option not in columns else plain(option, longest=40)

    return st.selectbox(f"Colour, {label.lower()}", options, index=place, format_func=words, key=key,
                        bind="query-params", width=230)  # fmt: skip


def _factor_of(colour: str, factors: Factors) -> int | None:
    number = colour.removeprefix(FACTOR)
    found = int(number) if colour.startswith(FACTOR) and number.isascii() and number.isdigit() else -1
    return found if 0 <= found < factors.n_factors else None


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
    side = "high" if distance[k] > 0 else "low"
    return f"{first}; {largest}, which lie {side} on {factors.label(k)}."
