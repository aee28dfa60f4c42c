"""Cells placed on the programs of a run, and how they are kept with it: a folder for each data set that was placed.

In the run's place for additions, placed/ID: about.json (the last file), programs (a pack: what they were placed on),
cells (a folder of counts), and one array a field.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ldvae_core import durable
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.strange import Strangeness
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.folder import load_counts
from ldvae_core.data.split import TEST
from ldvae_core.errors import RunError
from ldvae_core.jobs.progress import read_object
from ldvae_core.runs.additions import Additions
from ldvae_core.runs.opened import OpenRun
from ldvae_core.runs.pack import read_pack, write_pack
from ldvae_core.runs.programs import Programs
from ldvae_core.workspace.folders import is_id

FOLDER, ABOUT, PACK, CELLS = "placed", "about.json", "programs", "cells"
OWN = ("measured", "representation", "reconstruction_error")  # fields of Placed that are kept as arrays
NEAREST, STRANGE = "Nearest type of the run", "Unlike the run"  # annotations of placed cells
STRANGE_LEVELS = ("strange", "like the run")


@dataclass(frozen=True, eq=False)
class Placed:
    """New cells on the factors of some programs."""

    programs: Programs
    cells: CountMatrix  # of the programs' genes, in their order; missing ones have no counts
    measured: np.ndarray  # (n_genes,) bool: whether the new data has this gene
    representation: np.ndarray  # (n_cells, n_factors) float32: rotation, sign and order are those of the programs
    reconstruction_error: np.ndarray  # (n_cells,) float64, nats: -log p(x | z) over the programs' genes
    strangeness: Strangeness

    @property
    def factors(self) -> Factors:
        """Of the programs; their representation has no rows."""
        return self.programs.factors

    @property
    def missing(self) -> np.ndarray:
        """Names of the genes that the new data has not, str."""
        names: np.ndarray = self.factors.gene_names[~self.measured]
        return names


@dataclass(frozen=True)
class PlacedCard:
    """What a list of placed data sets shows."""

    placed_id: str
    name: str
    n_cells: int
    n_strange: int


def keep_placed(placed: Placed, folder: Path, *, name: str) -> None:
    """Write all but the cells, which lie in folder/cells already. Raises RunError or OSError: the disk refuses."""
    write_pack(placed.programs, folder / PACK)
    arrays = {field: getattr(placed, field) for field in OWN} | placed.strangeness._asdict()
    for field, values in arrays.items():
        durable.write_array(folder / f"{field}.npy", np.asarray(values))
    n_strange = int(placed.strangeness.is_strange.sum())
    durable.write_json(folder / ABOUT, {"name": name, "n_cells": placed.cells.n_cells, "n_strange": n_strange})


def placed_cards(additions: Additions) -> list[PlacedCard]:
    """The data sets that were placed on a run, by name."""
    found = []
    for folder in _folders(additions):
        about = read_object(folder / ABOUT)
        counted = [about.get(key) for key in ("n_cells", "n_strange")]
        if all(isinstance(number, int) for number in counted):
            found.append(PlacedCard(folder.name, str(about.get("name", "")), *counted))  # type: ignore[arg-type]
    return sorted(found, key=lambda card: card.name.lower())


def read_placed(additions: Additions, placed_id: str) -> Placed:
    """Open what was placed; cells and positions stay on disk. Raises RunError: unknown or damaged."""
    folder = next((folder for folder in _folders(additions) if folder.name == placed_id), None)
    if folder is None:
        raise RunError("These cells are not placed on this run any more.", "Place them again.")
    fields = {field: durable.read_array(folder / f"{field}.npy") for field in (*OWN, *Strangeness._fields)}
    programs, cells = read_pack(folder / PACK), load_counts(folder / CELLS)
    strangeness = Strangeness(**{field: fields[field] for field in Strangeness._fields})
    n_cells, factors = cells.n_cells, programs.factors
    fits = fields["representation"].shape == (n_cells, factors.n_factors) and fields["measured"].shape == (
        programs.n_genes,
    )
    if not fits or any(part.shape != (n_cells,) for part in (*strangeness, fields["reconstruction_error"])):
        raise RunError("The parts of what was placed do not fit together.", "Place these cells again.")
    return Placed(programs, cells, strangeness=strangeness, **{field: fields[field] for field in OWN})


def as_run(opened: OpenRun, placed: Placed) -> OpenRun:
    """The new cells as if they were the cells of the run, on all its axes as they are turned now: for drawing them.

    Their annotations are their own, and two further ones: NEAREST and STRANGE.
    """
    trained = np.asarray(placed.representation, np.float64) @ placed.factors.rotation.T
    factors = {
        axes: replace(found, representation=(trained @ found.rotation).astype(np.float32))
        for axes, found in opened.factors.items()
    }
    types, strange = pd.Index(placed.programs.reference.names), placed.strangeness
    own = {
        NEAREST: pd.Categorical.from_codes(np.asarray(strange.nearest), types),
        STRANGE: pd.Categorical.from_codes((~np.asarray(strange.is_strange)).astype(int), pd.Index(STRANGE_LEVELS)),
    }
    table = placed.cells.annotations.drop(columns=list(own), errors="ignore").assign(**own)
    return OpenRun(
        run_id=opened.run_id,
        counts=replace(placed.cells, annotations=table),
        factors=factors,
        split=np.full(placed.cells.n_cells, TEST, np.int8),
        history=opened.history,
        metrics=opened.metrics,
        settings=replace(opened.settings, label_column=NEAREST),
        data_name=opened.data_name,
        covariate_loadings=opened.covariate_loadings,
    )


def _folders(additions: Additions) -> Sequence[Path]:
    parent = additions.folder / FOLDER
    folders = parent.iterdir() if parent.exists() else ()
    return [folder for folder in folders if is_id(folder.name) and not durable.is_deleted(folder)]
