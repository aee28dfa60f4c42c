"""The map of a run's cells and their clusters: computed once, in a process of its own, and kept with the run.

In the run's place for additions, the folder map/, put there in one step when it is done.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ldvae_core import durable
from ldvae_core.analysis.neighbours import CellMap, require_resolution
from ldvae_core.errors import RunError
from ldvae_core.jobs.kinds import Control, Kind
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.jobs.progress import read_object
from ldvae_core.jobs.queue import Job, JobState, Queue
from ldvae_core.jobs.status import JobStatus, job_status
from ldvae_core.runs.additions import MAP
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.folders import Workspace

MapState = Literal["none", "queued", "running", "failed", "interrupted", "ready"]
CELL_MAP = "map"  # the lane
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


def read_map(workspace: Workspace, run_id: str, n_cells: int) -> CellMap | None:
    """The finished map, memory-mapped; None without one. Raises RunError: no such run, damaged, or of other cells."""
    folder = RunStore(workspace).additions(run_id).folder / MAP
    if not (folder / "about.json").exists():
        return None
    found = CellMap(durable.read_array(folder / "umap.npy"), durable.read_array(folder / "leiden.npy"))
    if found.positions.shape != (n_cells, 2) or found.clusters.shape != (n_cells,):
        raise RunError("The map of this run does not fit its cells.", "Compute it again.")
    return found


def keep_map(store: RunStore, run_id: str, made: CellMap, about: Mapping[str, Any]) -> None:
    """Put a map in the place of an earlier one. Raises RunError when the disk refuses or the run is gone."""

    def fill(target: Path) -> None:
        durable.write_array(target / "umap.npy", made.positions)
        durable.write_array(target / "leiden.npy", made.clusters)
        durable.write_json(target / "about.json", dict(about))

    additions = store.additions(run_id)
    with additions.writing():
        durable.write_folder(additions.folder / MAP, fill)


def usable_threads() -> int:
    """All cores but one, which the pages keep."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


def _limits() -> dict[str, str]:
    """These libraries read how many threads they may use when they are loaded."""
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return dict.fromkeys(names, str(usable_threads()))


def _compute(workspace: Workspace, job: Job, control: Control) -> JobState:
    from ldvae_core.runs.map_work import compute_map

    return compute_map(workspace, job, control)


MAP_KIND = Kind(
    CELL_MAP,
    _compute,
    silent_seconds=SILENT_SECONDS,
    environment=_limits,
    no_memory="There was not enough memory for a map of so many cells. Close other programs, then try again.",
)
