"""What the process of the lane "map" does: the map of one run, computed and kept."""

import logging
import time

import numpy as np

from ldvae_core.analysis.neighbours import STAGES, active_positions, fingerprint, map_cells, versions
from ldvae_core.errors import RunError
from ldvae_core.jobs.kinds import Control
from ldvae_core.jobs.progress import Progress, number, read_object
from ldvae_core.jobs.queue import Job, JobState
from ldvae_core.runs.additions import MAP
from ldvae_core.runs.maps import keep_map, read_map, usable_threads
from ldvae_core.runs.opened import OpenRun
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.folders import Workspace

log = logging.getLogger(__name__)

BEGINS = {"starting": 0.0, STAGES[0]: 0.05, STAGES[1]: 0.35, STAGES[2]: 0.9}  # share of the whole, roughly


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
