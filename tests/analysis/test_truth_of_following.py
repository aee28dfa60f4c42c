"""What a factor follows: sentences parsed back, and every AUC in them recomputed by scikit-learn."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ldvae_core.analysis.findings import auc_words, factor_finding, follow_words
from ldvae_core.analysis.following import following_table, strongest
from ldvae_core.errors import SettingsError

SEEDS = range(3)
AUC = r"(?:above )?[\d.]+"
CLAIM = re.compile(
    r"(?:also )?(?P<verb>separates|follows) (?P<level>[\w ]+?)(?: (?:from|against) (?P<against>\w+))?"
    rf"(?P<low> at its low end)?(?: within (?P<inside>[\w ]+))? \(AUC (?P<auc>{AUC})(?:"
    rf", (?P<better>{AUC}) within (?P<within>[\w ]+)|"
    rf", but (?P<left>{AUC}) among cells of one (?P<column>\w+)|"
    rf"; (?P<all>{AUC}) over all cells)?\)"
)


def with_annotations(planted, seed):
    """Positions moved by a condition that matters within type 0 most; donors that hold unequal shares of the types."""
    rng = np.random.default_rng(seed + 1000)  # another stream than that of the types
    condition = rng.choice(["control", "treated"], len(planted.z), p=[0.45, 0.55])
    z = np.array(planted.z)
    moved = np.where(planted.labels == "type 0", 4.0, 1.0) * (condition == "treated")
    z[:, 3] = rng.normal(size=len(z)) + moved
    donor = np.where(rng.random(len(z)) < np.where(planted.labels == "type 1", 0.95, 0.3), "A", "B")
    table = {"cell_type": planted.labels, "condition": condition, "donor": donor}
    return planted._replace(z=z), {name: pd.Series(values) for name, values in table.items()}


def auc_of(factors, factor, annotations, row, inside=None):
    """By scikit-learn: of the level against the others, among some cells."""
    cells = np.ones(factors.n_cells, bool) if inside is None else inside
    z = factors.representation[cells, factor] * (-1 if row["low"] else 1)
    column = next(name for name, labels in annotations.items() if row["level"] in set(labels))
    return roc_auc_score((annotations[column] == row["level"])[cells], z)


def inside_of(annotations, level):
    return np.logical_or.reduce([labels.to_numpy() == level for labels in annotations.values()])


@pytest.mark.parametrize("seed", SEEDS)
def test_every_auc_of_a_sentence_is_that_of_the_positions(plant, factors_of, seed):
    """Over all cells, within the level that is named, and what is left among cells that are alike."""
    planted, annotations = with_annotations(plant(seed=seed), seed)
    factors = factors_of(planted, axes="as_trained")
    found = following_table(factors, annotations)
    n_claims = 0
    for factor in range(factors.n_factors):
        for claim in CLAIM.finditer(factor_finding(factors, factor, found)):
            row, n_claims = claim.groupdict(), n_claims + 1
            inside = inside_of(annotations, row["inside"]) if row["inside"] else None
            auc = auc_of(factors, factor, annotations, row, inside)
            assert row["auc"] == auc_words(auc)
            assert (row["verb"] == "separates") == (auc >= 0.9)
            if row["within"]:
                better = auc_of(factors, factor, annotations, row, inside_of(annotations, row["within"]))
                assert row["better"] == auc_words(better)
                assert better > auc
            if row["all"]:
                assert row["all"] == auc_words(auc_of(factors, factor, annotations, row))
            if row["left"]:
                assert float(row["left"]) < 0.5 + (auc - 0.5) / 2 + 0.005
    assert n_claims >= factors.n_factors


@pytest.mark.parametrize("seed", SEEDS)
def test_a_condition_is_named_before_the_types_it_is_split_over(plant, factors_of, seed):
    """The factor that it moves follows it, and most within the type where it matters."""
    planted, annotations = with_annotations(plant(seed=seed), seed)
    factors = factors_of(planted, axes="as_trained")
    found = following_table(factors, annotations)
    own = next(k for k in range(4) if factors.trained_as[k] == 3)
    told = strongest(found, own)[0]
    assert {told["level"], told["against"]} == {"treated", "control"}
    assert re.search(r" against \w+.*: AUC 0\.\d\d, (above )?0\.99 within type 0$", follow_words(told))


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_followed_by_luck(factors, labels, seed):
    """Annotations of 2 to 60 levels that mean nothing, some of few cells: no factor follows any."""
    rng = np.random.default_rng(seed + 1000)  # another stream than that of the types
    levels = [2, 5, 20, 60]
    annotations = {f"null {n}": pd.Series(rng.choice([f"{n} {k}" for k in range(n)], factors.n_cells)) for n in levels}
    annotations["few"] = pd.Series(np.where(rng.permutation(factors.n_cells) < 25, "few", "many"))
    assert not following_table(factors, annotations).follows.any()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_donors_get_from_their_types_is_said(plant, factors_of, seed):
    """A donor that holds one type follows the type's factor, but not among cells of one type."""
    planted = plant(seed=seed, n_factors=2)
    kinds = planted.labels
    swap = np.random.default_rng(seed).random(len(kinds)) < 0.1
    donor = pd.Series(np.where((kinds == "type 0") ^ swap, "A", "B"))
    factors = factors_of(planted)
    found = following_table(factors, {"cell_type": pd.Series(kinds), "donor": donor})
    rows = found[(found.column == "donor") & found.follows]
    assert len(rows) > 0
    for row in rows.to_dict("records"):
        if row["auc"] >= 0.75:
            assert re.search(r", but 0\.[45]\d among cells of one cell_type$", follow_words(row))


def test_shuffled_within_donors_a_label_keeps_only_what_donors_have(factors, labels):
    """Among cells of one donor nothing is left of it."""
    rng = np.random.default_rng(1000)
    donor = pd.Series(np.where((labels == "type 0") ^ (rng.random(len(labels)) < 0.05), "A", "B"))
    shuffled = labels.astype(str).groupby(donor).transform(lambda kinds: rng.permutation(kinds))
    found = following_table(factors, {"shuffled": shuffled, "donor": donor})
    rows = found[(found.column == "shuffled") & found.follows]
    assert len(rows) > 0
    assert all(
        re.search(r", but 0\.[45]\d among cells of one donor$", follow_words(row)) for row in rows.to_dict("records")
    )


def test_a_constant_factor_follows_nothing(factors, labels):
    """All cells are tied: every AUC is one half."""
    flat = replace(factors, representation=np.ones_like(factors.representation))
    found = following_table(flat, {"cell_type": labels})
    assert (found.auc == 0.5).all()
    assert not found.follows.any()


def test_one_factor_one_level_and_missing_labels(factors, labels):
    """A single level has nothing to stand out from, cells without a label are nobody's others."""
    one = pd.Series(["all"] * factors.n_cells)
    assert following_table(factors, {"one": one}).empty
    known = labels.where(np.arange(len(labels)) % 3 > 0)
    some = replace(factors, representation=factors.representation[known.notna()])
    pd.testing.assert_frame_equal(
        following_table(factors, {"cell_type": known}), following_table(some, {"cell_type": known.dropna()})
    )


def test_types_of_few_cells_are_not_looked_at(factors, labels):
    """Nineteen cells far out are nobody, twenty are."""
    for n_cells, named in ((19, False), (20, True)):
        names = np.random.default_rng(1000).choice(["left", "right"], len(labels)).astype(object)
        z = np.array(factors.representation)
        names[:n_cells], z[:n_cells, 0] = "rare", 100.0
        found = following_table(replace(factors, representation=z), {"cell_type": pd.Series(names)})
        assert ("rare" in set(found.level)) == named


def test_labels_must_match_the_cells(factors):
    """One label per cell, both numbers said."""
    with pytest.raises(SettingsError, match=r"^There are 2 labels for 1,200 cells"):
        following_table(factors, {"cell_type": pd.Series(["a", "b"])})
