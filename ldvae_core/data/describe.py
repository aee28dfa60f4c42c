"""What a person sees after loading: sizes, where the counts were found, roles of columns, quality per cell."""

from dataclasses import dataclass

import numpy as np

from ldvae_core.data.annotations import guess_roles, label_columns
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.genes import guess_species
from ldvae_core.data.prepare import mitochondrial_share


@dataclass(frozen=True, eq=False)
class DataSummary:
    """A data set at a glance. Arrays: one value a cell (n_cells,); shares are 0 to 1."""

    n_cells: int
    n_genes: int
    nonzero_share: float
    counts_from: str
    notices: tuple[str, ...]
    species: str | None
    columns: tuple[str, ...]  # all annotation columns
    labels: tuple[str, ...]  # those that can colour a figure
    roles: dict[str, str | None]  # cell_type, donor, batch, condition -> column
    library_size: np.ndarray  # molecules
    genes_per_cell: np.ndarray
    mitochondrial_share: np.ndarray


def describe(matrix: CountMatrix) -> DataSummary:
    """Summarise a data set for the Data page and the `info` command."""
    return DataSummary(
        n_cells=matrix.n_cells,
        n_genes=matrix.n_genes,
        nonzero_share=matrix.nonzero_share,
        counts_from=matrix.counts_from,
        notices=matrix.notices,
        species=guess_species(matrix.gene_names, matrix.gene_ids),
        columns=tuple(str(name) for name in matrix.annotations.columns),
        labels=label_columns(matrix.annotations),
        roles=guess_roles(matrix.annotations),
        library_size=matrix.library_size,
        genes_per_cell=matrix.genes_per_cell,
        mitochondrial_share=mitochondrial_share(matrix),
    )
