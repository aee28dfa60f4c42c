"""Annotations from a table of people's own, joined to the data set in use: a new data set, which is then in use."""

from typing import Any

import streamlit as st

from ldvae_core.data.cell_table import ENDINGS, LARGEST_FILE
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.derived import Join
from ldvae_core.workspace.folders import Workspace
from pages.parts.data.opened import OpenData
from pages.parts.data.reading import show_refused
from pages.parts.making import begin_making
from pages.parts.menus import menu
from pages.parts.text import plain

JOINED = "joined_tables"  # uploads that were begun with: none is joined twice by itself


def offer_joining(data: OpenData) -> None:
    """A menu that takes a table; what does not fit is refused there, and nothing changes."""
    with menu("Add annotations from a table", icon=":material/add_column_right:", type="tertiary", key="join"):
        st.markdown("A table with a header and one row a cell or one row a sample. One of its columns holds the cell "
                    "ids, or the values of an annotation such as the sample; which one is found by itself and said. A "
                    "new data set results; this one stays as it is.")  # fmt: skip
        types = sorted({ending.rpartition(".")[2] for ending in ENDINGS} | {"xlsx"})
        given = st.file_uploader("Table (.csv or .tsv)", type=types, key="join_table",
                                 max_upload_size=LARGEST_FILE >> 20)  # fmt: skip
        if given is None:
            return
        key, begun = f"join {given.file_id}", st.session_state.setdefault(JOINED, set())
        if key not in begun:
            begun.add(key)
            name = f"Joining {plain(given.name, longest=60)}"
            begin_making(key, name, lambda: _recipe(data.card.dataset_id, given), menu="join")
            st.rerun()
        show_refused(key)


def _recipe(dataset_id: str, given: Any) -> Join:
    datasets = Datasets(Workspace.default())
    return Join(dataset_id, datasets.keep_upload(given.name, given, most_bytes=LARGEST_FILE))
