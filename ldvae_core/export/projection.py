"""New cells on the programs of a run as .h5ad."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ldvae_core.data.stored_names import (
    BEYOND_COLUMN,
    DISTANCE_COLUMN,
    ERROR_COLUMN,
    NEAREST_COLUMN,
    STRANGE_COLUMN,
    encode,
)
from ldvae_core.export.about import write_about, write_colours
from ldvae_core.export.file import new_h5ad, write_counts, write_loadings, write_positions
from ldvae_core.export.run import gene_table
from ldvae_core.export.tables import respelt, write_table
from ldvae_core.runs.placed import Placed


def write_projection(placed: Placed, path: Path, *, results: Sequence[tuple[str, pd.DataFrame]] = ()) -> None:
    """Write new cells on the programs of a run as .h5ad, in one step.

    obs: the new cells' annotations, `ldvae_reconstruction_error` (nats), `ldvae_distance` from the type of the run
    that is nearest, `ldvae_nearest`, `ldvae_beyond`, the share of the run's held-out cells as far out, and
    `ldvae_strange`; obsm["X_ldvae"]; X and layers["counts"]: counts of the modelled genes; var["ldvae_measured"]:
    whether the new data has the gene; varm["LDVAE_loadings"] and uns["ldvae"] of the run. results: of gene sets, with
    their titles. Raises RunError when the disk or the folder refuses.
    """
    cells, programs, strange = placed.cells, placed.programs, placed.strangeness
    annotations, factors, types = cells.annotations, programs.factors, programs.reference.names
    own = pd.DataFrame(
        {
            ERROR_COLUMN: placed.reconstruction_error,
            DISTANCE_COLUMN: strange.distance,
            BEYOND_COLUMN: strange.beyond,
            STRANGE_COLUMN: strange.is_strange,
            NEAREST_COLUMN: pd.Categorical.from_codes(np.asarray(strange.nearest), pd.Index(types)),
        },
        index=annotations.index,
    )
    with new_h5ad(path) as new:
        write_counts(new, cells.counts)
        stored = write_table(new.file, "obs", annotations, own)
        genes = gene_table(factors, programs.gene_ids)
        write_table(new.file, "var", genes.assign(ldvae_measured=placed.measured))
        write_positions(new, "X_ldvae", placed.representation)
        write_loadings(new, {"LDVAE_loadings": factors.loadings})
        more = {"projected_on": programs.name, "projected_notices": list(cells.notices), **respelt(annotations)}
        write_about(new.file, factors, params=programs.params, notices=programs.notices, notes=programs.notes,
                    results=results, more=more)  # fmt: skip
        write_colours(new.file, stored, lambda name: {}, {encode(str(name)): str(name) for name in annotations.columns})
