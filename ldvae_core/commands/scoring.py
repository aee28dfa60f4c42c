"""`score`: place new cells on the programs of a run."""

import sys
from pathlib import Path
from typing import Any

from ldvae_core.commands.sources import folder_of, opened_counts, opened_run
from ldvae_core.data.names import listing
from ldvae_core.data.reading_options import NOTHING_SAID, ReadingOptions
from ldvae_core.errors import RunError
from ldvae_core.export import write_projection
from ldvae_core.model.describe import model_words
from ldvae_core.runs.projection import Projection, project


def score_cells(run: Path, data: str, target: Path, reading: ReadingOptions = NOTHING_SAID) -> dict[str, Any]:
    """Project the cells of DATA, write them as .h5ad, return the command's last line; notices go to stderr.

    Raises LdvaeError: a run without results or without its trained network, data that do not fit it.
    """
    from ldvae_core.runs.trained import load_model

    opened = opened_run(str(run))
    if opened.settings.model.is_baseline:
        raise RunError(
            f"The run {opened.name!r} is a baseline ({model_words(opened.settings.model)}), which keeps no network "
            "that could place new cells.",
            "Choose an LDVAE run.",
        )
    model = load_model(folder_of(str(run)))
    with opened_counts(data, reading) as counts:
        projection = project(opened, model, counts)
        _say(projection)
        write_projection(opened, projection, target)
    missing = int((~projection.measured).sum())
    return {
        "file": str(target),
        "run": str(run),
        "axes": projection.factors.axes,
        "n_cells": projection.cells.n_cells,
        "n_factors": projection.representation.shape[1],
        "genes_found": int(projection.measured.sum()),
        "genes_missing": missing,
        "mean_reconstruction_error": float(projection.reconstruction_error.mean()),
    }


def _say(projection: Projection) -> None:
    """Missing genes and left-out cells, a line each."""
    for notice in projection.cells.notices:
        sys.stderr.write(f"{notice}\n")
    missing = projection.cells.gene_names[~projection.measured]
    if len(missing):
        sys.stderr.write(
            f"{len(missing):,} of {len(projection.measured):,} modelled genes are not in the data and count as 0: "
            f"{listing(missing, 20)}.\n"
        )
