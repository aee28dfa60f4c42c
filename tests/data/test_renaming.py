"""Genes and cells get other names without the file: counts stay, what follows from names changes with them."""

import os

import numpy as np
import pandas as pd
import pytest

from ldvae_core.data.folder import load_counts
from ldvae_core.data.reading_options import ReadingOptions
from ldvae_core.data.reading_process import fill_folder
from ldvae_core.data.renaming import names_of_cells, names_of_genes, rename
from ldvae_core.errors import CountsError

from .conftest import GENES, N_CELLS, N_GENES


@pytest.fixture(name="file")
def _file(adata, saved):
    """Named by ids, with symbols and odd names beside; every cell has a label of its own."""
    obs = adata.obs.assign(label=[f"well {n}" for n in range(N_CELLS)], half=np.arange(N_CELLS) % 2)
    var = pd.DataFrame({"symbol": GENES, "odd": [f"Odd{n % 30}" for n in range(N_GENES)]})
    return saved(obs=obs, var=var.set_axis([f"ENSMUSG{n:011d}" for n in range(N_GENES)]))


def read(file, folder, **options):
    folder.mkdir()
    fill_folder(file, folder, ReadingOptions(**options))
    return load_counts(folder)


@pytest.fixture(name="first")
def _first(file, tmp_path):
    return read(file, tmp_path / "first")


@pytest.mark.parametrize("column", ["index", "odd"])
def test_genes_are_named_as_if_the_file_had_been_read_so(file, first, tmp_path, column):
    """Names, ids, notices, sentence, fingerprint and mitochondrial molecules: all as reading it so gives them."""
    rename(tmp_path / "first", first, tmp_path / "renamed", genes=column)
    renamed, reread = load_counts(tmp_path / "renamed"), read(file, tmp_path / "reread", genes_named_by=column)
    assert first.gene_names.tolist() == GENES
    assert renamed.gene_names.tolist() == reread.gene_names.tolist() != GENES
    assert (renamed.gene_ids is None) == (reread.gene_ids is None)
    assert renamed.gene_ids is None or renamed.gene_ids.tolist() == reread.gene_ids.tolist()
    assert renamed.fingerprint == reread.fingerprint != first.fingerprint
    assert sorted(renamed.notices) == sorted(reread.notices)
    assert renamed.reading == reread.reading
    assert np.array_equal(renamed.tallies.mitochondrial, reread.tallies.mitochondrial)
    assert (renamed.counts != first.counts).nnz == 0


def test_there_and_back_is_the_same_data_set(first, tmp_path):
    """So that nobody collects copies."""
    rename(tmp_path / "first", first, tmp_path / "there", genes="odd")
    rename(tmp_path / "there", load_counts(tmp_path / "there"), tmp_path / "back", genes="symbol")
    back = load_counts(tmp_path / "back")
    assert back.fingerprint == first.fingerprint
    assert back.gene_names.tolist() == first.gene_names.tolist()
    assert sorted(back.notices) == sorted(first.notices)


def test_counts_are_the_same_files(first, tmp_path):
    """A renamed data set of two million cells takes no room."""
    rename(tmp_path / "first", first, tmp_path / "renamed", genes="odd")
    assert os.path.samefile(tmp_path / "first" / "counts_data.npy", tmp_path / "renamed" / "counts_data.npy")
    assert load_counts(tmp_path / "first").gene_names.tolist() == GENES


def test_cells_are_named_by_an_annotation(first, tmp_path):
    """Which changes places with the names until now."""
    assert names_of_cells(first.annotations) == ("label",)
    said = rename(tmp_path / "first", first, tmp_path / "renamed", cells="label")
    renamed = load_counts(tmp_path / "renamed")
    assert renamed.cell_ids[:2].tolist() == ["well 0", "well 1"]
    assert renamed.annotations.columns.tolist() == ["cell_type", "index", "half"]
    assert renamed.annotations["index"].tolist() == first.cell_ids.tolist()
    assert renamed.reading.cells_named_by == "label"
    assert "cells by `label`" in renamed.reading.sentence
    assert said == ("Cells are named by label now: well 0, well 1, well 2 ...",)
    rename(tmp_path / "renamed", renamed, tmp_path / "back", cells="index")
    assert load_counts(tmp_path / "back").fingerprint == first.fingerprint


def test_what_cannot_name_them_is_refused(first, tmp_path):
    """And nothing is left."""
    for how in ({"genes": "half"}, {"cells": "half"}, {"cells": "cell_type"}):
        with pytest.raises(CountsError, match="cannot be named by"):
            rename(tmp_path / "first", first, tmp_path / "renamed", **how)
    assert not (tmp_path / "renamed").exists()


def test_a_file_that_leaves_no_choice_keeps_none(adata, saved, tmp_path):
    """Nor do data sets of before."""
    read(saved(), tmp_path / "plain")
    assert names_of_genes(tmp_path / "plain") == ()
