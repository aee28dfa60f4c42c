"""The counts of any gene in a moment: beside the rows of a data set, the same counts ordered by gene within blocks.

A block is at most 65,536 cells, so that a cell's place in it takes two bytes; a count takes one, and the few that are
larger stand in a list of their own. The counts of one gene are a short piece of every block.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import sparse

from ldvae_core.durable import GrowingArray, read_array

FOLDER = "by_gene"
MOST_CELLS = 65_536  # of a block
MOST_ENTRIES = 16_000_000  # of a block: some 200 MB while it is turned
LARGEST_SMALL = 254  # counts above are kept apart
BEYOND = 255


class GeneIndexWriter:
    """Takes rows in blocks of any size and writes the folder FOLDER beside them."""

    def __init__(self, folder: Path, n_genes: int) -> None:
        self._folder, self._n_genes = folder / FOLDER, n_genes
        self._folder.mkdir()
        self._cells = GrowingArray(self._folder / "cells.npy", np.uint16)
        self._counts = GrowingArray(self._folder / "counts.npy", np.uint8)
        self._starts = GrowingArray(self._folder / "starts.npy", np.uint32)  # (n_blocks, n_genes + 1), within a block
        self._blocks = GrowingArray(self._folder / "blocks.npy", np.int64)  # rows of (first cell, first entry)
        self._large_at = GrowingArray(self._folder / "large_at.npy", np.int64)
        self._large = GrowingArray(self._folder / "large.npy", np.uint32)
        self._waiting: list[sparse.csr_matrix] = []
        self._first_cell = self._first_entry = 0

    def append(self, block: sparse.csr_matrix) -> None:
        """Add rows, sorted and without zeros."""
        while block.shape[0]:
            cells = sum(piece.shape[0] for piece in self._waiting)
            entries = sum(piece.nnz for piece in self._waiting)
            fitting = int(np.searchsorted(block.indptr, MOST_ENTRIES - entries, side="right")) - 1
            fitting = min(MOST_CELLS - cells, max(fitting, 0 if self._waiting else 1), block.shape[0])
            if fitting:
                self._waiting.append(block[:fitting] if fitting < block.shape[0] else block)
                block = block[fitting:] if fitting < block.shape[0] else block[:0]
            if block.shape[0]:
                self._flush()

    def close(self) -> None:
        """Write what waits, and finish the files."""
        self._flush()
        for array in self._arrays:
            array.close()

    def abandon(self) -> None:
        """Remove what was written."""
        for array in self._arrays:
            array.abandon()
        self._folder.rmdir()

    @property
    def _arrays(self) -> Sequence[GrowingArray]:
        return (self._cells, self._counts, self._starts, self._blocks, self._large_at, self._large)

    def _flush(self) -> None:
        if not self._waiting:
            return
        rows = self._waiting[0] if len(self._waiting) == 1 else sparse.vstack(self._waiting, format="csr")
        self._waiting = []
        columns = rows.tocsc()
        large = columns.data > LARGEST_SMALL
        if large.any():
            self._large_at.append(np.flatnonzero(large) + self._first_entry)
            self._large.append(columns.data[large])
        self._cells.append(columns.indices)
        self._counts.append(np.where(large, BEYOND, columns.data))
        self._starts.append(columns.indptr)
        self._blocks.append(np.array([self._first_cell, self._first_entry]))
        self._first_cell += rows.shape[0]
        self._first_entry += rows.nnz


class GeneIndex:
    """The index of a data set, opened. Holds the starts of its blocks; counts are read when they are asked for."""

    def __init__(self, folder: Path, n_cells: int, n_genes: int) -> None:
        """Raises RunError when a file is missing or damaged, ValueError when they do not fit n_cells x n_genes."""
        self.n_cells, self.n_genes = n_cells, n_genes
        read = {name: read_array(folder / FOLDER / f"{name}.npy")
                for name in ("cells", "counts", "starts", "blocks", "large_at", "large")}  # fmt: skip
        self._cells, self._counts, self._large_at, self._large = (
            read[name] for name in ("cells", "counts", "large_at", "large")
        )
        self._blocks = read["blocks"].reshape(-1, 2)
        self._starts = read["starts"].reshape(len(self._blocks), n_genes + 1)
        if len(self._cells) != len(self._counts) or len(self._large_at) != len(self._large):
            raise ValueError("the parts of the index by gene do not fit together")

    def counts_of(self, genes: Sequence[int] | np.ndarray) -> sparse.csc_matrix:
        """Counts of these genes in all cells: CSC (n_cells, len(genes)), uint32."""
        cells, values, lengths = [], [], []
        for gene in genes:
            length = 0
            for (first_cell, first_entry), starts in zip(self._blocks.tolist(), self._starts, strict=True):
                start, stop = first_entry + int(starts[gene]), first_entry + int(starts[gene + 1])
                if stop == start:
                    continue
                cells.append(self._cells[start:stop].astype(np.int64) + first_cell)
                values.append(self._whole(start, stop))
                length += stop - start
            lengths.append(length)
        indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        parts = (np.concatenate([np.zeros(0, np.uint32), *values]), np.concatenate([np.zeros(0, np.int64), *cells]))
        return sparse.csc_matrix((*parts, indptr), shape=(self.n_cells, len(genes)))

    def _whole(self, start: int, stop: int) -> np.ndarray:
        """Counts of consecutive entries, with the large ones put in: uint32."""
        values = self._counts[start:stop].astype(np.uint32)
        first, last = np.searchsorted(self._large_at, [start, stop])
        values[self._large_at[first:last] - start] = self._large[first:last]
        return values
