"""Each gene's share of the molecules: what a model without factors gives to every cell."""

import numpy as np
from scipy import sparse

from ldvae_core.data.counts import sum_by_gene


def mean_fraction(counts: sparse.csr_matrix) -> np.ndarray:
    """Share of all molecules that each gene has, (n_genes,), sums to 1; an unseen gene counts as half a molecule."""
    return fraction_of(sum_by_gene(counts))


def fraction_of(totals: np.ndarray) -> np.ndarray:
    """The same from the molecules of each gene, (n_genes,)."""
    known = np.maximum(totals, 0.5)
    shares: np.ndarray = known / known.sum()
    return shares
