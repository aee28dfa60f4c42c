"""Long computations beside the page: begun once for all visitors, with a bar while they last, shown when ready."""

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import streamlit as st

from ldvae_core.errors import LdvaeError
from pages.parts.text import plain

log = logging.getLogger(__name__)

A_MOMENT = 0.15  # seconds: what is there by then needs no bar
Result = TypeVar("Result")
Work = Callable[[Callable[[float], None]], Result]  # is given what it calls with its share done, 0 to 1


class Later(Generic[Result]):
    """A result that a thread of the server works out. Nobody has to wait: the page runs again once it is there."""

    def __init__(self, work: Work[Result], *, at_once: bool) -> None:
        """at_once: work it out here and now, because it is short; what it raises is raised then."""
        self.share = 0.0
        self._work, self._done, self._lock = work, threading.Event(), threading.Lock()
        self._missed = threading.local()  # pages of several visitors ask, each in a thread of its own
        self._result: Result | None = None
        self._fault: Exception | None = None
        if at_once:
            self._result = work(self._tell)
            self._done.set()
        else:
            self._begin()

    @property
    def running(self) -> bool:
        """Whether it is still worked on."""
        return not self._done.is_set()

    def now(self, patience: float = 0.0) -> Result | None:
        """The result, None while it is worked on. patience: seconds to wait for it. Raises what the work raised.

        A LdvaeError follows from what was asked and stays. Anything else, a full memory say, may be over by the next
        visit: it is raised once, and the work is then begun again.
        """
        self._done.wait(patience)
        with self._lock:
            ended = not self.running  # asked first: only what has ended has left its result or its fault
            fault = self._fault
            if ended and fault is None and self._result is None:
                self._begin()
            elif fault is not None and not isinstance(fault, LdvaeError):
                self._fault = None
        if fault is not None:
            raise fault.with_traceback(None)  # which would grow with every visit; the log has it
        if self._result is None:
            self._missed.here = True
        return self._result

    def is_missed(self) -> bool:
        """Whether the page has to be shown again: it is still worked on, or was when this page asked for it."""
        missed, self._missed.here = getattr(self._missed, "here", False), False
        return missed or self.running

    def wait(self) -> Result:
        """The result, as soon as it is there. Raises what the work raised."""
        while (found := self.now()) is None:
            self._done.wait()
        return found

    def _begin(self) -> None:
        self.share = 0.0
        self._done.clear()
        threading.Thread(target=self._run, name="later", daemon=True).start()

    def _tell(self, share: float) -> None:
        self.share = share

    def _run(self) -> None:
        try:
            self._result = self._work(self._tell)
        except Exception as fault:
            log.warning("a computation beside the page failed", exc_info=True)
            self._fault = fault
        finally:
            self._done.set()


def show_waiting(later: Later, words: str, *, key: str) -> None:
    """A bar while it is worked on, then the whole page again; nothing once the page has it. words: what is computed."""
    if later.is_missed():
        st.fragment(_live, run_every=0.6, key=key)(later, words)


def _live(later: Later, words: str) -> None:
    if not later.running:
        st.rerun(scope="app")
    st.progress(min(later.share, 1.0), text=plain(words))
