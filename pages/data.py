"""Data: what did I load, and what will be modelled?"""

import streamlit as st

from ldvae_core.data.prepare import DataChoices
from ldvae_core.errors import LdvaeError
from pages.parts.data.cells import choose_cells, show_survivors
from pages.parts.data.choose import data_in_use
from pages.parts.data.combining import offer_combining
from pages.parts.data.facts import show_annotations, show_facts
from pages.parts.data.genes import choose_genes, show_preview
from pages.parts.data.joining import offer_joining
from pages.parts.data.reading import show_reading
from pages.parts.data.zoom import offer_zoom, show_chain
from pages.parts.header import page_header
from pages.parts.problems import problem_box, refusals
from pages.parts.runs import go
from pages.parts.text import as_html, show

CHOICE = "data_choice"  # what the Train page takes up


def remember(data_source: str, choices: DataChoices, label_column: str | None) -> None:
    """Keep what will be modelled for the Train page."""
    st.session_state[CHOICE] = {
        "data_source": data_source, "choices": choices.to_dict(), "label_column": label_column
    }  # fmt: skip


page_header("Data", "What did I load, and what will be modelled?")
data = data_in_use()
source = data.card.dataset_id
show_chain(data)
show_facts(data)
show_reading(data)
label = show_annotations(data)
with st.container(horizontal=True, gap="medium", key="data_more"):
    offer_zoom(data)
    offer_joining(data)
    offer_combining(data)

st.subheader("Which cells", anchor=False)
with refusals():
    cells = choose_cells(data)
    show_survivors(data, cells)

st.subheader("Which genes", anchor=False)
size = ""
with st.container(key="split"):
    left, right = st.columns([0.36, 0.64], gap="large")
with left, refusals():
    choices = choose_genes(data, cells)
with right:
    try:
        size = show_preview(data, choices)
    except LdvaeError as fault:
        problem_box(fault)

if size:
    remember(source, choices, label)
elif st.session_state.get(CHOICE, {}).get("data_source") != source:  # never leave another data set's choices behind
    remember(source, DataChoices(), label)
with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="data_end"):
    st.button("Use this data: train a model", type="primary", icon=":material/model_training:", key="use_data",
              disabled=not size, on_click=go, args=("train.py",))  # fmt: skip
    st.button("Place its cells on a run", icon=":material/add_location_alt:", key="place_data", on_click=go,
              args=("factors.py",), kwargs={"view": "New cells"})  # fmt: skip
    words = f"{as_html(size)}, {'labelled by ' + as_html(label) if label else 'without labels'}"
    show(words if size else "Mend what the box says first.", kind="quiet")
