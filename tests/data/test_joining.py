"""Annotations from a table: by cell or by sample, nothing guessed in silence, the old data set untouched."""

import gzip
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ldvae_core.data import cell_table
from ldvae_core.data.cell_table import read_own_table, read_table_file
from ldvae_core.data.folder import load_counts, save_counts
from ldvae_core.data.joining import join_table, write_joined
from ldvae_core.errors import CountsError, RunError

from .conftest import CELLS

ABOUT_SAMPLES = pd.DataFrame({"name": ["b", "a", "z"], "age": ["7", "12", "9"], "code": ["01", "2", "3"]})


@pytest.fixture
def sampled(matrix):
    """The cells, of two samples a and b."""
    return replace(matrix, annotations=matrix.annotations.assign(sample=np.repeat(["a", "b"], 40)))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"cell,donor,age\nAC,d 1,7\nGT,,8.5\n", "x.csv"),
        (b"cell;donor;age\r\nAC;d 1;7\r\nGT;;8.5\r\n", "x.csv"),
        ("cell\tdonor\tage\nAC\td 1\t7\nGT\t\t8.5\n".encode("utf-16"), "x.tsv"),
        (gzip.compress(b'"donor","age"\n"AC","d 1","7"\n"GT","","8.5"\n'), "x.csv.gz"),
    ],
    ids=["commas", "semicolons", "utf-16", "as R writes it"],
)
def test_a_table_is_read_as_text(tmp_path, content, name):
    """Whatever separates its fields; nothing is taken for a number yet."""
    (tmp_path / name).write_bytes(content)
    table = read_table_file(tmp_path / name, name)
    assert table.iloc[:, 0].tolist() == ["AC", "GT"]
    assert table["donor"].tolist() == ["d 1", ""]
    assert table["age"].tolist() == ["7", "8.5"]


def test_a_limited_child_reads_tables_of_people(tmp_path):
    """What it wrote is what a trusted reading gives; what it refuses is said in words."""
    (tmp_path / "x.csv").write_text("cell,donor\nAC,d1\nGT,d2\n")
    found = read_own_table(tmp_path / "x.csv", "x.csv")
    pd.testing.assert_frame_equal(found, read_table_file(tmp_path / "x.csv", "x.csv"))
    (tmp_path / "y.csv").write_bytes(b"\x00\x01\x02")
    with pytest.raises(CountsError, match=r"y\.csv is not a readable table"):
        read_own_table(tmp_path / "y.csv", "y.csv")


@pytest.mark.parametrize(
    ("name", "said"), [("x.xlsx", "Save it as .csv"), ("x.pdf", "Save it as one of"), ("no.csv", "cannot be opened")]
)
def test_other_files_are_refused_with_what_to_do(tmp_path, name, said):
    """Before anything opens them."""
    if name != "no.csv":
        (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(CountsError, match=said):
        read_own_table(tmp_path / name, name)


def test_very_large_files_are_refused(tmp_path, monkeypatch):
    """By their size alone."""
    monkeypatch.setattr(cell_table, "LARGEST_FILE", 5)
    (tmp_path / "x.csv").write_text("cell,donor\nAC,d1\n")
    with pytest.raises(CountsError, match="larger than"):
        read_own_table(tmp_path / "x.csv", "x.csv")


def test_rows_find_their_cells_by_id(matrix):
    """In any order; cells without a row are missing, rows without a cell are named."""
    table = pd.DataFrame({"score": ["1", "2", "x"], "barcode": [CELLS[7], CELLS[3], "nobody"]})
    joined = join_table(matrix, table, "t.csv")
    score = joined.annotations["score"]
    assert (score.iloc[7], score.iloc[3]) == ("1", "2")
    assert score.isna().sum() == 78
    assert "names cell ids; 2 of 80 cells have a row, the others have missing values." in joined.notices[0]
    assert joined.notices[1] == "1 of 3 rows of t.csv match no cell: nobody."
    assert joined.annotations["cell_type"].tolist() == matrix.annotations["cell_type"].tolist()


def test_rows_find_their_cells_by_sample(sampled):
    """Every cell of a sample has its row; numbers are numbers, what begins with 0 is a name."""
    joined = join_table(sampled, ABOUT_SAMPLES, "t.csv")
    assert joined.annotations["age"].tolist() == [12] * 40 + [7] * 40
    assert joined.annotations["code"].tolist() == ["2"] * 40 + ["01"] * 40
    assert "names the annotation sample; 80 of 80" in joined.notices[0]
    assert "match no cell: z" in joined.notices[1]


def test_numbered_samples_are_found(matrix):
    """An annotation of few whole numbers names samples too."""
    numbered = replace(matrix, annotations=matrix.annotations.assign(mouse=np.arange(80) % 3))
    joined = join_table(numbered, pd.DataFrame({"mouse": ["0", "1", "2"], "sex": ["f", "m", "f"]}), "t.csv")
    assert joined.annotations["sex"].tolist()[:4] == ["f", "m", "f", "f"]


@pytest.fixture
def crowded(sampled):
    """Four samples, a sex of small numbers, and treated or not, which many a column could name."""
    sample, number = np.repeat(["a", "b", "c", "d"], 20), np.arange(80)
    annotations = sampled.annotations.assign(sample=sample, sex=number % 2, treated=number % 4 == 0)
    return replace(sampled, annotations=annotations)


@pytest.mark.parametrize(
    "table",
    [
        {"sample": ["a", "a"], "x": ["0", "1"]},
        {"Sample": ["a", "a"], "x": ["0", "1"]},
        {"sample": ["a", "a"], "sex": ["0", "1"]},
    ],
    ids=["alone", "in another case", "beside a coarser one"],
)
def test_a_repeated_name_is_refused_where_its_column_fits_best(crowded, table):
    """No other column takes its place."""
    with pytest.raises(CountsError, match=r"In the column [sS]ample of t\.csv, 1 name stands in several rows: a"):
        join_table(crowded, pd.DataFrame(table), "t.csv")


@pytest.mark.parametrize("values", [["1", "0"], ["1.5", "NA"], ["True", "False"], ["yes", "no"]])
def test_common_values_name_nothing_that_is_called_otherwise(crowded, values):
    """A 1 is a level of too many annotations."""
    with pytest.raises(CountsError, match="No column"):
        join_table(crowded, pd.DataFrame({"nothere": ["zz", "yy"], "x": values}), "t.csv")


def test_cell_ids_come_before_annotations(crowded):
    """Two cells alone as well, beside columns that name every cell."""
    table = pd.DataFrame({"sample": ["a", "b"], "sex": ["0", "1"], "cell": CELLS[:2]})
    joined = join_table(crowded, table, "t.csv")
    assert "Its column cell names cell ids; 2 of 80 cells have a row" in joined.notices[0]


def test_the_finest_annotation_of_its_own_name_is_taken(crowded):
    """A table by sample can tell what it knows of each twice."""
    table = pd.DataFrame({"sex": ["0", "0"], "sample": ["a", "b"], "age": ["7", "9"]})
    assert "names the annotation sample; 40 of 80" in join_table(crowded, table, "t.csv").notices[0]


def test_cells_called_by_numbers_are_found_in_the_first_column(crowded):
    """And nowhere else, unless that column is called as an annotation is."""
    numbered = replace(crowded, cell_ids=np.arange(80).astype(str))
    by_cell = pd.DataFrame({"cell": ["3", "4"], "age": ["7", "9"]})
    assert "names cell ids; 2 of 80" in join_table(numbered, by_cell, "t.csv").notices[0]
    by_sex = pd.DataFrame({"sex": ["0", "1"], "age": ["7", "9"]})
    assert "names the annotation sex; 80 of 80" in join_table(numbered, by_sex, "t.csv").notices[0]


def test_a_name_that_is_there_already_replaces_nothing(sampled):
    """Both are kept, and it is said."""
    table = ABOUT_SAMPLES.rename(columns={"age": "cell_type"})
    joined = join_table(sampled, table, "t.csv")
    assert joined.annotations["cell_type"].tolist() == sampled.annotations["cell_type"].tolist()
    assert joined.annotations["cell_type-1"].tolist() == [12] * 40 + [7] * 40
    assert any("cell_type" in notice and "made unique" in notice for notice in joined.notices)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"x": ["c", "d"], "y": ["1", "2"]}, r"No column of t\.csv names these cells or samples.*c, 1"),
        ({"x": ["a", "a", "b"], "y": ["1", "2", "3"]}, "1 name stands in several rows: a"),
        ({"x": ["a", "b"]}, "nothing to add"),
        ({"x": []}, "no rows"),
    ],
)
def test_what_cannot_be_joined_is_refused(sampled, table, said):
    """With what to mend."""
    with pytest.raises(CountsError, match=said):
        join_table(sampled, pd.DataFrame(table, dtype=object), "t.csv")


def test_a_joined_data_set_shares_the_files_of_its_counts(sampled, tmp_path):
    """The same counts on disk, other annotations; the first data set is as it was."""
    save_counts(sampled, tmp_path / "old")
    before = (tmp_path / "old" / "about.json").read_bytes()
    joined = join_table(sampled, ABOUT_SAMPLES, "t.csv")
    write_joined(tmp_path / "old", tmp_path / "new", joined)
    new, old = load_counts(tmp_path / "new"), load_counts(tmp_path / "old")
    pd.testing.assert_frame_equal(new.annotations, joined.annotations)
    pd.testing.assert_frame_equal(old.annotations, sampled.annotations)
    assert new.notices == (*old.notices, *joined.notices)
    assert new.fingerprint == old.fingerprint
    assert (tmp_path / "old" / "about.json").read_bytes() == before
    assert (tmp_path / "new" / "counts_data.npy").samefile(tmp_path / "old" / "counts_data.npy")


def test_where_disks_know_no_links_files_are_copied(sampled, tmp_path, monkeypatch):
    """Nothing else changes."""
    save_counts(sampled, tmp_path / "old")
    monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    write_joined(tmp_path / "old", tmp_path / "new", join_table(sampled, ABOUT_SAMPLES, "t.csv"))
    assert load_counts(tmp_path / "new").fingerprint == sampled.fingerprint
    assert not (tmp_path / "new" / "counts_data.npy").samefile(tmp_path / "old" / "counts_data.npy")


def test_a_damaged_source_leaves_nothing(sampled, tmp_path):
    """Half a data set is none."""
    save_counts(sampled, tmp_path / "old")
    (tmp_path / "old" / "about.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        write_joined(tmp_path / "old", tmp_path / "new", join_table(sampled, ABOUT_SAMPLES, "t.csv"))
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
