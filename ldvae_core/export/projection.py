"""New cells on the programs of a run as .h5ad."""

from pathlib import Path

import pandas as pd

from ldvae_core.data.stored_names import ERROR_COLUMN, encode
from ldvae_core.export.about import write_about, write_colours
from ldvae_core.export.file import new_h5ad, write_counts, write_loadings, write_positions
from ldvae_core.export.run import gene_table
from ldvae_core.export.tables import respelt, write_table
from ldvae_core.runs.projection import Projection
from ldvae_core.runs.store import OpenRun


def write_projection(opened: OpenRun, projection: Projection, path: Path) -> None:
    """Write new cells on the programs of a run as .h5ad, in one step.

    obs: the new cells' annotations and `ldvae_reconstruction_error` (nats); obsm["X_ldvae"]; X and layers["counts"]:
    counts of the modelled genes; var["ldvae_measured"]: whether the new data has the gene; varm["LDVAE_loadings"] and
    uns["ldvae"] of the run. Raises RunError when the disk or the folder refuses.
    """
    cells, factors = projection.cells, projection.factors
    annotations = cells.annotations
    own = pd.DataFrame({ERROR_COLUMN: projection.reconstruction_error}, index=annotations.index)
    with new_h5ad(path) as new:
        write_counts(new, cells.counts)
        stored = write_table(new.file, "obs", annotations, own)
        write_table(new.file, "var", gene_table(cells, factors).assign(ldvae_measured=projection.measured))
        write_positions(new, "X_ldvae", projection.representation)
        write_loadings(new, {"LDVAE_loadings": factors.loadings})
        about = {"projected_on": opened.name, "projected_notices": list(cells.notices), **respelt(annotations)}
        write_about(new.file, opened, factors, about)
        write_colours(new.file, stored, lambda name: {}, {encode(str(name)): str(name) for name in annotations.columns})
