"""Code that runs in a process of an emulated platform."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.platforms import emulation

ROOT = Path(__file__).parents[2]


@pytest.fixture
def emulated():
    """emulated(platform, code, *arguments) runs Python there and gives its standard output; it must end well."""
    if sys.platform != "linux":
        pytest.skip("only Linux can stand in for the others")
    python = os.environ.get("EMULATED_PYTHON", sys.executable)

    def run(name: str, code: str, *arguments: object, encoding: str = "utf-8") -> str:
        done = subprocess.run(
            [python, "-c", code, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, **emulation.environment(name)},
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
        return done.stdout.decode(encoding).strip()

    return run
