"""Ten minutes in which what was deleted can be had back.

Nothing moves: a small file in the folder says until when it is kept, and hides it from every list at once. So there is
no half-deleted state, and a folder whose files are open (Windows) can be deleted like any other.
"""

import time
from pathlib import Path
from typing import NamedTuple

from ldvae_core import durable
from ldvae_core.errors import RunError
from ldvae_core.workspace.folders import is_id

KEPT_SECONDS = 600.0


class Trashed(NamedTuple):
    """A deleted run or data set that is still there."""

    entry_id: str
    folder: Path
    seconds_left: float


def put_in_trash(folder: Path) -> None:
    """Hide a folder for ten minutes, in one step. Raises RunError when the disk refuses."""
    try:
        durable.write_bytes(folder / durable.DELETED, f"{time.time() + KEPT_SECONDS:.3f}".encode())
    except OSError as fault:
        raise RunError(
            f"The disk keeps it from being deleted with a way back ({fault.strerror}).", "Delete it for good instead."
        ) from None


def take_from_trash(parent: Path, entry_id: str) -> Path:
    """The folder is listed again. Raises RunError when its time is over, or it is not in the trash."""
    found = next((entry for entry in in_trash(parent) if entry.entry_id == entry_id), None)
    if found is None:
        raise RunError("It was deleted for good meanwhile.", "What is deleted can be had back for ten minutes.")
    try:
        durable.remove_file(found.folder / durable.DELETED)
    except OSError as fault:
        raise RunError(f"It could not be had back ({fault.strerror}).", "Try again.") from None
    return found.folder


def in_trash(parent: Path) -> list[Trashed]:
    """What can be had back in a folder of runs or data sets, the latest first."""
    now = time.time()
    found = [Trashed(folder.name, folder, until - now) for folder, until in marked(parent) if until > now]
    return sorted(found, key=lambda entry: -entry.seconds_left)


def marked(parent: Path) -> list[tuple[Path, float]]:
    """All deleted folders that are still there, each with until when it is kept, in seconds since the epoch."""
    folders = parent.iterdir() if parent.exists() else ()
    return [(folder, durable.kept_until(folder)) for folder in folders
            if is_id(folder.name) and durable.is_deleted(folder)]  # fmt: skip
