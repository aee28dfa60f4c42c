"""A job beside the pages, whatever its kind: a bar with its stop button, why it waits, why it failed."""

from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from ldvae_core.errors import LdvaeError, RunError
from ldvae_core.jobs.status import JobStatus
from pages.parts.problems import problem_box
from pages.parts.text import as_html, clock, show

NOT_ANSWERING = 10.0  # seconds without a heartbeat before it is said
BESIDE = "This page can be left or closed meanwhile. Training goes first, so it may take longer."
FAULT = "job_fault"  # what a button's request was refused for


class Actions(NamedTuple):
    """What the two buttons do; both raise LdvaeError when they are refused."""

    stop: Callable[[], None]
    end: Callable[[], None]  # its process, which no longer answers


def show_job(status: JobStatus, words: str, actions: Actions, *, key: str, patience: float = NOT_ANSWERING,
             beside: str = BESIDE) -> None:  # fmt: skip
    """The bar of a job that waits or is worked on. words: what is being done; patience: seconds it may be silent.

    beside: what stands beside its stop button.
    """
    with st.container(border=True, key=f"{key}_job"):
        if status.state == "queued":
            show(f"<b>{as_html(words)}</b>, {_waiting(status.place)}")
            show_trouble(status.trouble)
        else:
            progress = status.progress
            left = "" if progress.seconds_left != progress.seconds_left else f", {clock(progress.seconds_left)} left"
            show(f"<b>{as_html(words)}</b>, {clock(progress.seconds)} since it was started{left}")
            st.progress(progress.share)
            show_not_answering(status.silent_seconds, actions.end, key=key, patience=patience)
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.button("Stop", key=f"{key}_stop", icon=":material/stop:", on_click=do_or_tell, args=(actions.stop,),
                      disabled=status.request == "cancel")  # fmt: skip
            show(beside, kind="quiet")
        show_refusal()


def show_end(status: JobStatus, what: str) -> None:
    """Why a job has not led to a result; nothing unless it failed or was interrupted. what: "The map was"."""
    if status.state == "failed":
        problem_box(RunError(f"{what} not computed: {status.error}"))
    elif status.state == "interrupted":
        problem_box(RunError(f"{what} not computed: its process has ended before it was done.", "Start it again."))
    show_refusal()


def show_not_answering(seconds: float, end: Callable[[], None], *, key: str, patience: float = NOT_ANSWERING) -> None:
    """That a process no longer answers, and the way out; nothing while it does."""
    if seconds < patience:
        return
    show(f"Its process is not answering for {seconds:.0f} s.", kind="quiet")
    st.button("End it", key=f"{key}_end", icon=":material/cancel:", on_click=do_or_tell, args=(end,),
              help="Ends the process at once, so that what waits can begin. What is saved already stays.")  # fmt: skip


def show_trouble(words: str) -> None:
    """Why what waits does not start; nothing when nothing is wrong."""
    if words:
        problem_box(RunError(f"It does not start. {words}", "Tell whoever looks after this program."))


def do_or_tell(action: Callable[[], None]) -> None:
    """For on_click: do it; what it is refused for is shown by the next run of the page."""
    try:
        action()
    except LdvaeError as fault:  # somebody else was faster, or it has ended meanwhile
        st.session_state[FAULT] = fault


def show_refusal() -> None:
    """What the last click was refused for, once."""
    if fault := st.session_state.pop(FAULT, None):
        problem_box(fault)


def _waiting(place: int) -> str:
    return "starting" if place <= 1 else f"number {place} in its queue"
