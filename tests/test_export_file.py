"""The .h5ad is written a block at a time, and its names are spelt so that they come back."""

import tracemalloc

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from ldvae_core.data.stored_names import decode, decode_all, encode
from ldvae_core.data.stored_types import TYPE, restored
from ldvae_core.export.file import new_h5ad, write_counts, write_positions

PIECES = st.lists(st.sampled_from(["{", "}", "/", "slash", "brace", "kept", "_index", "__", ".", "ldvae_split", "x"]))


@pytest.fixture
def counts() -> sparse.csr_matrix:
    """A million counts of 10,000 cells, the largest of which 32 bits do not hold."""
    drawn = sparse.random(10_000, 1_000, 0.1, "csr", random_state=0, data_rvs=lambda n: np.full(n, 3.0))
    drawn.data[-1] = 4_000_000_000
    return drawn.astype(np.uint32)


def test_counts_are_written_in_blocks(counts, tmp_path, monkeypatch):
    """With a fraction of the memory of the whole, and the same numbers."""
    monkeypatch.setattr("ldvae_core.data.blocks.ENTRIES", 20_000)
    tracemalloc.start()
    with new_h5ad(tmp_path / "x.h5ad") as new:
        write_counts(new, counts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < counts.data.nbytes / 2
    with h5py.File(tmp_path / "x.h5ad") as file:
        assert file["X/data"].dtype == np.int64
        assert (anndata.io.read_elem(file["X"]) != counts).nnz == 0


def test_a_run_without_factors_has_a_file_too(counts, tmp_path):
    """Positions (cells, 0), as gene means have them."""
    with new_h5ad(tmp_path / "x.h5ad") as new:
        write_positions(new, "X_ldvae", np.zeros((10, 0), np.float32))
    with h5py.File(tmp_path / "x.h5ad") as file:
        assert file["obsm/X_ldvae"].shape == (10, 0)


@given(name=PIECES.map("".join))
def test_every_name_has_a_spelling_that_a_file_can_hold(name):
    """No path, no place, nothing reserved; and the name comes back."""
    spelt = encode(name)
    assert decode(spelt) == name
    assert "/" not in spelt
    assert spelt not in ("", ".", "..", "_index", "ldvae_split")
    assert not spelt.startswith("__")


def test_ordinary_names_are_spelt_as_they_are():
    """Other tools show them."""
    for name in ("cell_type", "CD4+", "percent.mt", "a b", "{x}", "ldvae", "index"):
        assert encode(name) == name


def test_a_column_of_the_data_comes_before_one_of_the_export():
    """The data's has its name back, the export's the next that is free."""
    stored = ["{kept}ldvae_split", "ldvae_split-1", "ldvae_split", "a{slash}b"]
    assert list(decode_all(stored).values()) == ["ldvae_split", "ldvae_split-1", "ldvae_split-2", "a/b"]


@pytest.mark.parametrize(
    "was", ["datetime64[ns, No/Where]", "datetime64[ns, dateutil/Europe/Berlin]", "datetime64[ns]", "int8", b"\xff"]
)
def test_a_type_that_means_nothing_leaves_categories(was):
    """Whoever wrote it; the column stays as it is."""
    column = pd.Categorical(["x", "y", None])
    assert restored(column, {TYPE: was}) is column
