"""A covariate that is the condition under another name is recognised by its cells."""

import re

import numpy as np
import pandas as pd
import pytest

from ldvae_core.analysis.confounding import confounded, confounded_sentence, cross_table

RNG = np.random.default_rng(0)
N = 1000
CONDITION = RNG.choice(["control", "treated"], N)
SWAPPED = np.where(RNG.random(N) < 0.03, np.where(CONDITION == "control", "lane 2", "lane 1"),
                   np.where(CONDITION == "control", "lane 1", "lane 2"))  # fmt: skip
CELLS = pd.DataFrame({
    "condition": CONDITION,
    "identical": np.where(CONDITION == "control", "run 1", "run 2"),
    "nearly": SWAPPED,
    "nested": [f"{level} {k}" for level, k in zip(CONDITION, RNG.integers(0, 4, N), strict=True)],
    "crossed": RNG.choice(["a", "b", "c"], N),
    "rare": np.where(np.arange(N) < 20, "rare", "usual"),
})  # fmt: skip


@pytest.mark.parametrize(
    ("covariate", "named", "both_ways"),
    [("identical", True, True), ("nearly", True, True), ("nested", True, False), ("crossed", False, False)],
)
def test_what_goes_with_the_condition_is_named(covariate, named, both_ways):
    """Identical, nearly so, or donors that each have one condition; not lanes that hold both."""
    found = confounded(CELLS, covariate, ["condition"])
    assert [(each.other, each.both_ways) for each in found] == ([("condition", both_ways)] if named else [])


def test_a_level_that_nearly_all_cells_have_is_not_taken_out():
    """98% of the cells are usual whatever the lane: the lane tells nothing of it."""
    assert confounded(CELLS, "crossed", ["rare", "crossed"]) == []


@pytest.mark.parametrize("covariate", ["identical", "nearly", "nested"])
def test_the_sentence_is_true(covariate):
    """The share in it is that of the cross-table, and a covariate said to be the same groups the same cells."""
    found = confounded(CELLS, covariate, ["condition"])[0]
    sentence, table = confounded_sentence(found), pd.crosstab(CELLS[covariate], CELLS["condition"]).to_numpy()
    share = table.max(axis=1).sum() / N
    said = re.search(r"\(for (all|\d+)%? of the cells\)", sentence)[1]
    assert said == ("all" if share == 1 else f"{100 * share:.0f}")
    assert ("are the same grouping" in sentence) == (table.max(axis=0).sum() / N >= 0.95)


def test_the_cross_table_counts_cells_that_have_both():
    """A missing label is no level."""
    cells = pd.DataFrame({"a": ["x", "x", None, "y"], "b": ["1", "2", "1", None]})
    assert cross_table(cells, "a", "b").to_dict() == {"1": {"x": 1}, "2": {"x": 1}}
