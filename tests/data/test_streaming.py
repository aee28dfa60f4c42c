"""Files are read piece by piece: in pieces of three cells everything is, to the bit, as in one."""

import gzip
import json
import shutil
import tarfile
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.io import mmwrite

from ldvae_core import durable
from ldvae_core.data import blocks, matrix_market, room, stored, tables, transpose
from ldvae_core.data.choices import DataChoices
from ldvae_core.data.counts import fingerprint_of
from ldvae_core.data.formats import FORMATS, Format
from ldvae_core.data.opened import Candidate, Opened, Side
from ldvae_core.data.prepare import mitochondrial_share, prepare
from ldvae_core.data.read import read_counts
from ldvae_core.data.reading_options import NOTHING_SAID
from ldvae_core.data.reading_process import fill_folder
from ldvae_core.data.stored import DenseStored
from ldvae_core.errors import CountsError

from .conftest import CELLS, GENES
from .hostile.in_archives import write


@pytest.fixture
def in_threes(monkeypatch):
    """Every walk goes in pieces of about three cells, every sorting in files of few entries."""
    monkeypatch.setattr(blocks, "ENTRIES", 90)
    monkeypatch.setattr(stored, "ENTRIES", 90)
    monkeypatch.setattr(stored, "DENSE_BYTES", 500)
    monkeypatch.setattr(stored, "LARGEST_STRIPE_BYTES", 5_000)
    monkeypatch.setattr(matrix_market, "ENTRIES", 90)
    monkeypatch.setattr(transpose, "ENTRIES_OF_BUCKET", 40)
    monkeypatch.setattr(transpose, "HELD", 600)
    monkeypatch.setattr(tables, "VALUES_TOGETHER", 100)


def _csr(adata, path):
    adata.write_h5ad(path / "x.h5ad", compression="gzip")
    return path / "x.h5ad"


def _csc(adata, path):
    adata.X = sparse.csc_matrix(adata.X)
    return _csr(adata, path)


def _dense(adata, path):
    adata.X = adata.X.toarray()
    return _csr(adata, path)


def _tall_pieces(adata, path):
    with h5py.File(_csr(adata, path), "a") as file:
        del file["X"]
        file.create_dataset("X", data=adata.X.toarray(), chunks=(80, 3), compression="gzip")
        file["X"].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    return path / "x.h5ad"


def _zarr(adata, path):
    adata.write_zarr(path / "x.zarr")
    return path / "x.zarr"


def _table(adata, path):
    pd.DataFrame(adata.X.toarray().astype(int), CELLS, GENES).to_csv(path / "x.csv", index_label="cell")
    return path / "x.csv"


def _table_of_genes(adata, path):
    pd.DataFrame(adata.X.toarray().T.astype(int), GENES, CELLS).to_csv(path / "x.tsv", sep="\t", index_label="gene")
    return path / "x.tsv"


def _loom(adata, path):
    with h5py.File(path / "x.loom", "w") as file:
        file["matrix"] = adata.X.toarray().T
        file["row_attrs/Gene"], file["col_attrs/CellID"] = np.array(GENES, "S"), np.array(CELLS, "S")
    return path / "x.loom"


def _folder(adata, path):
    folder = path / "x"
    folder.mkdir()
    mmwrite(folder / "matrix.mtx", sparse.coo_matrix(adata.X.T.astype(int)))
    (folder / "barcodes.tsv").write_text("\n".join(CELLS) + "\n")
    (folder / "features.tsv").write_text("\n".join(f"id{n}\t{gene}" for n, gene in enumerate(GENES)) + "\n")
    return folder


def _tenx_hdf5(adata, path):
    by_cell = sparse.csr_matrix(adata.X).astype(np.int32)
    with h5py.File(path / "x.h5", "w") as file:
        group = file.create_group("matrix")
        group["data"], group["indices"], group["indptr"] = by_cell.data, by_cell.indices, by_cell.indptr
        group["shape"], group["barcodes"] = np.array(adata.shape[::-1]), np.array(CELLS, "S")
        group["features/name"], group["features/id"] = np.array(GENES, "S"), np.array(GENES, "S")
    return path / "x.h5"


WRITERS = [_csr, _csc, _dense, _tall_pieces, _zarr, _table, _table_of_genes, _loom, _folder, _tenx_hdf5]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__.strip("_"))
def test_pieces_of_three_cells_give_the_same_bits(write, adata, tmp_path, read_here, matrix, in_threes):
    """Counts, names, fingerprint, and what was counted on the way, from every kind of source."""
    adata.X = sparse.csr_matrix(adata.X)
    read = read_here(write(adata, tmp_path))
    assert np.array_equal(read.counts.toarray(), matrix.counts.toarray())
    assert read.fingerprint == matrix.fingerprint
    assert read.fingerprint == fingerprint_of(
        read.counts.indptr, read.counts.indices, read.counts.data, read.cell_ids, read.gene_names
    )
    assert np.array_equal(read.library_size, matrix.library_size)
    assert np.array_equal(read.genes_per_cell, matrix.genes_per_cell)
    assert np.array_equal(mitochondrial_share(read), mitochondrial_share(matrix))
    for part in ("genes", "counts", "cells"):
        assert np.array_equal(getattr(read.histogram, part), getattr(matrix.histogram, part))


@pytest.mark.parametrize("method", ["seurat_v3", "variance"])
@pytest.mark.parametrize("batch", [None, "cell_type"])
@pytest.mark.parametrize("least", [0, 55])
def test_what_is_modelled_is_the_same(method, batch, least, saved, read_here, matrix, in_threes):
    """Cells filtered and genes chosen from the file's pieces as from the whole, up to the first training step."""
    choices = DataChoices(n_genes=12, gene_selection=method, batch_column=batch, min_counts=least)
    read, whole = prepare(read_here(saved()), choices), prepare(matrix, choices)
    assert read.fingerprint == whole.fingerprint
    assert np.array_equal(read.whole_library, whole.whole_library)


def test_a_few_cells_with_most_of_the_entries_are_sorted_too(tmp_path, monkeypatch):
    """A file of a bucket that is far larger than meant is gone through several times, never held whole."""
    monkeypatch.setattr(transpose, "ENTRIES_OF_BUCKET", 50)
    rng = np.random.default_rng(3)
    dense = rng.poisson(0.05, (60, 200)).astype(np.uint32)
    dense[7:9] = rng.poisson(4, (2, 200)) + 1
    genes, cells = np.nonzero(dense.T)
    buckets = transpose.Buckets(tmp_path, n_cells=60, n_genes=200, n_entries=300)
    for piece in np.array_split(np.arange(len(cells)), 9):
        buckets.add(cells[piece], genes[piece], dense[cells[piece], genes[piece]])
    assert np.array_equal(sparse.vstack(list(buckets.rows())).toarray(), dense)
    assert list(tmp_path.iterdir()) == []


def test_a_matrix_that_lies_about_its_lines_is_refused(saved, read_here, in_threes):
    """Row starts beyond the values end in words, wherever the piece begins."""
    path = saved()
    with h5py.File(path, "a") as file:
        file["X/indptr"][40] = file["X/indptr"][39] - 1
    with pytest.raises(CountsError, match="row starts of X are out of order"):
        read_here(path)


def test_what_was_written_before_a_fault_is_found_is_removed(saved, read_here, molecules, in_threes):
    """The last cell of X holds a fraction: the layer is read instead, and nothing of X is left."""
    spoiled = molecules.copy()
    spoiled[-1, -1] = 0.5
    read = read_here(saved(X=sparse.csr_matrix(spoiled), layers={"counts": sparse.csr_matrix(molecules)}))
    assert read.counts_from == "layers['counts']"
    assert np.array_equal(read.counts.toarray(), molecules)


def test_fractions_are_rounded_only_when_asked(saved, read_here, molecules):
    """The refusal offers it; then every fraction becomes the nearest whole number, which is said."""
    path = saved(X=sparse.csr_matrix(molecules * 0.93))
    with pytest.raises(CountsError, match="ambient RNA") as refusal:
        read_here(path)
    assert refusal.value.offers == {"round_counts": ()}
    assert "--round" in refusal.value.remedy
    read = read_here(path, round_counts=True)
    assert np.array_equal(read.counts.toarray(), np.rint(molecules * 0.93))
    assert any("were rounded to whole molecules" in notice for notice in read.notices)
    assert "rounded" in read.reading.sentence


def test_whole_counts_are_not_rounded(saved, read_here):
    """The option means nothing for them, and is refused."""
    with pytest.raises(CountsError, match="nothing to round"):
        read_here(saved(), round_counts=True)


@pytest.mark.parametrize(
    "change",
    [np.log1p, lambda x: x / x.sum(1, keepdims=True) * 1e4, lambda x: np.log1p(x / x.sum(1, keepdims=True) * 1e4)],
    ids=["log", "normalised", "log_normalised"],
)
def test_rescaled_values_are_not_rounded(saved, read_here, molecules, change):
    """Whole numbers made of them would be no molecules: neither offered nor done."""
    path = saved(X=sparse.csr_matrix(change(molecules)))
    for options in ({}, {"round_counts": True}):
        with pytest.raises(CountsError, match="They look") as refusal:
            read_here(path, **options)
        assert refusal.value.offers == {}


def test_values_a_hair_from_whole_are_taken(saved, read_here, molecules):
    """What sums in single precision leave is rounded, with a notice; nothing is lost to zero."""
    read = read_here(saved(X=sparse.csr_matrix(molecules * (1 + 1e-5))))
    assert np.array_equal(read.counts.toarray(), molecules)
    assert any("within 0.001 of a whole number" in notice for notice in read.notices)


def test_zeros_and_ones_are_taken_only_where_nothing_else_is(saved, read_here, molecules):
    """X says whether a gene was seen; the layer says how often."""
    seen = sparse.csr_matrix((molecules > 0).astype(np.float32))
    assert read_here(saved(X=seen, layers={"other": sparse.csr_matrix(molecules)})).counts_from == "layers['other']"
    alone = read_here(saved("alone.h5ad", X=seen, layers={}))
    assert alone.counts_from == "X"
    assert any("only 0 and 1" in notice for notice in alone.notices)


def test_the_matrix_can_be_chosen(saved, read_here, molecules):
    """By its place or its layer's name; an unknown name is answered with the known ones."""
    path = saved(layers={"other": sparse.csr_matrix(molecules + 1)})
    for name in ("other", "layers['other']"):
        assert read_here(path, choose=name).counts_from == "layers['other']"
    with pytest.raises(CountsError, match="no 'nothing' to choose") as refusal:
        read_here(path, choose="nothing")
    assert refusal.value.offers == {"choose": ("X", "layers['other']")}


def test_the_sides_can_be_turned(adata, tmp_path, read_here, molecules):
    """Names that tell nothing are read the usual way round, or as is said."""
    table = pd.DataFrame(molecules.astype(int), [f"a{n}" for n in range(80)], [f"b{n}" for n in range(40)])
    table.to_csv(tmp_path / "x.csv")
    assert read_here(tmp_path / "x.csv", genes_in="columns").n_cells == 80
    with pytest.raises(CountsError, match="40 of 40 cells have counts"):
        read_here(tmp_path / "x.csv", genes_in="rows")


def test_a_format_that_knows_its_sides_is_not_turned(adata, tmp_path, read_here):
    """A 10x folder says itself which side holds the genes."""
    with pytest.raises(CountsError, match="cannot be turned"):
        read_here(_folder(adata, tmp_path), genes_in="columns")


def test_the_column_that_names_genes_can_be_chosen(adata, saved, read_here):
    """What a file calls its genes by is said, and can be changed."""
    adata.var["name"] = [f"Gene of {gene}" for gene in GENES]
    path = saved()
    read = read_here(path)
    assert read.reading.genes_named_by == "index"
    assert read.reading.gene_columns == ("index", "name")
    assert read_here(path, genes_named_by="name").gene_names[0] == "Gene of Actb"
    with pytest.raises(CountsError, match="cannot be named by 'no'"):
        read_here(path, genes_named_by="no")


def test_a_sentence_says_it_all(saved, read_here):
    """What a biologist can check."""
    assert read_here(saved()).reading.sentence == (
        "80 cells x 40 genes; genes named by `index`, cells by `index`; counts from X; 1 annotation."
    )


def test_modalities_and_samples_are_chosen(adata, tmp_path, read_here):
    """Of a .h5mu the RNA is read; of two samples in one folder none is guessed."""
    with h5py.File(tmp_path / "x.h5mu", "w") as file:
        for name in ("rna", "prot"):
            adata.write_h5ad(tmp_path / "one.h5ad")
            with h5py.File(tmp_path / "one.h5ad") as one:
                file.copy(one["/"], f"mod/{name}")
    read = read_here(tmp_path / "x.h5mu")
    assert any("'rna' was read" in notice for notice in read.notices)
    assert read.reading.choices == ("rna", "prot")
    folder = _folder(adata, tmp_path)
    for path in list(folder.iterdir()):
        shutil.copy(path, folder / f"s1_{path.name}")
        path.rename(folder / f"s2_{path.name}")
    with pytest.raises(CountsError, match="2 data sets") as refusal:
        read_here(folder)
    assert refusal.value.offers == {"choose": ("s1", "s2")}
    assert read_here(folder, choose="s2_").n_cells == 80


@pytest.mark.parametrize("packing", ["zip", "tar.gz", "h5ad.gz"])
def test_packed_files_are_unpacked(packing, adata, tmp_path, read_here, matrix):
    """A folder of 10x as .zip or .tar.gz, and an .h5ad.gz."""
    if packing == "h5ad.gz":
        path = tmp_path / "y.h5ad.gz"
        path.write_bytes(gzip.compress(_csr(adata, tmp_path).read_bytes()))
    elif packing == "zip":
        path = tmp_path / "y.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in _folder(adata, tmp_path).iterdir():
                archive.write(file, f"run/filtered_feature_bc_matrix/{file.name}")
    else:
        path = tmp_path / "y.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            tar.add(_folder(adata, tmp_path), "filtered_feature_bc_matrix")
    read = read_here(path)
    assert np.array_equal(read.counts.toarray(), matrix.counts.toarray())
    assert read.gene_names.tolist() == GENES


def test_a_packed_file_cannot_lead_out_or_fill_the_disk(tmp_path, read_here):
    """Names with .. are left out; what unpacks to far more than it holds is refused."""
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as archive:
        archive.writestr("../../escaped.csv", "x")
    with pytest.raises(CountsError, match="holds no files"):
        read_here(tmp_path / "out.zip")
    assert not list(tmp_path.parent.glob("escaped*"))
    (tmp_path / "bomb.csv.zip").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "bomb.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.csv", b"0" * 80_000_000)
    with pytest.raises(CountsError, match="far more than its size"):
        read_here(tmp_path / "bomb.csv.zip")


def test_two_genomes_are_a_choice(adata, tmp_path, read_here):
    """Cell Ranger 2 kept a matrix a genome."""
    path = _tenx_hdf5(adata, tmp_path)
    with h5py.File(path, "a") as file:
        file.copy("matrix", "mm10")
        file.move("matrix", "GRCh38")
    with pytest.raises(CountsError, match="GRCh38, mm10"):
        read_here(path)
    assert read_here(path, choose="mm10").n_cells == 80


def test_spliced_counts_of_alevin_fry_are_added_up(adata, tmp_path, read_here, molecules):
    """Where it tells spliced, unspliced and ambiguous molecules, the first and the last are the counts."""
    folder = tmp_path / "alevin"
    folder.mkdir()
    three = np.hstack([molecules, molecules + 5, np.ones_like(molecules)])
    mmwrite(folder / "quants_mat.mtx", sparse.coo_matrix(three.astype(int)))
    (folder / "quants_mat_rows.txt").write_text("\n".join(CELLS))
    names = [*GENES, *(f"{gene}-U" for gene in GENES), *(f"{gene}-A" for gene in GENES)]
    (folder / "quants_mat_cols.txt").write_text("\n".join(names))
    read = read_here(tmp_path)
    assert np.array_equal(read.counts.toarray(), molecules + 1)
    assert any("unspliced ones were left out" in notice for notice in read.notices)


def test_a_disk_without_room_is_told_before(saved, read_here, monkeypatch):
    """With both numbers, before anything is written."""
    monkeypatch.setattr(room, "SLACK", 10**18)
    with pytest.raises(CountsError, match=r"takes up to .* GB .* are free"):
        read_here(saved())


def test_a_reading_says_how_far_it_is_and_can_be_stopped(saved, tmp_path):
    """Stopped at the first look: nothing is loaded, nothing left."""
    into = tmp_path / "store" / "counts"
    with pytest.raises(CountsError, match="was stopped"):
        read_counts(saved(), into, should_stop=lambda: True)
    assert list(into.parent.iterdir()) == []


def test_a_new_format_is_a_row_and_a_module(tmp_path, read_here, monkeypatch, molecules):
    """A toy format: its opener tells where the counts are; everything else is shared."""
    monkeypatch.setattr(
        "ldvae_core.data.formats.FORMATS",
        (*FORMATS, Format("toy", ".toy", "a test", __name__, "open_toy", (".toy",))),
    )
    (tmp_path / "x.toy").write_text(json.dumps(molecules.tolist()))
    read = read_here(tmp_path / "x.toy")
    assert np.array_equal(read.counts.toarray(), molecules)
    assert read.counts_from == "the toy's matrix"


class _Array(np.ndarray):
    chunks = None


def open_toy(path, _opening):
    """The opener of the toy format."""
    counts = np.array(json.loads(path.read_text())).view(_Array)
    cells, genes = Side(pd.DataFrame(index=CELLS)), Side(pd.DataFrame(index=GENES))
    matrix = DenseStored(counts, *counts.shape)
    return Opened((Candidate("the toy's matrix", matrix, rows=lambda: cells, columns=lambda: genes),))


def test_old_layouts_of_anndata_are_read(adata, tmp_path, read_here, molecules):
    """Before 0.7: categories in uns, raw.X and raw.var at the top."""
    path = _csr(adata, tmp_path)
    with h5py.File(path, "a") as file:
        del file["obs/cell_type"]
        file["obs"].create_dataset("cell_type", data=np.arange(80, dtype=np.int8) % 2)
        file.require_group("uns").create_dataset("cell_type_categories", data=np.array(["Epiblast", "Erythroid"], "S"))
        file.move("X", "raw.X")
        file.create_dataset("X", data=np.log1p(molecules))
        file.copy("var", "raw.var")
    read = read_here(path)
    assert read.annotations["cell_type"].tolist()[:2] == ["Epiblast", "Erythroid"]
    assert read.counts_from == "raw.X"


def test_a_column_of_kinds_is_known_by_what_it_holds(adata, saved, read_here):
    """Antibodies are left out whatever the column is called."""
    adata.var["modality"] = ["RNA"] * 30 + ["Protein"] * 10
    assert read_here(saved()).n_genes == 30


@pytest.mark.parametrize("place", ["X", "X/data"])
def test_half_precision_numbers_are_read(place, adata, tmp_path, read_here, molecules):
    """As some save to make files small; dense and sparse."""
    path = (_dense if place == "X" else _csr)(adata, tmp_path)
    with h5py.File(path, "a") as file:
        values, said = file[place][:].astype(np.float16), dict(file[place].attrs)
        del file[place]
        file.create_dataset(place, data=values).attrs.update(said)
    assert (read_here(path).counts.toarray() == molecules).all()


@pytest.mark.parametrize("ending", ["zip", "tar.gz"])
def test_what_is_packed_in_an_archive_is_read_too(ending, adata, tmp_path, read_here, matrix):
    """A packed file, and an archive of it, as GEO has them; not more than some in all."""
    packed = gzip.compress(_csr(adata, tmp_path).read_bytes())
    write(tmp_path / f"one.{ending}", [("x.h5ad.gz", packed)])
    assert read_here(tmp_path / f"one.{ending}").fingerprint == matrix.fingerprint
    write(tmp_path / f"two.{ending}", [(f"one.{ending}", (tmp_path / f"one.{ending}").read_bytes())])
    assert read_here(tmp_path / f"two.{ending}").fingerprint == matrix.fingerprint


@pytest.mark.parametrize("name", [".hidden", "../x.csv", "x.csv"])
def test_what_is_passed_over_in_an_archive_is_counted(name, tmp_path, read_here):
    """A bomb that is never written takes its time all the same."""
    write(tmp_path / "x.tar.gz", [(name, bytes(80_000_000)), ("y.csv", b"a,b")])
    with pytest.raises(CountsError, match=r"x\.tar\.gz unpacks to far more than its size"):
        read_here(tmp_path / "x.tar.gz")


def test_no_large_file_is_mapped_while_it_is_read(saved, tmp_path, monkeypatch):
    """A map takes address space, of which the reading process has no more than its limit."""
    mapped = []
    real = durable.read_array
    monkeypatch.setattr(durable, "read_array", lambda path: (mapped.append(path.name), real(path))[1])
    (tmp_path / "into").mkdir()
    fill_folder(saved(), tmp_path / "into", NOTHING_SAID)
    assert set(mapped) <= {"cell_ids.npy", "gene_names.npy"}
