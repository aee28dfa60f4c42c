"""A process that bounds itself: damaged files end it soon, and what it writes fits what it read."""

import subprocess
import sys

import psutil
import pytest

from ldvae_core.data.limited import PROJECT
from ldvae_core.data.limits import SPENT
from tests.runs.conftest import wait_until

pytest.importorskip("resource", reason="Windows has no such limits")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux heeds them all")
LIMITED = "limits.limit_process(memory_bytes=1 << 30, seconds=60)"


@pytest.fixture
def ended():
    """How a process ends that runs these lines: (status, last line that it printed)."""

    def run(*lines):
        code = "\n".join(["from ldvae_core.data import limits", *lines])
        child = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
        return child.returncode, (child.stdout.splitlines() or [""])[-1]

    return run


@linux
def test_what_is_opened_has_little_processor_time(ended):
    """The signal says that it was spent, not that the file was large."""
    assert ended("limits.OPENING_SECONDS = 0", LIMITED, "with limits.opening():", "    while True: pass")[0] == SPENT


@linux
def test_what_was_opened_has_as_much_as_there_is(ended):
    """The shorter limit holds for opening alone."""
    look = "print(limits.resource.getrlimit(limits.resource.RLIMIT_CPU)[0])"
    assert ended(LIMITED, "with limits.opening(): pass", look) == (0, "60")


@linux
def test_small_files_take_little_processor_time(ended):
    """What is declared bounds the time, also of a file that only shows itself damaged when it is read."""
    assert ended("limits.OPENING_SECONDS = 0", LIMITED, "limits.expect(100_000)", "while True: pass")[0] == SPENT


@linux
def test_what_is_written_fits_what_is_declared(ended, tmp_path):
    """A small file that unfolds on the disk is stopped there."""
    write = f"open({str(tmp_path / 'x')!r}, 'wb').write(bytes(3_000_000))"
    tell = f"try: {write}\nexcept OSError as fault: print(fault.errno == 27)"
    small = ("limits.WRITTEN_BASE = 1 << 20", LIMITED)
    assert ended(*small, "limits.expect(1_000_000)", f"{write}; print('whole')") == (0, "whole")
    assert ended(*small, "limits.expect(100_000)", tell) == (0, "True")


def test_a_process_without_limits_is_left_alone(ended):
    """The page server, and tests, open files by the same functions."""
    look = "print(limits.resource.getrlimit(limits.resource.RLIMIT_FSIZE) == before)"
    before = "before = limits.resource.getrlimit(limits.resource.RLIMIT_FSIZE)"
    assert ended(before, "limits.expect(1)", "with limits.opening(): pass", look) == (0, "True")


def test_a_child_ends_with_its_parent():
    """Nobody would take its answer or clear away what it writes."""
    child = """
import time
from ldvae_core.data import limits
limits.answer(lambda: print("at work", flush=True) or time.sleep(600))
"""
    parent = f"""
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {child!r}], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
child.stderr.readline()
print(child.pid, flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", parent], cwd=PROJECT, capture_output=True, text=True, check=True)
    wait_until(lambda: _has_ended(int(done.stdout)), seconds=60)


def _has_ended(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
