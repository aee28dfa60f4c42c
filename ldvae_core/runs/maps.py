"""The map of a run's cells and their clusters, kept with the run: the folder map/ in its place for additions."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ldvae_core import durable
from ldvae_core.analysis.neighbours import CellMap
from ldvae_core.errors import RunError
from ldvae_core.runs.additions import MAP, Additions
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.folders import Workspace


def read_map(workspace: Workspace, run_id: str, n_cells: int) -> CellMap | None:
    """The finished map; None without one. Raises RunError: no such run, damaged, or of other cells."""
    return map_in(RunStore(workspace).additions(run_id), n_cells)


def map_in(additions: Additions, n_cells: int) -> CellMap | None:
    """The map among what was added to a run; None without one. Raises RunError: damaged, or of other cells.

    Held whole, because Windows could not replace a map that is mapped.
    """
    folder = additions.folder / MAP
    if not (folder / "about.json").exists():
        return None
    found = CellMap(*(np.array(durable.read_array(folder / name)) for name in ("umap.npy", "leiden.npy")))
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
