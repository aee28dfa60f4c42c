"""Cells placed on the programs of a run: what export and pages need of them."""

from dataclasses import dataclass

import numpy as np

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.strange import Strangeness
from ldvae_core.data.counts import CountMatrix
from ldvae_core.runs.programs import Programs


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
