"""Readable axes: the rotation of the factors under which cells, and the genes behind them, fall on single axes.

A normal prior does not care about rotations, so the axes a run ends with are an accident of its seed. Varimax on the
cells' positions picks the same axes every time, at exactly the same likelihood (MODEL.md, section 5). Cells that fill
space evenly (a normal cloud) single out no axes, though; then the same criterion of the loadings decides, because few
genes belong to a program. Its weight falls with the square of what the cells' own criterion exceeds that of a normal
cloud by: on the mouse embryo it is 0.01, on simulated normal factors 1 to 5.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from ldvae_core.analysis.chunks import some_cells

LOADINGS_WEIGHT = 0.05  # of the genes' criterion, at cells whose own is twice that of a normal cloud
LARGEST_WEIGHT = 10.0
SEARCH_CELLS, POLISH_CELLS = 20_000, 200_000  # enough to place an axis; the rotation is then applied to every cell


class _Part(NamedTuple):
    """Centred rows, and what their mean criterion counts."""

    rows: np.ndarray
    weight: float


def varimax(
    representation: np.ndarray, loadings: np.ndarray | None = None, *, n_starts: int = 6, seed: int = 0
) -> np.ndarray:
    """Orthogonal R (n_factors, n_factors) float64 that maximises the summed variance of the squares of (Z - mean) R.

    representation: (n_cells, n_factors); loadings (n_genes, n_factors) add the criterion of (W - mean) R, W brought to
    Z's overall size, with the weight that the head of this file explains. Use Z @ R and W @ R: logits Z W' and the
    prior N(0, I) are unchanged. The criterion has local optima: the best of `n_starts` starts is kept (the axes as
    given, then seeded random ones). Above 200,000 cells a seeded sample places the axes. Raises nothing. Source:
    Kaiser 1958, without his row weights.
    """
    n_cells, n_factors = representation.shape
    if n_factors < 2 or n_cells < 2:
        return np.eye(n_factors)
    rng = np.random.default_rng(seed)
    starts = [np.eye(n_factors), *(_random_rotation(n_factors, rng) for _ in range(n_starts - 1))]
    cells = some_cells(np.arange(n_cells), SEARCH_CELLS, seed=seed)
    parts = [_Part(_centred(representation[cells]), 1.0)]
    best = _best(parts, starts)
    if loadings is not None:
        parts.append(_genes_beside(parts[0].rows, loadings, best))
        best = _best(parts, [best, *starts])
    if n_cells > SEARCH_CELLS:
        cells = some_cells(np.arange(n_cells), POLISH_CELLS, seed=seed)
        parts[0] = _Part(_centred(representation[cells]), 1.0)
    return _turn_pairs(parts, best, tolerance=1e-8, max_sweeps=100)


def varimax_criterion(rotated: np.ndarray) -> float:
    """Sum over factors of the variance over cells of the squared positions (n_cells, n_factors), which are centred."""
    return float((rotated**2).var(axis=0).sum())


def _genes_beside(z: np.ndarray, loadings: np.ndarray, rotation: np.ndarray) -> _Part:
    """The loadings in Z's size, weighted by how little the cells (at their own best rotation) differ from a cloud."""
    rotated, w = z @ rotation, _centred(loadings)
    of_a_cloud = 2.0 * float((rotated.var(axis=0) ** 2).sum())  # the criterion of normal factors of these variances
    excess = varimax_criterion(rotated) / of_a_cloud - 1.0 if of_a_cloud > 0 else 0.0
    weight = min(LOADINGS_WEIGHT / excess**2, LARGEST_WEIGHT) if excess != 0 else LARGEST_WEIGHT
    size = np.sqrt((w**2).mean())
    return _Part(w * (np.sqrt((z**2).mean()) / size if size > 0 else 0.0), weight)


def _best(parts: list[_Part], starts: list[np.ndarray]) -> np.ndarray:
    """The highest of the optima that these starts lead to."""
    found = [_turn_pairs(parts, start, tolerance=1e-4, max_sweeps=30) for start in starts]
    return max(found, key=lambda rotation: sum(part.weight * varimax_criterion(part.rows @ rotation) for part in parts))


def _centred(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    return values - values.mean(axis=0)


def _random_rotation(n_factors: int, rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((n_factors, n_factors)))[0]


def _turn_pairs(parts: list[_Part], rotation: np.ndarray, *, tolerance: float, max_sweeps: int) -> np.ndarray:
    """Kaiser's sweeps: turn each pair of axes by its best angle, in closed form, until none exceeds the tolerance."""
    rotated = [np.ascontiguousarray((part.rows @ rotation).T) for part in parts]  # (factors, rows) each
    axes = rotation.T.copy()  # one axis per row, turned along
    for _ in range(max_sweeps):
        largest = 0.0
        for i, j in combinations(range(len(axes)), 2):
            angle = _best_angle([(rows[i], rows[j], part.weight) for rows, part in zip(rotated, parts, strict=True)])
            if abs(angle) > tolerance:
                turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
                for rows in (*rotated, axes):
                    rows[[i, j]] = turn @ rows[[i, j]]
            largest = max(largest, abs(angle))
        if largest <= tolerance:
            break
    left, _, right = np.linalg.svd(axes.T)  # many turns lose a digit of orthogonality: put it back
    return left @ right


def _best_angle(planes: list[tuple[np.ndarray, np.ndarray, float]]) -> float:
    """The angle of highest summed criterion in the plane of two factors: x, y and weight of each part.

    With u = x^2 - y^2 and v = 2xy the criterion is constant + (cosine * cos 4a + sine * sin 4a) / 4, summed over parts.
    """
    sine = cosine = 0.0
    for x, y, weight in planes:
        u, v = (x - y) * (x + y), 2 * x * y
        mean_u, mean_v = u.mean(), v.mean()
        sine += weight * 2 * (u @ v / len(u) - mean_u * mean_v)
        cosine += weight * ((u @ u - v @ v) / len(u) - mean_u**2 + mean_v**2)
    return float(np.arctan2(sine, cosine) / 4)
