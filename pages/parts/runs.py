"""The run in use: which one the address names, opened once for all visitors; and the way to other pages."""

import time
from typing import Any

import streamlit as st

from ldvae_core.analysis.factors import Axes, Factors
from ldvae_core.errors import LdvaeError
from ldvae_core.plots.theme import type_colours
from ldvae_core.runs.additions import OTHERS
from ldvae_core.runs.opened import NOT_LABELLED, with_additions
from ldvae_core.runs.store import OpenRun, RunCard, RunStore
from ldvae_core.workspace.folders import Workspace
from pages.parts.memory import watch_memory
from pages.parts.per_run import per_run
from pages.parts.problems import problem_box
from pages.parts.text import literal

RUN = "run"  # in the session and in the address alike
DATA = "data"  # in the session: the data set in use, that of the run until the Data page or the Train form says another
DATA_OF = "data_of_run"  # the run that DATA was last taken from
LEFT = "run_left"  # the run in use before a choice, and when the menu's links were drawn anew (None: not yet)
LINKS_SECONDS = 2.0  # that a drawn link takes to reach a browser, at most
UNKNOWN = "unknown_run"  # what an address asked for in vain
OF_NO_KIND = "#9AA0A6"  # the colour of cells that belong to no named kind
NEXT = "next_page"  # where a click wants to go
STATE_WORDS = {
    "queued": "waiting for its turn",
    "running": "training",
    "paused": "paused",
    "finished": "finished",
    "stopped": "stopped early, results kept",
    "cancelled": "cancelled",
    "failed": "failed",
    "interrupted": "interrupted",
}
STATE_DOTS = {"finished": "good", "stopped": "good", "running": "busy", "queued": "busy", "failed": "bad",
              "interrupted": "bad"}  # fmt: skip


def store() -> RunStore:
    """The runs of this server's workspace."""
    return RunStore(Workspace.default())


def choose_run(cards: list[RunCard]) -> RunCard | None:
    """The run in use: as the address says, else as in this session, else the latest with results, else the latest."""
    known = {card.run_id: card for card in cards}
    asked = st.query_params.get(RUN)
    if asked in known and not _is_old_link(asked):
        st.session_state[RUN] = asked
    elif asked and asked not in known:
        st.session_state[UNKNOWN] = asked
    if st.session_state.get(RUN) not in known:
        first = next((card for card in cards if card.has_results), cards[0] if cards else None)
        st.session_state[RUN] = first.run_id if first else None
    chosen = st.session_state[RUN]
    if chosen and asked != chosen:
        st.query_params[RUN] = chosen
    card = known.get(chosen)
    if card and card.settings and chosen != st.session_state.get(DATA_OF):
        st.session_state[DATA_OF], st.session_state[DATA] = chosen, card.settings.data_source
    return card


def links_are_drawn() -> None:
    """Called once the menu's links carry the run in use."""
    if left := st.session_state.get(LEFT):
        st.session_state[LEFT] = (left[0], left[1] or time.monotonic())


def _is_old_link(asked: str) -> bool:
    """Whether the address is of a link that was clicked before it carried the run chosen a moment ago."""
    run_id, drawn = st.session_state.get(LEFT) or (None, None)
    return asked == run_id and (drawn is None or time.monotonic() - drawn < LINKS_SECONDS)


def say_unknown_run() -> None:
    """That the address asked for a run that is not here, which another one stands in for; once, for the page's top."""
    if asked := st.session_state.pop(UNKNOWN, None):
        st.warning(
            f"There is no run {literal(asked)} here: it was deleted, or the link is of another server. "
            "What is shown is the run named in the sidebar.",
            icon=":material/link_off:",
        )


def use_run(run_id: str) -> None:
    """Make it the run in use, from the next rerun on."""
    if (before := st.session_state.get(RUN)) != run_id:
        st.session_state[LEFT] = (before, None)
    st.session_state[RUN] = run_id
    st.query_params[RUN] = run_id


def go(page: str, run_id: str | None = None, **values: Any) -> None:
    """For on_click: open another page with a run and with widgets set; values: widget key -> value."""
    if run_id:
        use_run(run_id)
    for key, value in values.items():
        st.session_state[key] = value
    st.session_state[NEXT] = page


def follow() -> None:
    """Go where a click asked to go; called by the shell, which alone knows the pages."""
    if page := st.session_state.pop(NEXT, None):
        chosen = st.session_state.get(RUN)
        st.switch_page(page, query_params={RUN: chosen} if chosen else {})


def go_next(page: str, run_id: str) -> None:
    """From inside a fragment, which cannot leave its page itself: run the whole program again, which goes there."""
    go(page, run_id)
    st.rerun(scope="app")


def require_run() -> OpenRun:
    """The run in use, opened; without one, or when it has no results yet, says what to do and ends the page."""
    run_id = st.session_state.get(RUN)
    if run_id is None:
        with st.container(border=True, key="no_run"):
            st.markdown("**No run yet.** A run is a model trained on one data set; its gene programs are shown here.")
            with st.container(horizontal=True):
                st.button("Train one", type="primary", icon=":material/model_training:", key="no_run_train",
                          on_click=go, args=("train.py",))  # fmt: skip
                st.button("Load my data", icon=":material/upload_file:", key="no_run_data", on_click=go,
                          args=("data.py",), kwargs={"data_from": "Upload"})  # fmt: skip
        st.stop()
    try:
        return open_run(run_id)
    except LdvaeError as fault:
        problem_box(fault)
        with st.container(horizontal=True):
            st.button("See its training", icon=":material/monitoring:", key="to_train", on_click=go, args=("train.py",))
            st.button("All runs", icon=":material/home:", key="to_home", on_click=go, args=("home.py",))
        st.stop()


def open_run(run_id: str) -> OpenRun:
    """A run with results. Raises RunError as the store does."""
    watch_memory()
    runs = store()
    card = runs.card(run_id)
    opened = _opened(str(runs.workspace.root), run_id, f"{card.state} {card.name} {card.epoch}")
    return _annotated(opened, runs.additions(run_id).version)


@st.cache_resource(max_entries=4, show_spinner="Opening the run")
def _opened(root: str, run_id: str, changed: str) -> OpenRun:
    """Shared by all visitors: read-only. `changed` tells a renamed or resumed run from what it was."""
    return store().open(run_id)


@per_run(max_entries=8)
def _annotated(opened: OpenRun, version: str) -> OpenRun:
    """With what people have added, of which this is the version."""
    return with_additions(opened, store().additions(opened.run_id))


def factors_of(opened: OpenRun, wanted: Axes | None = None) -> Factors:
    """The factors on the wanted axes, where the run has them."""
    return opened.factors[wanted if wanted in opened.factors else opened.axes]


def colours_of(opened: OpenRun, column: str) -> dict[str, str]:
    """One colour a category, the same on every page; those that came with the data are honoured.

    Cells of no kind are grey, unless the data says otherwise: colour is for what was named.
    """
    categories = [str(name) for name in opened.labels(column).cat.categories]
    named = [name for name in categories if name not in (OTHERS, NOT_LABELLED)]
    given = opened.given_colours(column)
    return type_colours(categories, given) if given else dict.fromkeys(categories, OF_NO_KIND) | type_colours(named)
