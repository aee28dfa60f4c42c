"""What the queue has to be told about a kind of work; the kinds themselves are put together in ldvae_core/work.py."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ldvae_core.answer import Answer
from ldvae_core.jobs.progress import Progress
from ldvae_core.jobs.queue import Job, JobState
from ldvae_core.workspace import processes
from ldvae_core.workspace.folders import Workspace


class Control(Protocol):
    """What work is given to ask and to tell; both cost nothing."""

    def answer(self) -> Answer:
        """What the work should do now."""
        ...

    def report(self, progress: Progress) -> None:
        """How far it is; it reaches the file within about half a second."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How a job has ended, and why in words for people."""

    state: JobState
    error: str = ""


Perform = Callable[[Workspace, Job, Control], JobState]  # raises LdvaeError in words for people
Settle = Callable[[Workspace, Job, Outcome | None], Outcome]


def settle_plainly(workspace: Workspace, job: Job, outcome: Outcome | None) -> Outcome:
    """As it ended; without a word it was interrupted, or cancelled when that had been asked for."""
    return outcome or Outcome("cancelled" if job.request == "cancel" else "interrupted")


@dataclass(frozen=True)
class Kind:
    """One kind of work, with a lane and a worker process of its own."""

    lane: str
    perform: Perform  # runs in the worker, and loads there what is heavy
    settle: Settle = settle_plainly  # puts the outcome down; None: the process ended without saying how
    asks: bool = False  # perform asks control.answer(); else a cancelled job's process is ended in the middle
    niceness: int = 15
    silent_seconds: float = processes.SILENT_SECONDS  # for how long it may be unable to show that it lives
    environment: Callable[[], Mapping[str, str]] = dict  # of its process, in addition
    no_memory: str = "There was not enough memory. Close other programs, then try again."
    no_room: str = "Make room, then try again."


Kinds = Mapping[str, Kind]
