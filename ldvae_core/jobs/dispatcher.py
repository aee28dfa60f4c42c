"""The page server's hand in the work: a thread that starts a worker for every lane in which jobs wait, and notices
when one has died.

Any number of servers may do this over one workspace: each lane lets one worker in. A server that is started anew finds
the running ones and leaves them alone.
"""

import contextlib
import datetime
import logging
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ldvae_core.jobs.kinds import Kind, Kinds
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.jobs.process import start_detached
from ldvae_core.jobs.worker import ANOTHER_ONE_WORKS, progress_file
from ldvae_core.workspace import processes
from ldvae_core.workspace.folders import Workspace

log = logging.getLogger(__name__)

StartWorker = Callable[[Workspace, Kind, Path], "subprocess.Popen[bytes]"]
INTERVAL_SECONDS = 1.0
LONGEST_WAIT = 60.0  # between attempts to start a worker that keeps failing
FAILURES_SHOWN = 2
LOGS_KEPT = 20  # of each lane


def start_worker(module: str) -> StartWorker:
    """How to start a worker that `python -m module WORKSPACE LANE` is."""

    def start(workspace: Workspace, kind: Kind, log_file: Path) -> "subprocess.Popen[bytes]":
        arguments = ["-m", module, str(workspace.root), kind.lane]
        return start_detached(arguments, log=log_file, environment=kind.environment())

    return start


@dataclass
class _Lane:
    """What this server has tried for one lane."""

    worker: "subprocess.Popen[bytes] | None" = None
    log_file: Path | None = None
    failures: int = 0
    not_before: float = 0.0  # by the steady clock


class Dispatcher:
    """start() with the page server, stop() with it; workers outlive both."""

    def __init__(
        self,
        workspace: Workspace,
        kinds: Kinds,
        start_worker: StartWorker,
        *,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        self.workspace, self.lanes, self._kinds = workspace, Lanes(workspace), kinds
        self._start_worker, self._interval = start_worker, interval_seconds
        self._tried = {lane: _Lane() for lane in kinds}
        self._watch, self._stopping = processes.Watch(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look after the queue, every interval; a second call does nothing."""
        if self._thread is None:
            self.workspace.make()
            self._stopping.clear()
            self._thread = threading.Thread(target=self._go_on, name="dispatcher", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop looking; workers go on by themselves."""
        if self._thread is not None:
            self._stopping.set()
            self._thread.join()
            self._thread = None

    def tick(self) -> None:
        """One look: settle the jobs of dead workers, and start a worker for every lane in which jobs wait for one."""
        for job in self.lanes.settle_dead(self._kinds, self._watch):
            log.warning("the worker of %s %s has ended before it", job.lane, job.subject)
        self.lanes.listen()
        for lane in self.lanes.waiting():
            tried = self._tried.get(lane)
            if tried is not None and not self._is_starting(lane, tried) and time.monotonic() >= tried.not_before:
                self._start(lane, tried)

    def _forget_progress(self) -> None:
        """Remove the progress files of jobs that have ended."""
        running = {progress_file(self.workspace, job) for job in self.lanes.running()}
        for path in set(self.workspace.progress.glob("*.json")) - running:
            with contextlib.suppress(OSError):
                path.unlink()

    def _start(self, lane: str, tried: _Lane) -> None:
        tried.log_file = _new_log(self.workspace, lane)
        try:
            tried.worker = self._start_worker(self.workspace, self._kinds[lane], tried.log_file)
        except OSError as fault:
            log.warning("no worker could be started for the lane %s", lane, exc_info=True)
            self._failed(lane, tried, f"Its process cannot be started ({fault.strerror or fault}).")

    def _is_starting(self, lane: str, tried: _Lane) -> bool:
        """Whether our worker still runs; one that has ended is reaped, and a failed one makes the next attempt wait."""
        if tried.worker is None:
            return False
        status = tried.worker.poll()
        if status is None:
            return True
        tried.worker = None
        if status in (0, ANOTHER_ONE_WORKS):
            tried.failures = 0
        else:
            log.warning("the worker of the lane %s ended with status %s", lane, status)
            said = f"logs/{tried.log_file.name}" if tried.log_file else "the logs folder"
            self._failed(lane, tried, f"Its process ended {tried.failures + 1} times in a row. Its last words: {said}.")
        return False

    def _failed(self, lane: str, tried: _Lane, words: str) -> None:
        tried.failures += 1
        tried.not_before = time.monotonic() + min(2.0**tried.failures / 2, LONGEST_WAIT)
        if tried.failures >= FAILURES_SHOWN:
            self.lanes.say_trouble(lane, words)

    def _go_on(self) -> None:
        tidied = False
        while True:
            try:
                if not tidied:
                    self._forget_progress()
                    tidied = True
                self.tick()
            except Exception:  # the next look may succeed; without this thread nothing would ever be done again
                log.exception("the dispatcher stumbled")
            if self._stopping.wait(self._interval):
                return


def _new_log(workspace: Workspace, lane: str) -> Path:
    """The file for what the next worker of a lane has to say; only the last few are kept."""
    for old in sorted(workspace.logs.glob(f"{lane}-*.log"), key=_changed)[: 1 - LOGS_KEPT]:
        with contextlib.suppress(OSError):  # somebody reads it (Windows)
            old.unlink(missing_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    return workspace.logs / f"{lane}-{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}.log"


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
