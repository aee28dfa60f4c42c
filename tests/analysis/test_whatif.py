"""Predicted fractions when factors are moved: by hand, and usages stay usages."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ldvae_core.analysis.whatif import (
    change_table,
    fractions,
    largest_changes,
    moved,
    softmax_problem,
    whatif_finding,
)
from ldvae_core.errors import SettingsError
from ldvae_core.model.config import ModelConfig


@pytest.fixture(name="by_hand")
def _by_hand(factors):
    """Three genes, two factors of standard deviation 1 and 2, mean 0."""
    z = np.array([[1.0, 2.0], [-1.0, 2.0], [1.0, -2.0], [-1.0, -2.0]], np.float32)
    weights = np.log(np.array([[2.0, 1.0], [1.0, 1.0], [1.0, 3.0]], np.float32))
    return replace(
        factors, representation=z, loadings=weights, loadings_shrunken=weights / 2, gene_names=np.array(list("ABC")),
        intercept=np.log(np.array([0.5, 0.25, 0.25], np.float32)), active=np.ones(2, bool), flipped=np.zeros(2, bool),
        explained_deviance=np.ones(2), trained_as=np.arange(2), rotation=np.eye(2),
    )  # fmt: skip


def test_fractions_are_the_softmax_by_hand(by_hand):
    """One unit of the first factor doubles gene A before all are brought to a sum of 1."""
    assert fractions(by_hand, np.array([1.0, 0.0])) == pytest.approx([1.0 / 1.5, 0.25 / 1.5, 0.25 / 1.5], rel=1e-6)


def test_the_mean_cell_has_the_intercepts_fractions(by_hand):
    """Where factors have mean 0, the mean cell is softmax(b)."""
    assert fractions(by_hand, by_hand.centre) == pytest.approx([0.5, 0.25, 0.25], rel=1e-6)


def test_shrunken_loadings_are_used_when_asked_for(by_hand):
    """Half the loading: the square root of the factor."""
    total = 0.5 * 2**0.5 + 0.5
    assert fractions(by_hand, np.array([1.0, 0.0]), use="shrunken")[0] == pytest.approx(0.5 * 2**0.5 / total, rel=1e-6)


def test_a_move_counts_standard_deviations(by_hand):
    """Two of a factor whose standard deviation is 2 are four units; the others stay; the start is not changed."""
    start = np.array([0.5, 1.0])
    assert moved(by_hand, start, {1: 2.0}) == pytest.approx([0.5, 5.0])
    assert list(start) == [0.5, 1.0]
    assert moved(by_hand, start, {0: 0.0, 1: 0.0}) == pytest.approx(start)


def test_there_is_no_such_factor_is_said(by_hand):
    """Like everywhere else."""
    with pytest.raises(SettingsError):
        moved(by_hand, np.zeros(2), {7: 1.0})


def test_the_table_has_every_gene_the_largest_change_first(by_hand):
    """Molecules per 10,000, by hand."""
    table = change_table(by_hand, np.zeros(2), np.array([1.0, 0.0]))
    assert list(table.gene) == ["A", "B", "C"]
    assert table.before.tolist() == pytest.approx([5000, 2500, 2500], rel=1e-6)
    assert table.change.tolist() == pytest.approx([5000 / 3, -2500 / 3, -2500 / 3], rel=1e-5)
    assert table.log2_fold[0] == pytest.approx(np.log2(4 / 3), rel=1e-5)


def test_largest_changes_stand_at_both_ends():
    """Rising ones first, falling ones last; by folds, only of genes that could be seen."""
    table = pd.DataFrame({"gene": list("abcd"), "before": [10, 5, 0.001, 8], "after": [30, 20, 0.05, 2.0]})
    table["change"], table["log2_fold"] = table.after - table.before, np.log2(table.after / table.before)
    assert list(largest_changes(table, 1).gene) == ["a", "d"]
    assert list(largest_changes(table, 2, by="log2_fold").gene) == ["b", "a", "d"]


@pytest.mark.parametrize("changes", [{0: 2.0}, {0: -9.0}, {0: 3.0, 1: 3.0, 2: 3.0}, dict.fromkeys(range(4), 9.0),
                                     dict.fromkeys(range(4), -99.0)])  # fmt: skip
def test_usages_stay_on_the_simplex(usage_factors, changes):
    """At least 0, and a sum of 1, however the sliders stand."""
    for start in (usage_factors.centre, usage_factors.representation[0], np.array([1.0, 0.0, 0.0, 0.0])):
        end = moved(usage_factors, start, changes)
        assert end.min() >= 0
        assert end.sum() == pytest.approx(1.0)


def test_other_usages_share_the_rest_in_their_old_proportions(usage_factors):
    """The moved one is where the slider put it; the ratios of the others are kept."""
    start = np.array([0.4, 0.3, 0.2, 0.1])
    end = moved(usage_factors, start, {0: 1.0})
    assert end[0] == pytest.approx(min(0.4 + usage_factors.scale[0], 1))
    assert end[1:] / end[3] == pytest.approx([3, 2, 1])


def test_the_sentence_names_what_was_moved_and_what_follows(by_hand):
    """Both ends, with numbers; without a move it says what to do."""
    table = change_table(by_hand, np.zeros(2), np.array([1.0, 0.0]))
    said = whatif_finding(by_hand, {0: 1.0, 1: 0.0}, table, start="the mean cell")
    assert said.startswith("From the mean cell, raising Factor 1 by 1 SD raises A most (5,000 to 6,667 molecules")
    assert "lowers" in said
    assert "move a slider" in whatif_finding(by_hand, {0: 0.0}, table, start="the mean cell")


@pytest.mark.parametrize(("model", "word"), [
    ({"method": "pca"}, "PCA"), ({"method": "nmf"}, "NMF"), ({"decoder": "neural"}, "neural decoder"),
    ({"method": "ldvae", "decoder": "linear"}, ""), ({}, ""),
])  # fmt: skip
def test_models_without_a_softmax_map_say_so(model, word):
    """Baselines and neural decoders predict in another way."""
    said = softmax_problem(ModelConfig.from_dict(model))
    assert word in said
    assert bool(said) == bool(word)
