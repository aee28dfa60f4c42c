"""Read counts from a file that is not trusted: a limited child process opens it, never this one."""

import json
import logging
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

from ldvae_core import durable
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.folder import load_counts
from ldvae_core.data.formats import format_of
from ldvae_core.data.progress import ReadingProgress, read_progress
from ldvae_core.data.reading_options import ReadingOptions
from ldvae_core.data.watched import run_watched
from ldvae_core.errors import CountsError

MEMORY_BASE = 2 << 30  # bytes; enough for any file of a few hundred megabytes
LIBRARIES = 600_000_000  # bytes that the child holds before it opens anything, and some more
MEMORY_PER_BYTE = 12  # a gzipped sparse matrix unfolds to about six times its size, held twice while it is sorted
TIMEOUT_BASE_S = 60.0
TIMEOUT_S_PER_BYTE = 1e-6  # a second a megabyte; about 20 times what a common .h5ad takes
PROJECT = Path(__file__).resolve().parents[2]
CHILD = (sys.executable, "-m", "ldvae_core.data.reading_process")
LOGGED = 4_000  # last characters of the child's messages that go to the log
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")

logger = logging.getLogger(__name__)


def read_counts(
    source: Path, into: Path, *, memory_limit_bytes: int | None = None, timeout_s: float | None = None
) -> CountMatrix:
    """Read `source` (see formats.READABLE) into the folder `into` and open that: counts checked, names unique.

    memory_limit_bytes: for the child beyond its libraries. timeout_s: seconds of wall clock. None grows with the file.
    Raises CountsError: missing or unreadable file, refused for safety, no raw counts, too large, too slow, or a reader
    that died. On any failure `into` is as it was before, and nothing is left beside it.
    """
    source = source.expanduser()
    if not source.exists():
        raise CountsError(f"{source.name} does not exist.", "Check the path.")
    if not source.is_file() and not source.is_dir():
        raise CountsError(f"{source.name} is neither a file nor a folder.", "Choose a data file.")
    reader_of(source)
    size = _size(source)
    memory = MEMORY_BASE + MEMORY_PER_BYTE * size if memory_limit_bytes is None else memory_limit_bytes
    seconds = TIMEOUT_BASE_S + TIMEOUT_S_PER_BYTE * size if timeout_s is None else timeout_s
    durable.write_folder(into, lambda part: _run(source.resolve(), part.resolve(), memory, seconds))
    return load_counts(into)


def _run(source: Path, folder: Path, memory_bytes: int, timeout_s: float) -> None:
    """Let the child fill `folder`; turn its refusal, its death or its silence into CountsError."""
    arguments = [str(source), str(folder), str(memory_bytes), str(max(1, round(timeout_s)))]
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as messages:
        status = run_watched(
            [*CHILD, *arguments],
            memory_bytes=memory_bytes + LIBRARIES,
            seconds=timeout_s,
            environment=_environment(),
            folder=PROJECT,
            output=answer,
            errors=messages,
        )
        if status == "too slow":
            raise _too_slow(source, timeout_s)
        if status == "too large":
            raise _too_large(source, memory_bytes)
        reply = _reply(answer)
        if status != 0 or reply is None or reply:
            logger.info("Reading %s ended with status %s: %s", source.name, status, _tail(messages))
    if status == 0 and reply is not None:
        if reply:
            raise CountsError(reply["problems"], reply["remedy"])
        return
    if status == -getattr(signal, "SIGXCPU", signal.SIGTERM):
        raise _too_slow(source, timeout_s)
    raise CountsError(
        f"The reader stopped while it read {source.name} (status {status}): the file is damaged, or larger than the "
        f"{memory_bytes / 2**30:.1f} GB of memory allowed.",
        "Nothing was loaded. Write or download the file again, or load fewer cells.",
    )


def _reply(answer: IO[bytes]) -> dict[str, Any] | None:
    """The child's answer, or None when it gave none."""
    answer.seek(0)
    try:
        reply = json.loads(answer.read(1_000_000))
    except ValueError:
        return None
    return reply if isinstance(reply, dict) else None


def _too_large(source: Path, memory_bytes: int) -> CountsError:
    return CountsError(
        f"Reading {source.name} needs more than {memory_bytes / 2**30:.1f} GB of memory.",
        "Load a smaller part of the cells, or save the matrix in sparse form.",
    )


def _too_slow(source: Path, timeout_s: float) -> CountsError:
    return CountsError(
        f"Reading {source.name} took longer than {timeout_s:,.0f} seconds and was stopped.",
        "Nothing was loaded. Save the matrix in sparse form, or load fewer cells.",
    )


def _environment() -> dict[str, str]:
    """What the child needs, and no more: no secrets of the server, no HDF5 plugins, one thread, plain allocators."""
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "PYTHONPATH": str(PROJECT),
        "PYTHONIOENCODING": "utf-8",
        "HDF5_PLUGIN_PRELOAD": "::",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }


def _size(source: Path) -> int:
    if source.is_file():
        return source.stat().st_size
    return sum(path.stat().st_size for path in source.rglob("*") if path.is_file())


def _tail(messages: IO[bytes]) -> str:
    messages.seek(0, os.SEEK_END)
    messages.seek(max(0, messages.tell() - LOGGED))
    return messages.read().decode("utf-8", "replace")
