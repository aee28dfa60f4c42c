"""How often each gene shows each count: small whatever the number of cells, and all that choosing genes needs.

Every statistic of a gene over cells (mean, variance, variance of clipped counts) follows from it exactly, in whole
numbers, so that it does not depend on the blocks in which the cells were seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse

FEW = 16  # counts below are tallied in a table, larger ones are sorted
MERGED_ABOVE = 4_000_000  # pairs of gene and count waiting to be merged


@dataclass(frozen=True, eq=False)
class GeneHistogram:
    """Of n_cells cells and n_genes genes: cells[i] of them show counts[i] >= 1 molecules of genes[i].

    Pairs are sorted by gene, then by count, each once. genes int64, counts int64, cells int64, all (n_pairs,).
    """

    n_cells: int
    n_genes: int
    genes: np.ndarray
    counts: np.ndarray
    cells: np.ndarray

    @classmethod
    def of(cls, blocks: Iterable[sparse.csr_matrix], n_genes: int) -> Self:
        """The histogram of rows that come in blocks; entries are whole numbers, each gene once a row."""
        tally = HistogramTally(n_genes)
        for block in blocks:
            tally.add(block)
        return cls(*tally.result())

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum over cells of a value per pair: float64 (n_genes,)."""
        return np.bincount(self.genes, weights=values * self.cells.astype(np.float64), minlength=self.n_genes)


class HistogramTally:
    """Adds up a histogram block by block."""

    def __init__(self, n_genes: int) -> None:
        self.n_genes, self.n_cells = n_genes, 0
        self._few = np.zeros(n_genes * FEW, np.int64)
        self._many: list[tuple[np.ndarray, np.ndarray]] = []  # (gene << 32 | count, cells)

    def add(self, block: sparse.csr_matrix) -> None:
        """Take in more rows."""
        self.n_cells += block.shape[0]
        genes, counts = block.indices, block.data
        few = counts < FEW
        if not few.all():
            keys = (genes[~few].astype(np.int64) << 32) | counts[~few].astype(np.int64)
            self._many.append(np.unique(keys, return_counts=True))
            genes, counts = genes[few], counts[few]
            if sum(len(keys) for keys, _ in self._many) > MERGED_ABOVE:
                self._many = [self._merged()]
        keys = genes.astype(np.int64) * FEW + counts.astype(np.int64)
        self._few += np.bincount(keys, minlength=len(self._few))

    def result(self) -> tuple[int, int, np.ndarray, np.ndarray, np.ndarray]:
        """The fields of a GeneHistogram."""
        keys, cells = self._merged()
        seen = np.flatnonzero(self._few)
        genes = np.concatenate([seen // FEW, keys >> 32])
        counts = np.concatenate([seen % FEW, keys & 0xFFFFFFFF])
        cells = np.concatenate([self._few[seen], cells])
        order = np.lexsort((counts, genes))
        return self.n_cells, self.n_genes, genes[order], counts[order], cells[order]

    def _merged(self) -> tuple[np.ndarray, np.ndarray]:
        if not self._many:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        keys, which = np.unique(np.concatenate([keys for keys, _ in self._many]), return_inverse=True)
        cells = np.zeros(len(keys), np.int64)
        np.add.at(cells, which, np.concatenate([cells for _, cells in self._many]))
        return keys, cells
