"""What killed processes leave in run folders: half-written files and folders, told by their hidden names."""

import logging
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from ldvae_core.jobs.queue import Queue
from ldvae_core.runs.states import read_folder_state
from ldvae_core.runs.training_jobs import TRAINING, state_of
from ldvae_core.workspace.folders import Workspace

log = logging.getLogger(__name__)

ENDINGS = (".part", ".old", ".deleted")
OLD_SECONDS = 3600.0  # no write takes so long: for places where nobody can be asked whether he still writes


def sweep_runs(workspace: Workspace) -> int:
    """Remove them; returns how many. What a live process may be writing stays.

    In the folder of a run, that is told by the run's state and by the lock that additions are written with; beside the
    folders, where runs and data sets are made and deleted, by age.
    """
    removed = 0
    for place in (workspace.root, workspace.runs, workspace.datasets, workspace.progress):
        removed += sum(_remove(path) for path in _in_folder(place) if _is_old(path))
    for place in (workspace.runs, workspace.root / "kept"):
        for folder in place.iterdir() if place.exists() else ():
            if not folder.name.startswith(".") and folder.is_dir() and (found := list(_below(folder))):
                removed += _sweep(workspace, folder, found)
    if removed:
        log.info("%d half-written files and folders were removed", removed)
    return removed


def _sweep(workspace: Workspace, folder: Path, found: list[Path]) -> int:
    with Queue(workspace).changing() as change:
        job = change.find(TRAINING, folder.name)
        if state_of(job, folder) == "running":
            return 0
        unknown = job is None and read_folder_state(folder).stage is None  # the command line may just begin it
        return sum(_remove(path) for path in found if not unknown or _is_old(path))


def _below(folder: Path) -> Iterator[Path]:
    """Leftovers anywhere in a run folder; links are not followed."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if _is_leftover(name):
                yield Path(place, name)
        folders[:] = [name for name in folders if not _is_leftover(name)]


def _in_folder(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir() if folder.exists() else ():
        if _is_leftover(path.name):
            yield path


def _is_leftover(name: str) -> bool:
    return name.startswith(".") and name.endswith(ENDINGS)


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > OLD_SECONDS
    except OSError:
        return False


def _remove(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return False
    return not path.exists()
