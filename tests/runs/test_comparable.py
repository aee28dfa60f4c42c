"""Which runs may be drawn together, and why the others may not."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from ldvae_core.durable import read_array, read_json, write_array, write_json
from ldvae_core.runs.comparable import Basis, difference, groups, left_out, read_basis

ONE = Basis(data="demo", cells="c", genes="g", counts="x", split="s", seed=0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"data": "other name"}, ""),
        ({"seed": 1}, ""),
        ({"data": "mine", "cells": "d", "counts": "y"}, "other data"),
        ({"cells": "d", "counts": "y"}, "other cells of the same data"),
        ({"cells": "d", "genes": "h", "counts": "y"}, "other cells and genes"),
        ({"genes": "h", "counts": "y"}, "other genes"),
        ({"counts": "y"}, "other data"),
        ({"split": "t", "seed": 3}, "another split: seed 3 instead of 0"),
        ({"split": "t", "shares": (0.2, 0.1)}, "another split: its validation and test shares differ"),
        ({"split": "t"}, "another split"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_difference_is_named_in_plain_words(changes, reason):
    """Equal counts and split compare, whatever names say; else the first thing that differs is the reason."""
    assert difference(ONE, replace(ONE, **changes)) == reason


def test_a_run_that_has_not_begun_is_left_out():
    """Its cells and genes are not known yet."""
    reasons = left_out(ONE, {"same": ONE, "waiting": None})
    assert reasons == {"waiting": "not begun yet, so its cells and genes are not known"}


def test_groups_are_numbered_in_order_of_appearance():
    """Runs with one number compare; 0 is not known."""
    assert groups({"a": ONE, "b": replace(ONE, split="t"), "c": ONE, "d": None}) == {"a": 1, "b": 2, "c": 1, "d": 0}


def test_the_basis_is_read_from_the_arrays_of_the_folder(finished_folder, tmp_path):
    """Another split is seen whatever the settings say; cells, genes and counts are those of the folder."""
    shutil.copytree(finished_folder, tmp_path / "copy")
    first = read_basis(tmp_path / "copy")
    shutil.copytree(finished_folder, tmp_path / "turned")
    split = np.array(read_array(finished_folder / "split.npy"))
    write_array(tmp_path / "turned" / "split.npy", split[::-1].copy())
    assert first == read_basis(finished_folder)
    assert difference(first, read_basis(tmp_path / "turned")) == "another split"


def test_another_selection_of_genes_is_seen(finished_folder, tmp_path):
    """Gene names in another order are other genes: loadings would be matched wrongly."""
    shutil.copytree(finished_folder, tmp_path / "copy")
    genes = np.array(read_array(tmp_path / "copy" / "counts" / "gene_names.npy"))
    write_array(tmp_path / "copy" / "counts" / "gene_names.npy", genes[::-1].copy())
    about = read_json(tmp_path / "copy" / "counts" / "about.json")
    write_json(tmp_path / "copy" / "counts" / "about.json", {**about, "fingerprint": "other"})
    assert difference(read_basis(finished_folder), read_basis(tmp_path / "copy")) == "other genes"


def test_a_damaged_folder_has_no_basis(tmp_path):
    """It is left out, not an error."""
    assert read_basis(tmp_path) is None


def test_the_shipped_run_compares_with_runs_on_the_shipped_data(store):
    """The demo run keeps no counts of its own; they are those of the demo."""
    basis = store.basis("demo")
    assert (basis.data, basis.seed) == ("demo", 0)
    assert len(basis.counts) == 64
