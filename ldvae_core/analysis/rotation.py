"""Readable axes: the rotation of the factors under which cells fall on single axes.

A normal prior does not care about rotations, so the axes a run ends with are an accident of its seed. Varimax on the
cells' positions picks the same axes every time, at exactly the same likelihood (MODEL.md, section 5).
"""

import numpy as np

from ldvae_core.analysis.chunks import some_cells

SEARCH_CELLS, POLISH_CELLS = 20_000, 200_000  # enough to place an axis; the rotation is then applied to every cell


def varimax(representation: np.ndarray, *, n_starts: int = 6, seed: int = 0) -> np.ndarray:
    """Orthogonal R (n_factors, n_factors) float64 that maximises the summed variance of the squares of (Z - mean) R.

    representation: (n_cells, n_factors). Use Z @ R and W @ R: logits Z W' and the prior N(0, I) are unchanged. The
    criterion has local optima: the best of `n_starts` starts is kept (the axes as given, then seeded random ones).
    Above 200,000 cells a seeded sample places the axes. Raises nothing. Source: Kaiser 1958, without his row weights.
    """
    n_cells, n_factors = representation.shape
    if n_factors < 2 or n_cells < 2:
        return np.eye(n_factors)
    rng = np.random.default_rng(seed)
    search = _centred(representation, SEARCH_CELLS, seed)
    starts = [np.eye(n_factors), *(_random_rotation(n_factors, rng) for _ in range(n_starts - 1))]
    found = [_climb(search, start, tolerance=1e-7, max_steps=300) for start in starts]
    best = max(found, key=lambda rotation: varimax_criterion(search @ rotation))
    polish = search if n_cells <= SEARCH_CELLS else _centred(representation, POLISH_CELLS, seed)
    return _climb(polish, best, tolerance=1e-12, max_steps=500)


def varimax_criterion(rotated: np.ndarray) -> float:
    """Sum over factors of the variance over cells of the squared positions (n_cells, n_factors), which are centred."""
    return float((rotated**2).var(axis=0).sum())


def _centred(representation: np.ndarray, limit: int, seed: int) -> np.ndarray:
    cells = some_cells(np.arange(len(representation)), limit, seed=seed)
    values = np.asarray(representation[cells], np.float64)
    return values - values.mean(axis=0)


def _random_rotation(n_factors: int, rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((n_factors, n_factors)))[0]


def _climb(centred: np.ndarray, rotation: np.ndarray, *, tolerance: float, max_steps: int) -> np.ndarray:
    """Gradient-and-project steps until the criterion rises by less than `tolerance` of itself, ten steps in a row."""
    value, quiet = -np.inf, 0
    for _ in range(max_steps):
        rotated = centred @ rotation
        squares = rotated**2
        mean_squares = squares.mean(axis=0)
        reached = float(((squares - mean_squares) ** 2).mean(axis=0).sum())
        quiet = quiet + 1 if reached <= value * (1 + tolerance) else 0
        if quiet == 10 or reached == 0.0:
            break
        value = max(value, reached)
        gradient = centred.T @ (rotated * (squares - mean_squares))  # (factors, factors)
        left, _, right = np.linalg.svd(gradient)
        rotation = left @ right
    return rotation
