"""Code that runs in a process of an emulated platform."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.platforms import emulation

ROOT = Path(__file__).parents[2]


@pytest.fixture
def started():
    """started(platform, code, *arguments) starts Python there, with pipes; what still runs at the end is ended."""
    if sys.platform != "linux":
        pytest.skip("only Linux can stand in for the others")
    python, children = os.environ.get("EMULATED_PYTHON", sys.executable), []

    def start(name: str, code: str, *arguments: object) -> "subprocess.Popen[bytes]":
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        environment = {**os.environ, **emulation.environment(name)}
        command = [python, "-c", code, *map(str, arguments)]
        children.append(subprocess.Popen(command, cwd=ROOT, env=environment, **pipes))
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.communicate()


@pytest.fixture
def emulated(started):
    """emulated(platform, code, *arguments) runs Python there and gives its standard output; it must end well."""

    def run(name: str, code: str, *arguments: object) -> str:
        child = started(name, code, *arguments)
        said, words = child.communicate(timeout=180)
        assert child.returncode == 0, words.decode("utf-8", "replace")
        return said.decode("utf-8").strip()

    return run
