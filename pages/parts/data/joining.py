"""Annotations from a table of people's own, joined to the data set in use: a new data set, which is then in use."""

import streamlit as st

from ldvae_core.data.cell_table import ENDINGS, LARGEST_FILE
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import Workspace
from pages.parts.data.choose import use_data
from pages.parts.data.opened import OpenData
from pages.parts.menus import close_menu, menu
from pages.parts.problems import refusals
from pages.parts.text import literal, plain

SEEN = "joined_table"  # the data set and the upload that were joined last


def offer_joining(data: OpenData) -> None:
    """A popover that takes a table; what does not fit is refused there, and nothing changes."""
    with menu("Add annotations from a table", icon=":material/add_column_right:", type="tertiary", key="join"):
        st.markdown("A table with a header and one row a cell or one row a sample. One of its columns holds the cell "
                    "ids, or the values of an annotation such as the sample; which one is found by itself and said. A "
                    "new data set results; this one stays as it is.")  # fmt: skip
        types = sorted({ending.rpartition(".")[2] for ending in ENDINGS} | {"xlsx"})
        given = st.file_uploader("Table (.csv or .tsv)", type=types, key="join_table",
                                 max_upload_size=LARGEST_FILE >> 20)  # fmt: skip
        if given is None or st.session_state.get(SEEN) == (data.key, given.file_id):
            return
        with refusals(end_page=False):
            with st.spinner(f"Joining {literal(plain(given.name, longest=60))}", show_time=True):
                datasets = Datasets(Workspace.default())
                joined = datasets.add_annotations(data.card.dataset_id, given.name, given.getvalue())
            st.session_state[SEEN] = ((str(datasets.workspace.root), joined, datasets.card(joined).identity),
                                      given.file_id)  # fmt: skip
            said = next((one for one in datasets.card(joined).notices if one.startswith("Joined from")), "")
            st.toast(literal(said, longest=400), icon=":material/check:", duration="long")
            use_data(joined)
            close_menu("join")
            st.rerun()
