"""Top of the sidebar on every page: the program's name, the run in use and its state; then the pages."""

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ldvae_core.runs.names import distinct_names
from ldvae_core.runs.store import RunCard
from pages.parts.rename import offer_renaming
from pages.parts.runs import RUN, STATE_DOTS, STATE_WORDS, use_run
from pages.parts.style import put_saving
from pages.parts.text import as_html, plain, show

PICKER = "run_picker"


def show_sidebar(pages: list[StreamlitPage], cards: list[RunCard], chosen: RunCard | None) -> None:
    """Draw it. chosen: the run in use, one of the cards."""
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
                st.page_link(page, query_params={RUN: chosen.run_id} if chosen else None, width="stretch")
        put_saving()


def run_state_html(card: RunCard) -> str:
    """Dot and words for a run's state; how far it is stands in the live panel of the Train page, which moves."""
    words = STATE_WORDS.get(card.state, card.state)
    if card.state == "running":
        words = {
            "preparing": "preparing the data",
            "refining": "refining positions",
            "analysing": "computing factors",
        }.get(card.stage or "", words)
        words = words if card.stage else "starting"
        words += f", will {card.request} soon" if card.request else ""
    if card.state == "queued" and card.place:
        words = "next in the queue" if card.place == 1 else f"number {card.place} in the queue"
    return f'<b class="{STATE_DOTS.get(card.state, "")}"></b>{as_html(words)}'


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
    show(run_state_html(chosen), kind="state")


def _distinct_names(cards: list[RunCard]) -> dict[str, str]:
    """Name of every run by id; where names are equal, what differs comes first."""
    return {run_id: plain(name) for run_id, name in distinct_names(cards).items()}
