"""Sentences of finding say what the tables say."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ldvae_core.analysis.comparison import covariance_view, matching_table
from ldvae_core.analysis.findings import (
    association_finding,
    auc_words,
    best_pair_finding,
    factor_finding,
    join,
    matching_finding,
    pair_finding,
    placement_finding,
    position_findings,
    spectrum_finding,
    structure_finding,
)
from ldvae_core.analysis.following import following_table, strongest
from ldvae_core.analysis.programs import top_genes
from ldvae_core.analysis.separation import association_table, best_pair


@pytest.fixture
def following(factors, labels):
    """What every factor follows."""
    return following_table(factors, {"cell_type": labels})


def test_a_factor_is_described_by_its_type_and_genes(factors, following):
    """The type it separates, how well, and the strongest genes of that end."""
    kind = strongest(following, 0)[0]["level"]
    genes = ", ".join(top_genes(factors, 0, 3, end="positive").gene)
    expected = f"Factor 1 separates {kind} (AUC above 0.99); its strongest genes are {genes}."
    assert factor_finding(factors, 0, following) == expected


def test_a_type_at_the_low_end_is_described_by_the_genes_of_that_end(factors, labels):
    """Seen from the other side, the same factor separates the type with its negative genes."""
    turned = replace(
        factors, representation=-factors.representation, loadings_shrunken=-np.asarray(factors.loadings_shrunken)
    )
    sentence = factor_finding(turned, 0, following_table(turned, {"cell_type": labels}))
    genes = ", ".join(top_genes(turned, 0, 3, end="negative").gene)
    assert "at its low end (AUC above 0.99)" in sentence
    assert sentence.endswith(f"the strongest genes of that end are {genes}.")


def test_a_factor_that_follows_nothing_says_so(factors, labels):
    """Shuffled labels: the closest type is named with its poor AUC, and both ends are listed."""
    shuffled = pd.Series(np.random.default_rng(0).permutation(labels.astype(str)))
    sentence = factor_finding(factors, 0, following_table(factors, {"cell_type": shuffled}))
    assert sentence.startswith("Factor 1 follows no group of at least 20 cells of any annotation (closest: type ")
    assert "at its high end and" in sentence


def test_without_labels_a_factor_is_described_by_its_weight(factors):
    """Explained deviance, as a share of the held-out deviance, and both ends' genes."""
    share = f"{factors.explained_deviance[1]:.1%}"
    assert factor_finding(factors, 1).startswith(
        f"Factor 2 accounts for {share} of the held-out deviance; its strongest"
    )


def test_a_dead_factor_is_not_interpreted(factors):
    """Genes of a factor that hardly varies mean nothing, and the sentence says so."""
    dead = replace(factors, active=np.array([True, True, True, False]))
    expected = "Factor 4 is inactive: it hardly varies between cells, so its genes carry no meaning."
    assert factor_finding(dead, 3) == expected


@pytest.mark.parametrize("order", ["deviance", "effect"])
def test_a_pair_is_described_by_what_each_factor_follows_and_its_genes(factors, following, order):
    """Each axis with the first genes of the end that lies there; without annotations, both ends' genes."""
    factors = replace(factors, gene_order=order)
    said = pair_finding(factors, (0, 1), following).removesuffix(".").split("; ")
    for factor, words in enumerate(said):
        told = strongest(following, factor)[0]
        genes = top_genes(factors, factor, 3, end="positive" if told["end"] == "high" else "negative").gene.tolist()
        assert words == f"Factor {factor + 1} is {told['end']} in {told['level']}, with {join(genes)}"
    assert pair_finding(factors, (0, 1)).startswith("Factor 1 accounts for ")
    assert "arrow" not in pair_finding(factors, (0, 1))


def test_no_factor_accounts_for_less_than_nothing(factors):
    """Noise on held-out cells can be negative: it is said as nothing."""
    worse = replace(factors, explained_deviance=np.array([-0.0012, 0.2, 0.1, 0.0001]))
    assert factor_finding(worse, 0).startswith("Factor 1 accounts for nothing of the held-out deviance")
    assert factor_finding(worse, 3).startswith("Factor 4 accounts for under 0.1% of the held-out deviance")


@pytest.mark.parametrize("value", ["auc", "correlation"])
def test_each_measure_quotes_its_own_winner(factors, labels, value):
    """By AUC a rare type may win that correlation never sees; at the low end too."""
    table = association_table(factors, labels).assign(correlation=0.1, auc=0.5)
    table.loc[2, "correlation"], table.loc[5, "auc"] = -0.8, 0.04
    winner = table.loc[5 if value == "auc" else 2]
    sentence = association_finding(table, factors, value=value)
    assert f"Factor {winner.factor + 1} follows one type most closely: {winner.cell_type}" in sentence
    assert ("at its low end (AUC 0.96)" in sentence) == (value == "auc")
    assert association_finding(table.assign(n_cells=19), factors, value=value) == ""


def test_the_best_pair_is_told_with_its_number_and_directions(factors, labels):
    """Which factors, which types, the balanced accuracy in percent, and where each type lies."""
    best = best_pair(factors, labels, ["type 0", "type 1", "type 2"])
    numbers = f"Factors {best.pair[0] + 1} and {best.pair[1] + 1}"
    sentence = best_pair_finding(best)
    start = f"{numbers} tell type 0, type 1 and type 2 apart: {100 * best.balanced_accuracy:.0f}% of cells on the right"
    assert sentence.startswith(start)
    assert sentence.partition(" Where they lie: ")[2].count(" towards ") == 3


def test_a_perfect_score_is_never_a_rounded_one(factors, labels):
    """99.7% is over 99%, not 100%; a pair no better than guessing hardly tells types apart."""
    best = best_pair(factors, labels, ["type 0", "type 1"])
    assert "over 99% of cells" in best_pair_finding(replace(best, balanced_accuracy=0.997))
    assert "100% of cells" in best_pair_finding(replace(best, balanced_accuracy=1.0))
    assert "hardly tell" in best_pair_finding(replace(best, balanced_accuracy=0.55))


@pytest.mark.parametrize(("auc", "words"), [(0.5, "0.50"), (0.9949, "0.99"), (0.996, "above 0.99"), (1.0, "1.00")])
def test_an_auc_is_never_a_rounded_one(auc, words):
    """1.00 is said of a perfect separation only."""
    assert auc_words(auc) == words


def test_names_are_joined_as_in_a_sentence():
    """Commas, and one "and"."""
    assert [join(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("degrees", "words"),
    [(8, "the subspaces agree (median angle 8°)."), (30, "the subspaces agree in part (median angle 30°)."),
     (70, "the subspaces differ (median angle 70°): the two models describe the cells differently.")],
    ids=["agree", "in part", "differ"],
)  # fmt: skip
def test_a_matching_is_told_with_its_number_and_angle(factors, degrees, words):
    """How many active programs are found, and whether both runs span the same subspace."""
    sentence = matching_finding(matching_table(factors, factors), np.radians([1, degrees, 80]), ("A", "B"))
    assert sentence == f"4 of 4 active programs of A are found in B (match at least 0.8); {words}"


def test_turned_axes_are_told_from_lost_programs(factors):
    """Few matches with small angles: the axes are turned."""
    table = matching_table(factors, factors).assign(found=[True, False, False, False])
    assert "so the axes are turned, not the programs lost" in matching_finding(table, np.zeros(4), ("A", "B"))


def test_the_spectrum_speaks_of_components_and_of_the_zero_of_usages(usage_factors):
    """Shares belong to components; usages sum to 1, which costs one eigenvalue."""
    sentence = spectrum_finding(covariance_view(usage_factors.representation), usage=True)
    assert "The first component takes" in sentence
    assert sentence.endswith("One eigenvalue is zero, because usages sum to 1 in every cell.")


def test_a_run_without_structure_is_told_with_its_gain():
    """Only where the run's own metrics say so; older runs say nothing."""
    found = structure_finding({"structure_found": False, "gain": -0.3, "gain_se": 0.2})
    assert found == (
        "No structure found: on held-out cells this model predicts no better than each gene's mean "
        "(gain −0.30 ± 0.20 nats per cell)."
    )
    assert structure_finding({"structure_found": True}) == structure_finding({}) == ""


def test_a_run_says_what_to_know_of_its_axes_and_positions():
    """Only what its figures say; older runs have none of them and say nothing."""
    assert position_findings({"positions": "refined", "not_refined": "", "programs_overlap": False}) == []
    assert position_findings({}) == []
    overlap, left = position_findings(
        {"programs_overlap": True, "program_correlation": 0.448, "not_refined": "a neural decoder has no loadings"}
    )
    assert "correlation up to 0.45" in overlap
    assert left.endswith("not refined: a neural decoder has no loadings.")


def test_figures_of_refined_cells_are_not_set_beside_others_without_a_word():
    """Which runs are which, and nothing where all are alike."""
    refined, other, old = {"positions": "refined"}, {"positions": "encoder"}, {}
    assert placement_finding({"a": refined, "b": refined}) == placement_finding({"a": other, "b": old}) == ""
    said = placement_finding({"a": refined, "b": other, "c": old})
    assert said.startswith("The cells of a are refined, those of b and c stand where the encoder alone puts them")
