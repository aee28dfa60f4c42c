"""Symmetric matrices, one a cell, kept as their upper triangles row by row: half the room."""

import numpy as np


def packed(matrices: np.ndarray) -> np.ndarray:
    """(n_cells, size, size) -> (n_cells, size (size + 1) / 2)."""
    first, second = np.triu_indices(matrices.shape[1])
    return matrices[:, first, second]


def unpacked(triangles: np.ndarray, size: int) -> np.ndarray:
    """(n_cells, size (size + 1) / 2) -> (n_cells, size, size) float64: for a piece of the cells."""
    first, second = np.triu_indices(size)
    whole = np.empty((len(triangles), size, size))
    whole[:, first, second] = whole[:, second, first] = triangles
    return whole
