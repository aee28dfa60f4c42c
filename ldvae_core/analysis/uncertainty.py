"""How well each loading is known, and what is left of it once that is taken into account.

Standard errors come in closed form from the information of the counts about one gene's weights. Two things widen them,
because the cells' positions are estimates too:

- a cell's position z_n is known up to its posterior covariance S_n, so that a gene's log mean scatters around W_g z_n
  by W_g S_n W_g' more than its counts do, and a cell tells w / (1 + w W_g S_n W_g') where it would tell w;
- the model measures z in units of its prior: E[z z' + S] over the cells fitted is the identity. In the cells drawn it
  differs from that by chance, most for skewed programs, and every loading carries it: see moment_variance.

Readable axes are themselves an estimate: rotation.axis_variance is added to these for them. On simulated counts 90%
intervals of the genes that a program drives hold the truth in 85 to 93%: docs/benchmarks.md, "Intervals of loadings".
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from ldvae_core.analysis.metrics import expected_counts
from ldvae_core.data.chunks import cell_chunks, some_cells
from ldvae_core.model.families import LIKELIHOODS, LikelihoodName

MAX_CELLS = 200_000  # above, information is summed over a seeded sample and scaled up
MAX_WORK = 2e11  # cells x genes x pairs of factors, about 20 s on one core
FEWEST_APART = 10  # genes that a mixture of their own is fitted to
INTERVAL_90 = 1.6448536269514722  # half-width of a 90% interval, in standard errors


class Shrunken(NamedTuple):
    """Loadings after adaptive shrinkage, each (n_genes, n_factors) float64."""

    mean: np.ndarray  # posterior mean, the unit of the loadings
    sd: np.ndarray  # posterior standard deviation


def loading_standard_errors(
    representation: np.ndarray,
    loadings: np.ndarray,
    intercept: np.ndarray,
    inverse_dispersion: np.ndarray | None,
    library_size: np.ndarray,
    *,
    usage: bool = False,
    likelihood: LikelihoodName = "nb",
    n_factors: int | None = None,
    covariance: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Standard error of every loading: (n_genes, n_factors) float64, natural log per unit of z.

    I_g = sum over cells of w [1, z][1, z]' with w the Fisher information of log m in a count (for the negative binomial
    m theta / (m + theta)); the errors are the roots of the diagonal of its inverse. Give the cells the loadings were
    fitted on. usage: z sums to 1, so [1, z] is singular: the intercept is dropped and the errors are those of a loading
    minus the gene's mean over factors, which is what a centred loading is. A factor that does not vary gets a huge
    error (a ridge stands in for the missing inverse), never a small one. Further columns than n_factors (covariates)
    count as known. covariance: of every cell's position, (n_cells, pairs) as model/packed.py has it; None: positions
    are taken as known. Source: docs/model.md, "Uncertainty of loadings".
    """
    n_genes = len(loadings)
    n_factors = loadings.shape[1] if n_factors is None else n_factors
    width = n_factors + (0 if usage else 1)
    upper = np.triu_indices(width)
    limit = int(np.clip(MAX_WORK / (n_genes * len(upper[0])), 10_000, MAX_CELLS))
    chosen = some_cells(np.arange(len(representation)), limit, seed=seed)
    packed = np.zeros((n_genes, len(upper[0])))
    theta = None if inverse_dispersion is None else np.asarray(inverse_dispersion, np.float64)
    squares = _squares(np.asarray(loadings, np.float64)[:, :n_factors])
    for part in cell_chunks(len(chosen), n_genes + len(upper[0])):
        cells = chosen[part]
        z = np.asarray(representation[cells], np.float64)
        _, mean = expected_counts(z, loadings, intercept, np.asarray(library_size[cells], np.float64))
        weight = LIKELIHOODS[likelihood].information(mean, theta)
        if covariance is not None:
            weight /= 1 + weight * (np.asarray(covariance[cells], np.float64) @ squares.T)
        design = z[:, :n_factors] if usage else np.column_stack([np.ones(len(cells)), z[:, :n_factors]])
        packed += weight.T @ (design[:, upper[0]] * design[:, upper[1]])
    information = np.zeros((n_genes, width, width))
    information[:, upper[0], upper[1]] = information[:, upper[1], upper[0]] = packed
    covariance = _inverse(information * (len(representation) / max(len(chosen), 1)))
    if usage:
        contrast = np.eye(n_factors) - 1 / n_factors
        covariance = contrast @ covariance @ contrast
    variance = np.einsum("gkk->gk", covariance)[:, width - n_factors :]
    return np.sqrt(np.maximum(variance, 0.0))


def moment_variance(representation: np.ndarray, covariance: np.ndarray | None = None) -> np.ndarray:
    """Variance of what the second moments of z differ by from the prior's by chance: (n_factors, n_factors).

    Training ends with M = mean over cells of z z' + S at the identity. Had it been M, the same counts would have given
    the loadings W M^(1/2), so that those found are wrong by W (M^(1/2) - I), about W (M - I) / 2: a loading W_gk varies
    by sum_j W_gj^2 times entry (j, k), var(z_j z_k + S_jk) / 4 n, beside its own standard error. representation
    (n_cells, n_factors): of the cells fitted; covariance: of them, as in loading_standard_errors.
    """
    n_cells, n_factors = representation.shape
    upper = np.triu_indices(n_factors)
    first, second = np.zeros((2, len(upper[0])))
    for part in cell_chunks(n_cells, len(upper[0])):
        z = np.asarray(representation[part], np.float64)
        products = z[:, upper[0]] * z[:, upper[1]]
        if covariance is not None:
            products += covariance[part]
        first += products.sum(axis=0)
        second += (products**2).sum(axis=0)
    variance = np.zeros((n_factors, n_factors))
    spread = np.maximum(second / n_cells - (first / n_cells) ** 2, 0.0) / (4 * n_cells)
    variance[upper] = variance[upper[::-1]] = spread
    return variance


def shrink_loadings(
    loadings: np.ndarray, standard_errors: np.ndarray, inside: Mapping[int, np.ndarray] | None = None
) -> Shrunken:
    """Empirical-Bayes estimate of every loading: posterior mean and sd, each (n_genes, n_factors).

    For each factor on its own: true loadings follow a mixture of normals centred at 0 (one of them a spike at exactly
    0), the observed ones add normal noise of the given standard error; EM over genes fits the mixture's weights. A
    loading known well stays, a rare gene's noisy one goes to 0. Entries that are not finite become 0. inside: of a
    factor, the genes (n_genes,) bool that are expected to load on it; they and the others get mixtures of their own,
    unless they are too few to fit one. Raises ValueError when the shapes differ. Source: adaptive shrinkage,
    Stephens 2017.
    """
    if loadings.shape != standard_errors.shape:
        raise ValueError(f"loadings {loadings.shape} and standard errors {standard_errors.shape} differ in shape")
    inside = inside or {}
    pairs = zip(loadings.T, standard_errors.T, strict=True)
    columns = [_shrink_apart(*pair, inside[k]) if k in inside else _shrink_one(*pair) for k, pair in enumerate(pairs)]
    return Shrunken(*(np.stack(part, axis=1) for part in zip(*columns, strict=True)))


def _shrink_apart(loading: np.ndarray, error: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if min(inside.sum(), (~inside).sum()) < FEWEST_APART:
        return _shrink_one(loading, error)
    mean, sd = np.zeros((2, len(loading)))
    for genes in (inside, ~inside):
        mean[genes], sd[genes] = _shrink_one(loading[genes], error[genes])
    return mean, sd


def _shrink_one(loading: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    effect, noise = np.asarray(loading, np.float64), np.maximum(np.asarray(error, np.float64), 1e-12)
    mean, sd = np.zeros(len(effect)), np.zeros(len(effect))
    known = np.isfinite(effect) & np.isfinite(noise)
    if not known.any():
        return mean, sd
    effect, noise = effect[known], noise[known]
    prior_variance = _variance_grid(effect, noise)
    total = prior_variance + noise[:, None] ** 2  # (genes, components): variance of the observed loading
    log_density = -0.5 * (np.log(2 * np.pi * total) + effect[:, None] ** 2 / total)
    share = _mixture_posterior(log_density)
    keep = prior_variance / total  # of an observed loading, the part that is not noise
    component_mean = keep * effect[:, None]
    mean[known] = (share * component_mean).sum(axis=1)
    second = (share * (component_mean**2 + keep * noise[:, None] ** 2)).sum(axis=1)
    sd[known] = np.sqrt(np.maximum(second - mean[known] ** 2, 0.0))
    return mean, sd


def _variance_grid(effect: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Variances of the mixture: 0, then sds growing by sqrt(2), from below the noise to twice the largest effect."""
    largest = 2 * np.sqrt(max(float((effect**2 - noise**2).max()), float(noise.min()) ** 2))
    smallest = max(float(noise.min()) / 10, largest * 1e-4)
    steps = int(np.ceil(2 * np.log2(largest / smallest))) + 1
    return np.concatenate([[0.0], (largest * 2.0 ** (-np.arange(steps)[::-1] / 2)) ** 2])


def _mixture_posterior(log_density: np.ndarray, *, max_steps: int = 500, tolerance: float = 1e-7) -> np.ndarray:
    """EM for the mixture's weights; returns each gene's share in each component: (n_genes, n_components)."""
    n_components = log_density.shape[1]
    scaled = np.exp(log_density - logsumexp(log_density, axis=1, keepdims=True))
    weights, reached = np.full(n_components, 1 / n_components), -np.inf
    for _ in range(max_steps):
        joint = scaled * weights
        evidence = joint.sum(axis=1, keepdims=True)
        share = joint / evidence
        value = float(np.log(evidence).mean())
        if value - reached < tolerance:
            break
        weights, reached = share.mean(axis=0), value
    return share


def _squares(loadings: np.ndarray) -> np.ndarray:
    """What a packed covariance is multiplied with to give W_g S W_g': (n_genes, pairs)."""
    first, second = np.triu_indices(loadings.shape[1])
    return loadings[:, first] * loadings[:, second] * np.where(first == second, 1.0, 2.0)


def _inverse(information: np.ndarray) -> np.ndarray:
    """Inverse of each gene's information. The ridge, 1e-10 of the largest entry, only shows where there is none."""
    largest = np.einsum("gkk->gk", information).max(axis=1)
    ridge = np.maximum(largest * 1e-10, 1e-12)
    return np.linalg.inv(information + ridge[:, None, None] * np.eye(information.shape[1]))
