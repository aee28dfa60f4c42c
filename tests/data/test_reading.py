"""Every format becomes the same counts; where they stood, and what was changed, is said."""

import gzip
import json
import re

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.io import mmwrite

from ldvae_core.data.formats import format_of
from ldvae_core.errors import CountsError

from .conftest import CELLS, GENES


def holds(read, matrix):
    """Whether the counts and both names are those of the fixture."""
    same = np.array_equal(read.counts.toarray(), matrix.counts.toarray())
    return same and read.cell_ids.tolist() == CELLS and read.gene_names.tolist() == GENES


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_matrix, np.asarray], ids=["csr", "csc", "dense"])
def test_an_h5ad_is_read_however_its_matrix_is_stored(saved, read_here, matrix, molecules, make):
    """CSR, CSC and dense X give the same counts, with the annotations beside."""
    read = read_here(saved(X=make(molecules)))
    assert holds(read, matrix)
    assert read.counts_from == "X"
    assert read.annotations["cell_type"].tolist() == matrix.annotations["cell_type"].tolist()


@pytest.mark.parametrize("layer", ["counts", "raw_counts", "UMI", "spliced", "whatever"])
def test_counts_are_found_in_a_layer_when_x_is_normalised(saved, read_here, molecules, matrix, layer):
    """The notice says where they were taken from and why not from X."""
    read = read_here(saved(X=np.log1p(molecules), layers={layer: sparse.csr_matrix(molecules)}))
    assert holds(read, matrix)
    assert read.counts_from == f"layers['{layer}']"
    assert read.notices[0] == f"Counts were taken from layers['{layer}']: X holds no raw counts."


def test_counts_are_found_in_raw(adata, tmp_path, read_here, matrix, molecules):
    """raw holds more genes than X; its own names are used."""
    adata.raw = adata.copy()
    adata = adata[:, :20].copy()
    adata.X = np.log1p(molecules[:, :20])
    adata.write_h5ad(tmp_path / "raw.h5ad")
    read = read_here(tmp_path / "raw.h5ad")
    assert holds(read, matrix)
    assert read.counts_from == "raw.X"


def test_counts_named_so_win_over_other_layers(saved, read_here, molecules, matrix):
    """A layer of whole numbers that is not named for counts comes last."""
    layers = {"ambiguous": sparse.csr_matrix(molecules + 1), "counts": sparse.csr_matrix(molecules)}
    assert read_here(saved(X=np.log1p(molecules), layers=layers)).counts_from == "layers['counts']"


def test_a_file_without_raw_counts_says_what_was_found_where(saved, read_here, molecules):
    """The faults of X, what was done to it, and every place looked at."""
    scaled = np.log1p(molecules / molecules.sum(1, keepdims=True) * 1e4)
    with pytest.raises(CountsError, match="entries in X are not whole numbers") as refusal:
        read_here(saved(X=scaled, layers={"scaled": scaled - 1}))
    assert "log-normalised (log(1 + x), every cell brought to a total of 10,000)" in str(refusal.value)
    assert "No raw counts were found in: X, layers['scaled']." in str(refusal.value)


def test_one_fault_in_the_last_entry_is_found(saved, read_here, molecules):
    """The whole matrix is looked at, not its beginning."""
    molecules[-1, -1] = np.nan
    with pytest.raises(CountsError, match="1 of 3,200 entries in X is not a number"):
        read_here(saved(X=molecules))


def test_ensembl_ids_become_symbols_on_screen(saved, read_here):
    """With a column of symbols these are the names, and the ids are kept; a gene without symbol keeps its id."""
    ids = [f"ENSMUSG{n:011d}" for n in range(len(GENES))]
    read = read_here(saved(var=pd.DataFrame({"feature_name": ["", *GENES[1:]]}, index=ids)))
    assert read.gene_names.tolist() == [ids[0], *GENES[1:]]
    assert read.gene_ids.tolist() == ids


def test_ids_beside_symbols_are_kept(saved, read_here):
    """A column gene_ids next to symbols, as scanpy writes it."""
    read = read_here(saved(var=pd.DataFrame({"gene_ids": [f"E{n}" for n in range(len(GENES))]}, index=GENES)))
    assert read.gene_ids[:2].tolist() == ["E0", "E1"]


def test_a_transposed_file_is_turned_around(adata, tmp_path, read_here, matrix):
    """Rows with gene names and columns with barcodes: cells are the columns, and it is said."""
    adata.T.copy().write_h5ad(tmp_path / "turned.h5ad")
    read = read_here(tmp_path / "turned.h5ad")
    assert holds(read, matrix)
    assert "turned around" in read.notices[0]


def test_features_that_are_no_genes_are_left_out(saved, read_here):
    """Antibodies in a CITE-seq file are counted in a notice."""
    kinds = ["Gene Expression"] * 35 + ["Antibody Capture"] * 5
    read = read_here(saved(var=pd.DataFrame({"feature_types": kinds}, index=GENES)))
    assert read.n_genes == 35
    assert "5 features are not gene expression" in read.notices[0]


def test_a_damaged_annotation_column_does_not_lose_the_counts(saved, read_here, matrix):
    """The column is left out by name, the rest is read."""
    path = saved()
    with h5py.File(path, "a") as file:
        file["obs/cell_type/codes"][:] = 99
    read = read_here(path)
    assert holds(read, matrix)
    assert read.notices == ("Annotation columns that could not be read were left out: cell_type.",)


def test_old_encodings_are_read(tmp_path, read_here, molecules, matrix):
    """obs and var as one dataset of records, X without an encoding: as anndata wrote before 0.7."""
    with h5py.File(tmp_path / "old.h5ad", "w") as file:
        file["X"] = molecules
        texts = np.array([(name.encode(), n) for n, name in enumerate(CELLS)], dtype=[("index", "S20"), ("n", "i8")])
        file["obs"] = texts
        file["var"] = np.array([(name.encode(),) for name in GENES], dtype=[("index", "S20")])
    read = read_here(tmp_path / "old.h5ad")
    assert holds(read, matrix)
    assert read.annotations["n"].tolist() == list(range(80))


@pytest.mark.filterwarnings("ignore::anndata.OldFormatWarning")  # it is what this test is about
def test_categories_of_older_files_are_read(tmp_path, read_here, matrix, molecules):
    """Codes that point at __categories, as anndata wrote before 0.8."""
    with h5py.File(tmp_path / "old.h5ad", "w") as file:
        file["X"] = molecules
        for axis, names in (("obs", CELLS), ("var", GENES)):
            file[f"{axis}/_index"] = np.array(names, dtype=object)
            file[axis].attrs.update({"_index": "_index", "encoding-type": "dataframe", "encoding-version": "0.1.0"})
            file[axis].attrs["column-order"] = np.array(["type"] if axis == "obs" else [], dtype=h5py.string_dtype())
        file["obs/type"] = np.arange(80, dtype=np.int8) % 2
        file["obs/__categories/type"] = np.array(["a", "b"], dtype=object)
        file["obs/type"].attrs["categories"] = file["obs/__categories/type"].ref
    assert read_here(tmp_path / "old.h5ad").annotations["type"].tolist()[:3] == ["a", "b", "a"]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize("version", [2, 3])
def test_a_10x_folder_is_read(tmp_path, read_here, matrix, molecules, version, packed):
    """Genes by cells in matrix.mtx, with genes.tsv (v2) or features.tsv (v3); antibodies of v3 are left out."""
    extra = [("AB1", "CD3", "Antibody Capture")] if version == 3 else []
    genes = [(f"ID{n}", name, "Gene Expression")[:version] for n, name in enumerate(GENES)] + extra
    folder = ten_x_folder(tmp_path, np.hstack([molecules, *[molecules[:, :1]] * len(extra)]), genes, packed)
    read = read_here(folder)
    assert holds(read, matrix)
    assert read.gene_ids[1] == "ID1"


def ten_x_folder(folder, counts, genes, packed):
    """Write the three files; `genes` are the rows of the features."""
    mmwrite(folder / "matrix.mtx", sparse.coo_matrix(counts.T.astype(int)))
    (folder / "barcodes.tsv").write_text("".join(f"{name}\n" for name in CELLS))
    name = "genes.tsv" if len(genes[0]) == 2 else "features.tsv"
    (folder / name).write_text("".join("\t".join(row) + "\n" for row in genes))
    for path in list(folder.iterdir()) if packed else []:
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    return folder


def test_a_10x_folder_without_its_barcodes_says_so(tmp_path, read_here, molecules):
    """The missing file is named."""
    folder = ten_x_folder(tmp_path, molecules, [(g, g) for g in GENES], packed=False)
    (folder / "barcodes.tsv").unlink()
    with pytest.raises(CountsError, match=r"holds no barcodes\.tsv or barcodes\.tsv\.gz, so it is not a 10x folder"):
        read_here(folder)


def test_a_10x_matrix_that_declares_more_than_it_holds_is_refused(tmp_path, read_here, molecules):
    """Nothing is allocated for a header of a million million entries."""
    folder = ten_x_folder(tmp_path, molecules, [(g, g) for g in GENES], packed=False)
    text = (folder / "matrix.mtx").read_text()
    (folder / "matrix.mtx").write_text(re.sub(r"\n40 80 \d+\n", "\n40 80 1000000000000\n", text))
    with pytest.raises(CountsError, match="declares 1,000,000,000,000 entries, more than it can hold"):
        read_here(folder)


@pytest.mark.parametrize("version", [2, 3])
def test_a_10x_h5_is_read(tmp_path, read_here, matrix, molecules, version):
    """Cell Ranger v2 (a group per genome) and v3 (group matrix, features)."""
    counts = sparse.csr_matrix(molecules.astype(np.int32))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        group = file.create_group("mm10" if version == 2 else "matrix")
        group.update({"data": counts.data, "indices": counts.indices, "indptr": counts.indptr})
        group.update({"shape": [40, 80], "barcodes": np.array(CELLS, dtype="S")})
        names = (
            {"gene_names": GENES, "genes": GENES} if version == 2 else {"features/name": GENES, "features/id": GENES}
        )
        group.update({key: np.array(value, dtype="S") for key, value in names.items()})
    assert holds(read_here(tmp_path / "x.h5"), matrix)


def test_a_loom_is_read(tmp_path, read_here, matrix, molecules):
    """Genes are rows, cells columns; column attributes become annotations."""
    with h5py.File(tmp_path / "x.loom", "w") as file:
        file["matrix"] = molecules.T
        file["row_attrs/Gene"] = np.array(GENES, dtype="S")
        file["col_attrs/CellID"] = np.array(CELLS, dtype="S")
        file["col_attrs/ClusterName"] = np.array(["a", "b"] * 40, dtype="S")
        file.create_group("layers")
    read = read_here(tmp_path / "x.loom")
    assert holds(read, matrix)
    assert read.annotations["ClusterName"].tolist()[:2] == ["a", "b"]


@pytest.mark.filterwarnings("ignore:Writing zarr v2:UserWarning")  # anndata's own default for writing
def test_a_zarr_folder_is_read(adata, tmp_path, read_here, matrix):
    """AnnData saved with write_zarr."""
    adata.write_zarr(tmp_path / "x.zarr")
    assert holds(read_here(tmp_path / "x.zarr"), matrix)


@pytest.mark.parametrize("turned", [False, True], ids=["cells_by_genes", "genes_by_cells"])
@pytest.mark.parametrize(("name", "separator"), [("x.csv", ","), ("x.tsv.gz", "\t"), ("x.csv.gz", ";")])
def test_a_text_table_is_read_whichever_way_it_lies(tmp_path, read_here, matrix, molecules, turned, name, separator):
    """Names tell cells from genes; the notice says which side was taken for which."""
    table = pd.DataFrame(molecules.astype(int), index=CELLS, columns=GENES)
    (table.T if turned else table).to_csv(tmp_path / name, sep=separator)
    read = read_here(tmp_path / name)
    assert holds(read, matrix)
    assert read.notices[0].startswith(f"Read as a table whose rows are {'genes' if turned else 'cells'}")


def test_text_columns_of_a_table_become_annotations(tmp_path, read_here, matrix, molecules):
    """A column of words beside the counts describes the cells."""
    table = pd.DataFrame(molecules.astype(int), index=CELLS, columns=GENES)
    table.insert(3, "cell_type", ["a", "b"] * 40)
    table.to_csv(tmp_path / "x.csv")
    read = read_here(tmp_path / "x.csv")
    assert holds(read, matrix)
    assert read.annotations["cell_type"].tolist()[:2] == ["a", "b"]


def test_a_table_as_r_writes_it_is_read(tmp_path, read_here, matrix, molecules):
    """write.table leaves the corner out: the header has one name fewer than the rows."""
    rows = pd.DataFrame(molecules.T.astype(int), index=GENES).to_csv(sep="\t", header=False)
    (tmp_path / "x.txt").write_text("\t".join(CELLS) + "\n" + rows)
    assert holds(read_here(tmp_path / "x.txt"), matrix)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"a,b\n",
        b"a,b\nx,1,2,3\n",
        b"\xff\xfe\x00a,b\n1,2\n",
        b"gene,c1\nActb,one\n",
        b"a,b\n\x00,\x00\n",
    ],
    ids=["empty", "one_word", "header_only", "ragged", "not_utf8", "words", "nul"],
)
def test_what_is_no_table_is_refused_in_words(tmp_path, read_here, content):
    """Any text file gives a CountsError, never a library's error."""
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(CountsError):
        read_here(tmp_path / "x.csv")


@pytest.mark.parametrize("name", ["x.rds", "x.pkl", "x.xlsx", "x", "x.h5ad.txt.rar"])
def test_other_kinds_are_refused_with_a_list_of_what_can_be_read(tmp_path, name):
    """The remedy lists the formats."""
    with pytest.raises(CountsError, match=r"of a kind that cannot be read.*Readable: \.h5ad, a 10x folder"):
        format_of(tmp_path / name)


@pytest.mark.parametrize(
    ("colours", "kept"),
    [
        (["#aa1122", "#00FF00FF"], {"Erythroid": "#AA1122", "Epiblast": "#00FF00"}),
        (["red", "#00ff00"], {"Epiblast": "#00FF00"}),
        (["#aa1122"], {}),
        ([1.0, 2.0], {}),
        (["<img src=x>", "javascript:"], {}),
    ],
    ids=["with an alpha channel", "one in words", "too few", "numbers", "hostile"],
)
def test_the_files_own_colours_are_kept_by_category(saved, read_here, colours, kept):
    """uns["cell_type_colors"] stands in the order of the categories; what is no #RRGGBB is left out."""
    read = read_here(saved(uns={"cell_type_colors": np.array(colours)}))
    assert json.loads(read.about.get("colours", "{}")).get("cell_type", {}) == kept
