"""Files as people have them: names are known by what columns hold, and one bad item does not spoil the rest."""

import gzip

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from ldvae_core.data.genes import mitochondrial_mask
from ldvae_core.errors import CountsError

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


@pytest.mark.parametrize(
    "kinds", [("mRNA", "AbSeq"), ("rna", "surface protein"), ("Gene Expression", "Blank Codeword")]
)
def test_what_is_counted_beside_genes_is_known_by_its_words(saved, read_here, kinds):
    """Whatever the column is called that tells them apart."""
    var = pd.DataFrame({"type": [kinds[0]] * 30 + [kinds[1]] * 10}, index=list(GENES))
    assert read_here(saved(var=var)).n_genes == 30


def test_a_file_without_genes_is_refused(saved, read_here):
    """Peaks or antibodies alone are no gene expression."""
    var = pd.DataFrame({"feature_types": ["Peaks"] * 40}, index=list(GENES))
    with pytest.raises(CountsError, match="None of the 40 features is gene expression: they are peaks"):
        read_here(saved(var=var))


def test_control_probes_are_left_out_by_name(saved, read_here):
    """MERFISH, CosMx and Xenium count them among the genes, BD Rhapsody its antibodies."""
    odd = ["Blank-1", "NegPrb3", "NegControlProbe_00042", "SystemControl7", "CD4:SK3|CD4|AHS0032|pAbO"]
    counts = read_here(saved(var=pd.DataFrame(index=[*GENES[:35], *odd])))
    assert counts.gene_names.tolist() == list(GENES[:35])
    assert any("5 control probes or antibodies were left out" in notice for notice in counts.notices)


def test_ids_joined_to_symbols_come_apart(saved, read_here):
    """ENSG00000000001_Actb: the symbol names the gene, the id stays beside."""
    ids = [f"ENSMUSG{number:011d}" for number in range(len(GENES))]
    var = pd.DataFrame(index=[f"{key}_{gene}" for key, gene in zip(ids, GENES, strict=True)])
    counts = read_here(saved(var=var))
    assert (counts.gene_names.tolist(), counts.gene_ids.tolist()) == (list(GENES), ids)


def test_ids_are_known_by_what_a_column_holds(saved, read_here):
    """Its name is only a hint."""
    ids = [f"ENSMUSG{number:011d}" for number in range(len(GENES))]
    assert read_here(saved(var=pd.DataFrame({"ensg": ids}, index=list(GENES)))).gene_ids.tolist() == ids


def test_a_symbol_written_as_nan_is_no_symbol(saved, read_here):
    """R and pandas write so where a gene has none: it keeps its id, and the others their symbols."""
    ids = [f"ENSMUSG{number:011d}" for number in range(len(GENES))]
    var = pd.DataFrame({"symbol": [*GENES[:30], *["nan"] * 5, *["NA"] * 5]}, index=ids)
    assert read_here(saved(var=var)).gene_names.tolist() == [*GENES[:30], *ids[30:]]


def test_cells_that_are_only_numbered_take_a_column_of_names(saved, read_here):
    """0, 1, 2 in the index, barcodes beside."""
    obs = pd.DataFrame({"barcode": list(CELLS), "n": 1.0}, index=[str(number) for number in range(len(CELLS))])
    counts = read_here(saved(obs=obs))
    assert counts.cell_ids.tolist() == list(CELLS)
    assert counts.reading.cells_named_by == "barcode"
    assert list(counts.annotations.columns) == ["n"]


def test_dates_among_the_genes_are_said_in_every_form(saved, read_here):
    """As Excel and its exports write MARCHF1."""
    var = pd.DataFrame(index=["1-Mar", "2022-09-02", "2001-03-03 00:00:00", "02.09.2022", *GENES[4:]])
    assert any("4 gene names look like dates" in notice for notice in read_here(saved(var=var)).notices)


@pytest.mark.parametrize("nothing", [np.nan, "", "nan", pd.NA])
def test_an_annotation_without_any_value_is_said(saved, read_here, nothing):
    """It would colour nothing and group nothing."""
    column = pd.Categorical([None] * len(CELLS)) if nothing is pd.NA else [nothing] * len(CELLS)
    counts = read_here(saved(obs=pd.DataFrame({"donor": column, "n": 1.0}, index=list(CELLS))))
    assert "Annotation columns in which every value is missing: donor." in counts.notices


@pytest.mark.parametrize("dtype", [">f4", ">f8", "f2", ">i2", "u1"])
def test_every_number_type_is_read(saved, read_here, molecules, dtype):
    """Half precision and the byte order of other processors, for which scipy has no sparse matrix."""
    path = saved(X=molecules)
    with h5py.File(path, "a") as file:
        del file["X"]
        file["X"] = molecules.astype(dtype)
    assert (read_here(path).counts.toarray() == molecules).all()


@pytest.fixture
def loom(tmp_path):
    """Write a loom file from what it holds: loom(matrix, layers={}, cells=True)."""

    def write(matrix, *, layers=None, cells=True):
        with h5py.File(tmp_path / "cells.loom", "w") as file:
            file["matrix"] = matrix
            file["row_attrs/Gene"] = np.array(GENES, "S")
            file.create_group("col_attrs")
            if cells:
                file["col_attrs/CellID"] = np.array(CELLS, "S")
            for name, layer in (layers or {}).items():
                file[f"layers/{name}"] = layer
        return tmp_path / "cells.loom"

    return write


def test_cells_without_names_are_numbered(loom, read_here, molecules):
    """A loom that names none of its cells is no damaged file."""
    counts = read_here(loom(molecules.T, cells=False))
    assert counts.cell_ids[:2].tolist() == ["0", "1"]
    assert "The file does not name its cells: they are numbered." in counts.notices


def test_any_layer_of_a_loom_may_hold_the_counts(loom, read_here, molecules):
    """But unspliced molecules are not all of them."""
    path = loom(np.log1p(molecules.T) / 3, layers={"unspliced": molecules.T, "my molecules": molecules.T})
    assert read_here(path).counts_from == "layers['my molecules']"


def test_a_packed_file_without_its_ending_is_read(saved, read_here, molecules):
    """And one with the ending that a browser has unpacked."""
    path = saved()
    whole = path.with_name("whole.h5ad.gz")
    whole.write_bytes(path.read_bytes())
    path.write_bytes(gzip.compress(path.read_bytes()))
    for one in (path, whole):
        assert (read_here(one).counts.toarray() == molecules).all()


@pytest.mark.parametrize("form", ["FBgn{:07d}", "WBGene{:08d}", "AT1G{:05d}", "YAL{:03d}W"])
def test_ids_of_any_organism_tell_which_side_holds_the_genes(tmp_path, read_here, molecules, form):
    """Genes along the rows of an .h5ad, cells with names of their own."""
    ids = [form.format(number) for number in range(len(GENES))]
    cells = pd.DataFrame(index=[f"P1_A{number}" for number in range(len(CELLS))])
    anndata.AnnData(molecules.T, obs=pd.DataFrame(index=ids), var=cells).write_h5ad(tmp_path / "x.h5ad")
    assert read_here(tmp_path / "x.h5ad").gene_names.tolist() == ids
