"""The process that computes the map of a run: `python -m ldvae_core.runs.map_process WORKSPACE RUN_ID`.

Started by maps.start_map. It gives way to pages and to training, and no page or server ends with it or ends it but by
cancelling.
"""

import contextlib
import logging
import os
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from ldvae_core import durable
from ldvae_core.analysis.neighbours import CellMap, active_positions, fingerprint, map_cells, versions
from ldvae_core.errors import LdvaeError, RunError
from ldvae_core.runs.additions import MAP
from ldvae_core.runs.maps import BEGINS, NEWS, lives, news_of, read_map, read_news, usable_threads
from ldvae_core.runs.opened import OpenRun
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace import database, processes
from ldvae_core.workspace.datasets import FULL_DISK
from ldvae_core.workspace.folders import Workspace

log = logging.getLogger(__name__)

NICENESS = 15  # training, at 10, comes first
BEAT_SECONDS = 1.0
ANOTHER_ONE_WORKS = 3  # exit status


def main(arguments: list[str] | None = None) -> int:
    """Compute the map of the run that the arguments name; returns the exit status."""
    root, run_id, *rest = arguments if arguments is not None else sys.argv[1:]
    resolution, seed = float(rest[0]) if rest else 1.0, int(rest[1]) if len(rest) > 1 else 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    workspace = Workspace(Path(root)).make()
    folder = RunStore(workspace).additions(run_id).make()
    owner, started = processes.this_process(), time.time()
    with database.writing(workspace.index):
        news = read_news(folder / NEWS)
        if lives(folder, news) and news.get("owner") != owner:
            return ANOTHER_ONE_WORKS
        durable.write_json(folder / NEWS, news_of(owner, "starting", started=started))
    with _Pulse(folder, owner, started) as pulse:
        error = _computed(workspace, run_id, pulse, resolution=resolution, seed=seed)
    pulse.end(error)
    return 1 if error else 0


class _Pulse:
    """Writes down how far the work is, about once a second, from a thread that also shows that the process lives."""

    def __init__(self, folder: Path, owner: str, started: float) -> None:
        self._path, self._owner, self._started = folder / NEWS, owner, started
        self._at, self._done = ("starting", 0.0), threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="pulse", daemon=True)

    def __enter__(self) -> "_Pulse":
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._done.set()
        self._thread.join()

    def report(self, stage: str, share: float) -> None:
        """A stage of STAGES and the share of it that is done; costs nothing but at the start of a stage."""
        begins = BEGINS[stage]
        ends = min([other for other in BEGINS.values() if other > begins], default=1.0)
        fresh = stage != self._at[0]
        self._at = (stage, begins + (ends - begins) * share)
        if fresh:
            log.info("%s", stage)
            self._write()

    def end(self, error: str) -> None:
        """The last word: nothing is left to say of a map that is there; why there is none."""
        if read_news(self._path).get("owner") != self._owner:
            return  # cancelled meanwhile, and perhaps started anew
        if error:
            durable.write_json(self._path, {**news_of(self._owner, self._at[0], started=self._started), "error": error})
        else:
            self._path.unlink(missing_ok=True)

    def _beat_on(self) -> None:
        while not self._done.wait(BEAT_SECONDS):
            self._write()

    def _write(self) -> None:
        stage, share = self._at
        with contextlib.suppress(OSError):  # a missed beat, or a run that was deleted: noticed when it is to be kept
            if self._path.exists():
                durable.write_json(self._path, news_of(self._owner, stage, share=share, started=self._started))


def _computed(workspace: Workspace, run_id: str, pulse: _Pulse, *, resolution: float, seed: int) -> str:
    """Compute and keep the map; returns why that failed, in words, or ""."""
    try:
        _compute(workspace, run_id, pulse, resolution=resolution, seed=seed)
        return ""
    except LdvaeError as fault:
        log.warning("no map of run %s: %s", run_id, fault)
        return str(fault)
    except MemoryError:
        log.exception("no map of run %s: memory", run_id)
        return "There was not enough memory for a map of so many cells. Close other programs, then try again."
    except Exception as fault:
        if isinstance(fault, OSError) and fault.errno in FULL_DISK:
            return "The disk is full. Make room, then try again."
        number = uuid.uuid4().hex[:8]
        log.exception("error %s in the map of run %s", number, run_id)
        return f"The program made a mistake (error {number}). The details are in the log of the map."


def _compute(workspace: Workspace, run_id: str, pulse: _Pulse, *, resolution: float, seed: int) -> None:
    store = RunStore(workspace)
    opened = store.open(run_id)
    factors = opened.factors[opened.axes]
    mark = fingerprint(active_positions(factors))
    before = read_news(store.additions(run_id).folder / MAP / "about.json")
    same = before.get("positions_of") == mark and before.get("seed") == seed and before.get("versions") == versions()
    began = time.monotonic()
    made = map_cells(
        factors,
        resolution=resolution,
        seed=seed,
        threads=usable_threads(),
        known_positions=_known(workspace, opened) if same else None,
        on_progress=pulse.report,
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
    # asked again: a run that was deleted meanwhile is not revived
    _keep(store.additions(run_id).folder / MAP, made, about)


def _known(workspace: Workspace, opened: OpenRun) -> np.ndarray | None:
    try:
        found = read_map(workspace, opened.run_id, opened.counts.n_cells)
    except RunError:
        return None
    return None if found is None else np.array(found.positions)


def _keep(folder: Path, made: CellMap, about: dict[str, Any]) -> None:
    def fill(target: Path) -> None:
        durable.write_array(target / "umap.npy", made.positions)
        durable.write_array(target / "leiden.npy", made.clusters)
        durable.write_json(target / "about.json", about)

    durable.write_folder(folder, fill)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LdvaeError:
        log.exception("the map cannot be computed")
        sys.exit(1)
