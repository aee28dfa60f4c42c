"""The map of a run's cells and their clusters: computed once, in a process of its own, and kept with the run.

In the run's place for additions: the folder map/ when it is done, in one step, and map.json while it is computed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ldvae_core import durable
from ldvae_core.analysis.neighbours import STAGES, CellMap, require_resolution
from ldvae_core.errors import RunError
from ldvae_core.runs.additions import MAP
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace import database, processes
from ldvae_core.workspace.folders import PROJECT, Workspace

MapState = Literal["none", "running", "failed", "interrupted", "ready"]
PROCESS = "ldvae_core.runs.map_process"
NEWS = "map.json"  # beside the folder MAP: which is replaced as a whole, and stays while another is computed
SILENT_SECONDS = 300.0  # an owner in another container that has not written for so long is dead; Leiden is silent
BEGINS = {"starting": 0.0, STAGES[0]: 0.05, STAGES[1]: 0.35, STAGES[2]: 0.9}  # share of the whole, roughly
_CHILDREN: dict[Path, "subprocess.Popen[bytes]"] = {}  # kept, so that they are waited for when they have ended


@dataclass(frozen=True)
class MapStatus:
    """How the map of a run stands. An earlier map stays readable while another one is computed, or has failed."""

    state: MapState
    stage: str = ""  # "starting", or one of STAGES
    share: float = 0.0  # of the whole work, roughly: only placing cells tells how far it is
    seconds: float = 0.0  # since it was started
    error: str = ""  # why it failed, in words
    about: dict[str, Any] = field(default_factory=dict)  # of the map there is: resolution, n_clusters, ...; {} without


def map_status(workspace: Workspace, run_id: str) -> MapStatus:
    """Where the map of a run stands. Raises RunError when there is no such run."""
    folder = RunStore(workspace).additions(run_id).folder
    about, news = read_news(folder / MAP / "about.json"), read_news(folder / NEWS)
    if not news:
        return MapStatus("ready" if about else "none", about=about)
    if news.get("error"):
        return MapStatus("failed", str(news.get("stage", "")), error=str(news["error"]), about=about)
    since = max(0.0, time.time() - float(news.get("started") or time.time()))
    state: MapState = "running" if lives(folder, news) else "interrupted"
    return MapStatus(state, str(news.get("stage", "")), float(news.get("share") or 0.0), since, about=about)


def start_map(workspace: Workspace, run_id: str, *, resolution: float = 1.0, seed: int = 0) -> None:
    """Have the map computed by a process in a session of its own; nothing happens while one is at work already.

    Raises RunError (no such run, nothing can be written) or SettingsError (a resolution Leiden cannot be asked for).
    """
    require_resolution(resolution)
    folder = RunStore(workspace).additions(run_id).make()
    workspace.make()
    try:
        with database.writing(workspace.index):  # one at a time, whichever server was asked
            if lives(folder, read_news(folder / NEWS)):
                return
            child = _start_process(workspace, run_id, resolution, seed)
            _CHILDREN[folder] = child
            owner = processes.owner_of(child.pid) or f"{processes.home()}/{child.pid}/ended"
            durable.write_json(folder / NEWS, news_of(owner, "starting", started=time.time()))
    except OSError as fault:
        raise RunError(f"The map cannot be started ({fault.strerror}).", "Make room on the disk, then again.") from None


def cancel_map(workspace: Workspace, run_id: str) -> None:
    """End the process that computes it, or forget that it failed; an earlier map stays.

    Raises RunError when there is no such run, or the process works where it cannot be reached.
    """
    folder = RunStore(workspace).additions(run_id).folder
    workspace.make()
    with database.writing(workspace.index):
        news = read_news(folder / NEWS)
        owner = str(news.get("owner", ""))
        if lives(folder, news) and not processes.is_here(owner):
            raise RunError("The map is computed on another machine.", "Wait for it, or cancel it there.")
        if processes.is_alive(owner) and not news.get("error"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(_pid(owner), signal.SIGTERM)
        (folder / NEWS).unlink(missing_ok=True)


def read_map(workspace: Workspace, run_id: str, n_cells: int) -> CellMap | None:
    """The finished map; None without one. Raises RunError: no such run, damaged, or of other cells.

    Held whole, because Windows could not replace a map that is mapped.
    """
    folder = RunStore(workspace).additions(run_id).folder / MAP
    if not (folder / "about.json").exists():
        return None
    found = CellMap(*(np.array(durable.read_array(folder / name)) for name in ("umap.npy", "leiden.npy")))
    if found.positions.shape != (n_cells, 2) or found.clusters.shape != (n_cells,):
        raise RunError("The map of this run does not fit its cells.", "Compute it again.")
    return found


def _start_process(workspace: Workspace, run_id: str, resolution: float, seed: int) -> "subprocess.Popen[bytes]":
    """In a session of its own, so that neither the server's end nor Ctrl-C reaches it."""
    threads = str(usable_threads())
    limits = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
    with open(workspace.logs / f"map-{run_id}.log", "wb") as words:
        return subprocess.Popen(
            [sys.executable, "-m", PROCESS, str(workspace.root), run_id, str(resolution), str(seed)],
            cwd=PROJECT,
            env={**os.environ, **limits},
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            start_new_session=True,
            close_fds=True,
        )


def lives(folder: Path, news: dict[str, Any]) -> bool:
    """Whether the process that wrote the news is still at work."""
    owner = str(news.get("owner", ""))
    if not owner or news.get("error") or processes.is_surely_dead(owner):
        return False
    if processes.is_here(owner):
        return True
    try:
        return time.time() - (folder / NEWS).stat().st_mtime < SILENT_SECONDS
    except OSError:
        return False


def news_of(owner: str, stage: str, *, share: float = 0.0, started: float) -> dict[str, Any]:
    """What a working process leaves for the pages to read."""
    return {"owner": owner, "stage": stage, "share": round(share, 4), "started": started, "error": ""}


def _pid(owner: str) -> int:
    return int(owner.rpartition("/")[0].rpartition("/")[2])


def usable_threads() -> int:
    """All cores but one, which the pages keep."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


def read_news(path: Path) -> dict[str, Any]:
    """A JSON object, {} where there is none that can be read."""
    try:
        content = durable.read_json(path)
    except (RunError, OSError):
        return {}
    return content if isinstance(content, dict) else {}
