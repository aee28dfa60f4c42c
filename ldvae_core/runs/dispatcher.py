"""The page server's hand in training: a thread that starts a worker when runs wait, and notices when one has died.

Any number of servers may do this over one workspace: the queue lets one worker in. A server that is started anew finds
the running ones and leaves them alone.
"""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from ldvae_core import durable
from ldvae_core.runs.jobs import Jobs
from ldvae_core.runs.worker import ANOTHER_ONE_WORKS
from ldvae_core.workspace import processes
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import PROJECT, Workspace

log = logging.getLogger(__name__)

StartWorker = Callable[[Workspace], "subprocess.Popen[bytes]"]
INTERVAL_SECONDS = 1.0
LONGEST_WAIT = 60.0  # between attempts to start a worker that keeps failing
FAILURES_SHOWN = 2


def start_worker(workspace: Workspace, *, module: str = "ldvae_core.runs.worker") -> "subprocess.Popen[bytes]":
    """Start a training process in a session of its own, so that neither the server's end nor Ctrl-C reaches it."""
    with open(workspace.logs / "worker-start.log", "wb") as first_words:  # until it speaks into a log of its own
        return subprocess.Popen(
            [sys.executable, "-m", module, str(workspace.root)],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=first_words,
            stderr=first_words,
            start_new_session=True,
            close_fds=True,
        )


class Dispatcher:
    """start() with the page server, stop() with it; workers outlive both."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        interval_seconds: float = INTERVAL_SECONDS,
        start_worker: StartWorker = start_worker,
    ) -> None:
        self.workspace, self.jobs = workspace, Jobs(workspace)
        self._interval, self._start_worker = interval_seconds, start_worker
        self._watch, self._stopping = processes.Watch(), threading.Event()
        self._thread: threading.Thread | None = None
        self._worker: subprocess.Popen[bytes] | None = None
        self._failures, self._not_before = 0, 0.0

    @property
    def trouble(self) -> str:
        """Why waiting runs do not start, in words; "" when nothing is wrong."""
        if self._failures < FAILURES_SHOWN:
            return ""
        return f"The training process ended {self._failures} times in a row. Its last words are in the logs folder."

    def start(self) -> None:
        """Begin to look after the queue, every interval; a second call does nothing."""
        if self._thread is None:
            self.workspace.make()
            Datasets(self.workspace).sweep()
            durable.sweep_deleted(self.workspace.runs)
            self._stopping.clear()
            self._thread = threading.Thread(target=self._go_on, name="dispatcher", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop looking; a worker goes on by itself."""
        if self._thread is not None:
            self._stopping.set()
            self._thread.join()
            self._thread = None

    def tick(self) -> None:
        """One look: settle the runs of dead workers, and start a worker when runs wait for one."""
        for run_id in self.jobs.mark_interrupted(self._watch):
            log.warning("the worker of run %s has ended before it", run_id)
        if self._is_starting() or self.jobs.worker() is not None or time.monotonic() < self._not_before:
            return
        if any(job.state == "queued" for job in self.jobs.all().values()):
            self._worker = self._start_worker(self.workspace)

    def _is_starting(self) -> bool:
        """Whether our worker still runs; one that has ended is reaped, and a failed one makes the next attempt wait."""
        if self._worker is None:
            return False
        status = self._worker.poll()
        if status is None:
            return True
        self._worker = None
        if status in (0, ANOTHER_ONE_WORKS):
            self._failures = 0
        else:
            log.warning("the worker ended with status %s", status)
            self._failures += 1
            self._not_before = time.monotonic() + min(2.0**self._failures / 2, LONGEST_WAIT)
        return False

    def _go_on(self) -> None:
        while True:
            try:
                self.tick()
            except Exception:  # the next look may succeed; without this thread nothing would ever train again
                log.exception("the dispatcher stumbled")
            if self._stopping.wait(self._interval):
                return
