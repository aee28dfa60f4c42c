"""Who works on a run stays known on a Mac and on Windows."""

import os

import pytest

from ldvae_core.workspace import processes

BY_ANOTHER = """
import subprocess, sys
from ldvae_core.workspace import processes
say = "from ldvae_core.workspace import processes; print(processes.this_process(), flush=True); input()"
child = subprocess.Popen([sys.executable, "-c", say], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
owner = child.stdout.readline().decode().strip()
"""


@pytest.fixture(name="mac")
def _mac(monkeypatch):
    """A Mac, as far as owners are concerned: sysctl tells the boot, the name follows the network."""
    processes.home.cache_clear()
    names = iter(f"mac-{n}.wifi" for n in range(1000))
    monkeypatch.setattr(processes, "Path", lambda place: _Missing())
    monkeypatch.setattr(processes.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(processes.platform, "node", lambda: next(names))
    monkeypatch.setattr(processes, "_boot_of_mac", lambda: "BOOT-1")
    yield monkeypatch
    processes.home.cache_clear()


class _Missing:
    """A path where there is nothing."""

    def exists(self):
        return False

    def read_text(self, **options):
        raise FileNotFoundError

    read_bytes = read_text


@pytest.mark.parametrize("name", ["windows", "macos"])
def test_a_live_process_is_found_alive_by_another(name, emulated):
    """Named by itself, looked up by whoever asks: also through the launcher of Windows, and whatever clocks say."""
    code = BY_ANOTHER + "print([processes.is_alive(owner) for _ in range(5)], processes.is_surely_dead(owner))"
    assert emulated(name, code) == "[True, True, True, True, True] False"


@pytest.mark.parametrize("name", ["windows", "macos"])
def test_an_ended_process_is_surely_dead(name, emulated):
    """It is said at once, without waiting for a heartbeat."""
    code = (
        BY_ANOTHER
        + """
import time
child.kill(); child.wait()
time.sleep(0.3)  # a launcher on Windows takes its child with it, a moment later
print(processes.is_surely_dead(owner))
"""
    )
    assert emulated(name, code) == "True"


def test_another_network_does_not_change_the_home_of_a_mac(emulated):
    """Two processes that see two names of the machine are of one home."""
    assert emulated("macos", BY_ANOTHER + "print(processes.is_here(owner))") == "True"


def test_a_process_always_says_the_same_of_itself(emulated):
    """It is compared letter by letter with what it wrote into the queue, whatever clocks say meanwhile."""
    code = "from ldvae_core.workspace import processes; print(len({processes.this_process() for _ in range(20)}))"
    assert emulated("macos", code) == "1"


def test_another_boot_of_a_mac_is_another_home(mac):
    """After a restart nothing of before lives."""
    owner = f"BOOT-0:mac/{os.getpid()}/5.000"
    assert processes.home() == "BOOT-1:mac"
    assert processes.is_surely_dead(owner)


def test_a_mac_that_does_not_tell_its_boot_calls_nobody_dead(mac):
    """Unknown is not dead: the heartbeat decides."""
    known = processes.this_process()
    processes.home.cache_clear()
    mac.setattr(processes, "_boot_of_mac", lambda: "")
    assert processes.home() == "unknown:mac"
    assert not processes.is_surely_dead(known)


def test_a_clock_that_is_set_leaves_a_worker_alive(mac):
    """After sleep the start of the same process reads 1.7 seconds later; another process began minutes before."""
    owner, real = processes.this_process(), processes.psutil.Process.create_time
    mac.setattr(processes.psutil.Process, "create_time", lambda process: real(process) + 1.7)
    assert processes.is_alive(owner)
    mac.setattr(processes.psutil.Process, "create_time", lambda process: real(process) + 300)
    assert not processes.is_alive(owner)


def test_an_owner_of_another_windows_machine_lives_by_its_heartbeat(emulated):
    """In a shared folder nothing can be looked up, and nothing is called dead at once."""
    code = "from ldvae_core.workspace import processes; print(processes.is_surely_dead('unknown:PC-2/7/5.0'))"
    assert emulated("windows", code) == "False"
