"""The map: all cells in one picture, neighbours in the factors side by side, coloured by what one asks for."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.neighbours import CellMap
from ldvae_core.analysis.raster import Raster, density_raster, mean_raster, square_extent, type_rasters
from ldvae_core.errors import RunError
from ldvae_core.plots.density import plot_density, plot_mean, plot_types
from ldvae_core.plots.theme import Mode, cells_title
from ldvae_core.runs.additions import LEIDEN
from ldvae_core.runs.maps import read_map
from ldvae_core.runs.store import OpenRun
from pages.parts.factors.map_progress import offer_map, recompute, show_progress, status_of
from pages.parts.figures import Panel, show_figure
from pages.parts.header import derived_badge
from pages.parts.runs import colours_of, store
from pages.parts.selection.region import MAP, Plane, answer_area
from pages.parts.selection.views import HINT, show_saved, show_selection
from pages.parts.style import mode
from pages.parts.text import plain

HEIGHT = 500  # px
NOTHING, FACTOR = "none", "factor:"
Coordinates = tuple[np.ndarray, np.ndarray]  # x, y of every cell
TITLES = {"x_title": "UMAP 1", "y_title": "UMAP 2"}
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
    on_area = answer_area(Plane(MAP, "the map", *plane))
    panels = [map_panel(opened, colour, factors, on_area=on_area) for colour in (left, right)]
    panels = [panel._replace(name=f"map_{side}", label=f"Map, {side}")
              for panel, side in zip(panels, ("left", "right"), strict=True)]  # fmt: skip
    show_figure(panels, key="map", finding=_finding(opened, factors), how_to_read=HOW_MAP)
    for column in dict.fromkeys((left, right)):
        if column != LEIDEN:
            derived_badge(opened, column)
    derived_badge(opened, LEIDEN)
    show_selection(opened, factors, hint=HINT)
    show_saved(opened)


def map_plane(opened: OpenRun) -> Coordinates | None:
    """Both coordinates of every cell, (n_cells,) float32, memory-mapped; None where the run has no map that fits."""
    found = _map(_version(opened), opened)
    return None if found is None else (found.positions[:, 0], found.positions[:, 1])


def map_panel(
    opened: OpenRun,
    colour: str,
    factors: Factors,
    *,
    height: int = HEIGHT,
    on_area: Callable[[str], None] | None = None,
) -> Panel:
    """The map in one colouring. colour: an annotation, "factor:3" (counted from 0), or "none" for the density.

    on_area: called when cells are drawn around, with the chart's key. Raises RunError when there is no map.
    """
    plane = map_plane(opened)
    if plane is None:
        raise RunError("This run has no map yet.", "Compute it first.")
    drag = "lasso" if on_area else "zoom"
    figure, said = _drawn(f"{_version(opened)} {opened.memo(factors, colour)} {factors.names}", colour, height, drag,
                          mode(), opened, factors, plane)  # fmt: skip
    alt = f"UMAP of {factors.n_cells:,} cells on the factors, coloured by {said}."
    return Panel(figure, "map", alt, lambda: _table(opened), "Map", on_area=on_area)


@st.cache_resource(max_entries=24, show_spinner=False)
def _drawn(
    memo: str, colour: str, height: int, drag: str, look: Mode, _opened: OpenRun, _factors: Factors, _plane: Coordinates
) -> tuple[Figure, str]:
    """The map in one colouring, to be shown as it is, and what it is coloured by."""
    opened, factors, plane = _opened, _factors, _plane
    version, shared = _version(opened), {**TITLES, "mode": look, "height": height}
    if colour in opened.counts.annotations.columns:
        rasters = _types(f"{version} {opened.memo(factors, colour)}", colour, opened, plane)
        figure, said = plot_types(rasters, colours_of(opened, colour), **shared), plain(colour, longest=60)
    elif (factor := _factor_of(colour, factors)) is not None:
        mean, raster = _means(f"{version} {opened.memo(factors)}", factor, factors, plane)
        title = cells_title(factor, factors.prior, name=factors.name_of(factor))
        figure, said = plot_mean(mean, raster, value_title=f"Mean {title}", **shared), factors.label(factor)
    else:
        figure, said = plot_density(_density(version, plane), **shared), "the number of cells"
    hidden = {"showticklabels": False, "zeroline": False}
    figure.update_layout(dragmode=drag, xaxis=hidden, yaxis=hidden)
    return figure, said


def _version(opened: OpenRun) -> str:
    return f"{opened.stamp} {opened.added.get(LEIDEN, '')} {store().additions(opened.run_id).versions()[LEIDEN]}"


@st.cache_resource(max_entries=8, show_spinner=False)
def _map(version: str, _opened: OpenRun) -> CellMap | None:
    return read_map(store().workspace, _opened.run_id, _opened.counts.n_cells)


@st.cache_resource(max_entries=8, show_spinner=False)
def _density(version: str, _plane: Coordinates) -> Raster:
    return density_raster(*_plane)


@st.cache_resource(max_entries=3, show_spinner=False)  # 10 MB each for 37 types; the figures are kept too
def _types(memo: str, column: str, _opened: OpenRun, _plane: Coordinates) -> dict[str, Raster]:
    labels = _opened.labels(column)
    return type_rasters(*_plane, labels, [str(name) for name in labels.cat.categories])


@st.cache_resource(max_entries=32, show_spinner=False)
def _means(memo: str, factor: int, _factors: Factors, _plane: Coordinates) -> tuple[np.ndarray, Raster]:
    values = np.asarray(_factors.representation[:, factor], np.float64)
    return mean_raster(*_plane, values, extent=square_extent(*_plane))


def _colour_picker(opened: OpenRun, factors: Factors, label: str, *, key: str, default: str) -> str:
    columns = list(opened.label_columns)
    options = [NOTHING, *columns, *(f"{FACTOR}{k}" for k in range(factors.n_factors))]
    if st.session_state.get(key) not in (*options, None):
        del st.session_state[key]

    def words(option: str) -> str:
        factor = None if option in columns else _factor_of(option, factors)
        if factor is not None:
            return plain(factors.label(factor), longest=40)
        return "Number of cells" if option == NOTHING and option not in columns else plain(option, longest=40)

    place = options.index(default) if default in options else 0
    return st.selectbox(f"Colour, {label.lower()}", options, index=place, format_func=words, key=key,
                        bind="query-params", width=230)  # fmt: skip


def _factor_of(colour: str, factors: Factors) -> int | None:
    number = colour.removeprefix(FACTOR)
    found = int(number) if colour.startswith(FACTOR) and number.isascii() and number.isdigit() else -1
    return found if 0 <= found < factors.n_factors else None


def _table(opened: OpenRun) -> pd.DataFrame:
    found = _map(_version(opened), opened)
    if found is None:
        return pd.DataFrame()
    table = pd.DataFrame({"cell": opened.counts.cell_ids, "UMAP 1": found.positions[:, 0],
                          "UMAP 2": found.positions[:, 1], "cluster": np.asarray(found.clusters) + 1})  # fmt: skip
    return table if opened.label_column is None else table.assign(label=opened.labels().astype(str).to_numpy())


def _finding(opened: OpenRun, factors: Factors) -> str:
    column = opened.label_column
    memo = f"{_version(opened)} {opened.memo(factors, column)}"
    return _said(memo, column, opened, factors)


@st.cache_resource(max_entries=8, show_spinner=False)
def _said(memo: str, column: str | None, _opened: OpenRun, _factors: Factors) -> str:
    """How many clusters there are, and what the largest one is."""
    found = _map(_version(_opened), _opened)
    if found is None:
        return ""
    clusters = np.asarray(found.clusters)
    sizes = np.bincount(clusters)
    first = f"{len(sizes):,} cluster{'s' * (len(sizes) != 1)} in the space of the factors"
    largest = f"Cluster 1, the largest, holds {sizes[0] / len(clusters):.0%} of the cells"
    if column is not None and column != LEIDEN:
        labels = _opened.labels(column)
        types = labels.cat.codes.to_numpy()[clusters == 0]
        counts = np.bincount(types[types >= 0], minlength=1)
        kind = plain(labels.cat.categories[int(counts.argmax())], longest=60)
        return f"{first}; {largest}, and {counts.max() / sizes[0]:.0%} of them are {kind}."
    means = [np.mean(_factors.representation[:, k][clusters == 0], dtype=np.float64) for k in range(_factors.n_factors)]
    scale = np.where(_factors.scale > 0, _factors.scale, np.inf)
    apart = (np.array(means) - _factors.centre) / scale
    k = int(np.abs(apart).argmax())
    side = "high" if apart[k] > 0 else "low"
    return f"{first}; {largest}, which lie {side} on {_factors.label(k)}."
