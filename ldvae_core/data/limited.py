"""Let a limited child process open what a stranger wrote: its answer, or in words why there is none."""

import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from ldvae_core.data.limits import SPENT
from ldvae_core.data.watched import run_watched
from ldvae_core.errors import LdvaeError

LIBRARIES = 600_000_000  # bytes that a child holds before it opens anything, and some more
LARGEST_ANSWER = 1_000_000  # bytes
PROJECT = Path(__file__).resolve().parents[2]
PYTHON = (sys.executable, "-m")
OFFERED = ("offers",)  # what a CountsError can hold besides
LOGGED = 4_000  # last characters of the child's messages that go to the log
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")

logger = logging.getLogger(__name__)


def run_limited(
    module: str,
    arguments: Sequence[str],
    *,
    name: str,
    memory_bytes: int,
    seconds: float,
    smaller: str,
    error: type[LdvaeError],
    look: Callable[[], bool] = lambda: True,
) -> dict[str, Any]:
    """Run `python -m module arguments... memory_bytes seconds` and return the JSON object it answers.

    name: of the file, for the words. memory_bytes: beyond the child's libraries. seconds: of wall clock. smaller: the
    remedy for a file that is too large. Raises `error`: refused ("problems" and "remedy" in the answer), too slow, too
    large, or a child that died. What the child was to write is then incomplete. look: called some times a second; false
    stops it, which is said, too.
    """
    bounds = [str(memory_bytes), str(max(1, round(seconds)))]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as messages:
        status = run_watched(
            [*PYTHON, module, *arguments, *bounds],
            memory_bytes=memory_bytes + LIBRARIES,
            seconds=seconds,
            environment=child_environment(),
            folder=PROJECT,
            output=output,
            errors=messages,
            look=look,
        )
        reply = _reply(output) if status == 0 else None
        if reply is None or "problems" in reply:
            logger.info("Reading %s ended with status %s: %s", name, status, _tail(messages))
    if reply is not None:
        if "problems" in reply:
            raise error(reply["problems"], reply["remedy"], **{key: reply[key] for key in OFFERED if key in reply})
        return reply
    nothing = f"Nothing was loaded. {smaller}"
    if status == "stopped":
        raise error(f"Reading {name} was stopped.", "Nothing was loaded.")
    if status == "too slow":
        raise error(f"Reading {name} took longer than {seconds:,.0f} seconds and was stopped.", nothing)
    if status == "too large":
        raise error(f"Reading {name} needs more than {memory_bytes / 2**30:.1f} GB of memory.", smaller)
    if status == SPENT:
        raise error(
            f"{name} is damaged: reading it takes far longer than a whole file of its size does, and was stopped.",
            "Nothing was loaded. Write or download the file again.",
        )
    raise error(
        f"The reader stopped while it read {name} (status {status}): the file is damaged, or larger than the "
        f"{memory_bytes / 2**30:.1f} GB of memory allowed.",
        f"Nothing was loaded. Write or download the file again. {smaller}",
    )


def child_environment() -> dict[str, str]:
    """What a child needs, and no more: no secrets of the server, no HDF5 plugins, one thread, plain allocators."""
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "PYTHONPATH": str(PROJECT),
        "PYTHONIOENCODING": "utf-8",
        "HDF5_PLUGIN_PRELOAD": "::",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }


def _reply(output: IO[bytes]) -> dict[str, Any] | None:
    """The child's answer, or None when it gave none."""
    output.seek(0)
    try:
        reply = json.loads(output.read(LARGEST_ANSWER))
    except ValueError:
        return None
    return reply if isinstance(reply, dict) else None


def _tail(messages: IO[bytes]) -> str:
    messages.seek(0, os.SEEK_END)
    messages.seek(max(0, messages.tell() - LOGGED))
    return messages.read().decode("utf-8", "replace")
