"""Enrichment: against scipy by hand, and planted sets that must be found."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, fisher_exact, hypergeom

from ldvae_core.analysis.enrichment import (
    COLUMNS,
    background,
    enrichment_finding,
    enrichment_id,
    genes_at_end,
    over_representation,
    pre_ranked,
    q_values,
)
from ldvae_core.analysis.factors import Factors
from ldvae_core.data.gmt import GeneSets
from ldvae_core.errors import SettingsError

N = 200


def factors_of(loadings):
    """Factors whose representation has standard deviation 1, with the given shrunken loadings."""
    n_factors = loadings.shape[1]
    z = np.tile([[1.0], [-1.0]], (10, n_factors)).astype(np.float32)
    same = dict.fromkeys(("loadings", "loadings_shrunken"), loadings.astype(np.float32))
    spread = dict.fromkeys(("loadings_se", "loadings_shrunken_sd"), np.full(loadings.shape, 0.1, np.float32))
    genes = np.array([f"Gene{k}" for k in range(len(loadings))])
    return Factors(
        axes="readable", prior="normal", gene_names=genes, representation=z, **same, **spread,
        intercept=np.zeros(len(genes)), inverse_dispersion=np.ones(len(genes)),
        explained_deviance=np.ones(n_factors), active=np.ones(n_factors, bool), flipped=np.zeros(n_factors, bool),
        trained_as=np.arange(n_factors), rotation=np.eye(n_factors),
    )  # fmt: skip


@pytest.fixture
def factors():
    """200 genes: genes 0 to 19 high on factor 1, 180 to 199 low on it; factor 2 is noise."""
    random = np.random.default_rng(3)
    loading = random.normal(0, 0.1, (N, 2))
    loading[:20, 0] += 2
    loading[180:, 0] -= 2
    return factors_of(loading)


@pytest.fixture
def sets():
    """Sets at the high end, at the low end, and anywhere; written in capitals; one with genes nobody modelled."""
    random = np.random.default_rng(4)
    made = {"high": range(2, 14), "low": range(182, 194)}
    made |= {f"any {k}": random.choice(np.arange(25, 175), 12, replace=False) for k in range(10)}
    named = {name: tuple(f"GENE{k}" for k in genes) for name, genes in made.items()}
    return GeneSets("planted", {**named, "unmodelled": ("Xist", "Gene1")})


def test_the_background_is_the_modelled_genes(factors, sets):
    """Case-blind; a set with fewer than five modelled genes is not tested."""
    known = background(factors.gene_names, sets)
    assert (known.n_genes, known.n_sets) == (N, 12)
    assert known.members["high"].tolist() == list(range(2, 14))


def test_sets_of_another_species_are_refused(factors):
    """Nothing in common: the message names the collection and the remedy."""
    with pytest.raises(SettingsError, match="No set of fly has 5 to 500 of the 200 modelled genes"):
        background(factors.gene_names, GeneSets("fly", {"a": ("w", "y")}))


def test_over_representation_is_the_hypergeometric_test(factors, sets):
    """p and overlap as scipy has them for the twenty strongest genes, and as Fisher's exact test."""
    table = over_representation(factors, background(factors.gene_names, sets), n_top=20)
    row = table[(table["set"] == "high") & (table["end"] == "positive") & (table["factor"] == 0)].iloc[0]
    assert (row["overlap"], row["size"]) == (12, 12)
    assert row["p"] == pytest.approx(hypergeom.sf(11, N, 12, 20), rel=1e-6, abs=0)  # p is 1e-14
    assert row["p"] == pytest.approx(fisher_exact([[12, 0], [8, 180]], alternative="greater").pvalue, abs=0)
    assert row["statistic"] == pytest.approx(12.5 * 180.5 / (0.5 * 8.5))


def test_planted_sets_stand_at_their_own_ends(factors, sets):
    """The high set at the high end, the low one at the low end, of factor 1 only."""
    table = over_representation(factors, background(factors.gene_names, sets))
    found = table[table["q"] < 0.05]
    assert set(zip(found["factor"], found["end"], found["set"], strict=True)) == {
        (0, "positive", "high"),
        (0, "negative", "low"),
    }


def test_the_genes_of_an_overlap_are_the_strongest_first(factors):
    """They come in the order of their loadings."""
    found = GeneSets("one", {"high": tuple(f"Gene{k}" for k in range(8))})
    genes = over_representation(factors, background(factors.gene_names, found), n_top=20)["genes"].iloc[0].split(";")
    loading = dict(zip(factors.gene_names, factors.loadings_shrunken[:, 0], strict=True))
    assert genes == sorted(genes, key=lambda gene: -loading[gene])


def test_q_counts_every_test_also_those_without_overlap(factors, sets):
    """12 sets x 2 factors x 2 ends: the best p times 48 / 1, or better by its neighbours."""
    table = over_representation(factors, background(factors.gene_names, sets), n_top=20)
    first = table[table["p"] == table["p"].min()]
    assert first["q"].iloc[0] == pytest.approx(first["p"].iloc[0] * 48 / len(first))


def test_q_values_agree_with_scipy():
    """Ties and all; a missing p counts as 1."""
    p = np.array([0.01, 0.04, 0.03, 0.005, 0.9, 0.04, 1.0])
    assert q_values(p) == pytest.approx(false_discovery_control(p))
    assert q_values(np.array([0.01, np.nan])) == pytest.approx([0.02, 1.0])
    assert q_values(np.empty(0)).tolist() == []


@pytest.mark.filterwarnings("ignore")
def test_pre_ranked_finds_planted_sets_with_their_signs(factors, sets):
    """gseapy sees the high set at the high end (NES > 0), the low one at the low end, and nothing on the noise."""
    calls = []
    known = background(factors.gene_names, sets)
    table = pre_ranked(factors, known, report=lambda done, of: calls.append((done, of)) or True)
    found = table[table["q"] < 0.01].set_index("set")
    assert tuple(table.columns) == COLUMNS
    assert dict(found["end"]) == {"high": "positive", "low": "negative"}
    assert found.loc["high", "statistic"] > 1.5 > -1.5 > found.loc["low", "statistic"]
    assert table["q"].to_numpy() == pytest.approx(false_discovery_control(table["p"]))
    assert calls == [(1, 2), (2, 2)]


@pytest.mark.filterwarnings("ignore")
def test_pre_ranked_stops_when_told(factors, sets):
    """A long work ends after the factor at hand."""
    with pytest.raises(RuntimeError, match="stopped"):
        pre_ranked(factors, background(factors.gene_names, sets), report=lambda done, of: False)


@pytest.mark.parametrize(("n_genes", "n_top"), [(20, 10), (6, 6), (1000, 50), (5000, 100)])
def test_an_end_is_five_percent_of_the_genes(n_genes, n_top):
    """At least ten, at most a hundred, never more than there are."""
    assert genes_at_end(n_genes) == n_top


def test_a_result_is_named_by_what_it_follows_from(factors, sets):
    """Other loadings, other sets or another method make another name."""
    other = factors_of(-factors.loadings_shrunken)
    names = {
        enrichment_id(factors, sets, "over_representation"),
        enrichment_id(factors, sets, "pre_ranked"),
        enrichment_id(other, sets, "pre_ranked"),
        enrichment_id(factors, GeneSets("x", {"a": ("b",)}), "pre_ranked"),
    }
    assert len(names) == 4


def test_the_sentence_names_the_best_set_of_each_end(factors, sets):
    """And says so where nothing stands out."""
    table = over_representation(factors, background(factors.gene_names, sets))
    assert enrichment_finding(table, factors, 0, 12).startswith("Factor 1: high leads at its high end (q ")
    both = pd.concat([table, table.assign(end="negative")])
    assert f"; {table[(table.factor == 0) & (table.q <= 0.05)]['set'].nunique()} of 12 sets" in enrichment_finding(
        both, factors, 0, 12
    )
    assert "none of 12 sets stands out" in enrichment_finding(table, factors, 1, 12)
