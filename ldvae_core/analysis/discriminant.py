"""Linear discriminants from class moments: one pass over the cells serves every pair of factors."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ldvae_core.analysis.chunks import cell_chunks

N_FOLDS = 5
PIECE = 20_000  # numbers multiplied at once: products this small stay on one core, others waiting on a busy machine


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


def by_group(representation: np.ndarray, chosen: np.ndarray, group: np.ndarray, n_groups: int) -> list[np.ndarray]:
    """Positions of the chosen cells, apart for each group and one factor a row: (n_factors, n) each.

    chosen: (n_chosen,) cells; group: (n_chosen,), from 0 to n_groups - 1. A group's cells keep their order.
    """
    ordered = chosen[np.argsort(group.astype(np.int16), kind="stable")]
    ends = np.cumsum(np.bincount(group, minlength=n_groups))[:-1]
    return [np.ascontiguousarray(representation[cells].T) for cells in np.split(ordered, ends)]


def moments_of_groups(
    representation: np.ndarray, chosen: np.ndarray, group: np.ndarray, n_groups: int, centre: np.ndarray
) -> Moments:
    """Of the chosen cells. group: (n_chosen,), from 0 to n_groups - 1; centre: (n_factors,), subtracted."""
    return moments_of_parts(by_group(representation, chosen, group, n_groups), centre)


def moments_of_parts(parts: list[np.ndarray], centre: np.ndarray) -> Moments:
    """One group a part, as from by_group; centre: (n_factors,), subtracted first."""
    n_factors = len(centre)
    total, products = np.zeros((len(parts), n_factors)), np.zeros((len(parts), n_factors, n_factors))
    for number, part in enumerate(parts):
        for cells in cell_chunks(part.shape[1], n_factors, entries=PIECE):
            z = part[:, cells].astype(np.float64) - centre[:, None]
            total[number] += z.sum(axis=1)
            products[number] += z @ z.T
    return Moments(np.array([float(part.shape[1]) for part in parts]), total, products)


def shares_right(parts: list[np.ndarray], moments: Moments, n_types: int) -> np.ndarray:
    """Per type, the share of cells that a discriminant fitted on the other folds puts there: (n_types,).

    parts: (2, n) for every type and fold, the folds of the first type first, centred like the moments. Of two types
    that fit a cell equally well it goes to the first.
    """
    right, n = np.zeros(n_types), np.zeros(n_types)
    for held_out, rest in _leave_one_out(moments, n_types):
        weights = np.linalg.pinv(rest.covariance, hermitian=True) @ rest.mean.T  # (2, types)
        offset = -0.5 * (rest.mean * weights.T).sum(axis=1)
        for own in range(n_types):
            z = parts[own * N_FOLDS + held_out]
            hit = np.ones(z.shape[1], bool)
            for other in range(n_types):
                if other != own:
                    lead = (weights[:, own] - weights[:, other]) @ z + (offset[own] - offset[other])
                    hit &= lead >= 0 if own < other else lead > 0
            right[own] += np.count_nonzero(hit)
            n[own] += len(hit)
    return right / n


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
