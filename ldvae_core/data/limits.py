"""Bounds that a child process sets itself before it opens what a stranger wrote, and its answer in one JSON object.

Linux heeds all of them. macOS heeds some and Windows none: there the parent's look at clock and memory has to do.
"""

import contextlib
import json
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

PARENT_SECONDS = 0.5  # between two looks whether the parent is there
GRACE_SECONDS = 5  # from the signal that asks to the one that ends
OPENING_SECONDS = 8  # of processor, until a file has told what it holds: damaged HDF5 can be followed for ever
BYTES_A_SECOND = 4_000_000  # declared, read in a second of processor at the very least; common files: 50 million
WRITTEN_BASE = 64 << 20
WRITTEN_PER_BYTE = 8  # a count of one byte in a dense matrix becomes an index of eight
SPENT = -getattr(signal, "SIGXCPU", signal.SIGTERM)  # how a child ends whose processor time is over
_declared = 0  # bytes, by all files that were opened
_limited = False  # this process has limits of ours: only then may they be changed


def limit_process(*, memory_bytes: int, seconds: int) -> None:
    """Bound this process after its imports; for a child that reads one file and ends.

    memory_bytes: beyond what it holds now; no file that it writes is larger either, until `expect`. seconds: of
    processor. Beyond them an allocation raises MemoryError, a write OSError (EFBIG), and SIGXCPU ends the process.
    """
    global _limited
    space = _address_space() + memory_bytes
    _set("RLIMIT_CORE", 0, 0)
    _set("RLIMIT_AS", space, space)
    _set("RLIMIT_CPU", seconds, seconds + GRACE_SECONDS)
    _set("RLIMIT_FSIZE", memory_bytes)
    _limited = True


@contextlib.contextmanager
def opening() -> Iterator[None]:
    """Allow OPENING_SECONDS of processor for what is done inside. Without effect in a process that is not limited."""
    if _limited:
        _set_processor(OPENING_SECONDS)
    try:
        yield
    finally:
        if _limited:
            _set_processor(None)


def expect(declared_bytes: int) -> None:
    """Once a file told how many bytes it unfolds to: as much processor time and as large files as that can take.

    Of several files, what each told adds up. Without effect in a process that is not limited.
    """
    global _declared
    if _limited:
        _declared += declared_bytes
        _set_processor(OPENING_SECONDS + _declared / BYTES_A_SECOND)
        _set("RLIMIT_FSIZE", WRITTEN_BASE + WRITTEN_PER_BYTE * _declared)


def answer(work: Callable[[], Mapping[str, Any]]) -> None:
    """Write what `work` returns to standard output as JSON; what libraries print meanwhile goes to standard error.

    The process ends soon after the one that started it: nobody would take its answer, and nobody would clear away what
    it writes.
    """
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    answer_to = os.dup(1)
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    reply = work()
    with os.fdopen(answer_to, "w", encoding="utf-8") as out:
        out.write(json.dumps(reply))


def _end_with(parent: int) -> None:
    """On Windows a process keeps the id of its parent for ever: there its limits end it."""
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os._exit(1)


def _set_processor(seconds: float | None) -> None:
    """As many seconds from now on, or as many as there are: never more than the process was given."""
    if resource is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = resource.getrlimit(resource.RLIMIT_CPU)[1] - GRACE_SECONDS
    _set("RLIMIT_CPU", most if seconds is None else min(most, int(used.ru_utime + used.ru_stime + seconds) + 1))


def _set(name: str, soft: int, hard: int | None = None) -> None:
    """A limit of this process; hard None leaves that as it is. Systems that know no such limit, or refuse, go on."""
    if resource is None:
        return
    try:
        kind = getattr(resource, name)
        resource.setrlimit(kind, (soft, resource.getrlimit(kind)[1] if hard is None else hard))
    except (AttributeError, ValueError, OSError):
        return


def _address_space() -> int:
    """Bytes of address space already taken by the interpreter and the libraries, or a generous guess."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 4 << 30
