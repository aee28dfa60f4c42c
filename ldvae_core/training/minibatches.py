"""Minibatches from sparse counts: kept sparse in memory and on the device, made dense one slice at a time."""

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from ldvae_core.model.ldvae import Minibatch


class Cells(NamedTuple):
    """Which cells a minibatch holds."""

    indices: Tensor  # (cells,) on the device
    n_counts: int  # non-zero counts of these cells


class MinibatchSource:
    """Counts on one device, in compressed rows; hands out dense minibatches of chosen cells.

    counts (n_cells, n_genes) CSR of whole numbers; library_size (n_cells,); covariates (n_cells, levels) one-hot.
    Counts below 32,768 are held in 16 bits, else in 32. On the processor nothing is copied that has the right width
    already: counts memory-mapped from a file stay there.
    """

    def __init__(
        self, counts: sparse.csr_matrix, library_size: np.ndarray, covariates: np.ndarray, device: torch.device
    ) -> None:
        self.n_cells, self.n_genes = counts.shape
        self.device = device
        self._lengths = np.diff(counts.indptr).astype(np.int64)
        small = counts.nnz == 0 or counts.data.max() < 2**15
        kinds = (np.int64, np.int32, np.int16 if small else np.int32)
        parts = (counts.indptr, counts.indices, counts.data)
        self.starts, self.genes, self.values = (
            _shared(part, kind).to(device) for part, kind in zip(parts, kinds, strict=True)
        )
        self.library_size = torch.from_numpy(np.asarray(library_size, dtype=np.float32)).to(device)
        self.covariates = torch.from_numpy(np.asarray(covariates, dtype=np.float32)).to(device)
        self._dense = torch.empty(0, device=device)

    def release(self) -> None:
        """Give back the memory that minibatches were made in."""
        self._dense = torch.empty(0, device=self.device)

    def minibatch(self, cells: np.ndarray) -> Minibatch:
        """The counts of `cells`, dense. The memory is used again by the next call."""
        return next(self.in_order(cells, len(cells)))

    def gather(self, chosen: Cells) -> Minibatch:
        """The same for a piece that slices() gave."""
        cells, n_counts = chosen
        size = cells.shape[0]
        if self._dense.shape[0] < size:
            self._dense = torch.empty(size, self.n_genes, device=self.device)
        dense = self._dense[:size].zero_()
        first = self.starts[cells]
        length = self.starts[cells + 1] - first
        row_end = length.cumsum(0)
        # told how many there are, a GPU need not stop to count
        row = torch.repeat_interleave(torch.arange(size, device=self.device), length, output_size=n_counts)
        where = torch.arange(row.shape[0], device=self.device) + (first - row_end + length)[row]
        dense.view(-1)[row * self.n_genes + self.genes[where]] = self.values[where].float()
        return Minibatch(dense, self.library_size[cells], self.covariates[cells])

    def in_order(self, cells: np.ndarray, size: int) -> Iterator[Minibatch]:
        """Every cell of `cells` once, in the order given, `size` at a time."""
        for chosen in self.slices(cells, size):
            yield self.gather(chosen)

    def slices(self, cells: np.ndarray, size: int) -> Iterator[Cells]:
        """The cells in pieces, their indices moved to the device all at once."""
        cells = np.ascontiguousarray(cells)
        firsts = range(0, len(cells), size)
        totals: np.ndarray | list[int] = np.add.reduceat(self._lengths[cells], firsts) if len(cells) else []
        for chunk, n_counts in zip(torch.from_numpy(cells).to(self.device).split(size), totals, strict=True):
            yield Cells(chunk, int(n_counts))


def _shared(array: np.ndarray, kind: type[np.signedinteger]) -> Tensor:
    """The array as a tensor of another integer type; of the same memory where width allows (the values fit)."""
    same_width = array.dtype.kind in "iu" and array.dtype.itemsize == np.dtype(kind).itemsize
    array = np.asarray(array).view(kind) if same_width else array.astype(kind)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # nor is it ever written
        return torch.from_numpy(array)
