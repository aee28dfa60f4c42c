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
