"""Labels as codes, library sizes and gene totals: what many analyses ask of counts first."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core.data.chunks import IN_CACHE, cell_chunks
from ldvae_core.data.counts import sum_by_cell
from ldvae_core.errors import CountsError


def codes_among(labels: Sequence[str] | pd.Series, names: Sequence[str]) -> np.ndarray:
    """(n_cells,) int64 positions of the labels in `names`, -1 for all others; of categories only the names are read."""
    index, values = pd.Index([str(name) for name in names]), pd.Series(labels)
    if not isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype("category")
    places = index.get_indexer(pd.Index([str(name) for name in values.cat.categories]))
    return np.append(places, -1).astype(np.int64)[values.cat.codes.to_numpy()]


def library_sizes(counts: sparse.csr_matrix) -> np.ndarray:
    """Counts per cell over the genes given: (n_cells,) float64. Raises CountsError when a cell has none."""
    sizes = sum_by_cell(counts)
    require_positive(sizes)
    return sizes


def require_positive(library_size: np.ndarray) -> None:
    """Raise CountsError unless every cell has a library size above zero: without counts there is no likelihood."""
    if bad := int(np.count_nonzero(~(library_size > 0))):
        raise CountsError(
            f"{bad:,} of {len(library_size):,} cells have no counts over the modelled genes.", "Drop these cells first."
        )


def gene_totals(counts: sparse.csr_matrix, cells: np.ndarray) -> np.ndarray:
    """Counts per gene summed over the cells where `cells` (n_cells,) bool is true: (n_genes,) float64."""
    totals = np.zeros(counts.shape[1])
    for chunk in cell_chunks(counts.shape[0], 32):
        piece = counts[chunk]
        kept = np.repeat(cells[chunk], np.diff(piece.indptr))
        totals += np.bincount(piece.indices[kept], weights=piece.data[kept], minlength=len(totals))
    return totals


def column_moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation (divided by n) and skewness of every column of (n_cells, n_columns), in float64.

    In one pass, which matters for arrays that lie in a file. The skewness of a column that does not vary is 0.
    """
    n_cells, n_columns = values.shape
    if not n_cells:
        return np.zeros(n_columns), np.zeros(n_columns), np.zeros(n_columns)
    powers = np.zeros((3, n_columns))
    shift = values[0].astype(np.float64)  # a position among the others, so that hardly a digit cancels below
    for chunk in cell_chunks(n_cells, n_columns, entries=IN_CACHE):
        around = values[chunk] - shift
        raised, ones = around.copy(), np.ones(len(around))
        for power in powers:
            power += ones @ raised
            raised *= around
    first, second, third = powers / n_cells
    variance = np.maximum(second - first**2, 0.0)
    sd = np.sqrt(variance)
    skew = third - 3 * first * second + 2 * first**3
    skewness = np.divide(skew, sd**3, out=np.zeros(n_columns), where=sd > 0)
    return shift + first, sd, skewness
