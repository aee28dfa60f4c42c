"""How well the position of each cell is known, from the arrays that a run keeps."""

import numpy as np

from ldvae_core.analysis.metrics import expected_counts
from ldvae_core.data.chunks import cell_chunks
from ldvae_core.model.families import LIKELIHOODS, LikelihoodName
from ldvae_core.model.packed import packed


def position_covariance(
    representation: np.ndarray,
    loadings: np.ndarray,
    intercept: np.ndarray,
    inverse_dispersion: np.ndarray | None,
    library_size: np.ndarray,
    *,
    likelihood: LikelihoodName,
    n_factors: int | None = None,
) -> np.ndarray:
    """Laplace's approximation of each cell's posterior covariance under z ~ N(0, I): (n_cells, pairs) float32, packed.

    The inverse of I + sum over genes of w (W - Wf)(W - Wf)', with w the Fisher information of log m in a count and Wf
    the mean of W over the cell's fractions f; exact at refined positions, near it elsewhere. Further columns than
    n_factors (covariates) count as known. Source: docs/model.md, "Refined positions".
    """
    n_factors = loadings.shape[1] if n_factors is None else n_factors
    weights, theta = np.asarray(loadings, np.float64)[:, :n_factors], inverse_dispersion
    first, second = np.triu_indices(n_factors)
    products, found = weights[:, first] * weights[:, second], np.empty((len(representation), len(first)), np.float32)
    for cells in cell_chunks(len(representation), len(weights) + n_factors**2):
        size = np.asarray(library_size[cells], np.float64)
        _, mean = expected_counts(representation[cells], loadings, intercept, size)
        weight = LIKELIHOODS[likelihood].information(mean, None if theta is None else np.asarray(theta, np.float64))
        precision = np.empty((len(size), n_factors, n_factors))
        precision[:, first, second] = precision[:, second, first] = weight @ products
        centre, weighted = (mean / size[:, None]) @ weights, weight @ weights
        across = centre[:, :, None] * weighted[:, None, :]
        square = centre[:, :, None] * centre[:, None, :] * weight.sum(axis=1)[:, None, None]
        precision += square - across - across.transpose(0, 2, 1) + np.eye(n_factors)
        found[cells] = packed(np.linalg.inv(precision))
    return found
