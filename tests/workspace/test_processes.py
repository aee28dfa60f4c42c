"""Who works on a run is known for certain: boot, process, and when it began."""

import os
import subprocess
import sys

import pytest

from ldvae_core.workspace import processes


def before_reboot() -> str:
    """An owner with this process's number, from before the machine was started; Windows tells by the start alone."""
    home, pid, start = processes.this_process().rsplit("/", 2)
    unknown = home.startswith(processes.UNKNOWN)
    return f"{home}/{pid}/1000000.000" if unknown else f"another-boot:1/{pid}/{start}"


def test_this_process_is_alive():
    """An owner string names a process that can be found again."""
    assert processes.is_alive(processes.this_process())


def test_another_process_with_the_same_number_is_not_the_owner():
    """Process numbers are used again; the moment of the start tells them apart."""
    stale = f"{processes.home()}/{os.getpid()}/1"
    assert not processes.is_alive(stale)
    assert processes.is_surely_dead(stale)


def test_an_owner_from_before_a_reboot_is_dead():
    """After a reboot no process of before lives, whatever runs under its number now."""
    assert processes.is_surely_dead(before_reboot())


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="Windows keeps no ended process for its parent")
def test_a_killed_child_that_nobody_has_reaped_is_dead():
    """A zombie keeps its number and its start, but works no more."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        owner = processes.owner_of(child.pid)
        assert processes.is_alive(owner)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert processes.is_surely_dead(owner)


def test_an_owner_in_another_container_lives_as_long_as_its_heart_beats(monkeypatch):
    """A process that cannot be looked up is judged by its heartbeat, against our own steady clock."""
    boot = processes.home().partition(":")[0]
    watch, other = processes.Watch(), f"{boot}:another/7/7"
    now = [0.0]
    monkeypatch.setattr(processes.time, "monotonic", lambda: now[0])
    assert not watch.is_dead(other, 1)
    now[0] = 3.0
    assert not watch.is_dead(other, 2)
    now[0] = 6.0
    assert not watch.is_dead(other, 2)
    now[0] = 7.1
    assert watch.is_dead(other, 2)


def test_nonsense_is_no_live_owner():
    """An empty or damaged owner string never keeps a run alive."""
    assert all(processes.is_surely_dead(text) for text in ("", "x", "a/b/c", f"{processes.home().partition('-')[0]}//"))
