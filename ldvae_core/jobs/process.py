"""The one way to start a process that outlives the one that started it."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from ldvae_core.workspace.folders import PROJECT


def start_detached(
    arguments: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start Python with these arguments, in a session of its own: neither its parent's end nor Ctrl-C reaches it.

    It begins in the program's folder, hears nothing, and what it says goes to the file `log`. environment: in addition
    to that of this process. Raises OSError when it cannot be started.
    """
    with open(log, "ab") as words:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=PROJECT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            close_fds=True,
            start_new_session=True,  # of no effect on Windows, where the flags do it
            creationflags=apart_on_windows(),
        )


def apart_on_windows() -> int:
    """The flags that part a process from the console there, whose closing would end it; 0 elsewhere."""
    if platform.system() != "Windows":
        return 0
    return int(getattr(subprocess, "CREATE_NO_WINDOW", 0)) | int(getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0))


def give_way(niceness: int) -> None:
    """Lower this process's own priority, 0 (as it is) to 19; on Windows below normal, whatever the number."""
    if hasattr(os, "nice"):
        os.nice(niceness)
    elif platform.system() == "Windows" and niceness > 0:
        psutil.Process().nice(getattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", None))
