"""Which factors tell cell types apart: association of factor and type, and the pair of axes that separates best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from ldvae_core.analysis.discriminant import N_FOLDS, Grouped, Moments
from ldvae_core.analysis.factors import Factors
from ldvae_core.errors import SettingsError

FEWEST_CELLS = 20  # of a type, before a factor is named after it: AUCs of fewer cells are high by luck
ALL_CELLS = 15_000_000  # cells times pairs that are classified one by one; beyond, all pairs on some of the cells ...
N_CHECKED = 24  # ... and this many of them on all cells
FEWEST_SEEN = 400  # cells of a type that every pair is judged by at least
LUCK = 0.01  # chance that the best of all pairs is said to tell types apart which lie alike


@dataclass(frozen=True, eq=False)
class BestPair:
    """The two factors in whose plane 2 to 4 cell types lie furthest apart."""

    pair: tuple[int, int]  # factors from 0, the stronger one first
    types: tuple[str, ...]
    balanced_accuracy: float  # mean over types of the share of its cells on the right side, cross-validated
    table: pd.DataFrame  # x, y (factors), distance (smallest Mahalanobis), balanced_accuracy (NaN: of some cells only)
    directions: pd.DataFrame  # index cell_type; x, y: mean minus the types' common centre, in sd of the factor
    accuracy: pd.DataFrame  # cell_type, n_cells, share_right: per type, for the best pair

    @property
    def tells_apart(self) -> bool:
        """Whether at least half of what chance misses is on the right side, and more than luck among pairs explains.

        Luck: a binomial share of each type's cells, and as many tries as there are pairs (Bonferroni).
        """
        n_types, n_cells = len(self.types), self.accuracy["n_cells"].to_numpy(np.float64)
        chance = 1 / n_types
        error = np.sqrt((chance * (1 - chance) / n_cells).sum()) / n_types
        lucky = chance - ndtri(LUCK / max(len(self.table), 1)) * error
        return self.balanced_accuracy >= max((1 + chance) / 2, lucky)


class TypeCells(NamedTuple):
    """The types of an annotation, and the cells of each."""

    names: tuple[str, ...]
    grouped: Grouped  # by position in names


def association_table(
    factors: Factors, labels: Sequence[str] | pd.Series, *, on_factor: Callable[[int], object] = lambda done: None
) -> pd.DataFrame:
    """Association of every factor with every cell type, over the cells that have a label.

    labels: (n_cells,), missing values allowed. Columns: cell_type; factor (from 0); correlation of the factor with "is
    this cell type" (as in the authors' notebooks); auc: chance that a cell of the type lies higher on the factor than
    one of another type, 0.5 = no association; n_cells of the type. Rows: types in order, then factors. A single type
    has nothing to stand out from: NaN. on_factor: called with the number of factors done, for progress; two million
    cells take a few seconds. Raises SettingsError when labels and cells differ in number.
    """
    codes, types = _coded(labels, factors.n_cells)
    labelled = None if (codes >= 0).all() else np.flatnonzero(codes >= 0)
    codes = codes if labelled is None else codes[labelled]
    n_cells = np.bincount(codes, minlength=len(types)).astype(np.float64)
    total = n_cells.sum()
    sums, rank_sums = np.zeros((2, len(types), factors.n_factors))
    sd = np.zeros(factors.n_factors)
    for k in range(factors.n_factors):
        z = np.asarray(factors.representation[:, k], np.float32)
        z = np.ascontiguousarray(z if labelled is None else z[labelled])
        centred = z - z.mean(dtype=np.float64) if len(z) else z
        sd[k] = centred.std() if len(z) else 0.0
        sums[:, k] = np.bincount(codes, weights=centred, minlength=len(types))
        rank_sums[:, k] = _rank_sums(z, codes, len(types))
        on_factor(k + 1)
    inside, outside = n_cells[:, None], total - n_cells[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = sums / np.sqrt(inside * outside) / np.where(sd > 0, sd, np.inf)
        auc = (rank_sums - inside * (inside + 1) / 2) / (inside * outside)
    undefined = (inside == 0) | (outside == 0)
    return pd.DataFrame(
        {
            "cell_type": np.repeat(np.array(types, object), factors.n_factors),
            "factor": np.tile(np.arange(factors.n_factors), len(types)),
            "correlation": np.where(undefined, np.nan, correlation).ravel(),
            "auc": np.where(undefined, np.nan, auc).ravel(),
            "n_cells": np.repeat(n_cells.astype(int), factors.n_factors),
        }
    )


def best_types(associations: pd.DataFrame) -> pd.DataFrame:
    """The cell type each factor follows most: largest absolute correlation among types of at least 20 cells.

    associations: from association_table. Columns: factor, cell_type, correlation, auc, n_cells; factors without an
    eligible type are left out.
    """
    eligible = associations[(associations.n_cells >= FEWEST_CELLS) & associations.correlation.notna()]
    strongest = eligible.correlation.abs().groupby(eligible.factor).idxmax()
    columns = ["factor", "cell_type", "correlation", "auc", "n_cells"]
    return eligible.loc[strongest, columns].reset_index(drop=True)


def type_cells(factors: Factors, labels: Sequence[str] | pd.Series, *, seed: int = 0) -> TypeCells:
    """What best_pair works from, the same for every choice of types. Raises SettingsError, see association_table."""
    codes, names = _coded(labels, factors.n_cells)
    return TypeCells(tuple(names), Grouped(factors.representation, codes, len(names), factors.centre, seed=seed))


def best_pair(
    factors: Factors,
    labels: Sequence[str] | pd.Series,
    types: Sequence[str],
    *,
    seed: int = 0,
    known: TypeCells | None = None,
) -> BestPair:
    """The pair of active factors that separates 2 to 4 cell types best.

    labels: (n_cells,). All pairs are judged by the balanced accuracy of a linear discriminant (common within-type
    covariance, every type counting the same), 5-fold cross-validated with seeded folds. Where pairs times cells exceed
    15 million, by some cells of every type first, and the best 24 then by all. Equal ones: the larger of the smallest
    Mahalanobis distances between two types' means. known: type_cells of the same factors and labels, which several
    choices of types can share. Raises SettingsError: fewer than 2 or more than 4 types, unknown ones (listing the
    known), a type of fewer than 5 cells, fewer than 2 factors.
    """
    known = known or type_cells(factors, labels, seed=seed)
    types = tuple(dict.fromkeys(str(name) for name in types))
    n_cells = _check_types(types, known, factors.n_factors)
    kinds = [known.names.index(name) for name in types]
    moments = known.grouped.moments(kinds).together(N_FOLDS)
    table = _rank_pairs(factors, moments)
    checked = _shortlist(table, known.grouped, kinds)
    found = known.grouped.shares_right(kinds, table.loc[checked, ["x", "y"]].to_numpy())
    table.loc[checked, "balanced_accuracy"] = found.mean(axis=1)
    table = table.sort_values(["balanced_accuracy", "distance"], ascending=False, na_position="last", kind="stable")
    shares = found[checked.tolist().index(table.index[0])]
    pair = (int(table.x.iloc[0]), int(table.y.iloc[0]))
    mean = moments.mean[:, list(pair)]
    scale = factors.scale[list(pair)]
    directions = (mean - mean.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    names = pd.Index(types, name="cell_type")
    return BestPair(
        pair=pair,
        types=types,
        balanced_accuracy=float(shares.mean()),
        table=table.reset_index(drop=True),
        directions=pd.DataFrame(directions, index=names, columns=["x", "y"]),
        accuracy=pd.DataFrame({"cell_type": types, "n_cells": n_cells, "share_right": shares}),
    )


def _rank_pairs(factors: Factors, moments: Moments) -> pd.DataFrame:
    """All pairs of active factors (of all factors, where fewer than two are active), most separating first."""
    usable = np.flatnonzero(factors.active)
    usable = usable if len(usable) >= 2 else np.arange(factors.n_factors)
    mean, covariance = moments.mean, moments.covariance
    pairs = np.array(list(combinations(usable.tolist(), 2)), int).reshape(-1, 2)
    within = covariance[pairs[:, :, None], pairs[:, None, :]]
    between = np.stack([mean[b] - mean[a] for a, b in combinations(range(len(mean)), 2)])
    gaps = between[:, pairs].transpose(1, 0, 2)  # (pairs of factors, pairs of types, 2)
    squared = np.einsum("fpi,fij,fpj->fp", gaps, np.linalg.pinv(within, hermitian=True), gaps)
    distance = np.sqrt(np.maximum(squared.min(axis=1), 0.0))
    table = pd.DataFrame({"x": pairs[:, 0], "y": pairs[:, 1], "distance": distance, "balanced_accuracy": np.nan})
    return table.sort_values("distance", ascending=False, kind="stable").reset_index(drop=True)


def _shortlist(table: pd.DataFrame, grouped: Grouped, kinds: Sequence[int]) -> np.ndarray:
    """Rows of the pairs to be judged by all cells: every pair, or the best by as many cells as can be afforded."""
    n_cells = sum(grouped.n_cells(kind) for kind in kinds)
    if len(table) * n_cells <= ALL_CELLS or len(table) <= N_CHECKED:
        return np.arange(len(table))
    most = max(FEWEST_SEEN, ALL_CELLS // (len(table) * len(kinds)))
    seen = grouped.shares_right(kinds, table[["x", "y"]].to_numpy(), most=most).mean(axis=1)
    return np.sort(np.argsort(-seen, kind="stable")[:N_CHECKED])


def _coded(labels: Sequence[str] | pd.Series, n_cells: int) -> tuple[np.ndarray, list[str]]:
    """Labels as numbers (-1: missing) and the types they stand for, categories in their own order."""
    if len(labels) != n_cells:
        raise SettingsError(f"There are {len(labels):,} labels for {n_cells:,} cells.", "Give one label per cell.")
    values = pd.Series(labels)
    coded = values.cat if isinstance(values.dtype, pd.CategoricalDtype) else values.astype("category").cat
    codes, types = coded.codes.to_numpy(np.int64), [str(name) for name in coded.categories]
    used = np.bincount(codes[codes >= 0], minlength=len(types)) > 0
    renumbered = np.append(np.where(used, np.cumsum(used) - 1, -1), -1)
    return renumbered[codes], [name for name, present in zip(types, used, strict=True) if present]


def _check_types(types: tuple[str, ...], known: TypeCells, n_factors: int) -> list[int]:
    problems, names = [], known.names
    if not 2 <= len(types) <= 4:
        problems.append(f"Choose 2 to 4 cell types to compare; {len(types)} were given.")
    if unknown := [name for name in types if name not in names]:
        problems.append(f"There is no cell type {' or '.join(map(repr, unknown))}; known are: {', '.join(names)}.")
    n_cells = {name: known.grouped.n_cells(names.index(name)) for name in types if name in names}
    problems += [
        f"{name} has only {found} cells; {N_FOLDS} are needed." for name, found in n_cells.items() if found < N_FOLDS
    ]
    if n_factors < 2:
        problems.append("A pair of factors needs a run with at least 2 factors; this one has 1.")
    if problems:
        raise SettingsError(problems)
    return list(n_cells.values())


def _rank_sums(values: np.ndarray, codes: np.ndarray, n_types: int) -> np.ndarray:
    """Per type, the sum of its cells' ranks (from 1, ties averaged) among all: (n_types,).

    values: (n_cells,) float32. Their bits, turned so that they sort like the numbers, and the type in the lower half of
    one whole number: sorting such numbers is several times faster than sorting positions.
    """
    bits = (values + np.float32(0)).view(np.uint32)  # -0 becomes 0: the two are equal
    sortable = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)).astype(np.uint64)
    ordered = np.sort((sortable << np.uint64(32)) | codes.astype(np.uint64))
    kinds = (ordered & np.uint64(2**32 - 1)).astype(np.int64)
    values = ordered >> np.uint64(32)
    ranks = np.arange(1.0, len(values) + 1)
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    if len(changes) + 1 < len(values):
        starts = np.append(0, changes)
        sizes = np.diff(np.append(starts, len(values)))
        ranks = np.repeat(starts + (sizes + 1) / 2, sizes)
    return np.bincount(kinds, weights=ranks, minlength=n_types)
