"""Files as people have them: names are known by what columns hold, and one bad item does not spoil the rest."""

import h5py
import numpy as np
import pandas as pd
import pytest

from ldvae_core.data.genes import mitochondrial_mask

from .conftest import CELLS, GENES


@pytest.mark.parametrize("column", ["features", "gene_name", "Symbol", "what_they_are_called"])
@pytest.mark.parametrize("index", ["number", "fly id", "human id"])
def test_a_column_of_symbols_names_the_genes(saved, read_here, column, index):
    """Whatever the column is called, and whatever stands in the index instead of symbols."""
    form = {"number": "{}", "fly id": "FBgn{:07d}", "human id": "ENSG{:011d}"}[index]
    keys = [form.format(number) for number in range(len(GENES))]
    var = pd.DataFrame({"genome": "GRCh38", "length": 900.0, column: list(GENES)}, index=keys)
    counts = read_here(saved(var=var))
    assert counts.gene_names.tolist() == list(GENES)
    assert (counts.gene_ids is None) == (index == "number")
    assert any(f"named by the column '{column}'" in notice for notice in counts.notices)


def test_symbols_in_the_index_stay(saved, read_here):
    """A second column of distinct text does not take their place."""
    var = pd.DataFrame({"description": [f"a gene called {gene}" for gene in GENES]}, index=list(GENES))
    assert read_here(saved(var=var)).gene_names.tolist() == list(GENES)


def test_antibodies_are_left_out_in_every_spelling(saved, read_here):
    """GEX and ADT instead of Gene Expression and Antibody Capture."""
    var = pd.DataFrame({"feature_types": ["GEX"] * 30 + ["ADT"] * 10}, index=list(GENES))
    assert read_here(saved(var=var)).n_genes == 30


def test_names_with_a_slash_are_read(saved, read_here, molecules):
    """HDF5 takes "/" for a path: the annotation and the layer lie in groups of their own."""
    obs = pd.DataFrame({"CD4_CD8": pd.Categorical(["a", "b"] * (len(CELLS) // 2))}, index=list(CELLS))
    path = saved(X=np.log1p(molecules) / 3, obs=obs)
    with h5py.File(path, "a") as file:
        file["obs"].move("CD4_CD8", "CD4/CD8")
        file["obs"].attrs["column-order"] = ["CD4/CD8"]
        file.create_dataset("layers/RNA/counts", data=molecules)
    counts = read_here(path)
    assert counts.counts_from == "layers['RNA/counts']"
    assert counts.annotations["CD4/CD8"].tolist() == ["a", "b"] * (len(CELLS) // 2)


def test_one_unusable_column_name_leaves_the_others(saved, read_here):
    """A line break in one name had dropped all annotations."""
    obs = pd.DataFrame({"good": ["x"] * len(CELLS), "Age\n(years)": 5.0}, index=list(CELLS))
    counts = read_here(saved(obs=obs))
    assert list(counts.annotations.columns) == ["good"]
    assert any("cannot be shown were left out: Age" in notice for notice in counts.notices)


def test_mitochondrial_genes_are_known_in_every_spelling():
    """By symbol, after a genome's name, with a dot, and by Ensembl id with or without version."""
    names = ["mt-Co1", "MT-ND1", "GRCh38_MT-CO1", "mm10___mt-Nd1", "MT.CO1", "ENSG00000198804", "ENSMUSG00000064351.1"]
    others = ["MTOR", "GRCh38_MTOR", "MT1X", "Mt.1", "ENSG00000198805", "AMT-1"]
    assert mitochondrial_mask(np.array(names + others)).tolist() == [True] * len(names) + [False] * len(others)
