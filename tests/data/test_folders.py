"""Folders of sparse matrices as people have them: copied from a Mac, saved by R or Excel, written by other tools."""

import gzip
import tarfile

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.io import mmwrite

from ldvae_core.errors import CountsError

from .conftest import CELLS, GENES
from .hostile.samples import SAMPLES

LINES = [f"ID{n}\t{name}\tGene Expression" for n, name in enumerate(GENES)]


@pytest.fixture
def written(tmp_path, molecules):
    """Write a folder: written({name: lines}, matrix="matrix.mtx", counts=genes x cells); the defaults are 10x's."""

    def write(files=None, *, matrix="matrix.mtx", counts=None, folder="sample"):
        place = tmp_path / folder
        place.mkdir(parents=True, exist_ok=True)
        mmwrite(place / matrix, sparse.coo_matrix(molecules.T.astype(int) if counts is None else counts))
        for name, lines in (files or {"barcodes.tsv": CELLS, "features.tsv": LINES}).items():
            (place / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return place

    return write


def same(read, matrix):
    return read.fingerprint == matrix.fingerprint


def test_the_companions_that_a_mac_writes_are_passed_over(written, read_here, matrix):
    """A zip or stick from a Mac holds a ._ file beside every file."""
    folder = written()
    for path in list(folder.iterdir()):
        (folder / f"._{path.name}").write_bytes(b"\x00\x05\x16\x07")
    assert same(read_here(folder), matrix)


def test_a_byte_order_mark_and_quotes_are_no_part_of_names(written, read_here, matrix):
    """Excel writes the first, R the second; a quote inside a name stays."""
    quoted = ["\t".join(f'"{word}"' for word in line.split("\t")) for line in LINES]
    folder = written({"barcodes.tsv": ["\ufeff" + CELLS[0], *CELLS[1:]], "features.tsv": quoted})
    read = read_here(folder)
    assert same(read, matrix)
    assert read.gene_ids.tolist() == [f"ID{n}" for n in range(len(GENES))]


def test_one_short_line_of_features_keeps_the_rest(written, read_here, matrix, molecules):
    """A gene added by hand has no kind: names, ids and kinds of the others stay, and antibodies are still left out."""
    lines = [GENES[0], *LINES[1:], "AB1\tCD3\tAntibody Capture"]
    counts = np.vstack([molecules.T, molecules.T[:1]]).astype(int)
    read = read_here(written({"barcodes.tsv": CELLS, "features.tsv": lines}, counts=counts))
    assert same(read, matrix)
    assert read.gene_ids[:2].tolist() == [GENES[0], "ID1"]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
def test_a_banner_that_says_float_is_read_as_real(written, read_here, matrix, molecules, packed):
    """STARsolo writes so for genes that share molecules; whole numbers are counts, fractions are refused in words."""
    for counts in (molecules.T, molecules.T / 2):
        folder = written(counts=counts.astype(float))
        text = (folder / "matrix.mtx").read_text().replace("coordinate real", "coordinate float", 1)
        assert "coordinate float" in text
        (folder / "matrix.mtx").write_text(text)
        if packed:
            (folder / "matrix.mtx.gz").write_bytes(gzip.compress(text.encode()))
            (folder / "matrix.mtx").unlink()
        if counts[0, 0] == molecules[0, 0]:
            assert same(read_here(folder), matrix)
    with pytest.raises(CountsError, match="are not whole numbers"):
        read_here(folder)


def test_a_folder_of_parse_biosciences_is_read_with_its_annotations(written, read_here, matrix, molecules):
    """Cells along the rows, names in tables with a header; what is said of the cells stays, numbers as numbers."""
    cells = ["bc_wells,sample,tscp_count", *(f"{cell},s{n % 2},{n}" for n, cell in enumerate(CELLS))]
    genes = ["gene_id,gene_name,genome", *(f"ID{n},{name},mm10" for n, name in enumerate(GENES))]
    files = {"cell_metadata.csv": cells, "all_genes.csv": genes}
    read = read_here(written(files, matrix="count_matrix.mtx", counts=molecules.astype(int)))
    assert same(read, matrix)
    assert read.gene_ids[1] == "ID1"
    assert read.annotations["sample"].tolist()[:2] == ["s0", "s1"]
    assert read.annotations["tscp_count"].dtype.kind in "if"


@pytest.mark.parametrize(
    ("name", "cells", "genes"),
    [
        ("cells_x_genes.mtx", "cells_x_genes.barcodes.txt", "cells_x_genes.genes.txt"),
        ("quants_mat.mtx", "quants_mat_rows.txt", "quants_mat_cols.txt"),
        ("s1_matrix.mtx", "s1_barcodes.tsv", "s1_features.tsv"),
    ],
    ids=["kallisto", "alevin-fry", "bd-rhapsody"],
)
def test_folders_of_other_tools_are_read(written, read_here, matrix, molecules, name, cells, genes):
    """Each tool has its names of the three files; those of BD Rhapsody and CITE-seq-Count are 10x's."""
    read = read_here(written({cells: CELLS, genes: GENES}, matrix=name, counts=molecules.astype(int)))
    assert same(read, matrix)


def test_as_many_cells_as_genes_are_not_turned(written, read_here, molecules):
    """Where the size cannot tell, the tool does: kallisto writes cells along the rows."""
    counts = np.hstack([molecules, molecules]).astype(int)
    genes = [f"Gene{n}" for n in range(80)]
    files = {"cells_x_genes.barcodes.txt": CELLS, "cells_x_genes.genes.txt": genes}
    read = read_here(written(files, matrix="cells_x_genes.mtx", counts=counts))
    np.testing.assert_array_equal(read.counts.toarray(), counts)


def test_names_beside_the_ids_of_kallisto_are_used(written, read_here, matrix, molecules):
    """genes.names.txt has an empty line where a gene has no name: it keeps its id."""
    files = {
        "cells_x_genes.barcodes.txt": CELLS,
        "cells_x_genes.genes.txt": [f"ID{n}" for n in range(len(GENES))],
        "cells_x_genes.genes.names.txt": ["", *GENES[1:]],
    }
    read = read_here(written(files, matrix="cells_x_genes.mtx", counts=molecules.astype(int)))
    assert read.gene_names.tolist() == ["ID0", *GENES[1:]]
    assert read.gene_ids[1] == "ID1"


def test_a_matrix_beside_its_gzipped_self_is_read_once(written, read_here, matrix):
    """Someone unpacked it to look inside; the gzipped one is taken, and that is said."""
    folder = written()
    for path in list(folder.iterdir()):
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    (folder / "matrix.mtx").write_text("half unpacked")
    read = read_here(folder)
    assert same(read, matrix)
    assert any("the gzipped files were read (matrix.mtx.gz" in notice for notice in read.notices)


@pytest.mark.parametrize(
    "inner",
    ["outs/filtered_feature_bc_matrix", "outs/filtered_gene_bc_matrices/mm10", "umi_count", "s_RSEC_MolsPerCell_MEX"],
)
def test_the_counts_are_found_inside_what_a_tool_wrote(written, read_here, matrix, inner):
    """The folder of Cell Ranger's run, of CITE-seq-Count or of BD Rhapsody is enough; a notice says what was read."""
    written(folder=f"run/{inner}")
    beside = {"outs": "run/outs/raw_feature_bc_matrix", "umi_count": "run/read_count"}.get(inner.split("/")[0])
    if beside:
        written(folder=beside)
    read = read_here(written(folder=f"run/{inner}").parents[inner.count("/")])
    assert same(read, matrix)
    assert f"Read from the folder {inner} inside run." in read.notices


def test_several_folders_of_counts_are_a_choice(written, read_here):
    """Samples side by side are not guessed among."""
    written(folder="run/one")
    folder = written(folder="run/two").parent
    with pytest.raises(CountsError, match="There are 2 data sets in it: one, two") as refusal:
        read_here(folder)
    assert refusal.value.offers == {"choose": ("one", "two")}
    assert read_here(folder, choose="two").n_cells > 0


@pytest.mark.parametrize(
    ("matrix_name", "cells", "genes"),
    [
        ("matrix.mtx", "barcodes.csv", "features.csv"),
        ("matrix.mtx", "barcodes.txt", "genes.txt"),
        ("counts.mtx", "cells.tsv", "genes.tsv"),
        ("GSM1_heart_counts.mtx", "GSM1_heart_cells.txt", "GSM1_heart_genes.txt"),
        ("matrix_GSM1.mtx", "barcodes_GSM1.tsv", "features_GSM1.tsv"),
        ("UniqueAndMult-EM.mtx", "barcodes.tsv", "features.tsv"),
    ],
)
def test_files_of_names_are_known_whatever_they_are_called(
    written, read_here, matrix, molecules, matrix_name, cells, genes
):
    """By how many lines they have and the words in their names."""
    files = {cells: CELLS, genes: GENES}
    for table, folder in ((molecules.T, "genes along rows"), (molecules, "cells along rows")):
        place = written(files, matrix=matrix_name, counts=table.astype(int), folder=folder)
        assert same(read_here(place), matrix)


def test_headers_and_numbers_of_lines_are_no_names(written, read_here, matrix):
    """write.table of R puts both around the names; others write a header of words."""
    quoted = {
        "barcodes.tsv": ['"x"', *(f'"{n + 1}"\t"{cell}"' for n, cell in enumerate(CELLS))],
        "features.tsv": ['"x"', *(f'"{n + 1}"\t"{gene}"' for n, gene in enumerate(GENES))],
    }
    worded = {"barcodes.tsv": ["barcode", *CELLS], "features.tsv": ["gene_id\tgene_name\tfeature_type", *LINES]}
    assert same(read_here(written(quoted, folder="quoted")), matrix)
    read = read_here(written(worded, folder="worded"))
    assert same(read, matrix)
    assert read.gene_ids[1] == "ID1"


def test_an_accent_in_an_old_encoding_is_read(written, read_here):
    """latin-1, as R writes on Windows."""
    folder = written({"barcodes.tsv": CELLS, "features.tsv": LINES})
    (folder / "features.tsv").write_bytes("\n".join([*LINES[:-1], "ID39\té"]).encode("latin-1") + b"\n")
    assert read_here(folder).gene_names[-1] == "é"


def test_spliced_counts_are_read_of_a_folder_of_velocity(written, read_here, matrix, molecules):
    """STARsolo has one file of names for all, kb one for each; the others can be chosen."""
    for name in ("unspliced", "spliced", "ambiguous"):
        counts = (molecules.T if name == "spliced" else molecules.T + 1).astype(int)
        star = written({"barcodes.tsv": CELLS, "features.tsv": LINES}, matrix=f"{name}.mtx", counts=counts)
        names = {f"{name}.barcodes.txt": CELLS, f"{name}.genes.txt": GENES}
        kallisto = written(names, matrix=f"{name}.mtx", counts=counts, folder="counts_unfiltered")
    for folder in (star, kallisto):
        read = read_here(folder)
        assert same(read, matrix)
        assert read.counts_from == "spliced.mtx"
        assert not same(read_here(folder, choose="unspliced.mtx"), matrix)


def test_the_samples_of_a_multi_run_are_a_choice(written, read_here, matrix):
    """Several folders deep; all barcodes of the run lie beside them."""
    inner = "count/sample_filtered_feature_bc_matrix"
    for sample in ("one", "two"):
        written(folder=f"run/outs/per_sample_outs/{sample}/{inner}")
    folder = written(folder="run/outs/multi/count/raw_feature_bc_matrix").parents[3]
    with pytest.raises(CountsError, match="There are 2 data sets in it") as refusal:
        read_here(folder)
    assert same(read_here(folder, choose=refusal.value.offers["choose"][1]), matrix)


def test_one_file_in_a_folder_is_read_whatever_lies_beside(adata, tmp_path, read_here, matrix):
    """A note, a list of links."""
    (tmp_path / "download").mkdir()
    adata.write_h5ad(tmp_path / "download/cells.h5ad")
    (tmp_path / "download/README.txt").write_text("Read me first.")
    read = read_here(tmp_path / "download")
    assert same(read, matrix)
    assert "Read from the file cells.h5ad inside download." in read.notices


def test_several_files_in_an_archive_are_a_choice(tmp_path, read_here, matrix, molecules):
    """GSE..._RAW.tar holds a table, or a packed folder, of every sample."""
    table = pd.DataFrame(molecules.T.astype(int), index=list(GENES), columns=list(CELLS))
    with tarfile.open(tmp_path / "GSE1_RAW.tar", "w") as archive:
        for name in ("GSM1_a.csv.gz", "GSM2_b.csv.gz"):
            table.to_csv(tmp_path / name, index_label="gene")
            archive.add(tmp_path / name, name)
    with pytest.raises(CountsError, match="There are 2 data sets in it: GSM1_a, GSM2_b"):
        read_here(tmp_path / "GSE1_RAW.tar")
    assert same(read_here(tmp_path / "GSE1_RAW.tar", choose="GSM2_b"), matrix)


def test_archives_in_an_archive_are_a_choice(written, tmp_path, read_here, matrix):
    """A .tar of a .tar.gz a sample."""
    folder = written()
    with tarfile.open(tmp_path / "GSE1_RAW.tar", "w") as archive:
        for name in ("GSM1.tar.gz", "GSM2.tar.gz"):
            with tarfile.open(tmp_path / name, "w:gz") as inner:
                inner.add(folder, "filtered_feature_bc_matrix")
            archive.add(tmp_path / name, name)
    assert same(read_here(tmp_path / "GSE1_RAW.tar", choose="GSM2"), matrix)


def test_whether_the_files_are_packed_their_bytes_tell(written, read_here, matrix):
    """All of them are named .gz and none is; or the reverse."""
    named, packed = written(folder="named"), written(folder="packed")
    for path in list(named.iterdir()):
        path.rename(path.with_name(f"{path.name}.gz"))
    for path in packed.iterdir():
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert same(read_here(named), matrix)
    assert same(read_here(packed), matrix)


def test_all_samples_of_a_parse_run_are_read_as_one(written, read_here, matrix, molecules):
    """Each lies beside them in a folder of its own, too."""
    files = {
        "cell_metadata.csv": ["bc_wells", *CELLS],
        "all_genes.csv": ["gene_id,gene_name", *(f"{gene},{gene}" for gene in GENES)],
    }
    for sample in ("all-sample", "control", "treated"):
        folder = f"run/{sample}/DGE_filtered"
        place = written(files, matrix="count_matrix.mtx", counts=molecules.astype(int), folder=folder)
    assert same(read_here(place.parents[1]), matrix)


def test_a_dense_matrix_market_file_is_refused_in_words(written, read_here, molecules):
    """Its header has two numbers, not three."""
    folder = written()
    mmwrite(folder / "matrix.mtx", molecules.T)
    with pytest.raises(CountsError, match="is a dense Matrix Market file"):
        read_here(folder)


def test_more_entries_than_the_header_says_end_the_reading_at_once(tmp_path, read_here):
    """They would be written to the disk first."""
    SAMPLES["tenx"](tmp_path / "tenx")
    matrix = tmp_path / "tenx" / "matrix.mtx"
    matrix.write_text(matrix.read_text() + "1 1 3\n")
    with pytest.raises(CountsError, match=r"matrix\.mtx holds more entries than its header says \("):
        read_here(tmp_path / "tenx")


def test_a_file_of_names_that_unpacks_to_far_more_is_refused(tmp_path, read_here):
    """Before all of them are held."""
    SAMPLES["tenx_gz"](tmp_path / "tenx")
    (tmp_path / "tenx" / "barcodes.tsv.gz").write_bytes(gzip.compress(b"ACGT-1\n" * 16_000_000, 1))
    with pytest.raises(CountsError, match=r"barcodes\.tsv\.gz unpacks to far more than its size"):
        read_here(tmp_path / "tenx")
