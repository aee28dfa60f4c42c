"""The map of a run as a job: computed once, in a process of its own, in every state that can end in."""

import logging
import time
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ldvae_core.analysis.neighbours import (
    STAGES,
    active_positions,
    fingerprint,
    map_cells,
    require_resolution,
    versions,
)
from ldvae_core.errors import RunError
from ldvae_core.jobs.kinds import Control, Kind
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.jobs.progress import Progress, number, read_object
from ldvae_core.jobs.queue import Job, JobState, Queue
from ldvae_core.jobs.status import JobStatus, job_status
from ldvae_core.runs.additions import MAP
from ldvae_core.runs.maps import keep_map, read_map, usable_threads
from ldvae_core.runs.opened import OpenRun
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.folders import Workspace

log = logging.getLogger(__name__)

MapState = Literal["none", "queued", "running", "failed", "interrupted", "ready"]
CELL_MAP = "map"  # the lane
BEGINS = {"starting": 0.0, STAGES[0]: 0.05, STAGES[1]: 0.35, STAGES[2]: 0.9}  # share of the whole, roughly
SILENT_SECONDS = 300.0  # grouping millions of cells lets no other thread of its process speak


@dataclass(frozen=True)
class MapStatus:
    """How the map of a run stands. An earlier map stays readable while another one is computed, or has failed."""

    state: MapState
    job: JobStatus = field(default_factory=JobStatus)
    about: dict[str, Any] = field(default_factory=dict)  # of the map there is: resolution, n_clusters, ...; {} without


def map_status(workspace: Workspace, run_id: str) -> MapStatus:
    """Where the map of a run stands. Raises RunError when there is no such run."""
    about = read_object(RunStore(workspace).additions(run_id).folder / MAP / "about.json")
    job = job_status(workspace, CELL_MAP, run_id)
    if job.state in ("queued", "running", "failed", "interrupted"):
        return MapStatus(job.state, job, about)
    return MapStatus("ready" if about else "none", about=about)


def start_map(workspace: Workspace, run_id: str, *, resolution: float = 1.0, seed: int = 0) -> None:
    """Have the map computed; nothing happens while that is under way already.

    Raises RunError (no such run, nothing can be written) or SettingsError (a resolution Leiden cannot be asked for).
    """
    require_resolution(resolution)
    RunStore(workspace).additions(run_id)
    Queue(workspace).put(CELL_MAP, run_id, arguments={"resolution": resolution, "seed": seed})


def cancel_map(workspace: Workspace, run_id: str) -> None:
    """Have it stopped, or forget that it failed; an earlier map stays."""
    Queue(workspace).cancel(CELL_MAP, run_id)


def end_map(workspace: Workspace, run_id: str) -> None:
    """End its process, which no longer answers. Raises RunError when it cannot be reached."""
    if (job := Queue(workspace).find(CELL_MAP, run_id)) is not None:
        Lanes(workspace).end(MAP_KIND, job)


def compute_map(workspace: Workspace, job: Job, control: Control) -> JobState:
    """Compute the map that a job asks for and keep it. Raises LdvaeError in words for people."""
    resolution, seed = number(job.arguments.get("resolution")), number(job.arguments.get("seed"))
    resolution, seed = 1.0 if resolution is None else resolution, int(seed or 0)
    control.report(Progress("starting", 0.0, 1.0))
    store = RunStore(workspace)
    opened = store.open(job.subject)
    factors = opened.factors[opened.axes]
    mark = fingerprint(active_positions(factors))
    before = read_object(store.additions(job.subject).folder / MAP / "about.json")
    same = before.get("positions_of") == mark and before.get("seed") == seed and before.get("versions") == versions()
    began, stage = time.monotonic(), ""

    def report(at: str, share: float) -> None:
        nonlocal stage
        if at != stage:
            log.info("%s", at)
            stage = at
        begins = BEGINS[at]
        ends = min([other for other in BEGINS.values() if other > begins], default=1.0)
        control.report(Progress(at, begins + (ends - begins) * share, 1.0))

    made = map_cells(
        factors,
        resolution=resolution,
        seed=seed,
        threads=usable_threads(),
        known_positions=_known(workspace, opened) if same else None,
        on_progress=report,
    )
    about = {
        "resolution": resolution,
        "seed": seed,
        "n_cells": factors.n_cells,
        "n_clusters": int(made.clusters.max()) + 1,
        "n_factors": int(np.count_nonzero(factors.active)),
        "positions_of": mark,
        "seconds": round(time.monotonic() - began, 1),
        "versions": versions(),
    }
    keep_map(store, job.subject, made, about)
    return "finished"


def _known(workspace: Workspace, opened: OpenRun) -> np.ndarray | None:
    try:
        found = read_map(workspace, opened.run_id, opened.counts.n_cells)
    except RunError:
        return None
    return None if found is None else np.array(found.positions)


def _limits() -> dict[str, str]:
    """These libraries read how many threads they may use when they are loaded."""
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return dict.fromkeys(names, str(usable_threads()))


MAP_KIND = Kind(
    CELL_MAP,
    compute_map,
    silent_seconds=SILENT_SECONDS,
    environment=_limits,
    no_memory="There was not enough memory for a map of so many cells. Close other programs, then try again.",
)
