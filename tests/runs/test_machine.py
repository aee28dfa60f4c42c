"""What the program finds out about a machine, in a process of its own."""

import os
import subprocess
import sys

from ldvae_core.durable import read_json
from ldvae_core.jobs import worker
from ldvae_core.runs.machine import MACHINE_FILE, MACHINE_KIND, UNKNOWN, ask_machine, found_devices
from ldvae_core.training import compile as ahead


def test_the_devices_are_found_once_and_read_from_a_file(workspace, monkeypatch):
    """While it is asked, nothing is known; then the processor at least is there."""
    monkeypatch.setattr(ahead, "is_compiled", lambda: True)
    ask_machine(workspace)
    assert found_devices(workspace) is None
    assert worker.run(workspace, MACHINE_KIND, idle_seconds=0) == 0
    found = found_devices(workspace)
    assert found == read_json(workspace.root / MACHINE_FILE)
    assert "cpu" in [device["name"] for device in found["devices"]]


def test_a_machine_that_cannot_be_asked_has_its_processor(workspace, monkeypatch):
    """Training goes on as if there were no GPU."""
    monkeypatch.setattr("ldvae_core.training.devices.torch.cuda.is_available", lambda: 1 / 0)
    ask_machine(workspace)
    worker.run(workspace, MACHINE_KIND, idle_seconds=0)
    assert found_devices(workspace) == UNKNOWN


def test_what_is_compiled_is_not_compiled_again(tmp_path, monkeypatch):
    """A kept result is enough."""
    monkeypatch.setattr(ahead, "COMPILED_FOLDER", tmp_path)
    assert not ahead.is_compiled()
    (tmp_path / "kernels.hidden_sums-1.py311.nbi").write_bytes(b"")
    assert ahead.is_compiled()


def test_compiling_ahead_leaves_its_result(tmp_path):
    """The module's own process fills numba's cache."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "ldvae_core.training.compile"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    for loop in ("reconstruct", "reconstruct_many"):  # for counts that need 16 bits, and 32
        assert len(list(tmp_path.rglob(f"kernels.{loop}-*.nbc"))) == 2
