"""Readable axes: the rotation of the factors under which cells, and the genes behind them, fall on single axes.

A normal prior does not care about rotations, so the axes a run ends with are an accident of its seed. Varimax on the
cells' positions picks the same axes every time, at exactly the same likelihood: docs/model.md, "Readable axes". Cells
that fill space evenly (a normal cloud) single out no axes, though; then the same criterion of the loadings decides,
because few genes belong to a program. Its weight falls with the square of what the cells' own criterion exceeds that of
a normal cloud by: on the mouse embryo it is 0.01, on simulated normal factors 1 to 5.
"""

from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from ldvae_core.data.chunks import some_cells

LOADINGS_WEIGHT = 0.05  # of the genes' criterion, at cells whose own is twice that of a normal cloud
LARGEST_WEIGHT = 10.0
SEARCH_CELLS, POLISH_CELLS = 5_000, 50_000  # enough to place an axis; the rotation is then applied to every cell


MOST_CELLS = 200_000  # whose influence is measured; the variance is that of all cells
RANDOM_ANGLE = (np.pi / 4) ** 2 / 3  # variance of an angle of which nothing is known: axes repeat every 90 degrees


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
    given, then seeded random ones). Above 50,000 cells a seeded sample places the axes. Raises nothing. Source:
    Kaiser 1958, without his row weights.
    """
    n_cells, n_factors = representation.shape
    if n_factors < 2 or n_cells < 2:
        return np.eye(n_factors)
    rng = np.random.default_rng(seed)
    starts = [np.eye(n_factors), *(_random_rotation(n_factors, rng) for _ in range(n_starts - 1))]
    cells = some_cells(np.arange(n_cells), SEARCH_CELLS, seed=seed)
    parts = [_Part(_centred(representation[cells]), 1.0)]
    with threadpool_limits(1):  # products this small are slower on several threads, and much slower on busy ones
        best = _best(parts, starts)
        if loadings is not None:
            parts.append(_genes_beside(parts[0].rows, loadings, best))
            best = _best(parts, [best, *starts])
        if n_cells > SEARCH_CELLS:
            cells = some_cells(np.arange(n_cells), POLISH_CELLS, seed=seed)
            parts[0] = _Part(_centred(representation[cells]), 1.0)
        return _climb(parts, best, tolerance=1e-12, max_steps=500)


def gene_sparse(loadings: np.ndarray, *, n_starts: int = 6, seed: int = 0) -> np.ndarray:
    """Orthogonal R (n_factors, n_factors) float64 that maximises the summed variance of the squares of (W - mean) R.

    loadings: (n_genes, n_factors). Few genes then load strongly on each axis, wherever the cells lie: where cells come
    in groups, axes that follow cells follow the groups, not the programs. Use as of varimax. Raises nothing. Source:
    Kaiser 1958, without his row weights.
    """
    n_factors = loadings.shape[1]
    if n_factors < 2 or len(loadings) < 2:
        return np.eye(n_factors)
    rng = np.random.default_rng(seed)
    starts = [np.eye(n_factors), *(_random_rotation(n_factors, rng) for _ in range(n_starts - 1))]
    parts = [_Part(_centred(loadings), 1.0)]
    with threadpool_limits(1):  # as in varimax
        return _climb(parts, _best(parts, starts), tolerance=1e-12, max_steps=500)


def axis_variance(representation: np.ndarray, loadings: np.ndarray, *, of_genes: bool = False) -> np.ndarray:
    """Sampling variance of the angle between every two readable axes: (n_factors, n_factors), radians squared.

    representation (n_cells, n_factors), loadings (n_genes, n_factors): on the axes that varimax found, or, of_genes,
    gene_sparse. By influence functions (the infinitesimal jackknife): turning axes j and k a little changes the
    criterion of each cell and gene,
    and the spread of these changes over the curvature of the criterion is what another sample of cells and genes would
    turn the axes by. The curvature is taken plane by plane, as for independent axes. Two axes
    between which nothing decides get the variance of a random angle. A loading W_gk varies by sum_j W_gj^2 times this,
    beside its own standard error.
    """
    n_factors = representation.shape[1]
    z = _centred(representation[some_cells(np.arange(len(representation)), MOST_CELLS, seed=0)])
    genes = _genes_beside(z, loadings, np.eye(n_factors))
    slopes, curvature = np.zeros((2, n_factors, n_factors))
    criteria = [(_Part(z, 1.0), len(representation)), (genes, len(loadings))]
    if of_genes:
        criteria = [(_Part(_centred(loadings), 1.0), len(loadings))]
    for (rows, weight), n in criteria:
        spread, bend = _turning(rows)
        slopes += weight**2 * spread / n
        curvature += weight * bend
    variance = np.divide(slopes, curvature**2, out=np.full_like(slopes, np.inf), where=curvature < 0)
    variance = np.minimum(variance, RANDOM_ANGLE)
    np.fill_diagonal(variance, 0.0)
    return variance


def _turning(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every two columns: variance over rows of the criterion's slope in their angle, and its mean second slope."""
    n, n_factors = rows.shape
    squares, product = (rows**2).mean(axis=0), rows.T @ rows / n
    fourth, mixed = (rows**4).mean(axis=0), (rows**2).T @ (rows**2) / n
    gap = squares[:, None] - squares[None, :]
    bend = 4 * (6 * mixed - fourth[:, None] - fourth[None, :]) - 16 * product**2 + 4 * gap**2
    spread = np.zeros((n_factors, n_factors))
    for j in range(n_factors):
        one = rows[:, [j]]
        slope = one * rows * (one**2 - rows**2 - gap[j]) - (one**2 - rows**2) * product[j]
        spread[j] = 16 * slope.var(axis=0)
    return spread, bend


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
    found = [_climb(parts, start, tolerance=1e-7, max_steps=300) for start in starts]
    return max(found, key=lambda rotation: sum(part.weight * varimax_criterion(part.rows @ rotation) for part in parts))


def _centred(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    return values - values.mean(axis=0)


def _random_rotation(n_factors: int, rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((n_factors, n_factors)))[0]


def _climb(parts: list[_Part], rotation: np.ndarray, *, tolerance: float, max_steps: int) -> np.ndarray:
    """Gradient-and-project steps until the criterion rises by less than `tolerance` of itself, ten steps in a row."""
    value, quiet = -np.inf, 0
    for _ in range(max_steps):
        reached, gradient = 0.0, np.zeros_like(rotation)  # (factors, factors)
        for rows, weight in parts:
            rotated = rows @ rotation
            squares = rotated**2
            around_mean = squares - squares.mean(axis=0)
            reached += weight * float((around_mean**2).mean(axis=0).sum())
            gradient += weight / len(rows) * (rows.T @ (rotated * around_mean))
        quiet = quiet + 1 if reached <= value * (1 + tolerance) else 0
        if quiet == 10 or reached == 0.0:
            break
        value = max(value, reached)
        left, _, right = np.linalg.svd(gradient)
        rotation = left @ right
    return rotation
