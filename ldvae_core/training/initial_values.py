"""Where training starts: at moments of the training counts, so that no epoch is spent on learning mean levels."""

from collections.abc import Iterator

import numpy as np
import torch
from scipy import sparse

from ldvae_core.model.ldvae import StartValues

LOWEST_THETA, HIGHEST_THETA = 0.05, 200.0  # moments of few cells are rough: start well inside the allowed range
COUNTS_AT_A_TIME = 2_000_000  # non-zero counts of a piece: a few tens of MB


def row_chunks(counts: sparse.csr_matrix, cells: np.ndarray) -> Iterator[tuple[np.ndarray, sparse.csr_matrix]]:
    """The rows of `cells`, some thousand at a time, so that no second copy of the counts is ever whole in memory."""
    size = max(1, int(COUNTS_AT_A_TIME * counts.shape[0] / max(counts.nnz, 1)))
    for first in range(0, len(cells), size):
        piece = cells[first : first + size]
        yield piece, counts[piece]


def start_values(counts: sparse.csr_matrix, library_size: np.ndarray, cells: np.ndarray) -> StartValues:
    """Moment estimates from the training cells.

    counts (n_cells, n_genes) and library_size (n_cells,) of all cells; cells: indices of the training cells. The mean
    fraction of gene g is its share of all molecules; its inverse dispersion solves sum (x - m)^2 = sum m + m^2 / theta
    with m = library_size * fraction.
    """
    n_genes = counts.shape[1]
    totals, squares, by_library = np.zeros((3, n_genes))
    for piece, rows in row_chunks(counts, cells):
        values = rows.data.astype(np.float64)
        totals += np.bincount(rows.indices, values, n_genes)
        squares += np.bincount(rows.indices, values**2, n_genes)
        by_library += np.bincount(rows.indices, values * np.repeat(library_size[piece], np.diff(rows.indptr)), n_genes)
    library_size = library_size[cells]
    fraction = (totals + 0.5) / (totals.sum() + 0.5 * n_genes)  # half a molecule more: a gene unseen in training cells
    library_squares = float((library_size**2).sum())
    around_mean = squares - 2 * fraction * by_library + fraction**2 * library_squares
    excess = around_mean - fraction * library_size.sum()
    with np.errstate(divide="ignore"):
        theta = np.where(excess > 0, fraction**2 * library_squares / np.maximum(excess, 1e-12), HIGHEST_THETA)
    log_library = np.log(library_size)
    return StartValues(
        log_fraction=torch.from_numpy(np.log(fraction)).float(),
        log_theta=torch.from_numpy(np.log(theta.clip(LOWEST_THETA, HIGHEST_THETA))).float(),
        log_library=(float(log_library.mean()), float(max(log_library.var(), 1e-4))),
    )
