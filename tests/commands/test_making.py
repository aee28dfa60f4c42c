"""`join` and `combine` write files that every other command takes."""

import anndata
import pytest


@pytest.fixture
def donors(tmp_path):
    """A table by sample."""
    path = tmp_path / "donors.csv"
    path.write_text("who,age\nanna,30\nbert,41\n", encoding="utf-8")
    return path


def test_a_table_is_joined(counts_file, planted, donors, tmp_path, answer):
    """Counts as they were, the annotation beside the others, and the file reads again."""
    told, said = answer("join", counts_file, "--table", donors, "--to", tmp_path / "joined.h5ad")
    assert told["annotations"] == ["age"]
    assert "Its column who names the annotation donor; 400 of 400 cells have a row." in told["said"]
    assert told["said"] in said
    written = anndata.read_h5ad(tmp_path / "joined.h5ad")
    assert (written.X.astype(int) != planted.counts.counts.astype(int)).nnz == 0
    assert written.obs.groupby("donor", observed=True)["age"].unique().to_dict() == {"anna": [30], "bert": [41]}
    facts, _ = answer("info", tmp_path / "joined.h5ad")
    assert facts["annotations"] == ["cell_type", "donor", "age"]


def test_a_table_that_fits_nothing_is_refused(counts_file, tmp_path, refusal):
    """And nothing is written."""
    (tmp_path / "other.csv").write_text("who,age\ncarl,30\ndora,41\n", encoding="utf-8")
    assert "No column" in refusal("join", counts_file, "--table", tmp_path / "other.csv", "--to", tmp_path / "x.h5ad")
    assert "does not exist" in refusal("join", counts_file, "--table", tmp_path / "no.csv", "--to", tmp_path / "x.h5ad")
    assert not (tmp_path / "x.h5ad").exists()


def test_files_become_one_by_sample(counts_file, planted, tmp_path, answer):
    """Cells below one another; each sample under its name."""
    both = tmp_path / "both.h5ad"
    told, _ = answer("combine", f"day 7={counts_file}", f"day 8={counts_file}", "--to", both)
    assert (told["n_cells"], told["samples"]) == (800, ["day 7", "day 8"])
    written = anndata.read_h5ad(both)
    assert written.obs["sample"].value_counts().to_dict() == {"day 7": 400, "day 8": 400}
    assert written.X.sum() == 2 * planted.counts.counts.sum()
    facts, _ = answer("info", both)
    assert facts["n_genes"] == told["n_genes"]


def test_samples_are_told_apart(counts_file, tmp_path, refusal):
    """Two files of one name need names of their own, and none is empty; one file alone is no combination."""
    same = refusal("combine", counts_file, counts_file, "--to", tmp_path / "x.h5ad")
    assert "Several samples are called cells." in same
    assert "A sample has no name." in refusal("combine", f"={counts_file}", counts_file, "--to", tmp_path / "x.h5ad")
    assert "cannot be combined" in refusal("combine", counts_file, "--to", tmp_path / "x.h5ad")
