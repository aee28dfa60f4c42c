"""Walking over cells in pieces, so that no array of cells x genes is ever whole in memory."""

from collections.abc import Iterator

import numpy as np

ENTRIES = 2_000_000  # numbers in one dense piece: 16 MB in double precision, a few of which live at a time
IN_CACHE = 125_000  # 1 MB in double precision, for what is gone over several times


def cell_chunks(n_cells: int, width: int, *, entries: int = ENTRIES) -> Iterator[slice]:
    """Consecutive slices of cells, each small enough that cells x width stays below `entries` numbers."""
    step = max(1, entries // max(width, 1))
    for start in range(0, n_cells, step):
        yield slice(start, min(start + step, n_cells))


def some_cells(cells: np.ndarray, limit: int, *, seed: int) -> np.ndarray:
    """At most `limit` of the given cell indices, drawn without replacement, ascending; all of them when they fit."""
    if len(cells) <= limit:
        return cells
    return np.sort(np.random.default_rng(seed).choice(cells, size=limit, replace=False))
