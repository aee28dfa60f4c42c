"""Genes named for cell types, and places of types: sentences parsed back, their claims recomputed from the raw data."""

import re
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ldvae_core.analysis.findings import best_pair_finding, named_genes_finding
from ldvae_core.analysis.programs import biplot_table
from ldvae_core.analysis.separation import best_pair, type_cells
from ldvae_core.analysis.type_genes import Named, named_genes, point_arrows, single_out, sums_by_type, type_genes

SEEDS = range(4)


def told(planted, factors, labels, types, n_each=10):
    """The sentence, and what it is made of."""
    labels = pd.Series(labels).astype("category")
    known = list(labels.cat.categories)
    best = best_pair(factors, labels, types, known=type_cells(factors, labels))
    sums = sums_by_type(planted.counts, planted.library_size, labels.cat.codes.to_numpy(np.int64), len(known))
    genes = type_genes(sums, factors.gene_names, [known.index(name) for name in types], types)
    biplot = biplot_table(factors, best.pair)
    return best_pair_finding(best, factors, named_genes(biplot, best.directions, genes, n_each=n_each)), genes, best


def claims(sentence):
    """{type: (genes said to be higher there, genes said to be lower there)}, from the words."""
    found = {}
    for part in sentence.partition(" (q < 5%): ")[2].rstrip(".").split("; "):
        if lower := re.fullmatch(r"none in (.+), where (.+) (?:is|are) lower", part):
            found[lower[1]] = [], lower[2].split(", ")
        elif none := re.fullmatch(r"none in (.+)", part):
            found[none[1]] = [], []
        elif higher := re.fullmatch(r"(.+?) in (.+)", part):
            found[higher[2]] = higher[1].split(", "), []
    return found


def differs(planted, factors, labels, gene, first, second):
    """Sign of the difference of the types' shares of molecules; 0 where a linearised test of ratios has p > .05."""
    x = planted.counts.toarray()[:, np.flatnonzero(factors.gene_names == gene)[0]].astype(float)
    shares, errors = [], []
    for kind in (first, second):
        own, size = x[labels == kind], planted.library_size[labels == kind]
        shares.append(own.sum() / size.sum())
        errors.append(stats.sem((own - shares[-1] * size) / size.mean()))
    gap = shares[0] - shares[1]
    return np.sign(gap) * (stats.norm.sf(abs(gap) / np.hypot(*errors)) < 0.025)


@pytest.mark.parametrize("n_types", [2, 3, 4])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_named_gene_is_higher_in_its_type_than_in_each_other(plant, factors_of, seed, n_types):
    """Every gene and type of the sentence, against each other chosen type."""
    planted = plant(seed=seed)
    factors, types = factors_of(planted), [f"type {k}" for k in range(n_types)]
    sentence, _, _ = told(planted, factors, planted.labels, types)
    found = claims(sentence)
    assert set(found) == set(types)
    assert sum(len(high) for high, _ in found.values()) >= n_types
    for kind, sides in found.items():
        for sign, genes in zip((1, -1), sides, strict=True):
            for gene in genes:
                others = [other for other in types if other != kind]
                assert all(differs(planted, factors, planted.labels, gene, kind, other) == sign for other in others)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_named_for_types_that_are_alike(plant, factors_of, seed):
    """Labels shuffled: no gene is higher anywhere, and the types are hardly told apart."""
    planted = plant(seed=seed)
    shuffled = np.random.default_rng(seed).permutation(planted.labels)
    sentence, _, _ = told(planted, factors_of(planted), shuffled, ["type 0", "type 1", "type 2"])
    assert "hardly tell" in sentence
    assert "Where they lie" not in sentence
    assert claims(sentence) == {}


def test_a_type_between_others_is_told_by_what_it_lacks():
    """High in neither comparison, or in one only, is not high; low in both is low, by the smaller difference."""
    names = np.array(["above one", "above both", "below both", "unsure", "absent"])

    def comparison(first, q=0.001):
        table = pd.DataFrame(
            {"gene": names, "mean_first": first, "mean_second": 4.0, "q": q, "carried_by_one_cell": False}
        )
        return table.assign(log2_fold_change=np.log2(table.mean_first / 4.0)).iloc[:4]

    tables = {
        (0, 1): comparison([8.0, 8.0, 2.0, 8.0, 4.0]),
        (0, 2): comparison([2.0, 16.0, 1.0, 8.0, 4.0], [0.001] * 3 + [0.2] * 2),
    }
    genes = single_out(tables | {(1, 2): comparison([4.0] * 5, q=1.0)}, names, ["a", "b", "c"])
    assert genes.high_in.tolist() == ["", "a", "", "", ""]
    assert genes.low_in.tolist() == ["", "", "a", "", ""]
    assert (genes.high_fold[1], genes.high_next[1], genes.low_fold[2], genes.low_next[2]) == (2.0, "b", 2.0, "b")
    assert named_genes_finding(Named({"a": [], "b": ["X"], "c": []}, {"a": ["Y"], "b": [], "c": []})) == (
        "Higher than in each other one of these types, by the counts (q < 5%): none in a, where Y is lower; X in b; "
        "none in c."
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_places_of_types_are_those_of_their_cells(plant, factors_of, seed):
    """'type 1 towards high Factor 2': the mean of its cells lies above the mean of the types' means there."""
    planted = plant(seed=seed)
    factors, types = factors_of(planted), ["type 0", "type 1", "type 3"]
    sentence, _, _ = told(planted, factors, planted.labels, types)
    means = np.array([factors.representation[planted.labels == kind].mean(axis=0) for kind in types])
    places = re.findall(r"(type \d) towards ([^;.]+)", sentence)
    assert [kind for kind, _ in places] == types
    for kind, where in places:
        for side, number in re.findall(r"(high|low) Factor (\d+)", where):
            beyond = means[types.index(kind), int(number) - 1] - means[:, int(number) - 1].mean()
            assert (beyond > 0) == (side == "high")


def test_arrows_have_the_colour_of_the_type_that_the_counts_tell(planted, factors, labels):
    """And no colour where no type is above each other one; how much is said in words."""
    _, genes, best = told(planted, factors, labels, ["type 0", "type 1", "type 2"])
    arrows = point_arrows(biplot_table(factors, best.pair), best.directions, genes, n_each=3)
    assert arrows.cell_type.tolist() == genes.high_in.tolist()
    assert arrows[arrows.arrow].cell_type.value_counts().max() <= 3
    one = arrows[arrows.cell_type == "type 0"].iloc[0]
    assert re.match(r"high in type 0: [\d.]+-fold against type [12], the next$", one.told)


def test_before_the_counts_are_known_no_gene_has_a_type(factors, labels):
    """Arrows are drawn, nothing is claimed."""
    best = best_pair(factors, labels, ["type 0", "type 1"])
    arrows = point_arrows(biplot_table(factors, best.pair), best.directions, None, n_each=2)
    assert arrows.arrow.sum() == 4
    assert set(arrows.cell_type) | set(arrows.told) == {""}


def test_a_gene_of_three_molecules_is_named_for_nobody(plant, factors_of):
    """Whatever its arrow points to: the counts of so few do not tell."""
    planted = plant(n_cells=600)
    rare = planted.counts.tolil()
    rare[:, 0] = 0
    rare[np.flatnonzero(planted.labels == "type 0")[:3], 0] = 1
    planted = planted._replace(counts=rare.tocsr())
    for types in combinations(["type 0", "type 1", "type 2"], 2):
        _, genes, _ = told(planted, factors_of(planted), planted.labels, list(types))
        assert genes.high_in[0] == ""
