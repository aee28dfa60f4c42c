"""Three shares of the cells: to learn from, to choose with, and to report on."""

import numpy as np

TRAIN, VALIDATION, TEST = 0, 1, 2
SPLIT_NAMES = ("train", "validation", "test")


def split_cells(n_cells: int, *, validation_share: float = 0.1, test_share: float = 0.1, seed: int) -> np.ndarray:
    """Assign every cell to a share: int8 (n_cells,), positions in SPLIT_NAMES.

    The same number of cells, shares and seed give the same split, whatever the model, so that models can be compared.
    At least one cell goes to each held-out share.
    """
    n_validation = max(1, round(validation_share * n_cells))
    n_test = max(1, round(test_share * n_cells))
    order = np.random.default_rng([seed, 0]).permutation(n_cells)
    split = np.full(n_cells, TRAIN, dtype=np.int8)
    split[order[:n_validation]] = VALIDATION
    split[order[n_validation : n_validation + n_test]] = TEST
    return split
