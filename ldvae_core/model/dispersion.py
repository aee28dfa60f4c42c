"""Inverse dispersion of every gene by maximum likelihood, at means that are given."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import digamma, polygamma

from ldvae_core.data.chunks import ENTRIES, cell_chunks, some_cells
from ldvae_core.model.config import MAX_THETA, MIN_THETA

MOST_CELLS = 20_000  # above, a seeded sample of the training cells gives the inverse dispersions
MOST_STEPS = 40  # of Newton's method
CLOSE_ENOUGH, FLAT = 1e-5, 1e-4  # of log theta; nats that all cells together would gain per unit of it


def fit_inverse_dispersion(
    counts: sparse.csr_matrix,
    expected: Callable[[np.ndarray], np.ndarray],
    *,
    rows: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Inverse dispersion of every gene by maximum likelihood at given means, in [1e-3, 1e4]: (n_genes,) float64.

    counts (n_cells, n_genes): the training cells, or those of its rows that train; expected: indices among these cells
    -> their expected counts, (cells, genes).
    Newton's method for log theta, all genes at once, kept inside a bracket of the slope's change of sign.
    """
    n_genes = counts.shape[1]
    rows = np.arange(counts.shape[0]) if rows is None else rows
    cells = some_cells(np.arange(len(rows)), MOST_CELLS, seed=seed)
    chosen = counts[rows[cells]]
    histogram = _histogram(chosen)
    lowest, highest = np.log(MIN_THETA), np.log(MAX_THETA)
    low, high = np.full(n_genes, lowest - 1), np.full(n_genes, highest + 1)  # beyond the bounds: not yet tried
    log_theta = np.clip(_moment_estimate(chosen, cells, expected), lowest, highest)
    for _ in range(MOST_STEPS):
        slope, curvature = _derivatives(np.exp(log_theta), chosen, cells, expected, histogram)
        low, high = np.where(slope > 0, log_theta, low), np.where(slope > 0, high, log_theta)
        newton = log_theta - slope / np.where(curvature < 0, curvature, np.nan)
        target = np.where((newton > low) & (newton < high), newton, (low + high) / 2)
        target = np.where((slope > 0) & (high > highest) & ~(newton < highest), highest, target)
        target = np.where((slope <= 0) & (low < lowest) & ~(newton > lowest), lowest, target)
        step = np.where(np.abs(slope) < FLAT, 0.0, np.clip(target, lowest, highest) - log_theta)
        log_theta = log_theta + step
        if np.abs(step).max() < CLOSE_ENOUGH:
            break
    theta: np.ndarray = np.exp(log_theta)
    return theta


class _Histogram(NamedTuple):
    """How often each count occurs in each gene: three arrays side by side."""

    gene: np.ndarray
    value: np.ndarray  # the count
    times: np.ndarray


def _histogram(counts: sparse.csr_matrix) -> _Histogram:
    pairs, times = np.unique(counts.indices.astype(np.int64) << 32 | counts.data.astype(np.int64), return_counts=True)
    return _Histogram(pairs >> 32, (pairs & 0xFFFFFFFF).astype(np.float64), times)


def _moment_estimate(
    counts: sparse.csr_matrix, cells: np.ndarray, expected: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """log of the theta that solves sum (x - m)^2 = sum m + m^2 / theta, (n_genes,): where Newton's method starts."""
    squares, excess = np.zeros((2, counts.shape[1]))
    for piece in cell_chunks(len(cells), counts.shape[1], entries=ENTRIES):
        mean = expected(cells[piece])
        residual = counts[piece].toarray() - mean
        squares += np.einsum("ng,ng->g", mean, mean)
        excess += np.einsum("ng,ng->g", residual, residual) - mean.sum(axis=0)
    return np.log(squares / np.maximum(excess, squares * 1e-4))


def _derivatives(
    theta: np.ndarray,
    counts: sparse.csr_matrix,
    cells: np.ndarray,
    expected: Callable[[np.ndarray], np.ndarray],
    histogram: _Histogram,
) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivative of the log-likelihood in log theta, each (n_genes,).

    In theta: digamma(x + theta) - digamma(theta) + log(theta / (m + theta)) + (m - x) / (m + theta), summed over cells.
    """
    n_genes = len(theta)
    at = theta[histogram.gene]
    first = np.bincount(histogram.gene, histogram.times * (digamma(histogram.value + at) - digamma(at)), n_genes)
    second = np.bincount(
        histogram.gene, histogram.times * (polygamma(1, histogram.value + at) - polygamma(1, at)), n_genes
    )
    for piece in cell_chunks(len(cells), n_genes, entries=ENTRIES):
        x = counts[piece]
        mean = expected(cells[piece])
        inverse = 1.0 / (mean + theta)  # (cells, genes)
        cell, gene = np.repeat(np.arange(x.shape[0]), np.diff(x.indptr)), x.indices
        at_counts = inverse[cell, gene]
        first -= np.bincount(gene, x.data * at_counts, n_genes)
        second += np.bincount(gene, x.data * at_counts**2, n_genes)
        share = mean * inverse  # m / (m + theta)
        first += np.log1p(-share).sum(axis=0) + share.sum(axis=0)
        second += (share / theta - share * inverse).sum(axis=0)
    return theta * first, theta * first + theta**2 * second
