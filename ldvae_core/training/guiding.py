"""How gene sets guide factors in training: where their loadings start, and what pulls the others to 0.

Factor s belongs to set s. Inside the set its loadings have the prior of all weights (wide); outside they have a narrow
one, written as information: a gene's loading is pulled to 0 with PULL times the information that its counts carry about
it at z of variance 1, c_g = mean over cells of m theta / (m + theta). Beside the ELBO of a cell the loss then holds

    sum_g sum_s not in set:  PULL c_g W_gs^2 / 2        gradient  PULL c_g W_gs

so that outside loadings come out at 1 / (1 + PULL) of what the counts alone say: the data can add a gene, but a program
of other genes is cheaper on a free factor. The refit after the training (refit.py) does without, and gives added genes
their size. A narrow prior of fixed standard deviation was tried and left: what it weighs falls with the number of cells
and depends on the depth, and where it is wide enough to add genes the guided factor ends empty, because a program costs
less on a free one. Without a start at the set's own cells the factor ends on another program in half of the cases.
"""

import numpy as np
from scipy import sparse

from ldvae_core.data.chunks import some_cells
from ldvae_core.model.config import MAX_THETA, MIN_THETA

PULL = 0.3
START_CELLS = 2_000
START_RIDGE = 10.0  # cells' worth of information that a starting loading is shrunk by


def pull_of(member: np.ndarray, fraction: np.ndarray, theta: np.ndarray, mean_library: float) -> np.ndarray:
    """(n_genes, n_sets) float32: what an outside loading of a guided factor is multiplied with in the gradient.

    member (n_genes, n_sets) bool; fraction, theta (n_genes,): mean fractions and inverse dispersions at the start.
    """
    mean, theta = fraction * mean_library, theta.clip(MIN_THETA, MAX_THETA)
    information = mean * theta / (mean + theta)
    return np.where(member, 0.0, PULL * information[:, None]).astype(np.float32)


def guided_start(
    counts: sparse.csr_matrix,
    library_size: np.ndarray,
    cells: np.ndarray,
    member: np.ndarray,
    fraction: np.ndarray,
    theta: np.ndarray,
) -> np.ndarray:
    """Loadings that the guided factors start at: (n_genes, n_sets) float32, 0 outside the sets.

    Of at most 2,000 of the cells: the first principal component of a set's Pearson residuals places the cells, and one
    Fisher step from 0 gives every gene of the set its loading on it.
    """
    cells = some_cells(cells, START_CELLS, seed=0)
    start = np.zeros(member.shape, np.float32)
    for s in range(member.shape[1]):
        genes = np.flatnonzero(member[:, s])
        x = counts[cells][:, genes].toarray().astype(np.float64)
        mean = library_size[cells, None] * fraction[genes]
        beyond = 1 + mean / theta[genes]
        position = np.linalg.svd((x - mean) / np.sqrt(mean * beyond), full_matrices=False)[0][:, 0] * len(cells) ** 0.5
        slope = ((x - mean) / beyond * position[:, None]).sum(axis=0)
        start[genes, s] = slope / ((mean / beyond * position[:, None] ** 2).sum(axis=0) + START_RIDGE)
    return start
