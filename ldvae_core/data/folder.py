"""A CountMatrix as a folder of memory-mapped arrays, so that opening two million cells costs nothing."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core import durable
from ldvae_core.data.counts import CountMatrix
from ldvae_core.errors import CountsError

FORMAT_VERSION = 1
WHOLE_LIBRARY = "whole_library.npy"  # beside the others since 2026-11; older folders, and data sets, have none


def save_counts(matrix: CountMatrix, folder: Path) -> None:
    """Write `folder` in one step (see durable.write_folder); an existing one is replaced only by a whole one."""
    durable.write_folder(folder, lambda part: fill_counts(matrix, part))


def fill_counts(matrix: CountMatrix, folder: Path) -> None:
    """Write the files of a CountMatrix into an existing folder."""
    durable.write_array(folder / "counts_data.npy", matrix.counts.data)
    durable.write_array(folder / "counts_indices.npy", matrix.counts.indices)
    durable.write_array(folder / "counts_indptr.npy", matrix.counts.indptr)
    durable.write_array(folder / "cell_ids.npy", matrix.cell_ids)
    durable.write_array(folder / "gene_names.npy", matrix.gene_names)
    if matrix.gene_ids is not None:
        durable.write_array(folder / "gene_ids.npy", matrix.gene_ids)
    if matrix.whole_library is not None:
        durable.write_array(folder / WHOLE_LIBRARY, matrix.whole_library)
    durable.write_table(folder / "annotations.parquet", matrix.annotations.reset_index(drop=True))
    about = {
        "format_version": FORMAT_VERSION,
        "n_cells": matrix.n_cells,
        "n_genes": matrix.n_genes,
        "counts_from": matrix.counts_from,
        "notices": list(matrix.notices),
        "about": matrix.about,
        "fingerprint": matrix.fingerprint,
    }
    durable.write_json(folder / "about.json", about)


def load_counts(folder: Path) -> CountMatrix:
    """Open what save_counts wrote; counts and names stay on disk until they are used.

    Raises RunError when a file is missing or damaged, CountsError when the parts do not fit or the format is newer.
    """
    about = durable.read_json(folder / "about.json")
    if about.get("format_version") != FORMAT_VERSION:
        raise CountsError(
            f"{folder.name} has format {about.get('format_version')}; this program reads {FORMAT_VERSION}.",
            "Update the program, or load the data set again.",
        )
    data, indices, indptr, cell_ids, gene_names = (
        durable.read_array(folder / f"{name}.npy")
        for name in ("counts_data", "counts_indices", "counts_indptr", "cell_ids", "gene_names")
    )
    ids_path = folder / "gene_ids.npy"
    gene_ids = np.asarray(durable.read_array(ids_path)) if ids_path.exists() else None
    whole_library = durable.read_array(folder / WHOLE_LIBRARY) if (folder / WHOLE_LIBRARY).exists() else None
    annotations = durable.read_table(folder / "annotations.parquet")
    shape = (about["n_cells"], about["n_genes"])
    if annotations.shape[1] == 0:  # a table without columns forgets how many rows it has
        annotations = pd.DataFrame(index=range(shape[0]))
    lengths = (len(cell_ids), len(annotations), len(indptr) - 1, len(gene_names), len(indices))
    if lengths != (shape[0], shape[0], shape[0], shape[1], len(data)) or indptr[-1] != len(data):
        raise CountsError(f"The parts of {folder.name} do not fit together.", "Load the data set again.")
    if whole_library is not None and (whole_library.shape != shape[:1] or not (whole_library > 0).all()):
        raise CountsError(f"The library sizes in {folder.name} do not fit its cells.", "Load the data set again.")
    counts = sparse.csr_matrix((data, indices, indptr), shape=shape)
    counts.has_canonical_format = True  # it was when it was saved; asking scipy would read the whole file
    return CountMatrix(
        counts=counts,
        cell_ids=np.asarray(cell_ids),
        gene_names=np.asarray(gene_names),
        gene_ids=gene_ids,
        annotations=annotations.set_axis(pd.Index(cell_ids, dtype=object)),
        counts_from=about["counts_from"],
        notices=tuple(about["notices"]),
        about=dict(about["about"]),
        whole_library=whole_library,
    )
