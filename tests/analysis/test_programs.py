"""Gene programs as tables."""

from dataclasses import replace

import numpy as np
import pytest

from ldvae_core.analysis.factors import as_noted
from ldvae_core.analysis.programs import biplot_table, effects, factor_table, gene_table, strongest_genes, top_genes
from ldvae_core.analysis.uncertainty import INTERVAL_90
from ldvae_core.errors import SettingsError


def test_top_genes_are_listed_from_each_end(factors):
    """Both ends, strongest first, ranked from 1; a loading is the log fold change per sd of the factor."""
    table = top_genes(factors, 2, n=4, use="raw", order="effect")
    effect = factors.loadings[:, 2] * factors.scale[2]
    strongest = np.argsort(-effect)
    assert table.gene.tolist() == factors.gene_names[np.append(strongest[:4], strongest[::-1][:4])].tolist()
    assert table["end"].tolist() == ["positive"] * 4 + ["negative"] * 4
    assert table["rank"].tolist() == [1, 2, 3, 4] * 2
    assert table.loading.tolist() == effect[np.append(strongest[:4], strongest[::-1][:4])].tolist()


def test_genes_come_by_what_they_carry_of_the_explained_deviance(factors):
    """Within the end that the effect points to; a share is signed by the end, and turning a factor changes no order."""
    table = top_genes(factors, 1, n=5)
    effect = factors.loadings_shrunken[:, 1]
    carried = factors.gene_deviance[:, 1] / factors.explained_deviance[1]
    high, low = (table[table.end == end] for end in ("positive", "negative"))
    assert high.gene.tolist() == factors.gene_names[np.argsort(np.where(effect > 0, -carried, np.inf))[:5]].tolist()
    assert low.gene.tolist() == factors.gene_names[np.argsort(np.where(effect < 0, -carried, np.inf))[:5]].tolist()
    assert (high.deviance_share > 0).all()
    assert (low.deviance_share < 0).all()
    turned = as_noted(factors, names={}, flipped=[1])
    assert strongest_genes(turned, 1, 5, end="negative") == high.gene.tolist()


def test_one_switch_orders_every_list(factors):
    """Factors whose genes are asked for by effect: names, tables and what a card shows follow."""
    by_effect = replace(factors, gene_order="effect")
    expected = top_genes(factors, 1, 6, order="effect", end="positive").gene.tolist()
    assert strongest_genes(by_effect, 1, 6, end="positive") == expected
    assert factor_table(by_effect, n=6).positive_genes[1] == ", ".join(expected)
    assert top_genes(by_effect, 1, 6).deviance_share.notna().all()


def test_without_known_deviance_the_effect_leads(factors):
    """Baselines opened from older runs: the order there was, and no share."""
    older = replace(factors, gene_deviance=None)
    table = top_genes(older, 0, n=6, end="positive")
    assert table.gene.tolist() == strongest_genes(factors, 0, 6, end="positive", order="effect")
    assert table.deviance_share.isna().all()


@pytest.mark.parametrize("use", ["raw", "shrunken"])
def test_strongest_genes_are_the_names_of_the_table(factors, use):
    """A card names what the table lists; a factor that does not exist is refused likewise."""
    for end in ("positive", "negative"):
        expected = top_genes(factors, 1, n=6, use=use, end=end).gene.tolist()
        assert strongest_genes(factors, 1, 6, end=end, use=use) == expected
    with pytest.raises(SettingsError, match="This run has no Factor 1000"):
        strongest_genes(factors, 999, 6, end="positive")


def test_effects_of_some_factors_are_columns_of_all(factors):
    """One factor, several, or all: the same numbers."""
    whole, errors = effects(factors, use="raw")
    np.testing.assert_array_equal(effects(factors, use="raw", of=2)[1], errors[:, 2])
    np.testing.assert_array_equal(effects(factors, use="raw", of=[2, 0])[0], whole[:, [2, 0]])


def test_intervals_are_90_percent_intervals(factors):
    """low and high lie 1.645 errors either side of the loading, in the same unit."""
    raw, shrunken = (
        top_genes(factors, 0, n=3, use=use, end="positive").set_index("gene") for use in ("raw", "shrunken")
    )
    errors = dict(zip(factors.gene_names, factors.loadings_se[:, 0] * factors.scale[0], strict=True))
    for gene in raw.index:
        assert raw.high[gene] - raw.loading[gene] == pytest.approx(INTERVAL_90 * errors[gene], rel=1e-6)
    assert (shrunken.low < shrunken.loading).all()


def test_an_end_never_lists_genes_of_the_other(factors):
    """Asked for more genes than an end has, it lists those that truly point there."""
    table = top_genes(factors, 0, n=1000)
    assert (table.loading[table.end == "positive"] > 0).all()
    assert (table.loading[table.end == "negative"] < 0).all()


def test_a_factor_that_does_not_exist_is_refused(factors):
    """Factors are counted from 1 for people."""
    with pytest.raises(SettingsError, match=r"^This run has no Factor 10\. It has factors 1 to 4\.$"):
        top_genes(factors, 9)


@pytest.mark.parametrize("order", ["deviance", "effect"])
def test_arrows_go_to_the_first_genes_of_every_end(factors, order):
    """Two of each of the four ends, as lists name them; the length stays the shrunken effect."""
    factors = replace(factors, gene_order=order)
    table = biplot_table(factors, (0, 2), n_arrows=8)
    ends = [strongest_genes(factors, factor, 2, end=end) for factor in (0, 2) for end in ("positive", "negative")]
    assert set(table.gene[table.arrow]) == {gene for genes in ends for gene in genes}
    assert table.gene.tolist() == factors.gene_names.tolist()
    np.testing.assert_allclose(table.length, np.hypot(*(factors.loadings_shrunken * factors.scale)[:, [0, 2]].T))


def test_an_end_where_no_gene_leads_gives_its_arrows_to_the_others(factors):
    """All that its genes carry is far below what the other end's first gene does."""
    carried = np.where(factors.loadings_shrunken > 0, factors.gene_deviance, 1e-9)
    table = biplot_table(replace(factors, gene_deviance=carried), (0, 2), n_arrows=4)
    ends = [strongest_genes(factors, factor, 2, end="positive") for factor in (0, 2)]
    assert set(table.gene[table.arrow]) == {gene for genes in ends for gene in genes}


def test_noise_earns_no_arrow_even_among_raw_loadings(factors):
    """Drawing raw loadings keeps the arrows of the shrunken ones: a rare gene's 20-fold loading is drawn as a dot."""
    noisy = np.array(factors.loadings)
    noisy[100] = 3.0
    raw = biplot_table(replace(factors, loadings=noisy), (0, 2), use="raw")
    assert raw.x[100] == pytest.approx(3.0 * factors.scale[0])
    assert raw.arrow.tolist() == biplot_table(factors, (0, 2)).arrow.tolist()


def test_a_biplot_may_have_no_arrows(factors):
    """Zero arrows is a choice, not a mistake."""
    assert not biplot_table(factors, (0, 1), n_arrows=0).arrow.any()


def test_each_factor_has_one_row_with_its_best_type(factors, labels):
    """A card shows explained deviance, both ends and the type the factor follows."""
    table = factor_table(factors, labels, n=2)
    assert table.factor.tolist() == [0, 1, 2, 3]
    assert sorted(table.cell_type) == ["type 0", "type 1", "type 2", "type 3"]
    assert (table.auc > 0.95).all()
    assert table.positive_genes[0] == ", ".join(top_genes(factors, 0, n=2, end="positive").gene)


def test_factors_can_be_listed_without_labels(factors):
    """Data without annotations still has factors, in the same columns less the type."""
    assert "cell_type" not in factor_table(factors)


def test_a_gene_has_a_loading_in_every_factor(factors):
    """The Genes page reads one row of the loadings, per sd, with intervals."""
    table = gene_table(factors, 12, use="raw")
    assert table.loading.tolist() == (factors.loadings[12] * factors.scale).tolist()
    assert (table.low < table.loading).all()
