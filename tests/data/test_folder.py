"""A CountMatrix on disk: the same when it comes back, and never half there."""

import mmap
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ldvae_core import durable
from ldvae_core.data.folder import load_counts, save_counts
from ldvae_core.errors import CountsError, RunError


def origin_of(array):
    """What an array is a view of, at the very bottom."""
    while getattr(array, "base", None) is not None:
        array = array.base
    return array


def test_saving_and_loading_keeps_every_part(matrix, tmp_path):
    """Counts, names, annotations with their types, notices and origin come back as they were."""
    saved = matrix.with_notices("One notice.")
    save_counts(saved, tmp_path / "counts")
    loaded = load_counts(tmp_path / "counts")
    assert loaded.fingerprint == matrix.fingerprint
    assert loaded.notices == saved.notices
    assert loaded.counts_from == "X"
    pd.testing.assert_frame_equal(loaded.annotations, matrix.annotations)


def test_loaded_counts_stay_on_disk(matrix, tmp_path, monkeypatch):
    """Large arrays are memory-mapped and read-only, so that opening costs nothing and nothing can change them."""
    monkeypatch.setattr(durable, "MAPPED_FROM", 0)
    save_counts(matrix, tmp_path / "counts")
    counts = load_counts(tmp_path / "counts").counts
    for array in (counts.data, counts.indices, counts.indptr):
        assert not array.flags.writeable
        assert isinstance(origin_of(array), mmap.mmap)


def test_a_matrix_without_annotations_comes_back(matrix, tmp_path):
    """A table without columns still belongs to all cells."""
    bare = matrix.subset()
    object.__setattr__(bare, "annotations", bare.annotations[[]])
    save_counts(bare, tmp_path / "counts")
    assert load_counts(tmp_path / "counts").annotations.shape == (80, 0)


@pytest.mark.parametrize("name", ["counts_data.npy", "about.json", "annotations.parquet"])
def test_a_missing_file_is_named(matrix, tmp_path, name):
    """A damaged folder says which of its files is gone."""
    save_counts(matrix, tmp_path / "counts")
    (tmp_path / "counts" / name).unlink()
    with pytest.raises(RunError, match=f"{name} is missing from counts"):
        load_counts(tmp_path / "counts")


def test_parts_of_different_data_are_refused(matrix, tmp_path):
    """Names of fewer genes than the counts have do not open."""
    save_counts(matrix, tmp_path / "counts")
    durable.write_array(tmp_path / "counts" / "gene_names.npy", matrix.gene_names[1:])
    with pytest.raises(CountsError, match="The parts of counts do not fit together"):
        load_counts(tmp_path / "counts")


def test_a_newer_format_is_not_guessed_at(matrix, tmp_path):
    """A folder of a later version says so."""
    save_counts(matrix, tmp_path / "counts")
    about = durable.read_json(tmp_path / "counts" / "about.json")
    durable.write_json(tmp_path / "counts" / "about.json", {**about, "format_version": 99})
    with pytest.raises(CountsError, match="counts has format 99; this program reads 1"):
        load_counts(tmp_path / "counts")


def test_the_whole_library_comes_back_and_older_folders_have_none(matrix, tmp_path):
    """Beside the counts of the modelled genes; a subset of cells keeps theirs."""
    whole = np.arange(matrix.n_cells) + 1000.0
    save_counts(replace(matrix, whole_library=whole), tmp_path / "new")
    save_counts(matrix, tmp_path / "old")
    new, old = load_counts(tmp_path / "new"), load_counts(tmp_path / "old")
    np.testing.assert_array_equal(new.molecules, whole)
    np.testing.assert_array_equal(new.subset(cells=np.arange(5, 20)).molecules, whole[5:20])
    assert old.whole_library is None
    np.testing.assert_array_equal(old.molecules, matrix.library_size)


def test_library_sizes_that_do_not_fit_are_refused(matrix, tmp_path):
    """Of other cells, or not above zero."""
    save_counts(replace(matrix, whole_library=np.zeros(matrix.n_cells)), tmp_path / "counts")
    with pytest.raises(CountsError, match="do not fit its cells"):
        load_counts(tmp_path / "counts")
