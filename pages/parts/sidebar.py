"""Top of the sidebar on every page: the program's name, the run in use and its state; then the pages."""

from contextlib import nullcontext

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ldvae_core.plots.labels import text_size
from ldvae_core.runs.names import distinct_names
from ldvae_core.runs.store import RunCard
from pages.parts.live import put_calling, show_state
from pages.parts.rename import offer_renaming
from pages.parts.runs import RUN, links_are_drawn, use_run
from pages.parts.style import put_saving
from pages.parts.text import as_html, plain, show

PICKER = "run_picker"
PICKER_WIDTH, PICKER_TEXT = 138, 14  # px that a name has in the picker, and the size of its letters


def show_sidebar(
    pages: list[StreamlitPage], current: StreamlitPage, cards: list[RunCard], chosen: RunCard | None
) -> None:
    """Draw it. current: the page that is shown. chosen: the run in use, one of the cards."""
    with st.sidebar:
        show("Gene Program Explorer", kind="name")
        if chosen is None:
            show("<b></b>No run yet", kind="state")
        else:
            _pick_run(cards, chosen)
            offer_renaming([chosen], key="rename_in_use")
        st.space("xsmall")
        with st.container(gap=None, key="pages"):
            for page in pages:
                with st.container(key="page_in_use") if page == current else nullcontext():
                    st.page_link(page, query_params={RUN: chosen.run_id} if chosen else None, width="stretch")
        links_are_drawn()
        put_saving()
        put_calling()


def _pick_run(cards: list[RunCard], chosen: RunCard) -> None:
    names = _distinct_names(cards)
    st.session_state[PICKER] = chosen.run_id  # the address decides; the picker follows
    st.selectbox(
        "Run in use",
        list(names),
        format_func=lambda run_id: names.get(run_id, str(run_id)),
        key=PICKER,
        on_change=lambda: use_run(st.session_state[PICKER]),
        label_visibility="collapsed",
        help=None,
    )
    if text_size(names[chosen.run_id], PICKER_TEXT)[0] > PICKER_WIDTH:
        show(as_html(names[chosen.run_id]), kind="run")  # the picker has one line only
    show_state(cards, chosen)


def _distinct_names(cards: list[RunCard]) -> dict[str, str]:
    """Name of every run by id; where names are equal, what differs comes first."""
    return {run_id: plain(name) for run_id, name in distinct_names(cards).items()}
