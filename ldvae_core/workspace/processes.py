"""Who is working on a run: a process, named so that no later process can be mistaken for it.

A process id alone is reused. An owner is "home/pid/start": home is this boot of the machine and its numbering of
processes, start the moment the process began: on Linux counted by the kernel and not by a clock that people can set.

A process says itself who it is, by this_process(): the number that starting one returns may be that of a launcher, as
in every virtual environment on Windows.
"""

import contextlib
import functools
import os
import platform
import subprocess
import time
from pathlib import Path

import psutil

UNKNOWN = "unknown"  # the boot, where the system does not tell: then nothing of elsewhere is ever surely dead
CLOCK_SECONDS = 120.0  # by which clocks off Linux shift what they say of a start, after sleep or when they are set
SILENT_SECONDS = 4.0  # an owner we cannot look up is dead when its heartbeat stands still for so long


@functools.cache
def home() -> str:
    """This boot and process numbering (containers number their own), "boot:numbering".

    On a Mac the name of the machine follows the network, so that it says nothing; on Windows it is all there is.
    """
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    if platform.system() == "Darwin":
        return f"{_boot_of_mac() or UNKNOWN}:mac"
    return f"{UNKNOWN}:{platform.node().replace('/', '-')}"


def this_process() -> str:
    """The owner string of the running process: always the same, whatever clocks say."""
    return _first_said(home(), os.getpid())


def owner_of(pid: int) -> str | None:
    """The owner string of a live process of this home; None when there is none, or it only waits to be reaped."""
    start = _start_of(pid)
    return None if start is None else f"{home()}/{pid}/{start}"


def is_here(owner: str) -> bool:
    """Whether the owner was named in this home, so that its process can be looked up."""
    return owner.rpartition("/")[0].rpartition("/")[0] == home()


def is_alive(owner: str) -> bool:
    """Whether this very process still runs here; another one with the same pid started at another time: False."""
    start = _start_of(pid_of(owner)) if is_here(owner) else None
    return start is not None and _same_start(start, owner.rpartition("/")[2])


def pid_of(owner: str) -> int:
    """The number in the owner string; -1, which no process has, in one that is damaged."""
    pid = owner.rpartition("/")[0].rpartition("/")[2]
    return int(pid) if pid.isdecimal() else -1


def is_surely_dead(owner: str) -> bool:
    """Whether we can tell at once that the owner has ended: the machine was started anew since, or its process is gone.

    Of another container on this machine, or where a boot is unknown, we cannot tell, see Watch. What is no owner string
    is dead.
    """
    boots = {owner.partition("/")[0].partition(":")[0], home().partition(":")[0]}
    another_boot = len(boots) == 2 and UNKNOWN not in boots
    return another_boot or pid_of(owner) < 0 or (is_here(owner) and not is_alive(owner))


def end(owner: str, *, patience: float = 3.0) -> bool:
    """End the owner's process at once, also one that is frozen; whether it is gone after `patience` seconds.

    Only what was surely the owner is ever ended: False for a process that cannot be looked up from here.
    """
    if not is_alive(owner):
        return is_surely_dead(owner)
    with contextlib.suppress(psutil.Error):
        psutil.Process(pid_of(owner)).kill()
    until = time.monotonic() + patience
    while is_alive(owner) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_alive(owner)


class Watch:
    """Remembers when owners' heartbeats were last seen to change, by our own steady clock."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}

    def silent_seconds(self, owner: str, heartbeat: int) -> float:
        """For how long, as far as this watch has looked, the owner's heartbeat has stood still."""
        now = time.monotonic()
        last, since = self._seen.get(owner, (None, now))
        if last != heartbeat:
            since = now
        self._seen[owner] = (heartbeat, since)
        return now - since

    def is_dead(self, owner: str, heartbeat: int, *, patience: float = SILENT_SECONDS) -> bool:
        """Whether the owner has ended: looked up where that is possible, else silent for more than `patience`."""
        if is_here(owner) or is_surely_dead(owner):
            return is_surely_dead(owner)
        return self.silent_seconds(owner, heartbeat) > patience


@functools.cache
def _first_said(home: str, pid: int) -> str:
    return owner_of(pid) or f"{home}/{pid}/unknown"


def _same_start(one: str, other: str) -> bool:
    """The same moment: to the tick as Linux counts it, else (with a point) as well as a clock tells."""
    if "." not in one or "." not in other:
        return one == other
    try:
        return abs(float(one) - float(other)) <= CLOCK_SECONDS
    except ValueError:
        return False


def _boot_of_mac() -> str:
    """What macOS calls this boot; "" when it does not say."""
    try:
        command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _start_of(pid: int) -> str | None:
    """Start of a live process: clock ticks since boot on Linux, else the moment the system has on record."""
    if pid < 0:
        return None
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()  # the name may hold anything
        return None if fields[0] in (b"Z", b"X") else fields[19].decode()
    except ProcessLookupError:
        return None
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.3f}"
    except psutil.Error:
        return None
