"""The worker as an object: reader.read(path) -> Outcome."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ldvae_core.data.limited import PROJECT, child_environment


class Reader:
    """Asks one worker; see worker.py."""

    def __init__(self, child: "subprocess.Popen[str]", into: Path) -> None:
        self._child, self._into = child, into

    def read(self, source: Path, *, seconds: int = 10) -> dict:
        """An Outcome, as a dict; "wall": seconds of wall clock."""
        asked = {"source": str(source), "into": str(self._into), "seconds": seconds}
        self._child.stdin.write(json.dumps(asked) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker died at {source}")
        return json.loads(line)


@contextmanager
def a_reader(folder: Path, canary: Path) -> Iterator[Reader]:
    """A worker that writes into `folder`; ended afterwards."""
    command = [sys.executable, "-m", "tests.data.hostile.worker", str(canary)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT, env=child_environment()
    ) as child:
        yield Reader(child, folder / "into")
        child.stdin.close()
