"""What is said of two groups and of a plane of factors: parsed back, and every claim recomputed from the raw counts."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from ldvae_core.analysis.difference import Measured, compare_groups
from ldvae_core.analysis.difference_words import genes_sentence, interval_words, pair_sentence, sentence
from ldvae_core.analysis.findings import auc_words, pair_finding
from ldvae_core.analysis.following import following_table
from ldvae_core.data.split import split_cells

SEEDS = range(4)
NAMES = ("treated", "control")
GENE = re.compile(r"(Gene\d+) \(([\d.,]+)-fold, (?:90% interval )?([\d.,]+) to ([\d.,]+)(?:, carried by one cell)?\)")
FACTOR = re.compile(r"Factor (\d) \(AUC (above )?([\d.]+)\): (\w+) at its (high|low) end(?:, whose strongest genes are "
                    r"((?:Gene\d+(?:, | and )?)+))?")  # fmt: skip


def number(text):
    return float(text.replace(",", ""))


def groups_of(planted, kind, seed):
    """Two groups of unequal size: one type against others, or a random split of all cells."""
    rng = np.random.default_rng(seed + 50)
    first = planted.labels == "type 1" if kind == "types" else rng.random(len(planted.z)) < 0.3
    return first, ~first & (rng.random(len(first)) < 0.7)


@pytest.fixture(params=SEEDS)
def compared(request, plant, factors_of):
    """compared(kind) gives the planted cells, their factors, the two groups, and the comparison."""
    planted = plant(seed=request.param, n_cells=800)
    factors = factors_of(planted)

    def run(kind):
        first, second = groups_of(planted, kind, request.param)
        measured = Measured(planted.counts, np.asarray(planted.counts.sum(axis=1)).ravel(), factors.gene_names)
        return planted, factors, (first, second), compare_groups(factors, measured, first, second, names=NAMES)

    return run


def shares(planted, gene, cells):
    """The gene's share of all molecules of the cells, and its standard error as a ratio of sums."""
    x, size = (
        planted.counts[cells].toarray()[:, gene].astype(float),
        np.asarray(planted.counts[cells].sum(axis=1)).ravel(),
    )
    share = x.sum() / size.sum()
    return share, stats.sem((x - share * size) / size.mean())


def test_every_gene_that_is_named_differs_as_is_said(compared):
    """Its direction, its fold change and the interval around it; and the counts alone tell that it differs."""
    planted, factors, groups, difference = compared("types")
    said = genes_sentence(difference)
    assert int(said.split()[0]) == difference.n_found >= 10
    n_named = 0
    for part in said.partition("most surely ")[2].rstrip(".").split("; "):
        genes, _, name = part.rpartition(" up in ")
        order = (0, 1) if name == NAMES[0] else (1, 0)
        for gene, fold, low, high in GENE.findall(genes):
            (up, up_error), (down, down_error) = (
                shares(planted, int(np.flatnonzero(factors.gene_names == gene)[0]), groups[k]) for k in order
            )
            error = np.hypot(up_error / up, down_error / down)
            assert up > down
            assert abs(np.log(number(fold) / (up / down))) < 0.06
            assert number(low) <= number(fold) <= number(high)
            assert 0.8 * 3.29 * error - 0.06 < np.log(number(high) / number(low)) < 2 * 3.29 * error
            assert (np.log(up) - np.log(down)) / error > 2.5
            n_named += 1
    assert n_named >= 4


def test_groups_that_are_alike_are_said_to_be(compared):
    """A random split: next to nothing is named, and what is, differs by the counts too."""
    planted, factors, groups, difference = compared("split")
    said = genes_sentence(difference)
    assert said.startswith("None of the ") or len(GENE.findall(said)) <= 1
    for gene, *_ in GENE.findall(said):
        (a, a_error), (b, b_error) = (
            shares(planted, int(np.flatnonzero(factors.gene_names == gene)[0]), cells) for cells in groups
        )
        assert abs(a - b) > 3 * np.hypot(a_error, b_error)


@pytest.mark.parametrize("kind", ["types", "split"])
def test_the_factor_that_is_named_tells_the_groups_apart_most(compared, kind):
    """Its AUC by scikit-learn, none is larger, and its genes rise towards its end, the other factors given."""
    planted, factors, (first, second), difference = compared(kind)
    found = FACTOR.findall(sentence(difference, factors))
    assert found
    both, z = first | second, factors.representation
    auc = np.array([roc_auc_score(first[both], z[both, k]) for k in range(factors.n_factors)])
    strength = np.abs(auc - 0.5)
    for place, (label, above, value, name, end, genes) in enumerate(found):
        k = int(label) - 1
        assert (auc[k] > 0.5) == (end == "high")
        assert name == NAMES[0]
        assert f"{above}{value}" == auc_words(max(auc[k], 1 - auc[k]))
        assert strength[k] == np.sort(strength)[::-1][place] or kind == "split"
        size = np.asarray(planted.counts.sum(axis=1)).ravel()
        for gene in re.findall(r"Gene\d+", genes):
            share = planted.counts.toarray()[:, factors.gene_names == gene].ravel() / size
            fit = PoissonRegressor(alpha=0, max_iter=1000).fit(z / z.std(axis=0), share * 1000, sample_weight=size)
            assert (fit.coef_[k] > 0) == (end == "high")


def test_the_best_pair_is_as_good_as_is_said(compared):
    """By scikit-learn's discriminant on cells left out, and no pair is better by more than chance."""
    _, factors, (first, second), difference = compared("types")
    x, y, value = re.search(
        r"Factor (\d) and Factor (\d): AUC (?:above )?([\d.]+)", pair_sentence(difference, factors)
    ).groups()
    both = first | second

    def judged(pair):
        z = factors.representation[both][:, list(pair)]
        scores = cross_val_predict(
            LinearDiscriminantAnalysis(priors=[0.5, 0.5]), z, first[both], cv=5, method="decision_function"
        )
        return roc_auc_score(first[both], scores)

    pair = int(x) - 1, int(y) - 1
    assert abs(judged(pair) - number(value)) < 0.02
    every = [judged((i, j)) for i in range(factors.n_factors) for j in range(i)]
    assert judged(pair) > max(every) - 0.02


def deviance_of_genes(planted, factors, k):
    """How much worse each gene's held-out counts are predicted with the factor at its mean, by scipy: nats."""
    test = split_cells(len(planted.z), seed=0) == 2
    x, size = planted.counts[test].toarray(), planted.library_size[test]
    z = np.array(factors.representation, float)
    without = z.copy()
    without[:, k] = z[:, k].mean()

    def fit(positions):
        logits = positions[test] @ factors.loadings.T + factors.intercept
        share = np.exp(logits - logits.max(axis=1, keepdims=True))
        mean = size[:, None] * share / share.sum(axis=1, keepdims=True)
        theta = factors.inverse_dispersion
        return stats.nbinom.logpmf(x, theta, theta / (theta + mean)).sum(axis=0)

    return fit(z) - fit(without)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_genes_of_a_pair_carry_most_of_what_its_factors_explain(plant, factors_of, seed):
    """They are those of the named end that lose most where the factor is silenced; the ends are those of the AUC."""
    planted = plant(seed=seed)
    factors = factors_of(planted)
    following = following_table(factors, {"cell_type": pd.Series(planted.labels)})
    for pair in ((0, 1), (1, 3), (2, 0)):
        said = pair_finding(factors, pair, following)
        parts = re.findall(r"Factor (\d) is (high|low) in ([\w ]+?)(?: within [\w ]+)?, with ([^;.]+)", said)
        assert parts
        for number_, end, level, genes in parts:
            factor, inside = int(number_) - 1, planted.labels == level
            assert (roc_auc_score(inside, factors.representation[:, factor]) > 0.5) == (end == "high")
            of_end = (factors.loadings[:, factor] > 0) == (end == "high")
            lost = np.where(of_end, deviance_of_genes(planted, factors, factor), -np.inf)
            places = [int(np.flatnonzero(factors.gene_names == gene)[0]) for gene in re.findall(r"Gene\d+", genes)]
            assert len(places) == 3
            assert sorted(places) == sorted(np.argsort(-lost)[:3].tolist())


@pytest.mark.parametrize(("low", "high"), [(1.79, 1.81), (1.7961, 1.7969), (9.94, 10.2), (1200.2, 1201.3)])
def test_an_interval_never_has_one_end(low, high):
    """As many digits as tell its ends apart."""
    first, _, second = interval_words(low, high).partition(" to ")
    assert number(first) < number(second)
