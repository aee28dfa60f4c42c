"""What is asked of the operating system for a long training: to stay awake, and to open enough files."""

import contextlib
import ctypes
import logging
import os
import platform
import subprocess
from collections.abc import Iterator

log = logging.getLogger(__name__)

MANY_FILES = 4_096  # descriptors; Terminal on a Mac gives a program 256
STAY_AWAKE, AS_USUAL = 0x8000_0001, 0x8000_0000  # ES_CONTINUOUS with and without ES_SYSTEM_REQUIRED (winbase.h)


@contextlib.contextmanager
def kept_awake() -> Iterator[None]:
    """The machine does not fall asleep by itself meanwhile, as an idle Mac or Windows laptop would.

    A closed lid still sends it to sleep. Never raises: training goes on without.
    """
    helper, system = None, platform.system()
    try:
        if system == "Darwin":  # -i: no idle sleep; -w: until this process ends, however it does
            command = ["/usr/bin/caffeinate", "-i", "-w", str(os.getpid())]
            helper = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        elif system == "Windows":
            _tell_windows(STAY_AWAKE)
    except (OSError, AttributeError):
        log.warning("this machine may fall asleep during a training", exc_info=True)
    try:
        yield
    finally:
        if helper is not None:
            helper.terminate()
            helper.wait()
        if system == "Windows":
            _tell_windows(AS_USUAL)


def allow_many_files() -> int | None:
    """Raise this process's own limit of open files to MANY_FILES where it is lower; the limit now, None without one."""
    try:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    except (ImportError, OSError):
        return None
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(MANY_FILES, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):
        return soft
    return wanted


def _tell_windows(state: int) -> None:
    """For the calling thread; Windows takes it back by itself when the thread ends."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.windll.kernel32.SetThreadExecutionState(ctypes.c_uint(state))  # type: ignore[attr-defined]
