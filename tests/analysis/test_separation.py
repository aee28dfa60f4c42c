"""Which factors separate which cell types, judged by numpy and scikit-learn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from ldvae_core.analysis import separation
from ldvae_core.analysis.separation import association_table, best_pair, best_types, type_cells
from ldvae_core.errors import SettingsError


def test_correlation_and_auc_agree_with_numpy_and_scikit_learn(factors, labels):
    """Correlation with the indicator of the type, and the area under the ROC curve of the factor as its score."""
    for row in association_table(factors, labels).itertuples():
        inside, z = (labels == row.cell_type).to_numpy(), factors.representation[:, row.factor]
        assert row.correlation == pytest.approx(np.corrcoef(z, inside)[0, 1], abs=1e-6)
        assert row.auc == pytest.approx(roc_auc_score(inside, z), abs=1e-12)
        assert row.n_cells == inside.sum()


def test_ties_count_half(factors, labels):
    """Cells with equal positions are ranked in the middle of each other, as scikit-learn does."""
    coarse = replace(factors, representation=np.round(factors.representation).astype(np.float32))
    table = association_table(coarse, labels).set_index(["cell_type", "factor"])
    theirs = roc_auc_score(labels == "type 1", coarse.representation[:, 0])
    assert table.auc["type 1", 0] == pytest.approx(theirs, abs=1e-12)


def test_cells_without_a_label_are_left_out(factors, labels):
    """A missing label is not a type, nor "not this type"."""
    known = labels.where(np.arange(len(labels)) % 3 > 0)
    some = replace(factors, representation=factors.representation[known.notna()])
    pd.testing.assert_frame_equal(association_table(factors, known), association_table(some, known.dropna()))


def test_a_type_that_is_every_cell_has_no_association(factors):
    """Nothing to stand out from: not a number instead of a made-up one."""
    table = association_table(factors, ["all"] * factors.n_cells)
    assert table[["correlation", "auc"]].isna().all(axis=None)
    assert best_types(table).empty


def test_a_factor_that_does_not_vary_is_associated_with_nothing(factors, labels):
    """Correlation 0 and AUC one half, without a warning."""
    flat = replace(factors, representation=np.ones_like(factors.representation))
    table = association_table(flat, labels)
    assert (table.correlation.unique().tolist(), table.auc.unique().tolist()) == ([0.0], [0.5])


@pytest.mark.parametrize(("n_cells", "named"), [(19, False), (20, True)])
def test_factors_are_not_named_after_a_handful_of_cells(factors, labels, n_cells, named):
    """Even a perfect match counts only from 20 cells on: fewer may be luck."""
    names, z = labels.astype(str).to_numpy(object), np.array(factors.representation)
    names[:n_cells], z[:n_cells, 0] = "rare", 100.0
    found = best_types(association_table(replace(factors, representation=z), names))
    assert ("rare" in set(found.cell_type)) == named


def test_labels_must_match_the_cells(factors):
    """One label per cell, both numbers said."""
    with pytest.raises(SettingsError, match=r"^There are 2 labels for 1,200 cells\. Give one label per cell\.$"):
        association_table(factors, ["a", "b"])


@pytest.mark.parametrize("n_types", [2, 3, 4])
def test_the_best_pair_is_the_best_of_all_pairs(factors, labels, n_types):
    """No pair of factors classifies the chosen types better, by scikit-learn's linear discriminant."""
    types = [f"type {k}" for k in range(n_types)]
    best = best_pair(factors, labels, types)
    inside = labels.isin(types).to_numpy()
    z, truth = factors.representation[inside], labels[inside].astype(str)
    lda = LinearDiscriminantAnalysis(priors=np.full(n_types, 1 / n_types))
    pairs = [(int(row.x), int(row.y)) for row in best.table.itertuples()]
    theirs = [balanced_accuracy_score(truth, lda.fit(z[:, p], truth).predict(z[:, p])) for p in pairs]
    assert best.balanced_accuracy == pytest.approx(max(theirs), abs=0.015)
    assert len(pairs) == 6


def test_choices_of_types_share_what_they_have_in_common(factors, labels):
    """Looked at before or not, in another choice and order: a pair of types gets the same answer."""
    known = type_cells(factors, labels)
    best_pair(factors, labels, ["type 2", "type 3", "type 0"], known=known)
    shared, alone = (best_pair(factors, labels, ["type 0", "type 2"], known=have) for have in (known, None))
    pd.testing.assert_frame_equal(shared.table, alone.table)
    pd.testing.assert_frame_equal(shared.accuracy, alone.accuracy)


def test_two_types_are_separated_by_the_factors_they_were_planted_on(factors, labels):
    """The pair is that of the two factors which follow the two types."""
    best = best_pair(factors, labels, ["type 1", "type 2"])
    follows = best_types(association_table(factors, labels)).set_index("cell_type").factor
    assert set(best.pair) == {follows["type 1"], follows["type 2"]}
    assert best.pair[0] < best.pair[1]


def test_rare_types_count_as_much_as_common_ones(factors, labels):
    """Balanced accuracy: the mean over types, not over cells, of the share on the right side."""
    rare = labels.astype(str).where((labels != "type 3") | (np.arange(len(labels)) % 10 == 0))
    best = best_pair(factors, rare, ["type 0", "type 3"])
    assert best.accuracy.n_cells.tolist() == [276, (rare == "type 3").sum()]
    assert best.balanced_accuracy == pytest.approx(best.accuracy.share_right.mean())


def test_dead_factors_are_not_offered(factors, labels):
    """A pair consists of active factors."""
    some = replace(factors, active=np.array([True, False, True, True]))
    table = best_pair(some, labels, ["type 0", "type 1"]).table
    assert 1 not in set(table.x) | set(table.y)


def test_the_same_seed_gives_the_same_number(factors, labels):
    """Folds are drawn from a seeded generator."""
    first, second = (best_pair(factors, labels, ["type 0", "type 1", "type 2"]) for _ in range(2))
    assert first.balanced_accuracy == second.balanced_accuracy


@pytest.mark.parametrize(
    ("types", "message"),
    [
        (["type 0"], r"^Choose 2 to 4 cell types to compare; 1 were given\.$"),
        (["type 0", "type 0"], r"^Choose 2 to 4 cell types to compare; 1 were given\.$"),
        (
            ["type 0", "Blood"],
            r"^There is no cell type 'Blood'; known are: type 0, type 1, type 2, type 3\.$",
        ),
    ],
    ids=["too few", "twice the same", "unknown"],
)
def test_impossible_choices_are_refused(factors, labels, types, message):
    """What is wrong, the value found, and what there is to choose from."""
    with pytest.raises(SettingsError, match=message):
        best_pair(factors, labels, types)


def test_a_type_of_four_cells_cannot_be_judged(factors, labels):
    """Five folds need five cells."""
    names = labels.astype(str).to_numpy(object)
    names[:4] = "rare"
    with pytest.raises(SettingsError, match=r"^rare has only 4 cells; 5 are needed\.$"):
        best_pair(factors, names, ["rare", "type 1"])


def test_equal_types_are_never_told_apart(factors):
    """The best of all pairs looks good by luck where types have few cells: the sentence asks for more than that."""
    for seed in range(10):
        names = np.full(factors.n_cells, "other", object)
        names[np.random.default_rng(seed).permutation(factors.n_cells)[:12]] = ["left", "right"] * 6
        assert not best_pair(factors, names, ["left", "right"]).tells_apart


def test_a_shortlist_by_some_cells_finds_the_best_of_all_pairs(factors, labels, monkeypatch):
    """With more cells times pairs than can be judged, pairs are ranked by some of the cells first."""
    types = ["type 0", "type 1", "type 2"]
    whole = best_pair(factors, labels, types)
    for name, value in (("ALL_CELLS", 1), ("N_CHECKED", 3), ("FEWEST_SEEN", 60)):
        monkeypatch.setattr(separation, name, value)
    some = best_pair(factors, labels, types)
    assert (some.pair, some.balanced_accuracy) == (whole.pair, whole.balanced_accuracy)
    assert int(some.table.balanced_accuracy.notna().sum()) == 3
