"""Where training starts: at moments of the training counts, so that no epoch is spent on learning mean levels."""

import numpy as np
import torch
from scipy import sparse

from ldvae_core.model.ldvae import StartValues

LOWEST_THETA, HIGHEST_THETA = 0.05, 200.0  # moments of few cells are rough: start well inside the allowed range


def start_values(counts: sparse.csr_matrix, library_size: np.ndarray) -> StartValues:
    """Moment estimates from training cells.

    counts (n_cells, n_genes); library_size (n_cells,). The mean fraction of gene g is its share of all molecules; its
    inverse dispersion solves sum (x - m)^2 = sum m + m^2 / theta with m = library_size * fraction.
    """
    values = counts.data.astype(np.float64)
    n_genes = counts.shape[1]
    totals = np.bincount(counts.indices, values, n_genes)
    squares = np.bincount(counts.indices, values**2, n_genes)
    by_library = np.asarray(counts.T @ library_size, dtype=np.float64)
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
