"""Zooming into cells: a type, or a range of a measurement, becomes a data set of its own that knows its parent."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from ldvae_core.data.chosen_cells import FILE, RANGE
from ldvae_core.data.counts import FEWEST_CELLS
from ldvae_core.data.levels import levels_of
from ldvae_core.data.names import listing
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.derived import Take
from ldvae_core.workspace.folders import Workspace
from pages.parts.data.choose import use_data
from pages.parts.data.opened import OpenData
from pages.parts.data.reading import show_refused
from pages.parts.lineage import chain_html
from pages.parts.making import begin_making
from pages.parts.menus import menu
from pages.parts.text import count, plain, show

KEY = "zoom"


def offer_zoom(data: OpenData) -> None:
    """A menu that takes an annotation and its levels, or a range of it; the data set stays as it is."""
    table = data.counts.annotations
    columns = [*data.summary.labels, *(name for name in table.columns if _is_measured(table[name]))]
    if not columns:
        return
    with menu("Zoom into cells", icon=":material/zoom_in:", type="tertiary", key=KEY):
        st.markdown("A type, a donor or a range becomes a data set of its own: programs that vary only among these "
                    "cells are often missed by a run on all. All genes stay, and this data set too.")  # fmt: skip
        column = st.selectbox("Annotation", columns, format_func=plain, key="zoom_column")
        ranged = column not in data.summary.labels
        cells, chosen, words = _range(table[column]) if ranged else _levels(table[column])
        n = int(cells.sum())
        ready = FEWEST_CELLS <= n < len(cells)
        if n:
            st.caption(f"{count(n, 'cell')} of {len(cells):,}." + ("" if ready else f" {_why(n, len(cells))}"))
        if st.button("Zoom in", key="zoom_now", icon=":material/zoom_in:", disabled=not ready):
            begin_making(KEY, "Taking these cells", lambda: _recipe(data, cells, chosen, words), menu=KEY)
            st.rerun()
        show_refused(KEY)


def show_chain(data: OpenData) -> None:
    """Which cells of which data set these are, with the way up; nothing for a data set of its own."""
    chain = Datasets(Workspace.default()).chain(data.card)
    if not chain:
        return
    nearest, is_there = chain[0]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="data_chain"):
        show(f"Zoomed in: {chain_html(tuple(one for one, _ in chain))}", kind="line")
        if is_there:
            st.button("Back to the parent", key="to_parent", type="tertiary", icon=":material/zoom_out:",
                      on_click=use_data, args=(nearest.dataset_id,))  # fmt: skip
        else:
            show("Its parent was deleted.", kind="quiet")


def _levels(column: pd.Series) -> tuple[np.ndarray, str, str]:
    """(bool of the cells, what to choose them by where one level is, words)."""
    levels = levels_of(column)
    known = pd.Series(levels).value_counts()
    taken: Sequence[str] = st.multiselect(
        "Levels", known.index.tolist(), format_func=lambda level: f"{plain(level)} · {known.get(level, 0):,}",
        key=f"zoom_levels {column.name}", select_all=False,
    )  # fmt: skip
    chosen = f"{column.name}={taken[0]}" if len(taken) == 1 else ""
    return np.isin(levels, list(taken)), chosen, f"{column.name} is {' or '.join(listing([one]) for one in taken)}"


def _range(column: pd.Series) -> tuple[np.ndarray, str, str]:
    values = column.to_numpy(dtype=float, na_value=np.nan)
    first, last = float(np.nanmin(values)), float(np.nanmax(values))
    with st.container(horizontal=True):
        low = st.number_input("From", value=first, key=f"zoom_low {column.name}")
        high = st.number_input("To", value=last, key=f"zoom_high {column.name}")
    return (values >= low) & (values <= high), f"{column.name}={low!r}{RANGE}{high!r}", ""


def _recipe(data: OpenData, cells: np.ndarray, chosen: str, words: str) -> Take:
    """By the annotation where it says all, else by a list of the cells."""
    if chosen:
        return Take(data.card.dataset_id, chosen)
    ids = "\n".join(data.counts.cell_ids[cells].tolist())
    kept = Datasets(Workspace.default()).keep_upload("chosen cells.txt", ids.encode())
    return Take(data.card.dataset_id, f"{FILE}{kept}", words)


def _why(n: int, of: int) -> str:
    return "These are all of them." if n == of else f"At least {FEWEST_CELLS} are needed."


def _is_measured(column: pd.Series) -> bool:
    """Whether its cells can be chosen by a range: numbers of which more than one is there."""
    numbers = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    return numbers and column.nunique() > 1
