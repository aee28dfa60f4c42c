"""The labelled data sets of the benchmarks, prepared alike for every program: genes chosen, cells split."""

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse


class Study(NamedTuple):
    """A file, and the model sizes that the published comparisons used for it."""

    file: str
    n_genes: int
    n_factors: int
    label: str = "cell_type"


STUDIES = {
    "mouse embryo": Study("mouse_E7.5_embryo.h5ad", 2000, 12),
    "Kang blood": Study("kang18_ifnb_pbmc.h5ad", 1000, 12),
    "PBMC 3k": Study("pbmc3k_labelled.h5ad", 1000, 10),
}


class Prepared(NamedTuple):
    """Counts of the modelled genes, their split, and the labels of the cells."""

    counts: sparse.csr_matrix
    library_size: np.ndarray
    split: np.ndarray
    labels: np.ndarray


def open_study(folder: Path, study: Study, *, n_genes: int | None = None, selection: str = "seurat_v3") -> Prepared:
    """Read one study from the folder that holds the files, choose genes, and split the cells with seed 0."""
    from ldvae_core.data.prepare import DataChoices, prepare  # load what a training on prepared counts does not need
    from ldvae_core.data.read import read_counts
    from ldvae_core.data.split import split_cells

    with tempfile.TemporaryDirectory() as scratch:
        whole = read_counts(folder / study.file, Path(scratch) / "counts")
        chosen = prepare(whole, DataChoices(gene_selection=selection, n_genes=n_genes or study.n_genes))
        counts = sparse.csr_matrix(chosen.counts, copy=True)
    labels = chosen.annotations[study.label].astype(str).to_numpy()
    return Prepared(counts, chosen.library_size, split_cells(chosen.n_cells, seed=0), labels)


def simulated_counts(n_cells: int, n_genes: int, *, seed: int) -> sparse.csr_matrix:
    """Poisson counts of gamma-distributed genes and cells: only their number and sparsity matter here."""
    random = np.random.default_rng(seed)
    shares = random.gamma(0.5, 1.0, n_genes)
    blocks = []
    for first in range(0, n_cells, 10_000):
        depth = 300 * random.gamma(2.0, 0.5, (min(10_000, n_cells - first), 1))
        block = random.poisson(depth * shares / shares.sum()).astype(np.uint16)
        block[:, 0] += 1  # no cell without counts
        blocks.append(sparse.csr_matrix(block))
    return sparse.vstack(blocks, format="csr")
