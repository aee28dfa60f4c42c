"""What state a run is in: the folder's own word and the queue's, put together in one place."""

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ldvae_core import durable
from ldvae_core.errors import RunError
from ldvae_core.jobs.queue import JobState
from ldvae_core.runs.settings import RUN_FILE
from ldvae_core.workspace import processes

log = logging.getLogger(__name__)

RunState = JobState
Stage = Literal[
    "preparing",
    "searching",
    "training",
    "refining",
    "analysing",
    "finished",
    "stopped",
    "cancelled",
    "failed",
    "paused",
]
STATES, STAGES = get_args(RunState), get_args(Stage)
STATE_FILE = "state.json"
WITH_RESULTS = ("finished", "stopped")  # the results are in the folder
SETTLED: tuple[RunState, ...] = ("finished", "stopped", "cancelled", "failed", "paused")  # execute ended by itself
_SETTLED = {str(state): state for state in SETTLED}
RESUMABLE = ("paused", "interrupted", "failed")


@dataclass(frozen=True)
class FolderState:
    """state.json, as far as it can be read."""

    stage: Stage | None  # None: not begun, or unreadable
    error: str = ""
    owner: str = ""  # the process that wrote it, where it said so


def merged_state(job: RunState | None, stage: Stage | None, *, alive: bool) -> RunState:
    """One state out of the queue's word, the folder's word, and whether the owner lives.

    job: None without a row in the queue (command line, lost index). The queue knows who waits and who works; what was
    finished is known by the folder, which is written first; a dead worker's run is interrupted unless it had settled.
    """
    if job == "queued" or (job == "running" and alive):
        return job
    settled = _SETTLED.get(stage or "")
    if settled in WITH_RESULTS:
        return settled
    if job in (None, "running", "interrupted"):
        if settled is not None:
            return settled
        return "running" if job is None and alive else "interrupted"
    return job


def read_folder_state(folder: Path) -> FolderState:
    """What state.json says. Never raises: a missing file is a run not begun, a damaged one says so as its error."""
    path = folder / STATE_FILE
    try:
        content = durable.read_json(path)
    except (RunError, OSError, RecursionError) as fault:
        return FolderState(None, str(fault) if path.exists() else "")
    if not isinstance(content, dict) or content.get("stage") not in STAGES:
        return FolderState(None, f"{STATE_FILE} in {folder.name} cannot be understood. The file is damaged.")
    return FolderState(content["stage"], str(content.get("error") or ""), str(content.get("owner") or ""))


def write_folder_state(folder: Path, stage: Stage, *, error: str = "") -> None:
    """Replace state.json. Raises OSError when the disk refuses."""
    content = {"stage": stage, "error": error, "pid": os.getpid(), "owner": processes.this_process()}
    durable.write_json(folder / STATE_FILE, content)


def cancel_folder(folder: Path) -> None:
    """Mark the run cancelled and remove everything it had made; run.json stays, so that it can be started anew."""
    write_folder_state(folder, "cancelled")
    for entry in folder.iterdir():
        if entry.name in (RUN_FILE, STATE_FILE):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            durable.remove_file(entry)
