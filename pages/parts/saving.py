"""Buttons that make a file when they are pressed, and say it when that fails.

Streamlit makes such files in a thread of its own, in which nothing can be shown; its own words for every failure are
"Failed to generate file for download", for five seconds.
"""

import logging
import time
from collections.abc import Callable
from typing import Literal

import streamlit as st

from ldvae_core.errors import LdvaeError, RunError
from pages.parts.problems import problem_box
from pages.parts.text import plain

log = logging.getLogger(__name__)

Work = Callable[[Callable[[float], None]], bytes]  # is given what it calls with its share done, 0 to 1
SAME_CLICK = 2.0  # seconds: the file may be begun, and be refused, before the page hears of the click
UNHEARD = 10.0  # seconds after which a click that began nothing is forgotten


class Making:
    """How the making of one file stands, for one visitor."""

    def __init__(self) -> None:
        self.share, self.running = 0.0, False
        self.fault: LdvaeError | None = None  # of the last time
        self._asked = self._begun = float("-inf")

    def make(self, work: Work) -> bytes:
        """The file. Raises what the work raised, and keeps it to be shown."""
        self.share, self.running, self.fault, self._begun = 0.0, True, None, time.monotonic()
        try:
            return work(self._tell)
        except Exception as fault:
            log.warning("a file could not be made", exc_info=True)
            self.fault = fault if isinstance(fault, LdvaeError) else _in_words(fault)
            raise
        finally:
            self.running = False

    def ask(self) -> None:
        """The button was pressed."""
        self._asked = time.monotonic()

    @property
    def is_awaited(self) -> bool:
        """Whether the file is being made, or is about to be."""
        begun = self._begun > self._asked - SAME_CLICK
        return self.running or (not begun and time.monotonic() < self._asked + UNHEARD)

    def _tell(self, share: float) -> None:
        self.share = share


def save_button(
    label: str,
    work: Work,
    *,
    file_name: str,
    mime: str,
    key: str,
    kind: Literal["primary", "tertiary"] = "tertiary",
) -> None:
    """A button that saves what `work` makes, which begins when it is pressed; progress and refusals stand below it."""
    making = st.session_state.setdefault(f"making_{key}_{file_name}", Making())
    st.download_button(
        label,
        data=lambda: making.make(work),
        file_name=file_name,
        mime=mime,
        key=key,
        type=kind,
        icon=":material/download:",
        on_click=making.ask,
    )
    if making.is_awaited:
        st.fragment(_live, run_every=0.6, key=f"{key}_live")(making, file_name)
    elif making.fault is not None:
        problem_box(making.fault)


def _live(making: Making, file_name: str) -> None:
    if not making.is_awaited:
        st.rerun(scope="app")
    st.progress(min(making.share, 1.0), text=plain(f"Making {file_name}"))


def _in_words(fault: Exception) -> RunError:
    if isinstance(fault, MemoryError):
        return RunError("There was not enough memory to make this file.", "Close other programs, then try again.")
    if isinstance(fault, OSError):
        return RunError(f"The file could not be made ({fault.strerror or fault}).", "Make room on the disk.")
    return RunError("The file could not be made.", "This is a fault of the program: its log says which.")
