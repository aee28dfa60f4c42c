"""Reads one file after another as the limited child does, each in a process of its own, and tells how it went.

`python -m tests.data.hostile.worker CANARY`: a line {"source", "into", "seconds"} on standard input is answered by a
line of an Outcome. The imports are done once; needs a system that can fork.
"""

import ctypes
import gc
import importlib
import json
import os
import pkgutil
import re
import resource
import shutil
import signal
import struct
import sys
import sysconfig
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow.parquet  # noqa: F401  # loaded once, not in every process

from ldvae_core import data
from ldvae_core.data import reading_process
from tests.data.hostile.canary import TOKEN
from tests.data.hostile.samples import files_of

MEMORY_BYTES = 1_800_000_000  # with the libraries two gigabytes
LONGEST_WAIT = 180  # seconds of wall clock, on a busy machine: a process that waits for a pipe uses no processor
IN_OPEN, NONBLOCK = 0x20, os.O_NONBLOCK
FRAME = re.compile(r'File ".*?/((?:ldvae_core|tests)/[\w/]+\.py)", line (\d+)')


@dataclass(frozen=True)
class Outcome:
    """How a reading went. kind: read, refused, traceback, spent (processor time), died. where: of a traceback."""

    kind: str
    said: str
    where: str = ""
    opened: tuple[str, ...] = ()  # outside the source, the target and the program
    seconds: float = 0.0  # of processor
    memory_bytes: int = 0


def read_one(source: Path, into: Path, seconds: int, canary: "Watch") -> Outcome:
    """Fork, read, wait."""
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as messages:
        child = os.fork()
        if child == 0:
            _read(source, into, seconds, told, messages)
        _, status, used = os.wait4(child, 0)
        opened = canary.opened()
        told.seek(0)
        messages.seek(0)
        found = json.loads(told.read() or b"{}")
        said = messages.read().decode("utf-8", "replace")
    reply, spent = found.get("reply"), used.ru_utime + used.ru_stime
    signalled = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if "Traceback (most recent call last)" in said:
        kind = "traceback"
    elif signalled == signal.SIGXCPU:
        kind = "spent"
    elif reply is None:
        kind, said = "died", f"signal {signalled}, status {status}: {said[-300:]}"
    else:
        kind = "refused" if reply else "read"
    if kind == "read" and any(TOKEN in path.read_bytes() for path in files_of(into)):
        opened.append("its bytes were read")
    frames = FRAME.findall(said)
    return Outcome(
        kind,
        " ".join((*reply["problems"], reply["remedy"])) if reply else said.strip().splitlines()[-1] if said else "",
        where=":".join(frames[-1]) if kind == "traceback" and frames else "",
        opened=(*opened, *found.get("opened", ())),
        seconds=round(spent, 3),
        memory_bytes=used.ru_maxrss * 1024,
    )


def _read(source: Path, into: Path, seconds: int, told: IO[bytes], messages: IO[bytes]) -> None:
    """In the forked process: never returns."""
    os.dup2(messages.fileno(), 1)
    os.dup2(messages.fileno(), 2)
    sys.stderr = os.fdopen(2, "w", closefd=False)
    signal.alarm(LONGEST_WAIT)
    opened: set[str] = set()
    allowed = tuple(map(str, (source, into, *_program())))
    try:
        sys.addaudithook(lambda event, given: _note(event, given, allowed, opened))
        reply: Any = reading_process.read_file(source, into, memory_bytes=MEMORY_BYTES, seconds=seconds)
    except BaseException:  # noqa: BLE001  # whatever it is, this process ends here
        traceback.print_exc()
        reply = None
    sys.stderr.flush()
    told.write(json.dumps({"reply": reply, "opened": sorted(opened)}).encode())
    told.flush()
    os._exit(0)


def _program() -> Iterator[Path]:
    """Where the program, its libraries and the system's own lists lie."""
    yield from (Path.cwd(), Path(sys.prefix), Path(sys.base_prefix), Path("/proc"), Path("/sys"), Path("/dev/null"))
    yield from map(Path, sysconfig.get_paths().values())
    yield Path("/usr/share/zoneinfo")


def _note(event: str, given: tuple[Any, ...], allowed: tuple[str, ...], opened: set[str]) -> None:
    if event == "open" and given and isinstance(given[0], str | bytes):
        path = os.path.abspath(os.fsdecode(given[0]))
        if not path.startswith(allowed):
            opened.add(path)


class Watch:
    """Tells when a file in a folder is opened by whomever (Linux; elsewhere never)."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = -1
        if sys.platform == "linux":
            system = ctypes.CDLL(None, use_errno=True)
            self._descriptor = system.inotify_init1(NONBLOCK)
            system.inotify_add_watch(self._descriptor, os.fsencode(folder), IN_OPEN)

    def opened(self) -> list[str]:
        """Names of the files opened since it was last asked."""
        if self._descriptor < 0:
            return []
        try:
            events = os.read(self._descriptor, 65_536)
        except BlockingIOError:
            return []
        names, start = [], 0
        while start < len(events):
            length = struct.unpack_from("iIII", events, start)[3]
            names.append(events[start + 16 : start + 16 + length].rstrip(b"\0").decode())
            start += 16 + length
        return [f"canary {name}" for name in names if name]


def main() -> None:
    """Until standard input ends."""
    canary = Watch(Path(sys.argv[1]))
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for module in pkgutil.iter_modules(data.__path__, f"{data.__name__}."):
        importlib.import_module(module.name)
    gc.freeze()  # else the first collection copies all that is shared with the forked process
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        asked = json.loads(line)
        into = Path(asked["into"])
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir()
        start = time.monotonic()
        outcome = read_one(Path(asked["source"]), into, asked["seconds"], canary)
        answer.write(json.dumps({**asdict(outcome), "wall": round(time.monotonic() - start, 3)}) + "\n")
        answer.flush()


if __name__ == "__main__":
    main()
