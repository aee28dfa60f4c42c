"""Whether the factors together tell batches apart among cells of one type, where none of them may do so alone."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core.analysis.discriminant import N_FOLDS, folds
from ldvae_core.analysis.factor_effects import auc

FEWEST_CELLS = 20  # of a level, and of the others, in a type that counts
MOST_CELLS = 50_000  # looked at, evenly among all: an AUC of so many is known to a hundredth
TOLD_FROM = 0.7  # AUC from which it is said
BEYOND_LUCK = 4.5  # standard errors of an AUC where the levels lie alike


class BatchEffect(NamedTuple):
    """The level of a batch that the factors tell from the others best, among cells of one type."""

    column: str
    level: str
    auc: float  # of cells left out when the direction was found; pairs of cells of one type only
    n_types: int  # in which it could be looked at
    told: bool  # whether it is large enough, and more than luck, to be said


def batch_effect(representation: np.ndarray, labels: pd.Series, types: pd.Series | None) -> BatchEffect | None:
    """For one annotation of batches; None where no type has two levels of at least 20 cells.

    representation: (n_cells, n_factors); labels, types: (n_cells,), missing ones left out; without types all cells are
    one. Per level, a linear discriminant of the mean difference within types, by their pooled covariance; 5-fold
    cross-validated; its AUC is averaged over types by pairs of cells.
    """
    codes = labels.astype("category").cat.codes.to_numpy(np.int64)
    levels = [str(name) for name in labels.astype("category").cat.categories]
    kinds = np.zeros(len(codes), np.int64) if types is None else types.astype("category").cat.codes.to_numpy(np.int64)
    cells = np.flatnonzero((codes >= 0) & (kinds >= 0))
    cells = cells[:: max(1, len(cells) // MOST_CELLS)]
    table = np.zeros((int(kinds.max(initial=0)) + 1, len(levels)), np.int64)
    np.add.at(table, (kinds[cells], codes[cells]), 1)
    able = (table >= FEWEST_CELLS) & (table.sum(axis=1, keepdims=True) - table >= FEWEST_CELLS)
    used = cells[able.any(axis=1)[kinds[cells]]]
    if not len(used):
        return None
    z, kind, code = representation[used].astype(np.float64), kinds[used], codes[used]
    found = [(*_of_level(z, kind, code == level, able[:, level]), level) for level in np.flatnonzero(able.any(axis=0))]
    value, luck, level = max(found, key=lambda one: one[0] - one[1])
    told = value >= TOLD_FROM and value - 0.5 >= BEYOND_LUCK * luck
    return BatchEffect(str(labels.name), levels[level], value, int(able[:, level].sum()), told)


def _of_level(z: np.ndarray, kind: np.ndarray, inside: np.ndarray, able: np.ndarray) -> tuple[float, float]:
    """AUC within types and its standard error by luck. able: types in which the level can be looked at."""
    keep = able[kind]
    z, kind, inside = z[keep], kind[keep], inside[keep]
    group = 2 * kind + inside
    fold, score = folds(np.unique(group, return_inverse=True)[1], 0), np.empty(len(z))
    for held_out in range(N_FOLDS):
        rest = fold != held_out
        score[~rest] = z[~rest] @ _direction(z[rest], group[rest])
    chances, pairs, parts = [], [], []
    for own in np.flatnonzero(able):
        for held_out in range(N_FOLDS):  # scores of different folds have different directions
            here = (kind == own) & (fold == held_out)
            a, b = score[here & inside], score[here & ~inside]
            if len(a) and len(b):
                chances.append(auc(a, b))
                pairs.append(len(a) * len(b))
                parts.append(len(a) * len(b) * (len(a) + len(b) + 1) / 12)
    total = float(sum(pairs))
    return float(np.average(chances, weights=pairs)), float(np.sqrt(sum(parts)) / total)


def _direction(z: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(n_factors,): odd groups lie further along it than the even one before, all pairs together."""
    n_groups = int(group.max()) // 2 * 2 + 2
    member = sparse.csr_matrix((np.ones(len(z)), group, np.arange(len(z) + 1)), shape=(len(z), n_groups))
    n = np.asarray(member.sum(axis=0)).ravel()
    mean = member.T @ z / np.maximum(n, 1)[:, None]
    left = z - mean[group]
    weight = n[1::2] * n[::2] / np.maximum(n[1::2] + n[::2], 1)
    gap = weight @ (mean[1::2] - mean[::2]) / weight.sum()
    return np.linalg.pinv(left.T @ left / len(z), hermitian=True) @ gap


def batch_sentence(effect: BatchEffect, *, by_type: bool) -> str:
    """What is said on the factors' page; "" where there is nothing to say."""
    if not effect.told:
        return ""
    among = "among cells of one type" if by_type else "over all cells (no types are known, so that composition counts)"
    value = "above 0.99" if 0.995 <= effect.auc < 1 else f"{effect.auc:.2f}"
    return (
        f"Together the factors tell {effect.level} from the other levels of {effect.column} {among}: AUC {value}. "
        "Programs may differ between them for technical reasons, even where no single factor follows them."
    )
