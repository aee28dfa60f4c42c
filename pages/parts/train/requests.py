"""What can be asked of a run, and the buttons that ask: the same in the panel and in the list."""

import functools
from typing import Literal, NamedTuple

import streamlit as st

from ldvae_core.runs.cards import RunCard
from ldvae_core.runs.training_jobs import Request
from pages.parts.job_bar import do_or_tell
from pages.parts.runs import store


class Button(NamedTuple):
    """How a request looks."""

    label: str
    icon: str
    help: str


BUTTONS: dict[Request, Button] = {
    "stop": Button("Stop and keep", "stop_circle", "End now, with what it has learned so far."),
    "pause": Button("Pause", "pause_circle", "Let other runs go first; Resume goes on."),
    "resume": Button("Resume", "play_circle", "Go on from where it stands."),
    "cancel": Button("Cancel", "cancel", "End now, and throw away what it has learned."),
}


def requests_of(card: RunCard) -> tuple[Request, ...]:
    """What makes sense now; nothing else would be granted."""
    if card.state == "running":
        if card.stage == "training":
            return ("stop", "pause", "cancel")
        return () if card.stage in ("analysing", "finished", "stopped") else ("pause", "cancel")
    if card.state == "queued":
        return ("pause", "cancel")
    if card.state in ("paused", "interrupted"):
        return ("resume", "cancel")
    return ("resume",) if card.state == "failed" else ()


def ask(what: Request, card: RunCard, *, key: str, small: bool = False, enabled: bool = True) -> None:
    """A button for it; a cancel asks back first. small: an icon alone. enabled: whether it makes sense now."""
    label, icon, words = BUTTONS[what]
    if what == "resume" and card.state == "failed":
        label = "Try again"
    shown, icon = "" if small else label, f":material/{icon}:"
    enabled = enabled and (what == "cancel" or not card.request) and card.request != "cancel"
    if what != "cancel":
        kind: Literal["primary", "secondary", "tertiary"] = "primary" if what == "resume" else "secondary"
        kind = "tertiary" if small else kind
        st.button(shown, key=key, icon=icon, help=f"{label}: {words}" if small else words, disabled=not enabled,
                  on_click=do_or_tell, args=(_asking(card, what),), type=kind)  # fmt: skip
        return
    with st.popover(shown, icon=icon, key=f"{key}_confirm", disabled=not enabled,
                    type="tertiary" if small else "secondary", help=words if small else None):  # fmt: skip
        st.markdown("Cancel this run and throw away what it has learned?")
        st.button("Yes, cancel it", key=key, icon=":material/delete:", on_click=do_or_tell,
                  args=(_asking(card, what),), disabled=not enabled)  # fmt: skip


def _asking(card: RunCard, what: Request) -> functools.partial[None]:
    return functools.partial(store().jobs.request, card.run_id, what)
