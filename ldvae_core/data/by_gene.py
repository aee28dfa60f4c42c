"""The counts of any gene in a moment: beside the rows of a data set, the same counts ordered by gene within blocks.

A block is at most 65,536 cells, so that a cell's place in it takes two bytes; a count takes one, and the few that are
larger stand in a list of their own. The counts of one gene are a short piece of every block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ldvae_core.durable import GrowingArray, read_array, release_mapped_pages, will_read
from ldvae_core.errors import RunError

FOLDER = "by_gene"
MOST_CELLS = 65_536  # of a block
MOST_ENTRIES = 16_000_000  # of a block: some 200 MB while it is turned
LARGEST_SMALL = 254  # counts above are kept apart
BEYOND = 255
ENTRIES_AT_ONCE = 1_000_000  # stored counts looked through in one piece, which stays in the processor's cache
RELEASED_EVERY = 32  # pieces
MOST_COMPARED = 3  # genes: up to here comparing with each is quicker than looking every entry up


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


class _Parts(NamedTuple):
    cells: np.ndarray  # uint16, place of the cell in its block
    counts: np.ndarray  # uint8, BEYOND where the count stands in `large`
    starts: np.ndarray  # (n_blocks, n_genes + 1), from the first entry of the block
    blocks: np.ndarray  # (n_blocks, 2), first cell and first entry
    large_at: np.ndarray  # int64, entries
    large: np.ndarray  # uint32


@dataclass(frozen=True, eq=False)
class GeneIndex:
    """The index in the folder of a data set, opened when it is first asked; counts stay on disk until then."""

    folder: Path
    n_cells: int
    n_genes: int

    @staticmethod
    def of(folder: Path, *, n_cells: int, n_genes: int) -> "GeneIndex | None":
        """None in folders written before there was one."""
        return GeneIndex(folder / FOLDER, n_cells, n_genes) if (folder / FOLDER).exists() else None

    def counts_of(self, genes: Sequence[int] | np.ndarray) -> sparse.csc_matrix:
        """Counts of these genes in all cells: CSC (n_cells, len(genes)), uint32.

        Raises RunError when a file of the index is missing or damaged.
        """
        parts, cells, values, lengths = self._parts, [np.zeros(0, np.int64)], [np.zeros(0, np.uint32)], []
        first_cells, first_entries = parts.blocks.T
        bounds = [np.stack([parts.starts[:, gene], parts.starts[:, gene + 1]]) + first_entries for gene in genes]
        pieces = [(start, stop) for own in bounds for start, stop in own.T.tolist() if stop > start]
        for array in (parts.cells, parts.counts):
            will_read(array, pieces)
        for starts, stops in bounds:
            for first_cell, start, stop in zip(first_cells.tolist(), starts.tolist(), stops.tolist(), strict=True):
                if stop > start:
                    cells.append(parts.cells[start:stop].astype(np.int64) + first_cell)
                    values.append(self._whole(start, stop))
            lengths.append(int((stops - starts).sum()))
        rows = np.concatenate(cells)
        if rows.max(initial=-1) >= self.n_cells:
            raise self._damaged()
        indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        return sparse.csc_matrix((np.concatenate(values), rows, indptr), shape=(self.n_cells, len(lengths)))

    def _whole(self, start: int, stop: int) -> np.ndarray:
        """Counts of consecutive entries, with the large ones put in: uint32."""
        values = self._parts.counts[start:stop].astype(np.uint32)
        first, last = np.searchsorted(self._parts.large_at, [start, stop])
        values[self._parts.large_at[first:last] - start] = self._parts.large[first:last]
        return values

    @cached_property
    def _parts(self) -> _Parts:
        flat = _Parts(*(read_array(self.folder / f"{name}.npy") for name in _Parts._fields))
        n_blocks = len(flat.blocks) // 2
        if len(flat.blocks) != 2 * n_blocks or len(flat.starts) != n_blocks * (self.n_genes + 1):
            raise self._damaged()
        blocks, starts = flat.blocks.reshape(n_blocks, 2), flat.starts.reshape(n_blocks, self.n_genes + 1)
        ends = np.cumsum(starts[:, -1], dtype=np.int64)
        first_cells, first_entries = blocks.T
        fits = (
            np.array_equal(first_entries, np.concatenate([[0], ends])[:-1])
            and (np.diff(first_cells, prepend=-1) > 0).all()
            and first_cells.max(initial=-1) < self.n_cells
            and (starts[:, 1:] >= starts[:, :-1]).all()
            and len(flat.cells) == len(flat.counts) == ends.max(initial=0)
            and len(flat.large_at) == len(flat.large)
        )
        if not fits:
            raise self._damaged()
        return flat._replace(blocks=blocks, starts=starts)

    def _damaged(self) -> RunError:
        return RunError(
            f"The index by gene of {self.folder.parent.name} does not fit its counts: it is damaged.",
            "Load the data set again.",
        )


def gene_columns(counts: sparse.csr_matrix, genes: Sequence[int] | np.ndarray) -> sparse.csc_matrix:
    """The same without an index, in one pass over the rows that never turns the matrix over: CSC, as counts are typed.

    One pass costs about half a nanosecond a stored count for one gene, 1.5 ns for many.
    """
    wanted = np.asarray(genes, np.int64)
    pieces = [(np.empty(0, np.int64), counts.indices[:0], counts.data[:0])]
    for number, start in enumerate(range(0, counts.nnz, ENTRIES_AT_ONCE)):
        entries = slice(start, start + ENTRIES_AT_ONCE)
        found = np.flatnonzero(_among(counts.indices[entries], wanted, counts.shape[1]))
        pieces.append((found + start, counts.indices[entries][found], counts.data[entries][found]))
        if number % RELEASED_EVERY == RELEASED_EVERY - 1:
            release_mapped_pages()
    places, columns, values = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    cells = np.searchsorted(counts.indptr, places, side="right") - 1
    order = np.argsort(columns, kind="stable")  # cells stay ascending within a gene
    edges = np.searchsorted(columns[order], wanted[:, None] + (0, 1))
    chosen = np.concatenate([np.zeros(0, np.int64), *(order[low:high] for low, high in edges)])
    indptr = np.concatenate([[0], np.cumsum(edges[:, 1] - edges[:, 0])])
    return sparse.csc_matrix((values[chosen], cells[chosen], indptr), shape=(counts.shape[0], len(wanted)))


def _among(genes_of_counts: np.ndarray, wanted: np.ndarray, n_genes: int) -> np.ndarray:
    """(n,) bool: whether each stored count belongs to a wanted gene."""
    if len(wanted) <= MOST_COMPARED:
        found = np.zeros(len(genes_of_counts), bool)
        for gene in wanted.tolist():
            found |= genes_of_counts == gene
        return found
    known = np.zeros(n_genes, bool)
    known[wanted] = True
    return known.take(genes_of_counts)
