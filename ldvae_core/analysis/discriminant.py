"""Linear discriminants from class moments: one pass over the cells serves every pair of factors."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ldvae_core.analysis.chunks import cell_chunks

N_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Moments:
    """Cells, summed positions and summed products of positions, for each group of cells."""

    n: np.ndarray  # (groups,)
    total: np.ndarray  # (groups, factors)
    products: np.ndarray  # (groups, factors, factors)

    @property
    def mean(self) -> np.ndarray:
        """(groups, factors)."""
        return self.total / np.maximum(self.n, 1)[:, None]

    @property
    def covariance(self) -> np.ndarray:
        """Within groups, averaged: every type counts the same, however many cells it has. (factors, factors)."""
        spread = self.products / np.maximum(self.n, 1)[:, None, None] - self.mean[:, :, None] * self.mean[:, None, :]
        return spread.mean(axis=0)

    def together(self, size: int) -> "Moments":
        """Groups joined in runs of `size`."""
        parts = (self.n, self.total, self.products)
        return Moments(*(part.reshape(-1, size, *part.shape[1:]).sum(axis=1) for part in parts))

    def of(self, pair: tuple[int, int]) -> "Moments":
        """The same for two of the factors."""
        columns = list(pair)
        return Moments(self.n, self.total[:, columns], self.products[np.ix_(range(len(self.n)), columns, columns)])


def moments_of_groups(
    representation: np.ndarray, chosen: np.ndarray, group: np.ndarray, n_groups: int, centre: np.ndarray
) -> Moments:
    """One pass over the chosen cells. group: (n_chosen,), from 0 to n_groups - 1; centre: (n_factors,), subtracted."""
    n_factors = representation.shape[1]
    total, products = np.zeros((n_groups, n_factors)), np.zeros((n_groups, n_factors * n_factors))
    for part in cell_chunks(len(chosen), n_factors * n_factors):
        z = np.asarray(representation[chosen[part]], np.float64) - centre
        rows = (np.ones(len(z)), group[part], np.arange(len(z) + 1))
        member = sparse.csr_matrix(rows, shape=(len(z), n_groups)).T  # (groups, cells)
        total += member @ z
        products += member @ (z[:, :, None] * z[:, None, :]).reshape(len(z), -1)
    n = np.bincount(group, minlength=n_groups).astype(np.float64)
    return Moments(n, total, products.reshape(n_groups, n_factors, n_factors))


def shares_right(z: np.ndarray, code: np.ndarray, fold: np.ndarray, moments: Moments, n_types: int) -> np.ndarray:
    """Per type, the share of cells that a discriminant fitted on the other folds puts there: (n_types,)."""
    right = np.zeros(n_types)
    for held_out, rest in _leave_one_out(moments, n_types):
        weights = np.linalg.pinv(rest.covariance, hermitian=True) @ rest.mean.T  # (2, types)
        offset = -0.5 * (rest.mean * weights.T).sum(axis=1)
        cells = np.flatnonzero(fold == held_out)
        hit = (z[cells] @ weights + offset).argmax(axis=1) == code[cells]
        right += np.bincount(code[cells], weights=hit, minlength=n_types)
    return right / np.bincount(code, minlength=n_types)


def _leave_one_out(moments: Moments, n_types: int) -> Iterator[tuple[int, Moments]]:
    for held_out in range(N_FOLDS):
        kept = np.tile(np.arange(N_FOLDS) != held_out, n_types)
        parts = (moments.n[kept], moments.total[kept], moments.products[kept])
        yield held_out, Moments(*parts).together(N_FOLDS - 1)


def folds(code: np.ndarray, seed: int) -> np.ndarray:
    """A fold for every cell, each type spread evenly over the five."""
    rng = np.random.default_rng(seed)
    fold = np.empty(len(code), np.int64)
    for group in range(code.max() + 1):
        cells = np.flatnonzero(code == group)
        fold[rng.permutation(cells)] = np.arange(len(cells)) % N_FOLDS
    return fold
