"""Having a data set placed on the run in use: which, how far it is, why it failed."""

import functools

import streamlit as st

from ldvae_core.runs.placing_jobs import (
    SILENT_SECONDS,
    end_placing,
    placing_status,
    start_placing,
    stop_placing,
)
from ldvae_core.runs.store import OpenRun
from ldvae_core.workspace.datasets import DatasetCard, Datasets
from pages.parts.job_bar import Actions, do_or_tell, show_end, show_job, show_refusal
from pages.parts.menus import close_menu, menu
from pages.parts.runs import DATA, go, store
from pages.parts.text import plain, show

MENU, PICKER, BEGUN = "placing_menu", "placing_data", "placing_begun"  # in the session: BEGUN is (run, placed, name)
WHAT_IT_IS = (
    "**No new cells yet.** Cells of another data set (another donor, condition or laboratory) are placed on the "
    "programs of this run without training anew: where do they lie, and which are unlike all that the run has seen?"
)


def offer_placing(opened: OpenRun, *, has_any: bool) -> None:
    """A menu with the data sets of the workspace; the first time with what it is for."""
    if not has_any:
        with st.container(border=True, key="nothing_placed"):
            st.markdown(WHAT_IT_IS)
            _choose(opened)
        return
    with menu("Place other cells", key=MENU, icon=":material/add_location_alt:"):
        _choose(opened)


def show_progress(opened: OpenRun) -> None:
    """The bar of what this session has begun on this run, from second to second; where it failed, why."""
    begun = st.session_state.get(BEGUN)
    if begun is None or begun[0] != opened.run_id:
        return
    status = placing_status(store().workspace, *begun[:2])
    if status.under_way:
        st.fragment(_live, run_every=0.7, key="placing_progress")(begun)
    elif status.state in ("failed", "interrupted"):
        show_end(status, "Where these cells lie was")
    else:
        del st.session_state[BEGUN]


def begin_placing(run_id: str, dataset_id: str) -> None:
    """For on_click: have a data set placed, and show that once it is. Raises RunError as start_placing does."""
    workspace = store().workspace
    placed_id = start_placing(workspace, run_id, dataset_id)
    st.session_state[BEGUN] = (run_id, placed_id, Datasets(workspace).card(dataset_id).name)
    close_menu(MENU)


def _choose(opened: OpenRun) -> None:
    cards = {card.dataset_id: card for card in Datasets(store().workspace).list()}
    own = opened.settings.data_source
    listed = sorted(cards, key=lambda key: (key == own, key != st.session_state.get(DATA)))  # the run's own data last
    if st.session_state.get(PICKER) not in (*listed, None):
        del st.session_state[PICKER]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="placing_choice"):
        chosen = st.selectbox("Data set to place", listed, key=PICKER, width=360,
                              format_func=lambda key: _words(cards, key, own))  # fmt: skip
        st.button("Place its cells", type="primary", key="placing_start", icon=":material/add_location_alt:",
                  on_click=do_or_tell, args=(functools.partial(begin_placing, opened.run_id, chosen),))  # fmt: skip
        st.button("Load another file", key="placing_load", icon=":material/upload_file:", type="tertiary",
                  on_click=go, args=("data.py",))  # fmt: skip
    show_refusal()
    show("Genes are matched by name, then by Ensembl id; at least half of the modelled ones are needed.", kind="quiet")


def _words(cards: dict[str, DatasetCard], key: str, own: str) -> str:
    card = cards.get(key)
    if card is None:
        return ""
    return plain(f"{card.name} · {card.n_cells:,} cells{' (of this run)' if key == own else ''}", longest=90)


def _live(begun: tuple[str, str, str]) -> None:
    status = placing_status(store().workspace, *begun[:2])
    if not status.under_way:
        if status.state == "finished":
            st.session_state["placed"] = begun[1]
        st.rerun(scope="app")
    actions = Actions(*(functools.partial(act, store().workspace, *begun[:2]) for act in (stop_placing, end_placing)))
    show_job(status, f"Placing {begun[2]}", actions, key="placing", patience=SILENT_SECONDS)
