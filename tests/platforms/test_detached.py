"""What is started to outlive the server does so on Windows too, and is told from the launcher that stands before it."""

import os
import subprocess

import psutil
import pytest

from tests.runs.conftest import _finished_folder  # noqa: F401  (a fixture)

STARTS = """
import os, sys, time
from pathlib import Path
from ldvae_core.jobs.process import start_detached
said = Path(sys.argv[1]) / "said"
say = f"import os, pathlib, time; pathlib.Path({str(said)!r}).write_text(str(os.getpid())); time.sleep(60)"
child = start_detached(["-c", say], log=Path(sys.argv[1]) / "log")
while not said.exists() or not said.read_text():
    time.sleep(0.05)
print(os.getpid(), said.read_text(), child.pid)
input()
"""


def session_of(pid: int) -> str:
    return subprocess.run(["ps", "-o", "sid=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", ["windows", "macos"])
def test_closing_the_console_leaves_what_was_started(name, started, tmp_path):
    """It has a session of its own, by the flags of the system, and lives when its parent is gone."""
    parent = started(name, STARTS, tmp_path)
    server, worker, first = map(int, parent.stdout.readline().split())
    apart = session_of(server) != session_of(worker)
    process = psutil.Process(worker)
    parent.kill()
    parent.wait()
    lives = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    process.kill()
    assert (apart, lives) == (True, True)
    assert (worker == first) == (name == "macos")


@pytest.mark.skipif("EMULATED_PLATFORM" in os.environ, reason="the run below is emulated already")
@pytest.mark.parametrize("name", ["windows", "macos"])
def test_a_map_is_computed_by_a_process_of_its_own(name, emulated, tmp_path, finished_folder):
    """From the button to the result; on Windows the process that is started is not the one that computes."""
    code = """
import shutil, sys, time
from pathlib import Path
from ldvae_core.jobs.dispatcher import Dispatcher, start_worker
from ldvae_core.runs.map_jobs import map_status, start_map
from ldvae_core.work import KINDS
from ldvae_core.workspace.folders import Workspace
workspace = Workspace(Path(sys.argv[1])).make()
shutil.copytree(sys.argv[2], workspace.runs / "done")
start_map(workspace, "done")
dispatcher = Dispatcher(workspace, KINDS, start_worker("ldvae_core.work"))
until = time.monotonic() + 100
while map_status(workspace, "done").state not in ("ready", "failed", "interrupted") and time.monotonic() < until:
    dispatcher.tick()
    time.sleep(0.2)
print(map_status(workspace, "done").state)
"""
    assert emulated(name, code, tmp_path, finished_folder) == "ready"
