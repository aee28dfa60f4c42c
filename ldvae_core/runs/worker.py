"""The training process: takes runs from the queue, one after the other, until none waits.

`python -m ldvae_core.runs.worker WORKSPACE`. It belongs to no page and no server: closing either does not touch it.
"""

import contextlib
import functools
import logging
import os
import shutil
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from ldvae_core.errors import DeviceLostError, LdvaeError, RunError
from ldvae_core.runs.jobs import Job, Jobs
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.states import SETTLED, RunState, cancel_folder, read_folder_state, write_folder_state
from ldvae_core.workspace import processes
from ldvae_core.workspace.datasets import FULL_DISK, Datasets
from ldvae_core.workspace.folders import Workspace

log = logging.getLogger(__name__)

Answer = Literal["go", "stop", "cancel", "pause"]
Execute = Callable[..., dict[str, Any]]
BEAT_SECONDS = 0.5
IDLE_SECONDS = 2.0  # without a waiting run, before the process ends
NICENESS = 10  # the pages come first
LOGS_KEPT = 20
ANOTHER_ONE_WORKS = 3  # exit status


def main(arguments: list[str] | None = None, *, execute: Execute | None = None) -> int:
    """Be the worker of the workspace named by the one argument; returns the exit status."""
    workspace = Workspace(Path((arguments if arguments is not None else sys.argv[1:])[0])).make()
    _log_to_file(workspace)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    ending = threading.Event()
    with contextlib.suppress(ValueError):  # not in a main thread
        signal.signal(signal.SIGTERM, lambda number, frame: ending.set())
    return run(workspace, execute=execute, ending=ending)


def run(
    workspace: Workspace,
    *,
    execute: Execute | None = None,
    idle_seconds: float = IDLE_SECONDS,
    ending: threading.Event | None = None,
) -> int:
    """Execute waiting runs until none has come for idle_seconds, or `ending` is set, which pauses the one in work.

    Returns 0, or ANOTHER_ONE_WORKS when the workspace has a live worker already.
    """
    jobs, owner, ending = Jobs(workspace), processes.this_process(), ending or threading.Event()
    watch, patience = processes.Watch(), time.monotonic() + processes.SILENT_SECONDS + BEAT_SECONDS
    while not jobs.take_lock(owner, watch):
        lock = jobs.worker()
        if lock is None or (not processes.is_here(lock) and time.monotonic() < patience):
            time.sleep(BEAT_SECONDS)
            continue
        return ANOTHER_ONE_WORKS
    log.info("worker %s at %s", owner, workspace.root)
    with _Pulse(jobs, owner, ending) as pulse:
        idle_since = time.monotonic()
        while not ending.is_set():
            job = jobs.claim(owner)
            if job:
                _work(workspace, jobs, job, pulse, execute)
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since < idle_seconds:
                ending.wait(min(BEAT_SECONDS, idle_seconds))
            elif jobs.release_lock(owner, only_if_idle=True):
                return 0
    jobs.release_lock(owner, only_if_idle=False)
    return 0


class _Pulse:
    """A thread that shows the worker lives, and brings back what is asked of the run in work."""

    def __init__(self, jobs: Jobs, owner: str, ending: threading.Event) -> None:
        self._jobs, self.owner, self._ending = jobs, owner, ending
        self._lock, self._done = threading.Lock(), threading.Event()
        self._run_id: str | None = None
        self._asked: str = ""
        self._thread = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)

    def __enter__(self) -> "_Pulse":
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._done.set()
        self._thread.join()

    def follow(self, run_id: str | None) -> None:
        """From now on, ask about this run."""
        with self._lock:
            self._run_id, self._asked = run_id, ""

    def leave(self) -> None:
        """Let the worker end after this run."""
        self._ending.set()

    def answer(self) -> Answer:
        """What the run in work should do; costs nothing."""
        return self._asked or ("pause" if self._ending.is_set() else "go")

    def _beat_on(self) -> None:
        while not self._done.wait(BEAT_SECONDS):
            run_id = self._run_id
            try:
                asked = self._jobs.beat(self.owner, run_id)
            except Exception:  # a missed beat must never end a training
                log.warning("a heartbeat was missed", exc_info=True)
                continue
            with self._lock:
                if run_id == self._run_id:
                    self._asked = asked


def _work(workspace: Workspace, jobs: Jobs, job: Job, pulse: _Pulse, execute: Execute | None) -> None:
    """Execute one claimed run and write down how it ended."""
    folder = workspace.runs / job.run_id
    log.info("run %s begins%s", job.run_id, ", resumed" if job.resume else "")
    pulse.follow(job.run_id)
    state, error = _ended(workspace, folder, job, pulse, execute)
    try:
        if pulse.answer() == "cancel" or state == "cancelled":
            state, error = "cancelled", ""
            cancel_folder(folder)
        elif read_folder_state(folder).stage != state:
            write_folder_state(folder, state, error=error)
    except OSError:
        log.exception("state.json of %s could not be written", job.run_id)
    finally:
        pulse.follow(None)
        jobs.settle(pulse.owner, job.run_id, state, error=error)
    log.info("run %s is %s", job.run_id, state)


def _ended(
    workspace: Workspace, folder: Path, job: Job, pulse: _Pulse, execute: Execute | None
) -> tuple[RunState, str]:
    """Execute, and say in which state that ended and why; the reason is for people, the details go to the log."""
    try:
        if execute is None:
            from ldvae_core.runs.execute import execute  # loads torch: in this process only
        source = RunSettings.read(folder).data_source
        open_counts = functools.partial(Datasets(workspace).open, source)
        execute(folder, open_counts=open_counts, should_stop=pulse.answer, resume=job.resume)
        stage = read_folder_state(folder).stage
        if stage in SETTLED:
            return stage, ""
        raise RuntimeError(f"execute returned at stage {stage}")
    except LdvaeError as fault:
        log.warning("run %s failed: %s", job.run_id, fault)
        if isinstance(fault, DeviceLostError):
            pulse.leave()  # every further run in this process would fail too: another one takes the next
        return "failed", str(fault)
    except MemoryError:
        log.exception("run %s ran out of memory", job.run_id)
        return "failed", "There was not enough memory for this run. Model fewer genes, or choose smaller minibatches."
    except Exception as fault:
        if isinstance(fault, OSError) and fault.errno in FULL_DISK:
            return "failed", _no_room(workspace)
        number = uuid.uuid4().hex[:8]
        log.exception("error %s in run %s", number, job.run_id)
        return (
            "failed",
            f"The program made a mistake (error {number}). The details are in the log of the training process.",
        )


def _no_room(workspace: Workspace) -> str:
    free = shutil.disk_usage(workspace.root).free / 2**20
    return f"The disk is full: {free:,.0f} MB are free where runs are kept. Make room, then resume this run."


def _log_to_file(workspace: Workspace) -> None:
    """Send everything that this process says into logs/worker-<pid>.log; only the last few such files are kept."""
    for old in sorted(workspace.logs.glob("worker-*.log"), key=lambda path: path.stat().st_mtime)[:-LOGS_KEPT]:
        old.unlink(missing_ok=True)
    descriptor = os.open(workspace.logs / f"worker-{os.getpid()}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RunError:
        log.exception("the worker cannot go on")
        sys.exit(1)
