"""Which factors matter: explained deviance on held-out cells, and activity."""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from ldvae_core.analysis.chunks import column_moments, gene_totals
from ldvae_core.analysis.metrics import expected_counts, mean_terms_by_gene, saturated_terms
from ldvae_core.data.chunks import cell_chunks, some_cells
from ldvae_core.model.families import LikelihoodName

HELD_OUT_CELLS = 20_000  # the share is known to three digits from far fewer
DEAD_VARIANCE, DEAD_KL = 0.01, 0.01  # of the prior's variance; nats


def held_out_cells(split: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Indices of at most 20,000 test cells; validation cells, then all cells, stand in where there are none.

    split: (n_cells,) with 0 train, 1 validation, 2 test.
    """
    for share in (2, 1):
        if len(cells := np.flatnonzero(np.asarray(split) == share)):
            return some_cells(cells, HELD_OUT_CELLS, seed=seed)
    return some_cells(np.arange(len(split)), HELD_OUT_CELLS, seed=seed)


def gene_deviance(
    *,
    counts: sparse.csr_matrix,
    representation: np.ndarray,
    loadings: np.ndarray,
    intercept: np.ndarray,
    inverse_dispersion: np.ndarray | None,
    library_size: np.ndarray,
    split: np.ndarray,
    usage: bool = False,
    likelihood: LikelihoodName = "nb",
    n_factors: int | None = None,
    fractions: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Rise of each gene's held-out deviance when factor k is silenced, as a share of the null deviance of all genes.

    (n_genes, n_factors) float64; its sum over genes is the factor's explained deviance, and it is below 0 where a gene
    is predicted better without the factor. Silenced: z_k set to its mean over all cells; for usages (logistic-normal)
    z_k removed and the rest scaled to sum to 1 again. Null: every cell has the training cells' mean fractions, with the
    same inverse dispersion. Factors are not additive. The first n_factors columns are factors; further ones
    (covariates) stay as they are. fractions: what a baseline makes of positions (cells, n_factors) in place of the
    softmax: (cells, n_genes), rows sum to 1. deviance = 2 * (saturated log-likelihood - log-likelihood). Source:
    docs/model.md, "Order, sign and activity".
    """
    n_factors = loadings.shape[1] if n_factors is None else n_factors
    cells = held_out_cells(split)
    x, z, size = counts[cells], np.asarray(representation[cells], np.float64), library_size[cells]
    mean_z = column_moments(representation[:, :n_factors])[0]

    def log_likelihood(positions: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        total = np.zeros(x.shape[1])
        for chunk in cell_chunks(*x.shape):
            if fractions is None or weights is not loadings:
                expected = expected_counts(positions[chunk], weights, bias, size[chunk])
            else:
                mean = size[chunk, None] * fractions(positions[chunk])
                expected = np.log(mean), mean
            total += mean_terms_by_gene(x[chunk], *expected, inverse_dispersion, likelihood=likelihood)
        return total

    null_bias = _log_mean_fraction(counts, split)
    null = log_likelihood(np.zeros((len(cells), 1)), np.zeros((len(null_bias), 1)), null_bias).sum()
    null_deviance = 2 * (saturated_terms(x, inverse_dispersion, likelihood=likelihood).sum() - null)
    full = log_likelihood(z, loadings, intercept)
    silenced = (_silence(z, k, mean_z, usage=usage, n_factors=n_factors) for k in range(n_factors))
    losses = np.zeros((len(null_bias), n_factors))
    for k, positions in enumerate(silenced):
        losses[:, k] = full - log_likelihood(positions, loadings, intercept)
    return 2 * losses / max(null_deviance, np.finfo(float).tiny)


def active_factors(mean: np.ndarray, variance: np.ndarray | None, *, usage: bool = False) -> np.ndarray:
    """Which factors carry anything: (n_factors,) bool; a factor that is not active is dead and not counted.

    mean, variance: (n_cells, n_factors), mean and variance of q(z_k | x) on the axes shown. Normal prior: dead when the
    means vary by less than 0.01, or the KL divergence of q from the prior is below 0.01 nats on average. Usages have no
    such marginal KL: dead when their variance is below 1% of what the prior softmax(N(0, I)) itself would give.
    """
    spread = column_moments(mean)[1] ** 2
    if usage:
        return spread >= DEAD_VARIANCE * _prior_usage_variance(mean.shape[1])
    active = spread >= DEAD_VARIANCE
    return active if variance is None else active & (marginal_kl(mean, variance) >= DEAD_KL)


def marginal_kl(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Mean over cells of KL(N(mean, variance) || N(0, 1)) for each factor: (n_factors,) nats."""
    total = np.zeros(mean.shape[1])
    for cells in cell_chunks(*mean.shape):
        mu, var = mean[cells].astype(np.float64), np.maximum(variance[cells].astype(np.float64), 1e-30)
        total += 0.5 * (mu**2 + var - 1 - np.log(var)).sum(axis=0)
    return total / max(len(mean), 1)


def _log_mean_fraction(counts: sparse.csr_matrix, split: np.ndarray) -> np.ndarray:
    """log of each gene's share of the training counts; an unseen gene gets half a count, so that it is not -inf."""
    train = np.asarray(split) == 0
    totals = gene_totals(counts, train if train.any() else np.ones(counts.shape[0], bool))
    return np.log(np.maximum(totals, 0.5) / totals.sum())


def _silence(z: np.ndarray, k: int, mean_z: np.ndarray, *, usage: bool, n_factors: int) -> np.ndarray:
    without = z.copy()
    if not usage:
        without[:, k] = mean_z[k]
        return without
    without[:, k] = 0.0
    rest = without[:, :n_factors].sum(axis=1)
    alone = rest < 1e-6  # nothing else in this cell to scale up: it becomes the average cell's other archetypes
    average = np.where(np.arange(n_factors) == k, 0.0, mean_z)
    without[alone, :n_factors] = average
    without[:, :n_factors] /= np.where(alone, average.sum(), rest)[:, None]
    return without


def _prior_usage_variance(n_factors: int) -> float:
    """Variance of one coordinate of softmax(N(0, I)); it has no closed form, and 20,000 draws give it to 1%."""
    draws = np.exp(np.random.default_rng(0).standard_normal((20_000, n_factors)))
    return float((draws / draws.sum(axis=1, keepdims=True)).var(axis=0).mean())
