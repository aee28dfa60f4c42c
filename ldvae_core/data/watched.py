"""Run a child process under limits that hold on every system: this process looks at its clock and at its memory."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Literal

import psutil

LOOK_SECONDS = 0.1  # a file that unfolds in memory takes some 50 MB in that time
Ended = int | Literal["too slow", "too large", "stopped"]


def run_watched(
    command: Sequence[str],
    *,
    memory_bytes: int,
    seconds: float,
    environment: Mapping[str, str],
    folder: Path,
    output: IO[bytes],
    errors: IO[bytes],
    look: Callable[[], bool] = lambda: True,
) -> Ended:
    """Run `command` in `folder` to its end: the exit status, or why it was ended with all that it had started.

    memory_bytes: held by it and its children together, libraries included. look: called whenever its limits are looked
    at; false ends it. Raises OSError when it cannot be started.
    """
    until = time.monotonic() + seconds
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=dict(environment), cwd=folder
    )
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return child.wait(max(0.0, min(LOOK_SECONDS, until - time.monotonic())))
            if time.monotonic() >= until:
                return "too slow"
            if _held(child.pid) > memory_bytes:
                return "too large"
            if not look():
                return "stopped"
    finally:
        _end(child)


def _held(pid: int) -> int:
    """Bytes of memory of a process and all below it: on Windows the first one only launches the one that reads."""
    total = 0
    for process in _family(pid):
        with contextlib.suppress(psutil.Error):
            memory = process.memory_info()
            total += getattr(memory, "private", memory.rss)  # private: what Windows has promised to it
    return total


def _family(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        for process in _family(child.pid):
            with contextlib.suppress(psutil.Error):
                process.kill()
        child.wait()
