"""Levels of an annotation: a missing value is one of them, and never takes another one's name."""

import numpy as np
import pandas as pd
import pytest

from ldvae_core.data.genes import select_genes
from ldvae_core.data.levels import levels_of
from ldvae_core.errors import SettingsError
from ldvae_core.runs.prepare import levels_as_learned


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["a", None, "b"], dtype=object),
        pd.Series(pd.Categorical(["a", None, "b"])),
        pd.Series(["a", pd.NA, "b"], dtype="string"),
    ],
    ids=["text", "categories", "nullable"],
)
def test_missing_values_are_a_level(column):
    """Whatever the type of the column, they are called "missing", not "nan" or "None"."""
    assert levels_of(column).tolist() == ["a", "missing", "b"]


def test_a_level_called_missing_is_kept_apart():
    """A person's own level of that name is not joined with cells that have none."""
    assert levels_of(pd.Series(["missing", None, "b"], dtype=object)).tolist() == ["missing", "missing_", "b"]


def test_a_batch_of_few_cells_is_named(matrix):
    """Which level, of which column, with how many cells."""
    lanes = np.array(["s1"] + ["s2"] * (matrix.n_cells - 1), dtype=object)
    matrix.annotations["lane"] = lanes
    with pytest.raises(SettingsError, match=r"1 of 2 levels of 'lane' have fewer than 3 cells.*s1 \(1\)"):
        select_genes(matrix, n_genes=20, batch_column="lane")


def test_missing_values_are_the_level_that_the_model_learned():
    """Of today's runs "missing", of earlier ones "nan"; new cells without a value are placed with it."""
    column = pd.Series(["a", np.nan, "b"], dtype=object)
    assert levels_as_learned(column, ("a", "b", "missing")).tolist() == ["a", "missing", "b"]
    assert levels_as_learned(column, ("a", "b", "nan")).tolist() == ["a", "nan", "b"]
