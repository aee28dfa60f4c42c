"""A worker: takes the jobs of one lane from the queue, one after the other, until none waits.

It belongs to no page and no server: closing either does not touch it. There is one way to stop what it does: a request
in the queue, which the heartbeat brings. Work that asks is told; other work is ended in the middle, with its process.
"""

import contextlib
import logging
import os
import shutil
import signal
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from ldvae_core.answer import Answer
from ldvae_core.errors import DeviceLostError, LdvaeError
from ldvae_core.jobs.kinds import Kind, Outcome
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.jobs.process import give_way
from ldvae_core.jobs.progress import Progress, write_progress
from ldvae_core.jobs.queue import Asked, Job
from ldvae_core.workspace import processes
from ldvae_core.workspace.datasets import FULL_DISK
from ldvae_core.workspace.folders import Workspace
from ldvae_core.workspace.system import allow_many_files

log = logging.getLogger(__name__)

BEAT_SECONDS = 0.5
IDLE_SECONDS = 2.0  # without a waiting job, before the process ends
ANOTHER_ONE_WORKS = 3  # exit status
End = Callable[[int], object]


def main(kinds: Mapping[str, Kind], arguments: list[str]) -> int:
    """Be the worker of the workspace and lane that the two arguments name; returns the exit status."""
    workspace, kind = Workspace(Path(arguments[0])).make(), kinds[arguments[1]]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    allow_many_files()
    give_way(kind.niceness)
    ending = threading.Event()
    if kind.asks:  # else the process may end where it stands: nothing is lost that a pause would keep
        signal.signal(signal.SIGTERM, lambda number, frame: ending.set())
    try:
        return run(workspace, kind, ending=ending)
    except LdvaeError:
        log.exception("the worker cannot go on")
        return 1


def run(
    workspace: Workspace,
    kind: Kind,
    *,
    idle_seconds: float = IDLE_SECONDS,
    ending: threading.Event | None = None,
    end_process: End = os._exit,
) -> int:
    """Do waiting jobs until none has come for idle_seconds, or `ending` is set, which pauses the one in work.

    Returns 0, or ANOTHER_ONE_WORKS when the lane has a live worker already. end_process: how work that does not ask is
    ended when its job is cancelled.
    """
    lanes, owner, ending = Lanes(workspace), processes.this_process(), ending or threading.Event()
    watch, patience = processes.Watch(), time.monotonic() + kind.silent_seconds + BEAT_SECONDS
    while not lanes.take(kind, owner, watch):
        other = lanes.worker(kind.lane)
        if other is None or (not processes.is_here(other) and time.monotonic() < patience):
            time.sleep(BEAT_SECONDS)
            continue
        return ANOTHER_ONE_WORKS
    log.info("worker %s of the lane %s", owner, kind.lane)
    with Heartbeat(lanes, kind, owner, ending, end_process) as heartbeat:
        idle_since = time.monotonic()
        while not ending.is_set():
            job = lanes.claim(kind.lane, owner)
            if job:
                _work(workspace, kind, job, heartbeat)
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since < idle_seconds:
                ending.wait(min(BEAT_SECONDS, idle_seconds))
            elif lanes.release(kind.lane, owner, only_if_idle=True):
                return 0
    lanes.release(kind.lane, owner, only_if_idle=False)
    return 0


class Heartbeat:
    """A thread that shows the worker lives, writes down how far it is, and brings what is asked of the job in work."""

    def __init__(self, lanes: Lanes, kind: Kind, owner: str, ending: threading.Event, end_process: End) -> None:
        self._lanes, self._kind, self.owner, self._ending, self._end = lanes, kind, owner, ending, end_process
        self._lock, self._done = threading.Lock(), threading.Event()
        self._job: Job | None = None
        self._asked: Asked = ""
        self._progress, self._untold, self._began = Progress(), False, 0.0
        self._thread = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._done.set()
        self._thread.join()

    def follow(self, job: Job | None) -> None:
        """From now on, ask about this job."""
        with self._lock:
            self._job, self._asked, self._untold, self._began = job, "", False, time.monotonic()

    def leave(self) -> None:
        """Let the worker end after this job."""
        self._ending.set()

    def answer(self) -> Answer:
        """What the job in work should do; costs nothing."""
        return self._asked or ("pause" if self._ending.is_set() else "go")

    def report(self, progress: Progress) -> None:
        """How far it is; seconds are counted here unless they are given."""
        self._progress, self._untold = progress, True

    def _beat_on(self) -> None:
        while not self._done.wait(BEAT_SECONDS):
            job = self._job
            try:
                asked = self._lanes.beat(self._kind.lane, self.owner, job)
                self._tell(job)
            except Exception:  # a missed beat must never end the work
                log.warning("a heartbeat was missed", exc_info=True)
                continue
            with self._lock:
                if job is not self._job:
                    continue
                self._asked = asked
                if job is not None and asked and not self._kind.asks:
                    self._break_off(job)

    def _tell(self, job: Job | None) -> None:
        if job is None or not self._untold:
            return
        self._untold = False
        progress = self._progress
        seconds = progress.seconds or time.monotonic() - self._began
        write_progress(progress_file(self._lanes.workspace, job), replace(progress, seconds=seconds))

    def _break_off(self, job: Job) -> None:
        """End the process in the middle of work that cannot be asked. Files are replaced whole: none is left half."""
        log.info("%s %s %s is broken off", job.lane, job.subject, job.name)
        outcome = self._kind.settle(self._lanes.workspace, job, Outcome("cancelled"))
        self._lanes.settle(self.owner, job, outcome)
        self._lanes.release(self._kind.lane, self.owner, only_if_idle=False)
        self._end(0)


def progress_file(workspace: Workspace, job: Job) -> Path:
    """Where a worker writes how far a job is."""
    return workspace.progress / f"{job.seq}.json"


def _work(workspace: Workspace, kind: Kind, job: Job, heartbeat: Heartbeat) -> None:
    """Do one claimed job and write down how it ended."""
    log.info("%s %s %s begins", job.lane, job.subject, job.name)
    with contextlib.suppress(OSError):  # a reader has it open (Windows): the first report writes over it
        progress_file(workspace, job).unlink(missing_ok=True)
    heartbeat.follow(job)
    outcome = _outcome(workspace, kind, job, heartbeat)
    try:
        if heartbeat.answer() == "cancel":
            outcome = Outcome("cancelled")
        outcome = kind.settle(workspace, job, outcome)
    except OSError:
        log.exception("how %s %s ended could not be written down with it", job.lane, job.subject)
    finally:
        heartbeat.follow(None)
        Lanes(workspace).settle(heartbeat.owner, job, outcome)
    log.info("%s %s %s is %s", job.lane, job.subject, job.name, outcome.state)


def _outcome(workspace: Workspace, kind: Kind, job: Job, heartbeat: Heartbeat) -> Outcome:
    """Do it, and say in which state that ended and why; the reason is for people, the details go to the log."""
    try:
        return Outcome(kind.perform(workspace, job, heartbeat))
    except LdvaeError as fault:
        log.warning("%s %s failed: %s", job.lane, job.subject, fault)
        if isinstance(fault, DeviceLostError):
            heartbeat.leave()  # every further job in this process would fail too: another one takes the next
        return Outcome("failed", str(fault))
    except MemoryError:
        log.exception("%s %s ran out of memory", job.lane, job.subject)
        return Outcome("failed", kind.no_memory)
    except Exception as fault:
        if isinstance(fault, OSError) and fault.errno in FULL_DISK:
            free = shutil.disk_usage(workspace.root).free / 2**20
            return Outcome("failed", f"The disk is full: {free:,.0f} MB are free where runs are kept. {kind.no_room}")
        number = uuid.uuid4().hex[:8]
        log.exception("error %s in %s %s", number, job.lane, job.subject)
        words = f"The program made a mistake (error {number}). The details are in the log of the {job.lane} process."
        return Outcome("failed", words)
