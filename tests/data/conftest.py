"""Small data sets that the tests of reading and preparing share."""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ldvae_core.data.counts import make_count_matrix
from ldvae_core.data.folder import load_counts
from ldvae_core.data.reading_options import ReadingOptions
from ldvae_core.data.reading_process import fill_folder

N_CELLS, N_GENES = 80, 40
GENES = ["Actb", "Gapdh", "Malat1", "Eef1a1", "B2m", "Rps2", "mt-Co1", *(f"Abc{n}" for n in range(N_GENES - 7))]
CELLS = [
    f"{'ACGT' * 3}{'ACGT'[n % 4]}{'ACGT'[n // 4 % 4]}{'ACGT'[n // 16 % 4]}{'ACGT'[n // 64]}-1" for n in range(N_CELLS)
]


@pytest.fixture
def molecules():
    """Counts as an array, 80 cells by 40 genes, none of them empty."""
    counts = np.random.default_rng(0).poisson(1.5, (N_CELLS, N_GENES)).astype(np.float32)
    counts[:, 0] += 1
    return counts


@pytest.fixture
def cell_types():
    return pd.Categorical.from_codes(np.arange(N_CELLS) % 2, ["Erythroid", "Epiblast"])


@pytest.fixture
def matrix(molecules, cell_types):
    """The same as a CountMatrix."""
    obs = pd.DataFrame({"cell_type": cell_types, "depth": molecules.sum(axis=1)})
    return make_count_matrix(molecules, cell_ids=CELLS, gene_names=GENES, annotations=obs)


@pytest.fixture
def adata(molecules, cell_types):
    """The same as AnnData."""
    obs = pd.DataFrame({"cell_type": cell_types}, index=CELLS)
    return anndata.AnnData(sparse.csr_matrix(molecules), obs=obs, var=pd.DataFrame(index=GENES))


@pytest.fixture
def saved(adata, tmp_path):
    """Save the AnnData under a name, after a change: saved("x.h5ad", layers=...)."""

    def save(name="cells.h5ad", **parts):
        for part, value in parts.items():
            setattr(adata, part, value)
        adata.write_h5ad(tmp_path / name, compression="gzip")
        return tmp_path / name

    return save


@pytest.fixture
def read_here(tmp_path_factory):
    """Read a file in this process, without the child that limits it: fast, for files whose refusal comes first."""

    def read(path, **options):
        folder = tmp_path_factory.mktemp("read")
        fill_folder(path, folder, ReadingOptions(**options))
        return load_counts(folder)

    return read
