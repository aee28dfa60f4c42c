"""Read counts from a file that is not trusted: a limited child process opens it, never this one."""

import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ldvae_core import durable
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.folder import load_counts
from ldvae_core.data.formats import format_of
from ldvae_core.data.limited import LIBRARIES, PROJECT, child_environment
from ldvae_core.data.limits import SPENT
from ldvae_core.data.progress import ReadingProgress, read_progress
from ldvae_core.data.reading_options import NOTHING_SAID, ReadingOptions
from ldvae_core.data.sizes import size_of
from ldvae_core.data.watched import run_watched
from ldvae_core.errors import CountsError

MEMORY = 2 << 30  # bytes; what a reading holds does not grow with the counts, only with names and annotations
TIMEOUT_BASE_S = 60.0
TIMEOUT_S_PER_BYTE = 1e-6  # a second a megabyte; about 20 times what a common .h5ad takes
CHILD = (sys.executable, "-m", "ldvae_core.data.reading_process")
LOGGED = 4_000  # last characters of the child's messages that go to the log
logger = logging.getLogger(__name__)


def read_counts(
    source: Path,
    into: Path,
    *,
    options: ReadingOptions = NOTHING_SAID,
    memory_limit_bytes: int = MEMORY,
    timeout_s: float | None = None,
    on_progress: Callable[[ReadingProgress], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> CountMatrix:
    """Read `source` (see formats.FORMATS) into the folder `into` and open that: counts checked, names unique.

    memory_limit_bytes: for the child beyond its libraries, whatever the size of the file. timeout_s: seconds of wall
    clock; None grows with the file. on_progress: told some times a second. should_stop: asked as often. Raises
    CountsError: missing or unreadable file, refused for safety, no raw counts, an option that means nothing here, too
    large, too slow, stopped, or a reader that died. On any failure `into` is as it was before, and nothing is left.
    """
    source = source.expanduser()
    if not source.exists():
        raise CountsError(f"{source.name} does not exist.", "Check the path.")
    if not source.is_file() and not source.is_dir():
        raise CountsError(f"{source.name} is neither a file nor a folder.", "Choose a data file.")
    format_of(source)
    seconds = TIMEOUT_BASE_S + TIMEOUT_S_PER_BYTE * size_of(source) if timeout_s is None else timeout_s

    def fill(part: Path) -> None:
        def look() -> bool:
            progress = read_progress(part) if on_progress is not None else None
            if progress is not None and on_progress is not None:
                on_progress(progress)
            return not should_stop()

        _run(source.resolve(), part.resolve(), options, memory_limit_bytes, seconds, look)

    durable.write_folder(into, fill)
    return load_counts(into)


def _run(
    source: Path, folder: Path, options: ReadingOptions, memory_bytes: int, timeout_s: float, look: Callable[[], bool]
) -> None:
    """Let the child fill `folder`; turn its refusal, its death or its silence into CountsError."""
    limits = [str(memory_bytes), str(max(1, round(timeout_s)))]
    arguments = [str(source), str(folder), *limits, json.dumps(options.to_dict())]
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as messages:
        status = run_watched(
            [*CHILD, *arguments],
            memory_bytes=memory_bytes + LIBRARIES,
            seconds=timeout_s,
            environment=child_environment(),
            folder=PROJECT,
            output=answer,
            errors=messages,
            look=look,
        )
        if status == "stopped":
            raise CountsError(f"Reading {source.name} was stopped.", "Nothing was loaded.")
        if status == "too slow":
            raise _too_slow(source, timeout_s)
        if status == "too large":
            raise _too_large(source, memory_bytes)
        reply = _reply(answer)
        if status != 0 or reply is None or reply:
            logger.info("Reading %s ended with status %s: %s", source.name, status, _tail(messages))
    if status == 0 and reply is not None:
        if reply:
            raise CountsError(reply["problems"], reply["remedy"], offers=reply.get("offers"))
        return
    if status == SPENT:
        raise CountsError(
            f"{source.name} is damaged: reading it takes far longer than a whole file of its size does.",
            "Nothing was loaded. Write or download the file again.",
        )
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


def _tail(messages: IO[bytes]) -> str:
    messages.seek(0, os.SEEK_END)
    messages.seek(max(0, messages.tell() - LOGGED))
    return messages.read().decode("utf-8", "replace")
