"""Counts written to disk block by block, with what is counted on the way: the one form in which they are kept."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from ldvae_core.data.by_gene import GeneIndexWriter
from ldvae_core.data.histogram import GeneHistogram, HistogramTally
from ldvae_core.durable import GrowingArray

LARGEST_SMALL = 65_535  # counts up to here fit 16 bits
COUNTS_FILES = ("counts_data.npy", "counts_indices.npy", "counts_indptr.npy")


@dataclass(frozen=True, eq=False)
class Written:
    """What a CountsWriter has seen. Arrays of kept cells, in their order; kept: bool, one a row that came."""

    kept: np.ndarray
    library_size: np.ndarray  # float64
    genes_per_cell: np.ndarray  # int64
    chosen_sum: np.ndarray  # float64, molecules of the chosen genes
    histogram: GeneHistogram
    n_entries: int


class CountsWriter:
    """Takes rows in blocks and leaves the three arrays of a CSR matrix in a folder: sorted, no zeros, no empty rows.

    Values in the smallest of uint16 and uint32. chosen: bool (n_genes,), genes whose molecules are added up by cell.
    by_gene: whether an index by gene is written too.
    """

    def __init__(self, folder: Path, n_genes: int, *, chosen: np.ndarray | None = None, by_gene: bool = False) -> None:
        self.n_genes = n_genes
        self._chosen = None if chosen is None or not chosen.any() else chosen.astype(np.float64)
        self._folder = folder
        self._data = GrowingArray(folder / "counts_data.npy", np.uint16)
        self._indices = GrowingArray(folder / "counts_indices.npy", np.int32)
        self._index = GeneIndexWriter(folder, n_genes) if by_gene else None
        self._tally = HistogramTally(n_genes)
        self._kept: list[np.ndarray] = []
        self._lengths: list[np.ndarray] = []
        self._sums: list[np.ndarray] = []
        self._chosen_sums: list[np.ndarray] = []

    def append(self, block: sparse.csr_matrix) -> None:
        """Add rows: whole numbers 0 to 2^32 - 1, (k, n_genes); the block may be changed."""
        if not block.has_canonical_format:
            block.sum_duplicates()
        if not block.data.all():
            block.eliminate_zeros()
        lengths = np.diff(block.indptr)
        kept = lengths > 0
        self._kept.append(kept)
        if not kept.all():
            lengths = lengths[kept]
            indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(block.indptr.dtype)
            block = sparse.csr_matrix((block.data, block.indices, indptr), shape=(len(lengths), block.shape[1]))
        if not len(lengths):
            return
        if self._data.dtype.itemsize == 2 and int(block.data.max()) > LARGEST_SMALL:
            self._data.widen(np.uint32)
        self._data.append(block.data)
        self._indices.append(block.indices)
        self._lengths.append(lengths.astype(np.int64))
        self._sums.append(np.add.reduceat(block.data, block.indptr[:-1], dtype=np.float64))
        if self._chosen is not None:
            self._chosen_sums.append(block @ self._chosen)
        self._tally.add(block)
        if self._index is not None:
            self._index.append(block)

    def close(self) -> Written:
        """Finish the files; says what was seen."""
        for array in (self._data, self._indices):
            array.close()
        if self._index is not None:
            self._index.close()
        lengths = np.concatenate([np.zeros(0, np.int64), *self._lengths])
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        small = max(len(lengths), self.n_genes, int(indptr[-1])) < 2**31
        if not small:  # scipy wants one type for both
            indices = GrowingArray(self._folder / "counts_indices.npy.wide", np.int64)
            written = np.load(self._folder / "counts_indices.npy", mmap_mode="r")
            for start in range(0, len(written), 1 << 22):
                indices.append(written[start : start + (1 << 22)])
            indices.close()
            indices.path.replace(self._folder / "counts_indices.npy")
        pointers = GrowingArray(self._folder / "counts_indptr.npy", np.int32 if small else np.int64)
        pointers.append(indptr)
        pointers.close()
        return Written(
            kept=np.concatenate([np.zeros(0, bool), *self._kept]),
            library_size=np.concatenate([np.zeros(0), *self._sums]),
            genes_per_cell=lengths,
            chosen_sum=np.concatenate(self._chosen_sums) if self._chosen_sums else np.zeros(len(lengths)),
            histogram=GeneHistogram(*self._tally.result()),
            n_entries=int(indptr[-1]),
        )

    def abandon(self) -> None:
        """Remove what was written."""
        for array in (self._data, self._indices):
            array.abandon()
        if self._index is not None:
            self._index.abandon()
