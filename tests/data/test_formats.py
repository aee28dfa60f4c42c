"""The table of formats: every row of it is in the documentation, and can be read."""

import gzip
import zipfile
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.io import mmwrite

from ldvae_core.data.formats import FORMATS, format_of
from ldvae_core.errors import CountsError

from .conftest import CELLS, GENES

DOCUMENT = Path(__file__).parents[2] / "docs/formats.md"


def _tenx(file, adata):
    rows = sparse.csr_matrix(adata.X).astype(np.int32)
    for name, values in (("data", rows.data), ("indices", rows.indices), ("indptr", rows.indptr)):
        file[f"matrix/{name}"] = values
    file["matrix/shape"] = np.array(rows.shape[::-1])
    file["matrix/barcodes"] = np.array(CELLS, "S")
    file["matrix/features/name"] = file["matrix/features/id"] = np.array(GENES, "S")


def _loom(file, adata):
    file["matrix"] = adata.X.toarray().T
    file["row_attrs/Gene"], file["col_attrs/CellID"] = np.array(GENES, "S"), np.array(CELLS, "S")


def _mudata(path, adata):
    adata.write_h5ad(path.with_suffix(".h5ad"))
    with h5py.File(path, "w") as file, h5py.File(path.with_suffix(".h5ad")) as one:
        file.copy(one["/"], "mod/rna")


def _folder(path, adata, matrix, cells, genes, *, by_cell):
    path.mkdir()
    mmwrite(path / matrix, sparse.coo_matrix(adata.X if by_cell else adata.X.T).astype(int))
    for name, lines in (cells, genes):
        (path / name).write_text("\n".join(lines) + "\n")


def _hdf5(path, fill, adata):
    with h5py.File(path, "w") as file:
        fill(file, adata)


def _gzipped(path, adata):
    adata.write_h5ad(path.with_suffix(""))
    path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))


def _zipped(path, adata):
    adata.write_h5ad(path.with_suffix(".h5ad"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.with_suffix(".h5ad"), "cells.h5ad")


PARSE = (
    ("cell_metadata.csv", ["bc_wells", *CELLS]),
    ("all_genes.csv", ["gene_id,gene_name", *(f"{g},{g}" for g in GENES)]),
)
KALLISTO = (("cells_x_genes.barcodes.txt", CELLS), ("cells_x_genes.genes.txt", GENES))
ALEVIN = (("quants_mat_rows.txt", CELLS), ("quants_mat_cols.txt", GENES))
TENX = (("barcodes.tsv", CELLS), ("features.tsv", [f"{gene}\t{gene}" for gene in GENES]))
WRITERS = {  # format: name of the file or folder, what writes it
    "AnnData": ("x.h5ad", lambda path, adata: adata.write_h5ad(path)),
    "MuData": ("x.h5mu", _mudata),
    "10x HDF5": ("x.h5", lambda path, adata: _hdf5(path, _tenx, adata)),
    "loom": ("x.loom", lambda path, adata: _hdf5(path, _loom, adata)),
    "Packed HDF5": ("x.h5ad.gz", _gzipped),
    "AnnData in zarr": ("x.zarr", lambda path, adata: adata.write_zarr(path)),
    "Packed folder": ("x.zip", _zipped),
    "Text table": (
        "x.csv",
        lambda path, adata: pd.DataFrame(adata.X.toarray(), CELLS, GENES).astype(int).to_csv(path),
    ),
    "Parse Biosciences": ("x", lambda path, adata: _folder(path, adata, "count_matrix.mtx", *PARSE, by_cell=True)),
    "kallisto bustools": ("x", lambda path, adata: _folder(path, adata, "cells_x_genes.mtx", *KALLISTO, by_cell=True)),
    "alevin-fry": ("x", lambda path, adata: _folder(path, adata, "quants_mat.mtx", *ALEVIN, by_cell=True)),
    "10x folder": ("x", lambda path, adata: _folder(path, adata, "matrix.mtx", *TENX, by_cell=False)),
    "Matrix Market folder": ("x", lambda path, adata: _folder(path, adata, "spliced.mtx", *TENX, by_cell=False)),
}


@pytest.mark.parametrize("one", FORMATS, ids=lambda one: one.name)
def test_every_row_is_documented_and_can_be_read(one, adata, tmp_path, read_here, matrix):
    """What the page promises, the reader does."""
    row = f"| {one.name} | {one.files} | {one.written_by} | {one.named_by} |"
    assert row in DOCUMENT.read_text(encoding="utf-8").splitlines()
    name, write = WRITERS[one.name]
    write(tmp_path / name, anndata.AnnData(adata.X, obs=pd.DataFrame(index=CELLS), var=pd.DataFrame(index=GENES)))
    assert format_of(tmp_path / name) == one
    assert read_here(tmp_path / name).fingerprint == matrix.fingerprint


def test_the_page_promises_no_other():
    """A format that was taken out leaves the page, too."""
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert len(rows) == len(FORMATS) + 1


@pytest.mark.parametrize(
    ("name", "remedy"), [("x.rds", "In R"), ("x.xlsx", "as CSV"), ("x.mtx", "folder it lies in"), ("x.bam", "reads")]
)
def test_the_remedy_fits_the_kind_of_file(tmp_path, name, remedy):
    """Not a list of endings alone."""
    with pytest.raises(CountsError, match=remedy):
        format_of(tmp_path / name)
