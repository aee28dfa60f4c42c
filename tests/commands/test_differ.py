"""`differ`: groups as they may be written, every gene of the data set, and numbers that pandas finds too."""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import stats

CONTRACT = ["gene", "modelled", "log2_fold_change", "low", "high", "p", "q", "mean_first", "mean_second", "share_first",
            "share_second"]  # fmt: skip


@pytest.fixture
def run(trained):
    """A run that models 40 of the 80 genes."""
    return trained("--genes", "40")


@pytest.fixture
def differ(answer, run, tmp_path):
    """differ(*options) compares; the answer, the table, and what was said on stderr."""

    def ask(*options):
        to = tmp_path / "genes.csv"
        given, said = answer("differ", run, *options, "--to", to)
        return given, pd.read_csv(to, dtype={"modelled": str}), said

    return ask


@pytest.fixture
def cells(counts_file):
    """The data set as pandas sees it: counts and annotations."""
    read = anndata.read_h5ad(counts_file)
    return pd.DataFrame(read.X.toarray(), read.obs_names, read.var_names), read.obs


def kind(cells):
    """A value of the annotation that the data came with."""
    return cells[1]["cell_type"].astype(str).iloc[0]


def test_there_is_a_row_for_every_gene_of_the_data_set(differ, cells):
    """Columns as promised, more only behind them; half of the genes are modelled."""
    _, table, said = differ("--first", f"cell_type={kind(cells)}", "--second", "rest")
    assert sorted(table["gene"]) == sorted(cells[0].columns)
    assert table.columns.tolist()[: len(CONTRACT)] == CONTRACT
    assert table["modelled"].value_counts().to_dict() == {"true": 40, "false": 40}
    assert "All 80 genes of the data set" in said


def test_means_are_of_the_whole_library(differ, cells):
    """10,000 times summed counts over summed molecules of all genes; shares are of cells."""
    counts, notes = cells
    given, table, _ = differ("--first", f"cell_type={kind(cells)}", "--second", "rest")
    first = (notes["cell_type"] == kind(cells)).to_numpy()
    table = table.set_index("gene").loc[counts.columns]
    for name, group in (("first", counts[first]), ("second", counts[~first])):
        np.testing.assert_allclose(table[f"mean_{name}"], 1e4 * group.sum() / group.to_numpy().sum())
        np.testing.assert_allclose(table[f"share_{name}"], (group > 0).mean())
    assert (given["n_first"], given["n_second"], given["unit"]) == (first.sum(), (~first).sum(), "cell")
    assert (given["samples_first"], given["samples_second"]) == (None, None)
    assert given["n_found"] == (table["q"] < 0.05).sum()


def test_q_values_are_scipys(differ, cells):
    """Benjamini-Hochberg over the rows with a p; every fold change is a number."""
    _, table, _ = differ("--first", f"cell_type={kind(cells)}", "--second", "rest")
    tested = table[table["p"].notna()]
    np.testing.assert_allclose(tested["q"], stats.false_discovery_control(tested["p"]))
    assert np.isfinite(table[["log2_fold_change", "low", "high"]]).all(axis=None)


def test_groups_are_files_of_cells_too(differ, cells, tmp_path):
    """The same cells listed in a file; ids that the run does not have are counted."""
    counts, notes = cells
    listed = tmp_path / "mine.txt"
    listed.write_text("\n".join([*counts.index[notes["cell_type"] == kind(cells)], "nobody", "", "no one"]))
    by_name = differ("--first", f"cell_type={kind(cells)}", "--second", "rest")
    by_file = differ("--first", f"@{listed}", "--second", "rest")
    pd.testing.assert_frame_equal(by_name[1], by_file[1])
    assert "2 of " in by_file[2]
    assert "no cells of this run" in by_file[2]


def test_a_comparison_stays_within_what_was_asked(differ, cells):
    """`rest` too: of one donor, those that are not of the type."""
    given, _, _ = differ("--first", f"cell_type={kind(cells)}", "--second", "rest", "--within", "donor=anna")
    notes = cells[1]
    inside = notes["donor"] == "anna"
    of_kind = (notes["cell_type"] == kind(cells)) & inside
    assert (given["n_first"], given["n_second"]) == (of_kind.sum(), inside.sum() - of_kind.sum())


def test_samples_can_be_the_unit(differ, cells):
    """Means are then those of the samples' values."""
    given, table, _ = differ("--first", f"cell_type={kind(cells)}", "--second", "rest", "--sample", "donor")
    assert (given["unit"], given["samples_first"], given["samples_second"]) == ("sample", 2, 2)
    counts, notes = cells
    first = notes["cell_type"] == kind(cells)
    values = [counts[first & (notes["donor"] == donor)] for donor in ("anna", "bert")]
    expected = np.mean([1e4 * group.sum() / group.to_numpy().sum() for group in values], axis=0)
    np.testing.assert_allclose(table.set_index("gene").loc[counts.columns, "mean_first"], expected)


def test_without_the_data_set_the_modelled_genes_are_compared(differ, cells, monkeypatch):
    """Over the whole library all the same, which the run keeps; and it is said."""
    asked = ("--first", f"cell_type={kind(cells)}", "--second", "rest")
    _, whole, _ = differ(*asked)
    monkeypatch.setattr("ldvae_core.runs.all_genes.counts_of_all_genes", lambda run, workspace=None: None)
    _, modelled, said = differ(*asked)
    assert len(modelled) == 40
    assert "only the 40 modelled genes are compared" in said
    both = modelled.merge(whole, on="gene", suffixes=("", "_whole"))
    np.testing.assert_allclose(both["log2_fold_change"], both["log2_fold_change_whole"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--first", "donor=anna", "--second", "donor=anna"), "Both groups are"),
        (("--first", "donor=anna", "--second", "donor=cecilia"), "'cecilia'"),
        (("--first", "sex=f", "--second", "rest"), "donor"),
        (("--first", "donor", "--second", "rest"), "COLUMN=LEVEL"),
        (("--first", "rest", "--second", "donor=anna"), "cannot be 'rest'"),
        (("--first", "@nothing.txt", "--second", "rest"), "nothing.txt"),
        (("--first", "donor=anna", "--second", "rest", "--sample", "sex"), "no annotation 'sex'"),
        (("--first", "donor=anna", "--second", "rest", "--within", "donor=anna"), "5 are needed"),
        (("--first", "donor=anna", "--second", "rest", "--sample", "donor"), "2 are needed in each group"),
    ],
)
def test_what_cannot_be_compared_is_refused(refusal, run, tmp_path, options, said):
    """Status 2, one line, and no file."""
    assert said in refusal("differ", run, *options, "--to", tmp_path / "genes.csv")
    assert not (tmp_path / "genes.csv").exists()


def test_an_unknown_run_is_refused(refusal, tmp_path):
    """Naming those there are."""
    assert "There is no run 'nope'" in refusal("differ", "nope", "--first", "a=b", "--second", "rest", "--to",
                                               tmp_path / "x.csv")  # fmt: skip
