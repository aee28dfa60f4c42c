"""Prints what a process sees of its platform; run by test_emulation.py."""

import importlib
import mmap
import os
import platform
import signal
import sys
from pathlib import Path


def there(module: object, name: str) -> str:
    return name if hasattr(module, name) else f"no {name}"


def module_there(name: str) -> str:
    try:
        importlib.import_module(name)
        return name
    except ImportError:
        return f"no {name}"


found = [
    platform.system(),
    "/proc" if Path("/proc/self/stat").exists() else "no /proc",
    *(there(os, name) for name in ("nice", "getsid", "sched_getaffinity", "sysconf")),
    module_there("resource"),
    there(signal, "SIGKILL"),
    there(mmap, "MADV_DONTNEED"),
]
with open(__file__) as file:  # in the encoding that the platform takes by itself
    found.append(file.encoding.lower())
found.append("launched" if Path(sys.executable).name == "launcher" else "itself")
sys.stdout.write("\n".join(found) + "\n")
