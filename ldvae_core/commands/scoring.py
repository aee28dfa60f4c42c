"""`score`: place new cells on the programs of a run, or of a pack that somebody shared; `pack` makes one."""

import sys
from pathlib import Path
from typing import Any

from ldvae_core.commands.sources import folder_of, opened_counts, opened_run
from ldvae_core.data.names import listing
from ldvae_core.data.reading_options import NOTHING_SAID, ReadingOptions
from ldvae_core.export import results_of, write_projection
from ldvae_core.runs.pack import is_pack, read_pack, write_pack
from ldvae_core.runs.placed import Placed
from ldvae_core.runs.programs import programs_of
from ldvae_core.workspace.scratch import scratch_folder


def score_cells(run: Path, data: str, target: Path, reading: ReadingOptions = NOTHING_SAID) -> dict[str, Any]:
    """Place the cells of DATA, write them as .h5ad, return the command's last line; notices go to stderr.

    run: a run, or the file of a pack. Raises LdvaeError: a run without results or without its trained network, a
    damaged pack, data that do not fit it.
    """
    from ldvae_core.runs.projection import project

    if is_pack(run.expanduser()):
        programs, results = read_pack(run.expanduser()), []
    else:
        opened = opened_run(str(run))
        programs = programs_of(opened, folder_of(str(run)))
        results = results_of(opened, programs.factors)
    with opened_counts(data, reading) as counts, scratch_folder() as scratch:
        placed = project(programs, counts, scratch / "cells")
        _say(placed)
        write_projection(placed, target, results=results)
        return {
            "file": str(target),
            "run": str(run),
            "axes": placed.factors.axes,
            "n_cells": placed.cells.n_cells,
            "n_factors": placed.representation.shape[1],
            "genes_found": int(placed.measured.sum()),
            "genes_missing": len(placed.missing),
            "mean_reconstruction_error": float(placed.reconstruction_error.mean()),
            "n_strange": int(placed.strangeness.is_strange.sum()),
        }


def pack_run(run: str, target: Path) -> dict[str, Any]:
    """Write the programs of RUN as a pack, return the command's last line. Raises LdvaeError as programs_of does."""
    programs = programs_of(opened_run(run), folder_of(run))
    made = write_pack(programs, target)
    return {
        "file": str(target),
        "run": run,
        "n_genes": programs.n_genes,
        "n_factors": programs.factors.n_factors,
        "types": list(programs.reference.names),
        **made,
    }


def _say(placed: Placed) -> None:
    """Missing genes and left-out cells, a line each."""
    for notice in placed.cells.notices:
        sys.stderr.write(f"{notice}\n")
    if n := len(placed.missing):
        sys.stderr.write(
            f"{n:,} of {len(placed.measured):,} modelled genes are not in the data and count as 0: "
            f"{listing(placed.missing, 20)}.\n"
        )
