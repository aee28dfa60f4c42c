"""Cells drawn around in any density: all that lie inside, kept in the address, so that a link selects them too."""

import getpass
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.raster import Window
from ldvae_core.analysis.regions import Region, region_from_text, region_of_box, region_of_lasso
from ldvae_core.data.own_maps import is_spatial
from ldvae_core.errors import LdvaeError, RunError, SettingsError
from ldvae_core.runs.additions import LEIDEN, Selection
from ldvae_core.runs.maps import read_map
from ldvae_core.runs.store import OpenRun
from pages.parts.per_run import per_run
from pages.parts.runs import RUN, store

REGION = "region"  # in the address: the plane's name, "!" and the corners
FAULT = "region_fault"
NOBODY = ("root", "administrator", "admin", "user", "nobody", "ubuntu", "app", "docker")  # accounts of machines
WHO = "who"  # the name people sign with, remembered for the session
MAP, OWN_MAP = "map", "own_map"


class Plane(NamedTuple):
    """Two coordinates of every cell, under a name that an address can hold."""

    name: str
    words: str  # what people call it
    x: np.ndarray  # (n_cells,)
    y: np.ndarray
    version: str = ""  # of a map, which can be made anew
    window: Window | None = None  # to draw it in; None: as large as its cells ask for
    of_tissue: bool = False  # places that no count has decided

    @property
    def memo(self) -> str:
        """Names it among the planes of a run, in caches."""
        return f"{self.name} {self.version}"


class Chosen(NamedTuple):
    """The cells inside a region of a plane."""

    plane: Plane
    region: Region
    cells: np.ndarray  # (n_cells,) bool, read-only

    @property
    def memo(self) -> str:
        """Names them among all selections in a run, in caches."""
        return f"{self.plane.memo}!{self.region.text}"

    @property
    def n_cells(self) -> int:
        """How many are inside."""
        return int(np.count_nonzero(self.cells))


def plane_of_pair(factors: Factors, pair: tuple[int, int]) -> Plane:
    """Two factors; turned axes make another plane of it."""
    places = (f"{k}t" if factors.flipped[k] else str(k) for k in pair)
    words = f"{factors.label(pair[0])} and {factors.label(pair[1])}"
    x, y = (factors.representation[:, k] for k in pair)
    return Plane(".".join([factors.axes, *places]), words, x, y)


def map_plane(opened: OpenRun) -> Plane | None:
    """The map, memory-mapped; None where the run has none. Raises RunError when it does not fit the cells."""
    runs = store()
    found = read_map(runs.workspace, opened.run_id, opened.counts.n_cells)
    if found is None:
        return None
    x, y = found.positions.T
    return Plane(MAP, "the map", x, y, runs.additions(opened.run_id).versions()[LEIDEN])


def own_plane(opened: OpenRun, name: str) -> Plane:
    """A map that came with the file; y of a picture of a tissue runs downwards. Raises RunError where it has none."""
    if name not in opened.counts.maps:
        raise RunError("The data of this run has no such map.", "Choose another one.")
    number, places = list(opened.counts.maps).index(name), opened.counts.maps[name]
    y = -places[:, 1] if is_spatial(name) else places[:, 1]
    return Plane(f"{OWN_MAP}.{number}", f"the map {name}", places[:, 0], y, of_tissue=is_spatial(name))


def select_cells_on(plane: Plane) -> Callable[[str], None]:
    """For Panel.on_area: selects the cells in the box or lasso that was drawn, or none when it was wiped away."""

    def select(key: str) -> None:
        drawn = st.session_state[key].selection
        try:
            if drawn.get("lasso"):
                lasso = drawn["lasso"][-1]
                _remember(plane, region_of_lasso(lasso["x"], lasso["y"]))
            elif drawn.get("box"):
                box = drawn["box"][-1]
                _remember(plane, region_of_box(box["x"], box["y"]))
            else:
                clear_selection()
        except SettingsError as fault:  # a click instead of a line
            st.session_state[FAULT] = fault

    return select


def clear_selection() -> None:
    """Nothing is selected any more."""
    st.session_state.pop(REGION, None)
    st.query_params.pop(REGION, None)


def chosen_cells(opened: OpenRun) -> Chosen | None:
    """What is selected in this run, by the address or in this session. Raises LdvaeError for a link that is none."""
    if fault := st.session_state.pop(FAULT, None):
        raise fault
    text = st.query_params.get(REGION)
    if text is None:
        run_id, text = st.session_state.get(REGION, (None, None))
        if run_id != st.session_state.get(RUN) or text is None:
            return None
        st.query_params[REGION] = text
    st.session_state[REGION] = (st.session_state.get(RUN), text)
    name, _, corners = text.partition("!")
    try:
        plane, region = _plane_named(opened, name), region_from_text(corners)
    except LdvaeError:
        clear_selection()
        raise
    return Chosen(plane, region, _cells_in(opened, plane, region))


def name_of_person() -> str:
    """The name under which this person saves things: as typed, else as the computer knows them, if that is a person."""
    if WHO not in st.session_state:
        try:
            name = getpass.getuser()
        except (OSError, KeyError):
            name = ""
        st.session_state[WHO] = "" if name.casefold() in NOBODY else name
    return str(st.session_state[WHO])


def save_as_annotation(opened: OpenRun, chosen: Chosen, name: str, signed: str) -> Selection:
    """Keep the cells under a name; what was made. Raises RunError as Additions.save_selection does."""
    address = "&".join(f"{key}={value}" for key, value in st.query_params.items() if key != REGION)
    kept = store().additions(opened.run_id)
    taken = [str(column) for column in opened.counts.annotations.columns]
    return kept.save_selection(
        name, chosen.cells, who=signed, view=f"{chosen.plane.words}: plane={chosen.plane.name}&{address}", taken=taken
    )


def composition(labels: pd.Series, cells: np.ndarray) -> pd.DataFrame:
    """Types of the selected cells, commonest first: cell_type, n_selected, share_of_selected, share_of_type."""
    codes, names = labels.cat.codes.to_numpy(), labels.cat.categories
    total, inside = (np.bincount(some + 1, minlength=len(names) + 1)[1:] for some in (codes, codes[cells]))
    table = pd.DataFrame(
        {
            "cell_type": names.astype(str).to_numpy(object),
            "n_selected": inside,
            "share_of_selected": inside / max(inside.sum(), 1),
            "share_of_type": inside / np.maximum(total, 1),
        }
    )
    return table[inside > 0].sort_values("n_selected", ascending=False, kind="stable").reset_index(drop=True)


def _remember(plane: Plane, region: Region) -> None:
    text = f"{plane.name}!{region.text}"
    st.session_state[REGION] = (st.session_state.get(RUN), text)
    st.query_params[REGION] = text


def _plane_named(opened: OpenRun, name: str) -> Plane:
    """Raises RunError when the run has no such plane. An axis that was turned since is read as it was then."""
    if name == MAP and (plane := map_plane(opened)) is not None:
        return plane
    axes, _, numbers = name.partition(".")
    if axes == OWN_MAP and numbers in map(str, range(len(opened.counts.maps))):
        return own_plane(opened, list(opened.counts.maps)[int(numbers)])
    places = [part.removesuffix("t") for part in numbers.split(".")]
    pair = [int(place) for place in places if place.isascii() and place.isdigit() and len(place) < 6]
    factors = next((factors for known, factors in opened.factors.items() if known == axes), None)
    if factors is not None and len(pair) == 2 and max(pair) < factors.n_factors:
        now = plane_of_pair(factors, (pair[0], pair[1]))
        turned = [
            part.endswith("t") != bool(factors.flipped[k]) for part, k in zip(numbers.split("."), pair, strict=True)
        ]
        x, y = (-values if turn else values for values, turn in zip((now.x, now.y), turned, strict=True))
        plane = now._replace(name=".".join([axes, *numbers.split(".")]), x=x, y=y)
        if plane.name == name:
            return plane
    raise RunError("These cells were selected in a figure that this run does not have.", "Draw around them once more.")


@per_run(max_entries=6)
def _cells_in(opened: OpenRun, plane: Plane, region: Region) -> np.ndarray:
    cells = region.contains(plane.x, plane.y)
    cells.flags.writeable = False
    return cells
