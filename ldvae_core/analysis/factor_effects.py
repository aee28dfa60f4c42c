"""How far two groups of cells lie apart on every factor."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ldvae_core.analysis.sums import ReportShare, ignore_share

SORTERS = 4  # threads: sorting leaves the interpreter free


def factor_effects(
    representation: np.ndarray,
    scale: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    report: ReportShare = ignore_share,
) -> np.ndarray:
    """difference, its standard error (both in sd of the factor over all cells) and AUC: (3, n_factors).

    representation: (n_cells, n_factors); scale: (n_factors,); first, second: (n_cells,) bool. The AUC is the chance
    that a cell of the first group lies higher than one of the second, ties counting half, over all pairs of cells.
    report: called with the share that is done, 0 to 1.
    """
    unit = np.where(scale > 0, scale, 1.0)

    def one(factor: int) -> tuple[float, float, float]:
        column = np.asarray(representation[:, factor])
        a, b = column[first], column[second]
        means = [float(part.mean(dtype=np.float64)) for part in (a, b)]
        errors = [float(part.var(dtype=np.float64)) / max(len(part) - 1, 1) for part in (a, b)]
        return (means[0] - means[1]) / unit[factor], float(np.sqrt(sum(errors))) / unit[factor], auc(a, b)

    found, n_factors = [], representation.shape[1]
    with ThreadPoolExecutor(SORTERS) as pool:
        for row in pool.map(one, range(n_factors)):
            found.append(row)
            report(len(found) / n_factors)
    return np.array(found).reshape(-1, 3).T


def auc(first: np.ndarray, second: np.ndarray) -> float:
    """Chance that a value of the first group exceeds one of the second, ties counting half; NaN when one is empty."""
    if not len(first) or not len(second):
        return float("nan")
    few, many = sorted((np.sort(first), np.sort(second)), key=len)
    below = np.searchsorted(many, few, "left")
    tied = many[np.minimum(below, len(many) - 1)] == few
    ties = int((np.searchsorted(many, few[tied], "right") - below[tied]).sum())
    chance = (int(below.sum()) + ties / 2) / (len(few) * len(many))
    return chance if len(first) <= len(second) else 1.0 - chance
