"""Which annotation a factor follows: every level of every annotation, at both ends, and within the levels of others.

A factor can follow a condition that is split over all cell types, and then no cell type says what it is. And what looks
like a condition can be the types that it happens to hold. So each annotation is also judged among cells that are alike
in another one.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ldvae_core.analysis.factors import Factors
from ldvae_core.errors import SettingsError

FEWEST_LEVELS, MOST_LEVELS = 2, 60  # of an annotation that is looked at
FEWEST_CELLS = 20  # of a level, and of the cells it is set against
FOLLOWS, SEPARATES = 0.75, 0.9  # AUC from which a factor is said to follow a level, and to separate it
BEYOND_LUCK = 4.5  # standard errors of an AUC under equal positions: of thousands of levels, none gets there by luck
COVERED = 0.5  # share of a level's cells that must have others to be compared with, within another annotation
COLUMNS = ("factor", "column", "level", "against", "end", "auc", "n_cells", "within_column", "within", "within_auc",
           "left_column", "left_auc", "follows")  # fmt: skip


class _Coded(NamedTuple):
    """An annotation: levels as numbers, -1 for cells without one."""

    codes: np.ndarray  # (n_cells,) int16
    levels: list[str]
    sizes: np.ndarray  # (n_levels,) cells

    @property
    def complete(self) -> bool:
        """Whether every cell has a level."""
        return int(self.sizes.sum()) == len(self.codes)


def following_table(
    factors: Factors,
    annotations: Mapping[str, pd.Series],
    *,
    on_factor: Callable[[int], object] = lambda done: None,
) -> pd.DataFrame:
    """For every factor, what each annotation has at its high and its low end, the strongest first.

    annotations: (n_cells,) labels by name, missing values allowed; those with fewer than 2 or more than 60 levels are
    left out. One row a factor, annotation and end: the level whose cells lie furthest there, of the levels with at
    least 20 cells that have 20 others; of two levels one row, for the one at the high end. Columns:
    factor (from 0); column; level; against: the other level where there are two, "" for all other labelled cells; end
    ("high", "low"); auc: chance that a cell of the level lies further towards that end than one of the others, ties
    counting half, at least .5; n_cells of the level. within_column, within, within_auc: the level of another
    annotation in which it is most surely so, and its AUC among the cells of that level ("", "", NaN without any).
    left_column, left_auc: the AUC that is left among cells that are alike in another annotation (weighted by pairs),
    for the annotation that leaves least of it; only where at least half of the level's cells have others to be compared
    with. follows: whether the AUC, or within_auc, is at least .75 and beyond luck. Rows: by factor, those that follow
    first; then by the mean of AUC and left_auc, where that is known, less the standard error. Raises SettingsError when
    labels and cells differ in number.
    """
    known = {name: coded for name, labels in annotations.items() if (coded := _coded(labels, factors.n_cells))}
    rows: list[dict[str, Any]] = []
    for factor in range(factors.n_factors):
        z = np.ascontiguousarray(factors.representation[:, factor], np.float32) + np.float32(0)
        order = np.argsort(z, kind="stable")
        ranked = _Ranked(z, order)
        found = [row for name, coded in known.items() for row in _ends(factor, name, coded, ranked)]
        for name, other in known.items():
            _look_within(found, known, name, other, ranked)
        rows += sorted((_judged(row) for row in found), key=lambda row: (not row["follows"], -row["strength"]))
        on_factor(factor + 1)
    return pd.DataFrame([{name: row[name] for name in COLUMNS} for row in rows], columns=list(COLUMNS))


def strongest(following: pd.DataFrame, factor: int) -> list[dict[str, Any]]:
    """What the factor follows most, and what it follows next: of another annotation if any, else at the other end.

    following: from following_table. [] when it follows none.
    """
    own = following[(following["factor"] == factor) & following["follows"].astype(bool)].to_dict("records")
    rows = [{str(name): value for name, value in row.items()} for row in own]
    others = [row for row in rows if row["column"] != rows[0]["column"]]
    return [*rows[:1], *(others or rows[1:])[:1]]


def closest(following: pd.DataFrame, factor: int) -> dict[str, Any] | None:
    """The first row of a factor, whether or not it follows that; None without annotations."""
    own = following[following["factor"] == factor]
    return {str(name): value for name, value in own.iloc[0].to_dict().items()} if len(own) else None


def _coded(labels: pd.Series, n_cells: int) -> _Coded | None:
    if len(labels) != n_cells:
        raise SettingsError(f"There are {len(labels):,} labels for {n_cells:,} cells.", "Give one label per cell.")
    values = labels if isinstance(labels.dtype, pd.CategoricalDtype) else labels.astype("category")
    values = values.cat.remove_unused_categories()
    levels = [str(name) for name in values.cat.categories]
    if not FEWEST_LEVELS <= len(levels) <= MOST_LEVELS:
        return None
    codes = values.cat.codes.to_numpy().astype(np.int16)
    return _Coded(codes, levels, np.bincount(codes[codes >= 0], minlength=len(levels)))


class _Ranked:
    """The ranks of a factor's cells among those of each level; the latest are kept."""

    def __init__(self, z: np.ndarray, order: np.ndarray) -> None:
        self._z, self._order = z, order
        self._kept: tuple[tuple[int, int], np.ndarray] | None = None

    def within(self, other: _Coded | None, own: _Coded) -> np.ndarray:
        """Among the cells of each level of another annotation (None: of all) that have a level of their own."""
        key = id(other), 0 if own.complete else id(own)
        if self._kept is None or self._kept[0] != key:
            group = np.zeros(len(self._z), np.int16) if other is None else other.codes
            self._kept = key, _ranks(self._z, self._order, np.where(own.codes >= 0, group, np.int16(-1)))
        return self._kept[1]


def _ends(factor: int, name: str, coded: _Coded, ranked: _Ranked) -> list[dict[str, Any]]:
    """The best level at each end."""
    ranks = ranked.within(None, coded)
    inside, total = coded.sizes.astype(np.float64), float(coded.sizes.sum())
    labelled = coded.codes >= 0
    sums = np.bincount(coded.codes[labelled], weights=ranks[labelled], minlength=len(inside))
    auc = _auc(sums, inside, total - inside)
    able = (inside >= FEWEST_CELLS) & (total - inside >= FEWEST_CELLS)
    two, found = len(coded.levels) == 2, []
    for end, sign in (("high", 1.0), ("low", -1.0)):
        towards = np.where(able, sign * (auc - 0.5), -1.0)
        level = int(np.argmax(towards - _error(inside, total - inside)))
        if towards[level] < 0 or (two and end == "low") or not able[level]:
            continue
        found.append({
            "factor": factor, "column": name, "level": coded.levels[level], "code": level, "end": end,
            "against": coded.levels[1 - level] if two else "", "auc": 0.5 + towards[level],
            "n_cells": int(inside[level]), "n_others": total - inside[level], "within": [], "left": [],
        })  # fmt: skip
    return found


def _look_within(
    found: list[dict[str, Any]], known: Mapping[str, _Coded], name: str, other: _Coded, ranked: _Ranked
) -> None:
    """Judge every row among the cells of each level of another annotation."""
    for row in found:
        if row["column"] == name:
            continue
        own = known[row["column"]]
        n_levels, both = len(other.levels), (own.codes >= 0) & (other.codes >= 0)
        cells = both & (own.codes == row["code"])
        inside = np.bincount(other.codes[cells], minlength=n_levels).astype(np.float64)
        outside = np.bincount(other.codes[both], minlength=n_levels) - inside
        sums = np.bincount(other.codes[cells], weights=ranked.within(other, own)[cells], minlength=n_levels)
        auc = _auc(sums, inside, outside)
        auc = auc if row["end"] == "high" else 1 - auc
        able = (inside >= FEWEST_CELLS) & (outside >= FEWEST_CELLS)
        if not able.any():
            continue
        best = int(np.argmax(np.where(able, auc - _error(inside, outside), -1.0)))
        row["within"].append((name, other.levels[best], float(auc[best]), inside[best], outside[best]))
        if inside[able].sum() >= COVERED * row["n_cells"]:
            pairs = (inside * outside)[able]
            row["left"].append((name, float(auc[able] @ pairs / pairs.sum())))


def _judged(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the strongest of what was found within other annotations, and whether it follows."""
    within = max(row["within"], key=lambda one: one[2] - _error(one[3], one[4]), default=("", "", np.nan, 1.0, 1.0))
    left = min(row["left"], key=lambda one: one[1], default=("", np.nan))
    here = _beyond_luck(row["auc"], row["n_cells"], row["n_others"])
    follows = here or _beyond_luck(within[2], within[3], within[4])
    kept = row["auc"] if np.isnan(left[1]) else (row["auc"] + left[1]) / 2
    strength = kept - float(_error(row["n_cells"], row["n_others"]))
    found = {"within_column": within[0], "within": within[1], "within_auc": within[2]}
    return row | found | {"left_column": left[0], "left_auc": left[1], "follows": follows, "strength": strength}


def _beyond_luck(auc: float, inside: float, outside: float) -> bool:
    return bool(auc >= FOLLOWS and auc - 0.5 >= BEYOND_LUCK * _error(inside, outside))


def _auc(rank_sums: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num((rank_sums - inside * (inside + 1) / 2) / (inside * outside), nan=0.5)


def _error(inside: Any, outside: Any) -> Any:
    """Standard error of an AUC where the two groups lie alike (Mann and Whitney, 1947); large without cells."""
    a, b = np.maximum(inside, 1e-9), np.maximum(outside, 1e-9)
    return np.sqrt((a + b + 1) / (12 * a * b))


def _ranks(z: np.ndarray, order: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(n_cells,) rank of every cell (from 1, ties averaged) among those of its group, -1 being a group too.

    z: (n_cells,) float32; order: (n_cells,) its stable argsort; group: (n_cells,) int16, sorted in one pass.
    """
    ordered = order[np.argsort(group[order], kind="stable")] if group.any() else order
    values, groups = z[ordered], group[ordered]
    new_group = np.append(True, groups[1:] != groups[:-1])
    starts = np.flatnonzero(new_group | np.append(True, values[1:] != values[:-1]))  # of cells that are tied
    sizes = np.diff(np.append(starts, len(z)))
    first = np.maximum.accumulate(np.where(new_group, np.arange(len(z)), 0))[starts]  # cell of the group
    ranks = np.empty(len(z))
    ranks[ordered] = np.repeat(starts - first + (sizes + 1) / 2, sizes)
    return ranks
