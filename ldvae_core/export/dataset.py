"""Counts with names and annotations as .h5ad, without any run."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from anndata.io import write_elem

import ldvae_core
from ldvae_core.analysis.sums import ReportShare, ignore_share
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.stored_names import encode
from ldvae_core.data.stored_types import storable_text
from ldvae_core.export.file import new_h5ad, write_counts, write_positions
from ldvae_core.export.tables import respelt, write_table


def write_dataset(matrix: CountMatrix, path: Path, *, report: ReportShare = ignore_share) -> None:
    """Write a data set as .h5ad, in one step: an existing file is replaced only by a whole one.

    X and layers["counts"]: counts; obs: annotations; var: gene_ids where known; obsm: maps; uns["ldvae"]: what was
    changed on the way. Raises RunError when the disk or the folder refuses.
    """
    genes = pd.DataFrame(index=pd.Index(matrix.gene_names.astype(object)))
    if matrix.gene_ids is not None:
        genes["gene_ids"] = matrix.gene_ids.astype(object)
    with new_h5ad(path) as new:
        write_counts(new, matrix.counts, report=report)
        write_table(new.file, "obs", matrix.annotations)
        write_table(new.file, "var", genes)
        for name, places in matrix.maps.items():
            write_positions(new, encode(name), places)
        _write_about(new.file, matrix)


def _write_about(file: h5py.File, matrix: CountMatrix) -> None:
    write_elem(file, "uns", {"ldvae": {"version": ldvae_core.__version__}})
    notices = np.array([storable_text(notice) for notice in matrix.notices], dtype=object)
    if len(notices):
        write_elem(file["uns/ldvae"], "notices", notices)
    for key, table in respelt(matrix.annotations).items():
        write_table(file["uns/ldvae"], key, table)
