"""Counts summed over groups of cells in one pass: all that a comparison of these groups needs of them."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ldvae_core.data.chunks import ENTRIES

ReportShare = Callable[[float], None]  # is called with the share of the work done, 0 to 1, now and then


def ignore_share(share: float) -> None:
    """Nobody asks how far it is."""


class Sums(NamedTuple):
    """What is summed over the cells of each group: s is a cell's library size, x its counts of a gene.

    w is 1 / (1 - s / summed s of the group)^2, which turns a squared residual into that from the other cells' share.
    """

    n_cells: np.ndarray  # (n_groups,)
    library: np.ndarray  # (n_groups,) of s
    depth: np.ndarray  # (n_groups,) of s * s
    library_squares: np.ndarray  # (n_groups,) of w * s * s
    total: np.ndarray  # (n_groups, n_genes) of x
    squares: np.ndarray  # (n_groups, n_genes) of w * x * x
    products: np.ndarray  # (n_groups, n_genes) of w * x * s
    expressing: np.ndarray  # (n_groups, n_genes) cells with x > 0

    def by_gene(self) -> "Sums":
        """The same with (n_groups, 1) where it was (n_groups,)."""
        return Sums(*(part if part.ndim == 2 else part[:, None] for part in self))

    def without(self, cells: "Sums") -> "Sums":
        """Without one cell of each group, whose own sums these are; for by_gene() of both."""
        return Sums(*(all_ - own for all_, own in zip(self, cells, strict=True)))


class Leading(NamedTuple):
    """The cells of each group that could carry a finding: by gene the one with most of its molecules, and the deepest.

    All (n_groups, n_genes): x and s of a cell as in Sums.
    """

    top: np.ndarray
    top_library: np.ndarray
    deepest: np.ndarray
    deepest_library: np.ndarray


def group_sums(
    counts: sparse.csr_matrix,
    library_size: np.ndarray,
    group: np.ndarray,
    n_groups: int,
    *,
    report: ReportShare = ignore_share,
) -> tuple[Sums, Leading]:
    """One pass over the counts of the chosen cells. report: called with the share of it that is done, 0 to 1.

    counts: (n_cells, n_genes) CSR without stored zeros; library_size: (n_cells,) above zero; group: (n_cells,) from 0
    to n_groups - 1, -1 for cells that are not chosen.
    """
    n_genes, size = counts.shape[1], np.asarray(library_size, np.float64)
    chosen = np.flatnonzero(group >= 0)
    of_group, of_cell = group[chosen], size[chosen]
    library = np.bincount(of_group, of_cell, minlength=n_groups)
    weight = np.zeros(len(group))
    weight[chosen] = leave_out_weight(of_cell, library[of_group])
    tables = np.zeros((4, n_groups * n_genes))
    top = np.zeros(n_groups * n_genes)
    top_library = np.zeros(n_groups * n_genes)
    pieces = _pieces(counts.indptr)
    for done, cells in enumerate(pieces):
        report(done / len(pieces))
        code = group[cells]
        if not (code >= 0).any():
            continue
        entries = slice(counts.indptr[cells.start], counts.indptr[cells.stop])
        n = np.diff(counts.indptr[cells.start : cells.stop + 1])
        x, place = counts.data[entries].astype(np.float64), np.repeat(code * n_genes, n) + counts.indices[entries]
        s, w = np.repeat(size[cells], n), np.repeat(weight[cells], n)
        if (code < 0).any():
            kept = np.repeat(code >= 0, n)
            x, place, s, w = x[kept], place[kept], s[kept], w[kept]
        for table, summed in zip(tables, (x, w * x * x, w * x * s, None), strict=True):
            table += np.bincount(place, summed, minlength=n_groups * n_genes)
        np.maximum.at(top, place, x)
        leads = x == top[place]
        top_library[place[leads]] = s[leads]
    scalars = (np.ones_like(of_cell), of_cell, of_cell**2, weight[chosen] * of_cell**2)
    sizes, depths, squares, weighted = (np.bincount(of_group, values, minlength=n_groups) for values in scalars)
    by_gene = (n_groups, n_genes)
    deepest, deepest_library = _deepest(counts, size, group, n_groups)
    leading = Leading(top.reshape(by_gene), top_library.reshape(by_gene), deepest, deepest_library)
    return Sums(sizes, depths, squares, weighted, *tables.reshape(4, *by_gene)), leading


def leave_out_weight(size: np.ndarray, library: np.ndarray) -> np.ndarray:
    """What a squared residual is multiplied by to be that from the share of the other cells of the group."""
    return 1.0 / np.maximum(1.0 - size / library, 1e-3) ** 2


def _deepest(
    counts: sparse.csr_matrix, size: np.ndarray, group: np.ndarray, n_groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """Counts and library size of the deepest cell of each group, both (n_groups, n_genes); 0 for an empty group."""
    found, library = np.zeros((2, n_groups, counts.shape[1]))
    chosen = np.flatnonzero(group >= 0)
    order = chosen[np.argsort(size[chosen], kind="stable")]
    deepest = np.full(n_groups, -1)
    deepest[group[order]] = order  # the last one written is the deepest
    for number, cell in enumerate(deepest.tolist()):
        if cell >= 0:
            entries = slice(counts.indptr[cell], counts.indptr[cell + 1])
            found[number, counts.indices[entries]] = counts.data[entries]
            library[number] = size[cell]
    return found, library


def _pieces(indptr: np.ndarray) -> list[slice]:
    """Consecutive slices of cells with about ENTRIES stored counts each."""
    n_cells = len(indptr) - 1
    cuts = np.searchsorted(indptr, np.arange(ENTRIES, int(indptr[-1]), ENTRIES))
    edges = np.unique(np.concatenate([[0], cuts, [n_cells]])).astype(int)
    return [slice(a, b) for a, b in pairwise(edges)]
