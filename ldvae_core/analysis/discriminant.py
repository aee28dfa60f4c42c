"""Linear discriminants from class moments: one pass over the cells serves every pair of factors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ldvae_core.data.chunks import cell_chunks

N_FOLDS = 5
PIECE = 20_000  # numbers multiplied at once: products this small stay on one core, others waiting on a busy machine
CELLS_AT_ONCE = 8_192  # looked at together, so that what is derived from their positions stays in the cache
PAIRS_TIMES_CELLS = 20_000  # judged together, for the same reason


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


class Grouped:
    """The cells of every type spread over the folds, and their moments: what all choices of types have in common.

    A type is looked at when it is first asked for, and kept. representation: (n_cells, n_factors); codes: (n_cells,),
    from 0 to n_types - 1, -1 for cells of no type; centre: (n_factors,), subtracted from positions.
    """

    def __init__(
        self, representation: np.ndarray, codes: np.ndarray, n_types: int, centre: np.ndarray, *, seed: int = 0
    ) -> None:
        self._z, self._centre, self._seed = np.asarray(representation), centre, seed
        sortable = codes.astype(np.int16 if n_types < 2**15 else np.int64)  # short numbers are sorted in one pass
        kind = np.int32 if len(codes) < 2**31 else np.int64
        self._ordered = np.argsort(sortable, kind="stable").astype(kind)
        self._ends = np.cumsum(np.bincount(codes + 1, minlength=n_types + 1))
        self._folds: dict[int, np.ndarray] = {}
        self._moments: dict[int, Moments] = {}

    def n_cells(self, kind: int) -> int:
        """Of a type."""
        return int(self._ends[kind + 1] - self._ends[kind])

    def cells(self, kind: int) -> np.ndarray:
        """The cells of a type, ascending."""
        return self._ordered[self._ends[kind] : self._ends[kind + 1]]

    def folds(self, kind: int) -> np.ndarray:
        """The fold of each of a type's cells, int8: it does not depend on the other types that are chosen."""
        if kind not in self._folds:
            n = self.n_cells(kind)
            fold = np.empty(n, np.int8)
            fold[np.random.default_rng([self._seed, kind]).permutation(n)] = np.arange(n) % N_FOLDS
            self._folds[kind] = fold
        return self._folds[kind]

    def moments(self, kinds: Sequence[int]) -> Moments:
        """Of every fold of some types, the folds of the first type first."""
        for kind in kinds:
            if kind not in self._moments:
                self._moments[kind] = self._moments_of(kind)
        found = [self._moments[kind] for kind in kinds]
        return Moments(*(np.concatenate([getattr(one, name) for one in found]) for name in ("n", "total", "products")))

    def shares_right(self, kinds: Sequence[int], pairs: np.ndarray, *, most: int | None = None) -> np.ndarray:
        """Per pair of factors and type, the share of cells that a discriminant fitted on the other folds puts there.

        pairs: (n_pairs, 2); returns (n_pairs, n_types). Every type counts the same, whatever its size. Of two types
        that fit a cell equally well it goes to the first. most: cells of a type to look at, evenly among its own; the
        discriminants are fitted on all.
        """
        moments, columns = self.moments(kinds), np.unique(pairs)
        across, up = np.searchsorted(columns, pairs).T
        lines = [_discriminants(moments.of((int(x), int(y))), len(kinds)) for x, y in pairs]
        weights, offsets = (np.stack([line[part] for line in lines], axis=1) for part in (0, 1))
        offsets = offsets - np.einsum("fpit,pi->fpt", weights, self._centre[pairs])  # for positions as they are
        weights, offsets = (part.astype(self._z.dtype) for part in (weights, offsets))
        right = np.zeros((len(pairs), len(kinds)))
        n_seen = np.zeros(len(kinds))
        for own, kind in enumerate(kinds):
            step = 1 if most is None else -(-self.n_cells(kind) // most)
            for fold, rows in self._pieces(kind, step):
                z = rows.T[columns]
                for some in _few_pairs(len(pairs), len(rows)):
                    fitted = weights[fold][some], offsets[fold][some]
                    right[some, own] += _count_right(z[across[some]], z[up[some]], *fitted, own)
                n_seen[own] += len(rows)
        return right / n_seen

    def _moments_of(self, kind: int) -> Moments:
        n_factors = self._z.shape[1]
        n, total, products = np.zeros(N_FOLDS), np.zeros((N_FOLDS, n_factors)), np.zeros((N_FOLDS, *[n_factors] * 2))
        for fold, rows in self._pieces(kind):
            n[fold] += len(rows)
            for cells in cell_chunks(len(rows), n_factors, entries=PIECE):
                z = rows[cells] - self._centre
                total[fold] += z.sum(axis=0)
                products[fold] += z.T @ z
        return Moments(n, total, products)

    def _pieces(self, kind: int, step: int = 1) -> Iterator[tuple[int, np.ndarray]]:
        """Some of a type's cells at a time, all of one fold: which one, and their positions (n, n_factors).

        Cells are read in their own order and sorted by fold afterwards: a fold's cells lie far apart in memory. step:
        every so many cells only.
        """
        cells, folds = self.cells(kind)[::step], self.folds(kind)[::step]
        for start in range(0, len(cells), CELLS_AT_ONCE):
            some = slice(start, start + CELLS_AT_ONCE)
            rows = self._z.take(cells[some], axis=0).take(np.argsort(folds[some], kind="stable"), axis=0)
            ends = np.cumsum(np.bincount(folds[some], minlength=N_FOLDS))
            for fold, (low, high) in enumerate(pairwise([0, *ends])):
                yield fold, rows[low:high]


def _discriminants(moments: Moments, n_types: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (folds, 2, types) and offsets (folds, types) of the discriminants fitted without each fold in turn."""
    weights, offsets = [], []
    for _, rest in _leave_one_out(moments, n_types):
        weights.append(np.linalg.pinv(rest.covariance, hermitian=True) @ rest.mean.T)
        offsets.append(-0.5 * (rest.mean * weights[-1].T).sum(axis=1))
    return np.stack(weights), np.stack(offsets)


def _count_right(x: np.ndarray, y: np.ndarray, weights: np.ndarray, offsets: np.ndarray, own: int) -> np.ndarray:
    """Per pair, how many of these cells, all of type `own`, no other type fits better: (n_pairs,).

    x, y: (n_pairs, n), positions on both factors; weights: (n_pairs, 2, types); offsets: (n_pairs, types).
    """
    hit = np.ones(x.shape, bool)
    for other in range(offsets.shape[1]):
        if other != own:
            gap = (weights[:, :, own] - weights[:, :, other])[:, :, None]
            lead = gap[:, 0] * x
            lead += gap[:, 1] * y
            ahead = (offsets[:, other] - offsets[:, own])[:, None]
            hit &= lead >= ahead if own < other else lead > ahead
    return np.count_nonzero(hit, axis=1)


def _few_pairs(n_pairs: int, n_cells: int) -> Iterator[slice]:
    """As many pairs at a time as keep what is derived from the positions of these cells in the cache."""
    size = max(1, PAIRS_TIMES_CELLS // max(n_cells, 1))
    return (slice(start, start + size) for start in range(0, n_pairs, size))


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
