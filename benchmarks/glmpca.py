"""A plain negative binomial GLM-PCA, the referee of refined positions: log link, library size as offset, Newton steps.

    x_ng ~ NB(library_n exp(b_g + W_g z_n), theta_g),  z_n ~ N(0, I),  W_g ~ N(0, I / RIDGE)

No softmax: genes are independent given the positions, so that alternating cell-wise and gene-wise damped Newton steps
climb the joint density of the training cells to a point where nothing moves. theta by maximum likelihood in between.
Test cells are placed at the top of their own posterior. Source: Townes et al. 2019, with a prior on z.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import gammaln

from ldvae_core.model.dispersion import fit_inverse_dispersion

MOST_ROUNDS, STANDS = 60, 5e-3  # rounds; nats a cell that a round must gain to go on
THETA_EVERY = 4
PIECE = 512  # rows at a time


class GlmPca(NamedTuple):
    """A fit."""

    loadings: np.ndarray  # (genes, factors)
    intercept: np.ndarray  # (genes,)
    theta: np.ndarray  # (genes,)
    rounds: int
    last_gain: float  # nats a cell in the last round


def fit_glmpca(counts: sparse.csr_matrix, n_factors: int, *, ridge: float = 1.0, seed: int = 0) -> GlmPca:
    """Fit to the training cells, counts (n_cells, n_genes); from the components of Pearson residuals."""
    library = np.asarray(counts.sum(axis=1), float).ravel()
    totals = np.maximum(np.asarray(counts.sum(axis=0), float).ravel(), 0.5)
    intercept, theta = np.log(totals / totals.sum()), np.full(counts.shape[1], 10.0)
    z, weights = _start(counts, library, intercept, n_factors, seed)
    by_gene, offset = counts.T.tocsr(), np.log(library)
    reached, gained, done = -np.inf, np.inf, 0
    for done in range(1, MOST_ROUNDS + 1):
        z, _ = climb(counts, offset, intercept, weights, theta, z, 1.0)
        design = np.column_stack([z, np.ones(len(z))])
        ridges = np.append(np.full(n_factors, ridge), 1e-6)
        both, height = climb(
            by_gene, np.zeros(len(theta)), offset, design, theta[:, None], np.column_stack([weights, intercept]), ridges
        )
        weights, intercept = both[:, :n_factors], both[:, n_factors]
        height = (height - 0.5 * (z**2).sum()) / len(z)
        gained, reached = height - reached, height
        if done % THETA_EVERY == 0:
            theta = fit_inverse_dispersion(counts, _means(z, weights, intercept, library))
            reached = -np.inf  # the objective is another one now
        elif done > 3 * THETA_EVERY and gained < STANDS:
            break
    return GlmPca(weights, intercept, theta, done, gained)


def place(fit: GlmPca, counts: sparse.csr_matrix) -> np.ndarray:
    """Positions of other cells at the top of their posterior: (n_cells, n_factors)."""
    offset = np.log(np.asarray(counts.sum(axis=1), float).ravel())
    z = np.zeros((counts.shape[0], fit.loadings.shape[1]))
    for _ in range(10):
        z, _ = climb(counts, offset, fit.intercept, fit.loadings, fit.theta, z, 1.0)
    return z


def errors(fit: GlmPca, counts: sparse.csr_matrix, z: np.ndarray, *, normalised: bool = True) -> np.ndarray:
    """-log p(x | z) of every cell, (n_cells,) nats; normalised: means brought to the library size, as ours."""
    found, library = np.empty(counts.shape[0]), np.asarray(counts.sum(axis=1), float).ravel()
    expected = _means(z, fit.loadings, fit.intercept, library)
    for piece in _pieces(counts.shape[0]):
        x, mean = counts[piece].toarray().astype(float), expected(np.arange(piece.start, piece.stop))
        mean = mean * (library[piece] / mean.sum(axis=1))[:, None] if normalised else mean
        value = gammaln(x + fit.theta) - gammaln(fit.theta) - gammaln(x + 1)
        value += x * np.log(mean / (mean + fit.theta)) - fit.theta * np.log1p(mean / fit.theta)
        found[piece] = -value.sum(axis=1)
    return found


def climb(
    counts: sparse.csr_matrix, row_offset: np.ndarray, column_offset: np.ndarray, design: np.ndarray,
    theta: np.ndarray, at: np.ndarray, ridge: float | np.ndarray,
) -> tuple[np.ndarray, float]:  # fmt: skip
    """One damped Newton step of every row's coefficients `at`; returns them, and the objective of all rows.

    log mean = row_offset + column_offset + at @ design'; theta (columns,) or (rows, 1).
    """
    width = design.shape[1]
    first, second = np.triu_indices(width)
    pairs, penalty = design[:, first] * design[:, second], np.broadcast_to(ridge, width)
    new, total = at.copy(), 0.0
    for piece in _pieces(counts.shape[0]):
        x, here = counts[piece].toarray().astype(float), at[piece]
        dispersion = theta[piece] if theta.ndim == 2 else theta[None]
        offset = row_offset[piece, None] + column_offset[None]

        def height(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            eta = np.clip(offset + values @ design.T, -40, 40)  # noqa: B023
            mean = np.exp(eta)
            gain = (x * eta - (x + dispersion) * np.log1p(mean / dispersion)).sum(axis=1)  # noqa: B023
            return gain - 0.5 * (values**2 * penalty).sum(axis=1), mean

        before, mean = height(here)
        ratio = dispersion / (mean + dispersion)
        slope = ((x - mean) * ratio) @ design - here * penalty
        packed = (mean * ratio * (x + dispersion) / (mean + dispersion)) @ pairs  # log-concave: always an ascent
        curvature = np.empty((len(x), width, width))
        curvature[:, first, second] = curvature[:, second, first] = packed
        step = np.linalg.solve(curvature + np.diag(penalty), slope[:, :, None])[:, :, 0]
        length = np.ones(len(x))
        for _ in range(12):
            after, _ = height(here + length[:, None] * step)
            if (good := after >= before).all():
                break
            length[~good] /= 2
        length[after < before] = 0.0
        new[piece] = here + length[:, None] * step
        total += float(np.maximum(after, before).sum())
    return new, total


def _start(
    counts: sparse.csr_matrix, library: np.ndarray, intercept: np.ndarray, n_factors: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and loadings from the leading components of Pearson residuals, theta 10."""
    random = np.random.default_rng(seed)
    share = np.exp(intercept)

    def residuals(piece: slice) -> np.ndarray:
        mean = library[piece, None] * share
        return np.clip((counts[piece].toarray() - mean) / np.sqrt(mean + mean**2 / 10), -10, 10)

    basis = np.linalg.qr(random.standard_normal((counts.shape[1], n_factors + 5)))[0]
    for _ in range(6):
        basis = np.linalg.qr(sum(residuals(p).T @ (residuals(p) @ basis) for p in _pieces(counts.shape[0])))[0]
    scores = np.concatenate([residuals(piece) @ basis for piece in _pieces(counts.shape[0])])
    left, _, right = np.linalg.svd(scores, full_matrices=False)
    return left[:, :n_factors] * np.sqrt(len(left)), 0.3 * (basis @ right.T)[:, :n_factors]


def _means(z: np.ndarray, loadings: np.ndarray, intercept: np.ndarray, library: np.ndarray):  # noqa: ANN202
    return lambda cells: library[cells, None] * np.exp(np.clip(z[cells] @ loadings.T + intercept, -40, 10))


def _pieces(n: int) -> list[slice]:
    return [slice(first, min(first + PIECE, n)) for first in range(0, n, PIECE)]
