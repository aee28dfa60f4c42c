"""Factors that follow depth, mitochondria or batch are found; others are left alone."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ldvae_core.analysis.technical import batch_labels, mitochondrial_share, technical_table

DEPTH = np.exp([1.0, 2.0, 3.0, 4.0])


def test_a_factor_that_is_the_log_library_size_is_technical():
    """r = -1 by hand; the second factor has r = 0 with it."""
    z = np.array([[-1, 1], [-2, -1], [-3, -1], [-4, 1]], np.float32)
    table = technical_table(z, DEPTH)
    assert table["library_size"].tolist() == pytest.approx([-1.0, 0.0])
    assert table["technical"].tolist() == [True, False]
    assert table["reason"].tolist() == ["follows library size (r = -1.00)", ""]
    assert table[["mitochondrial", "batch"]].isna().all(axis=None)


def test_the_share_between_batches_is_eta_squared():
    """Levels at means -1 and 1, variance 1 + 1 within: R = sqrt(1 / 2); a cell without a label is left out."""
    z = np.array([[-2.0], [0.0], [0.0], [2.0], [99.0]])
    labels = pd.Series(["a", "a", "b", "b", None])
    row = technical_table(z, np.full(5, 7.0), batches={"lane": labels}).iloc[0]
    assert row["batch"] == pytest.approx(np.sqrt(0.5))
    assert (row["batch_column"], row["technical"]) == ("lane", True)
    assert np.isnan(row["library_size"])


def test_a_factor_of_large_cells_is_no_artefact():
    """Two types, the second with ten times the counts: z tells them apart, and within neither follows the counts."""
    depth, z = np.exp([1.0, 2, 3, 11, 12, 13]), np.array([[0.0], [1], [0], [9], [10], [9]])
    kinds = pd.Series(list("aaabbb"))
    assert technical_table(z, depth)["technical"].tolist() == [True]
    row = technical_table(z, depth, types=kinds).iloc[0]
    assert row["library_size"] > 0.95
    assert row["library_size_within"] == pytest.approx(0.0, abs=1e-12)
    assert (row["technical"], row["reason"]) == (False, "")


def test_an_artefact_is_found_within_types_too():
    """The log library size itself, shifted by type: r = 1 within them, and the reason gives both figures."""
    kinds = pd.Series(list("aabb"))
    row = technical_table(np.array([[1.0], [2], [6], [7]]), DEPTH, types=kinds).iloc[0]
    r = np.corrcoef([1, 2, 6, 7], np.log(DEPTH))[0, 1]
    assert row["library_size_within"] == pytest.approx(1.0)
    assert row["reason"] == f"follows library size (r = {r:.2f}, within types 1.00)"


@pytest.mark.parametrize(
    ("z", "log_depth", "kinds"),
    [([0.1] * 10 + [0.7] * 10, range(20), ["a"] * 10 + ["b"] * 10),
     (range(20), [0.1] * 10 + [0.7] * 10, ["a"] * 10 + ["b"] * 10),
     (range(20), range(20), list("abcdefghijklmnopqrst")), (range(20), range(20), [None] * 20)],
    ids=["factor is the type", "depth is the type", "a type a cell", "no types known"],
)  # fmt: skip
def test_what_does_not_vary_within_types_is_unknown_there(z, log_depth, kinds):
    """NaN, never rounding's noise, and no artefact."""
    row = technical_table(np.array(z, float)[:, None], np.exp(log_depth), types=pd.Series(kinds)).iloc[0]
    assert np.isnan(row["library_size_within"])
    assert not row["technical"]


def test_unknown_mitochondrial_shares_are_left_out():
    """Of four cells three are known, in line with the factor."""
    share = np.array([1.0, 2.0, np.nan, 4.0])
    row = technical_table(np.array([[1.0], [2.0], [-50.0], [4.0]]), DEPTH, mitochondrial=share).iloc[0]
    assert row["mitochondrial"] == pytest.approx(1.0)


def test_the_share_comes_from_the_annotation_then_from_genes():
    """percent.mito first, then mt- genes over library size, then nothing."""
    counts, size = sparse.csr_matrix([[1, 3], [2, 2]]), np.array([4.0, 4.0])
    none = pd.DataFrame(index=["a", "b"])
    given = mitochondrial_share(none.assign(**{"percent.mito": [5, 6]}), counts, np.array(["mt-Co1", "A"]), size)
    assert given.tolist() == [5, 6]
    assert mitochondrial_share(none, counts, np.array(["MT-CO1", "A"]), size).tolist() == [0.25, 0.5]
    assert mitochondrial_share(none, counts, np.array(["Mta1", "A"]), size) is None


def test_cell_type_and_condition_are_never_batches():
    """Only what looks like a batch or a donor."""
    names = ("cell_type", "condition", "batch", "donor")
    assert list(batch_labels(pd.DataFrame({name: list("aabb") for name in names}))) == ["batch", "donor"]


@pytest.mark.parametrize("shape", [(20_000, 30), (7, 3)])
def test_blocks_of_cells_agree_with_whole_columns(shape):
    """Unknown shares and labels, more than one block, a first block far off, a factor that does not vary."""
    rng = np.random.default_rng(0)
    z = (rng.normal(size=shape) + 100 * (np.arange(shape[0]) > shape[0] // 2)[:, None]).astype(np.float32)
    z[:, 1] = 0.1
    share, codes = rng.uniform(size=shape[0]), rng.integers(0, 4, shape[0])
    share[::3], depth = np.nan, np.exp(rng.normal(size=shape[0]) + z[:, 0] / 100)
    labels = pd.Series(codes).where(codes > 0)
    table = technical_table(z, depth, mitochondrial=share, batches={"lane": labels}, types=labels)
    known, some, values = ~np.isnan(share), codes > 0, z[:, 0].astype(float)
    both = pd.DataFrame({"z": values, "depth": np.log(depth), "share": share})[some].groupby(codes[some])
    centred = both.transform(lambda column: column - column.mean())
    assert table.loc[0, "library_size_within"] == pytest.approx(centred["z"].corr(centred["depth"]), rel=1e-6)
    kept = pd.DataFrame({"z": values, "share": share})[some & known].groupby(codes[some & known])
    within = kept.transform(lambda column: column - column.mean())
    assert table.loc[0, "mitochondrial_within"] == pytest.approx(within["z"].corr(within["share"]), rel=1e-6)
    groups = pd.Series(values[some]).groupby(codes[some]).transform("mean")
    expected = (np.corrcoef(values, np.log(depth))[0, 1], np.corrcoef(values[known], share[known])[0, 1])
    row = table.loc[0, ["library_size", "mitochondrial", "batch"]].tolist()
    assert row == pytest.approx([*expected, groups.std(ddof=0) / values[some].std()], rel=1e-9)
    assert table.loc[1, ["library_size", "mitochondrial", "batch"]].isna().all()


def test_shares_of_empty_cells_and_many_blocks(monkeypatch):
    """Whole-number counts, a cell without entries, blocks of two cells: the same as the dense sum."""
    whole = np.array([[0, 3, 1], [0, 0, 0], [5, 0, 2], [0, 4, 0], [1, 1, 1]])
    pieces = lambda n, _: iter([slice(i, min(i + 2, n)) for i in range(0, n, 2)])  # noqa: E731
    monkeypatch.setattr("ldvae_core.analysis.technical.cell_chunks", pieces)
    names, none = np.array(["mt-Nd1", "A", "mt-Co1"]), pd.DataFrame(index=range(5))
    share = mitochondrial_share(none, sparse.csr_matrix(whole), names, np.full(5, 10.0))
    assert share.tolist() == pytest.approx([0.1, 0, 0.7, 0, 0.2])
