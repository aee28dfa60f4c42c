"""Folders of the system's temporary place that do not stay there: what a killed process left goes at the next start."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ldvae_core.workspace import processes

PREFIX = "gene-programs-"
OWNER = "owner"  # a file in each


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder to work in that is gone afterwards. Raises OSError when there is no room for one."""
    folder = new_scratch()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_scratch() -> Path:
    """The same for whoever removes it themselves; what dead processes left is removed first."""
    sweep_scratch()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    (folder / OWNER).write_text(processes.this_process(), encoding="utf-8")
    return folder


def sweep_scratch() -> None:
    """Remove the folders of processes of this user that are surely gone."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False) and _is_left(Path(entry.path)):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """A folder without an owner is being made this moment, or is none of ours."""
    try:
        if hasattr(os, "getuid") and folder.lstat().st_uid != os.getuid():
            return False
        return processes.is_surely_dead((folder / OWNER).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return False
