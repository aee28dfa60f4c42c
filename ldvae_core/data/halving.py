"""Two disjoint halves of the cells, or of the samples they come from: what comes back in both is no accident."""

import numpy as np

FEWEST_SAMPLES = 4  # two a half


def halves(n_cells: int, *, seed: int, number: int, samples: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the cells of each half, ascending; every `number` is another way of halving.

    samples: (n_cells,) names: whole samples then go to either half, at least two to each, so that both have about as
    many cells; there must be at least four of them. None: cells are the units.
    """
    rng = np.random.default_rng([seed, number])
    if samples is None:
        order = rng.permutation(n_cells)
        return np.sort(order[: n_cells // 2]), np.sort(order[n_cells // 2 :])
    names, sizes = np.unique(samples, return_counts=True)
    sides: tuple[list[int], list[int]] = ([], [])
    cells = [0, 0]
    for position in rng.permutation(len(names)).tolist():
        side = int(cells[1] < cells[0])
        if len(sides[side]) == len(names) - 2:  # two are left for the other side
            side = 1 - side
        sides[side].append(position)
        cells[side] += int(sizes[position])
    first = np.isin(samples, names[sides[0]])
    return np.flatnonzero(first), np.flatnonzero(~first)


def can_halve(samples: np.ndarray) -> bool:
    """Whether there are two samples or more for each half."""
    return len(np.unique(samples)) >= FEWEST_SAMPLES
