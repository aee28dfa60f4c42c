"""Bounds that a child process sets itself before it opens what a stranger wrote, and its answer in one JSON object.

Linux heeds all of them. macOS heeds some and Windows none: there the parent's look at clock and memory has to do.
"""

import json
import os
import signal
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

OPENING_SECONDS = 10  # of processor, until a file has told what it holds: damaged HDF5 can be followed for ever
BYTES_A_SECOND = 4_000_000  # declared, read in a second of processor at the very least; common files: 50 million
WRITTEN_BASE = 64 << 20
WRITTEN_PER_BYTE = 8  # a count of one byte in a dense matrix becomes an index of eight
_limited = False  # this process has limits of ours: only then may they be changed


def limit_process(*, memory_bytes: int, seconds: int) -> None:
    """Bound this process after its imports; for a child that reads one file and ends.

    memory_bytes: beyond what it holds now. seconds: of processor in all, of which OPENING_SECONDS before `expect`.
    """
    global _limited
    space = _address_space() + memory_bytes
    _set("RLIMIT_CORE", 0, 0)
    _set("RLIMIT_AS", space, space)
    _set("RLIMIT_CPU", seconds, seconds + 5)
    _limited = True
    _set_processor(OPENING_SECONDS)
    _set("RLIMIT_FSIZE", WRITTEN_BASE)


def expect(declared_bytes: int) -> None:
    """Once a file told how many bytes it unfolds to: as much processor time and as large files as that can take.

    A further file is allowed for on top. Without effect in a process that is not limited. A file written beyond the
    bound raises OSError (EFBIG); processor time beyond it ends the process by SIGXCPU.
    """
    if not _limited:
        return
    _set_processor(OPENING_SECONDS + declared_bytes / BYTES_A_SECOND)
    _set("RLIMIT_FSIZE", WRITTEN_BASE + WRITTEN_PER_BYTE * declared_bytes)


def answer(work: Callable[[], Mapping[str, Any]]) -> None:
    """Write what `work` returns to standard output as JSON; what libraries print meanwhile goes to standard error."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    reply = work()
    with os.fdopen(answer_to, "w", encoding="utf-8") as out:
        out.write(json.dumps(reply))


def _set_processor(more_seconds: float) -> None:
    """Seconds from now on, never beyond the hard limit."""
    if resource is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime + more_seconds) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    _set("RLIMIT_CPU", until if hard == resource.RLIM_INFINITY else min(until, max(1, hard - 5)))


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


SPENT = -getattr(signal, "SIGXCPU", signal.SIGTERM)  # how a child ends whose processor time is over
