"""How well the model predicts the counts: log-likelihoods that anyone can recompute from the saved arrays.

Everything is written from log_softmax + log library size; no epsilon stands inside a logarithm
(docs/model.md, "Identities").
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from ldvae_core.analysis.chunks import library_sizes, require_positive
from ldvae_core.data.chunks import cell_chunks
from ldvae_core.model.families import LIKELIHOODS, LikelihoodName


def reconstruction_error(
    counts: sparse.csr_matrix,
    representation: np.ndarray,
    loadings: np.ndarray,
    intercept: np.ndarray,
    inverse_dispersion: np.ndarray | None,
    library_size: np.ndarray | None = None,
    *,
    likelihood: LikelihoodName = "nb",
) -> np.ndarray:
    """-log p(x | z) of every cell, with mean = library_size * softmax(z W' + b): (n_cells,) float64, nats per cell.

    counts: (n_cells, n_genes) CSR, whole numbers; representation: (n_cells, n_factors); loadings: (n_genes, n_factors),
    natural log; intercept, inverse_dispersion: (n_genes,), the latter > 0 and unused where the likelihood has none;
    library_size: (n_cells,), molecules, by default the cell's counts over these genes. All constants are included, so
    the value equals scipy.stats.nbinom's. Raises CountsError when a cell has no counts.
    Source: Svensson et al. 2020, section 2; docs/model.md, "Metrics".
    """
    library_size = library_sizes(counts) if library_size is None else np.asarray(library_size, np.float64)
    require_positive(library_size)
    error = np.empty(counts.shape[0])
    for cells in cell_chunks(*counts.shape):
        piece = counts[cells]
        log_mean, mean = expected_counts(representation[cells], loadings, intercept, library_size[cells])
        terms = mean_terms(piece, log_mean, mean, inverse_dispersion, likelihood=likelihood)
        error[cells] = -(terms + _constants(piece, inverse_dispersion, likelihood=likelihood))
    return error


def log_likelihood_at(
    counts: sparse.csr_matrix, expected: Callable[[slice], np.ndarray], inverse_dispersion: np.ndarray
) -> np.ndarray:
    """log p(x) of every cell under a negative binomial with the means given: (n_cells,) float64, nats.

    counts: (n_cells, n_genes) CSR; expected: a slice of the cells -> their expected counts (cells, n_genes), > 0;
    inverse_dispersion: (n_genes,). All constants are included.
    """
    found = np.empty(counts.shape[0])
    for cells in cell_chunks(*counts.shape):
        piece, mean = counts[cells], expected(cells)
        terms = mean_terms(piece, np.log(mean), mean, inverse_dispersion)
        found[cells] = terms + _constants(piece, inverse_dispersion, likelihood="nb")
    return found


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Mean over cells, and its standard error (NaN for a single cell)."""
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def expected_counts(
    representation: np.ndarray, loadings: np.ndarray, intercept: np.ndarray, library_size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """log m and m of m = library_size * softmax(z W' + b), both (n_cells, n_genes) float64: for one piece of cells."""
    z, weights = np.asarray(representation, np.float64), np.asarray(loadings, np.float64)
    log_mean = z @ weights.T  # (cells, genes): logits for now
    log_mean += np.asarray(intercept, np.float64)
    log_mean -= log_mean.max(axis=1, keepdims=True)
    mean = np.exp(log_mean)
    total = mean.sum(axis=1)
    log_mean += np.log(library_size / total)[:, None]
    mean *= (library_size / total)[:, None]
    return log_mean, mean


def mean_terms(
    counts: sparse.csr_matrix,
    log_mean: np.ndarray,
    mean: np.ndarray,
    inverse_dispersion: np.ndarray | None,
    *,
    likelihood: LikelihoodName = "nb",
) -> np.ndarray:
    """The part of log p(x) that depends on the mean, summed over genes: (n_cells,) nats; see model/families.py."""
    family, (x, theta, theta_at) = LIKELIHOODS[likelihood], _observed(counts, inverse_dispersion)
    log_mean_at = log_mean[_cell_of_each_count(counts), counts.indices]
    at_counts = _sum_by_cell(counts, family.at_counts(x, log_mean_at, theta_at))
    return at_counts - family.at_zero(mean, theta).sum(axis=1)


def mean_terms_by_gene(
    counts: sparse.csr_matrix,
    log_mean: np.ndarray,
    mean: np.ndarray,
    inverse_dispersion: np.ndarray | None,
    *,
    likelihood: LikelihoodName = "nb",
) -> np.ndarray:
    """The same part of log p(x), summed over cells instead: (n_genes,) nats."""
    family, (x, theta, theta_at) = LIKELIHOODS[likelihood], _observed(counts, inverse_dispersion)
    at_counts = family.at_counts(x, log_mean[_cell_of_each_count(counts), counts.indices], theta_at)
    by_gene = np.bincount(counts.indices, weights=at_counts, minlength=counts.shape[1])
    return by_gene - family.at_zero(mean, theta).sum(axis=0)


def saturated_terms(
    counts: sparse.csr_matrix, inverse_dispersion: np.ndarray | None, *, likelihood: LikelihoodName = "nb"
) -> np.ndarray:
    """mean_terms of the best thinkable model, the one whose mean is each count itself: (n_cells,) nats."""
    family, (x, _, theta) = LIKELIHOODS[likelihood], _observed(counts, inverse_dispersion)
    return _sum_by_cell(counts, family.at_counts(x, np.log(x), theta) - family.at_zero(x, theta))


def _constants(
    counts: sparse.csr_matrix, inverse_dispersion: np.ndarray | None, *, likelihood: LikelihoodName
) -> np.ndarray:
    """The part of log p(x) that does not depend on the mean; zero counts contribute nothing to it."""
    x, _, theta = _observed(counts, inverse_dispersion)
    return _sum_by_cell(counts, LIKELIHOODS[likelihood].constants(x, theta))


def _observed(counts: sparse.csr_matrix, inverse_dispersion: np.ndarray | None) -> tuple[Any, Any, Any]:
    """Every count above 0 (counts,), the genes' inverse dispersions (n_genes,), and those at the counts (counts,)."""
    theta = None if inverse_dispersion is None else np.asarray(inverse_dispersion, np.float64)
    return counts.data.astype(np.float64), theta, None if theta is None else theta[counts.indices]


def _cell_of_each_count(counts: sparse.csr_matrix) -> np.ndarray:
    return np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))


def _sum_by_cell(counts: sparse.csr_matrix, values: np.ndarray) -> np.ndarray:
    return np.bincount(_cell_of_each_count(counts), weights=values, minlength=counts.shape[0])
