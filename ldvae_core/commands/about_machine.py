"""What a person may send when asking for help: the machine and its limits, and nothing of the person."""

import getpass
import os
import platform
import re
import tempfile
from pathlib import Path
from typing import Any

import psutil

from ldvae_core.workspace.folders import PROJECT, Workspace, synced_by
from ldvae_core.workspace.system import allow_many_files


def about_machine() -> dict[str, Any]:
    """System, processor, cores, memory in GB, open files allowed (None: no limit is known), and a cloud's name."""
    memory = psutil.virtual_memory()
    return {
        "system": f"{platform.system()} {_release()}".strip(),
        "processor": platform.machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "cores": os.cpu_count(),
        "memory_gb": round(memory.total / 2**30, 1),
        "memory_free_gb": round(memory.available / 2**30, 1),
        "open_files": allow_many_files(),
        "synchronised_by": synced_by(Workspace.default().root),
        "path_length": len(str(PROJECT)),
    }


def without_person(text: str) -> str:
    """The text with folders and the user's name taken out."""
    places = {"PROGRAM": PROJECT, "WORKSPACE": Workspace.default().root, "TEMP": Path(tempfile.gettempdir())}
    homes = {"TEMP": Path(tempfile.gettempdir()).resolve(), "HOME": Path.home()}
    for name, place in (*places.items(), *homes.items()):
        if len(place.parts) > 1:
            text = text.replace(str(place), name)
    user = _user()
    if len(user) > 2 and user != "root":
        text = re.sub(rf"\b{re.escape(user)}\b", "USER", text)
    return text


def _release() -> str:
    if platform.system() == "Darwin":
        return platform.mac_ver()[0]
    return platform.version() if platform.system() == "Windows" else platform.release()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
