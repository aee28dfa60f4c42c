"""The way back from what was just saved or deleted, offered in the same corner of every page."""

import time
import uuid
from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from ldvae_core.errors import LdvaeError
from pages.parts.problems import problem_box
from pages.parts.text import as_html, show

OFFER, FAULT, DONE = "undo_offer", "undo_fault", "undo_done"  # in the session
SECONDS, LASTING_SECONDS = 60.0, 600.0


class Offer(NamedTuple):
    """What was done, and what takes it back."""

    words: str
    back: Callable[[], object]
    until: float  # seconds since the epoch
    stamp: str


def offer_undo(words: str, back: Callable[[], object], *, lasting: bool = False) -> None:
    """Say on the next drawing of the page what was done, with a button that takes it back.

    back: raises LdvaeError where that is no longer possible. lasting: for ten minutes, else for one.
    """
    seconds = LASTING_SECONDS if lasting else SECONDS
    st.session_state[OFFER] = Offer(words, back, time.time() + seconds, uuid.uuid4().hex[:8])


def say_refused(fault: LdvaeError) -> None:
    """For on_click: show a refusal on the next drawing of the page."""
    st.session_state[FAULT] = fault


def show_undo() -> None:
    """Once a page: the latest offer, how taking it went, or nothing."""
    if fault := st.session_state.pop(FAULT, None):
        problem_box(fault)
    if words := st.session_state.pop(DONE, None):
        st.toast(words, icon=":material/undo:")
    offer: Offer | None = st.session_state.get(OFFER)
    if offer is None or offer.until < time.time():
        st.session_state.pop(OFFER, None)
        return
    lasts = "lasting" if offer.until - time.time() > SECONDS else "brief"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"undo_{lasts}_{offer.stamp}"):
        show(f'<span role="status">{as_html(offer.words, longest=160)}</span>', width="content")
        st.button("Undo", key="undo", type="tertiary", icon=":material/undo:", on_click=_take_back, args=(offer,))
        st.button("", key="undo_close", type="tertiary", icon=":material/close:", help="Close", on_click=_close)


def _take_back(offer: Offer) -> None:
    _close()
    try:
        offer.back()
    except LdvaeError as fault:
        say_refused(fault)
    else:
        st.session_state[DONE] = "It is as it was before."


def _close() -> None:
    st.session_state.pop(OFFER, None)
