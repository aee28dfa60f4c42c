"""The training step is compiled ahead once, in the background."""

import os
import subprocess
import sys

from ldvae_core.runs import compiler


def test_what_is_compiled_is_not_compiled_again(tmp_path, monkeypatch):
    """A kept result is enough; without one a process starts."""
    monkeypatch.setattr(compiler, "COMPILED_FOLDER", tmp_path)
    monkeypatch.setattr(compiler, "MODULE", "this")
    started = compiler.compile_in_background()
    assert started.wait(timeout=60) == 0
    (tmp_path / "kernels.hidden_sums-1.py311.nbi").write_bytes(b"")
    assert compiler.compile_in_background() is None


def test_compiling_ahead_leaves_its_result(tmp_path):
    """The module's own process fills numba's cache."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "ldvae_core.training.compile"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    for loop in ("reconstruct", "reconstruct_many"):  # for counts that need 16 bits, and 32
        assert len(list(tmp_path.rglob(f"kernels.{loop}-*.nbc"))) == 2


def test_a_process_that_cannot_start_is_no_trouble(tmp_path, monkeypatch, caplog):
    """The first run compiles instead."""
    monkeypatch.setattr(compiler, "COMPILED_FOLDER", tmp_path)
    monkeypatch.setattr(compiler.sys, "executable", str(tmp_path / "missing"))
    assert compiler.compile_in_background() is None
    assert "could not be compiled ahead" in caplog.text
