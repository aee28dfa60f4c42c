"""What was counted while a data set was read, kept beside it: looking at cells and choosing genes cost nothing."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ldvae_core import durable
from ldvae_core.data.histogram import GeneHistogram
from ldvae_core.data.store import Written
from ldvae_core.errors import RunError

LIBRARY, DETECTED, MITOCHONDRIAL = "library_size.npy", "genes_per_cell.npy", "mitochondrial.npy"
HISTOGRAM = tuple(f"histogram_{part}.npy" for part in ("genes", "counts", "cells"))


@dataclass(frozen=True, eq=False)
class Tallies:
    """Of all cells and all genes of a data set, from the files in its folder, read when they are asked for."""

    folder: Path
    n_cells: int
    n_genes: int

    @staticmethod
    def of(folder: Path, *, n_cells: int, n_genes: int) -> "Tallies | None":
        """None in folders written before there were any."""
        return Tallies(folder, n_cells, n_genes) if (folder / HISTOGRAM[0]).exists() else None

    @staticmethod
    def write(folder: Path, written: Written) -> None:
        """Keep what a CountsWriter saw; its chosen genes are the mitochondrial ones."""
        durable.write_array(folder / LIBRARY, written.library_size)
        durable.write_array(folder / DETECTED, written.genes_per_cell)
        durable.write_array(folder / MITOCHONDRIAL, written.chosen_sum)
        histogram = written.histogram
        for name, values in zip(HISTOGRAM, (histogram.genes, histogram.counts, histogram.cells), strict=True):
            durable.write_array(folder / name, values)

    @cached_property
    def library_size(self) -> np.ndarray:
        """Molecules of every cell: float64 (n_cells,)."""
        return self._by_cell(LIBRARY)

    @cached_property
    def genes_per_cell(self) -> np.ndarray:
        """Genes with at least one molecule: int64 (n_cells,)."""
        return self._by_cell(DETECTED)

    @cached_property
    def mitochondrial(self) -> np.ndarray:
        """Molecules of mitochondrial genes: float64 (n_cells,)."""
        return self._by_cell(MITOCHONDRIAL)

    @cached_property
    def histogram(self) -> GeneHistogram:
        """How often each gene shows each count over all cells."""
        genes, counts, cells = (np.asarray(durable.read_array(self.folder / name)) for name in HISTOGRAM)
        return GeneHistogram(self.n_cells, self.n_genes, genes, counts, cells)

    def _by_cell(self, name: str) -> np.ndarray:
        values = np.asarray(durable.read_array(self.folder / name))
        if values.shape != (self.n_cells,):
            raise RunError(f"{name} does not fit the cells of {self.folder.name}.", "Load the data set again.")
        return values
