"""How long one gene of a data set takes: `python -m benchmarks.any_gene --folder FOLDER`, or with `--cells 2000000`.

Writes counts and the index by gene as the reader does (about 9 bytes a count that is not zero), then asks for genes in
this process: with the index, and by a pass over the rows. FOLDER is outside the repository; what is there is reused.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core.data.by_gene import FOLDER, gene_columns
from ldvae_core.data.folder import load_counts, write_about, write_names
from ldvae_core.data.store import CountsWriter
from ldvae_core.data.tallies import Tallies

N_CELLS, N_GENES = 200_000, 26_000
DETECTED = 520  # genes of a cell, about 2%
PIECE = 20_000  # cells written together
SEED = 0


def write(folder: Path, n_cells: int) -> None:
    """Cells whose genes are the likelier the smaller their number, most of them rare as in real data."""
    folder.mkdir(parents=True)
    rng, writer = np.random.default_rng(SEED), CountsWriter(folder, N_GENES, by_gene=True)
    likely = 1 / (np.arange(N_GENES) + 400.0)
    edges = np.cumsum(likely / likely.sum())
    for start in range(0, n_cells, PIECE):
        n = min(PIECE, n_cells - start)
        genes = np.searchsorted(edges[:-1], rng.random((n, DETECTED)))
        values = rng.geometric(0.6, genes.size).astype(np.uint32)
        writer.append(sparse.csr_matrix((values, genes.ravel(), np.arange(n + 1) * DETECTED), shape=(n, N_GENES)))
    Tallies.write(folder, writer.close())
    write_names(
        folder,
        cell_ids=np.char.add("cell-", np.arange(n_cells).astype(str)),
        gene_names=np.char.add("Gene", np.arange(N_GENES).astype(str)),
        gene_ids=None,
        annotations=pd.DataFrame(index=range(n_cells)),
    )
    write_about(folder, n_cells=n_cells, n_genes=N_GENES, counts_from="X", notices=[], about={}, fingerprint="none")


def forget(folder: Path) -> None:
    """Have the system drop what it holds of the index in memory, where it can: the disk is part of the figures."""
    if hasattr(os, "posix_fadvise"):
        for path in (folder / FOLDER).iterdir():
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    """Write it where it is not there, then say the seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="a folder outside the repository")
    parser.add_argument("--cells", type=int, default=N_CELLS)
    asked = parser.parse_args()
    folder = asked.folder / f"genes-{asked.cells}"
    if not (folder / "about.json").exists():
        before = time.perf_counter()
        write(folder, asked.cells)
        print(f"written in {time.perf_counter() - before:,.0f} s")
    forget(folder)
    matrix = load_counts(folder)
    print(f"{matrix.n_cells:,} cells, {matrix.counts.nnz:,} counts that are not zero")
    asked_for = {"the commonest gene, first asked": [0], "the commonest gene again": [0], "another gene": [1_000],
                 "a rare gene": [N_GENES - 1], "50 genes": list(range(100, 5_100, 100))}  # fmt: skip
    for words, genes in asked_for.items():
        before = time.perf_counter()
        found = matrix.gene_counts(genes)
        print(f"{words}: {time.perf_counter() - before:.3f} s, {found.nnz:,} counts")
    before = time.perf_counter()
    again = gene_columns(matrix.counts, genes)
    seconds, same = time.perf_counter() - before, abs(again - found).nnz == 0
    print(f"50 genes by a pass over the rows: {seconds:.3f} s, the same counts: {same}")


if __name__ == "__main__":
    main()
