"""Programs are matched as counts would tell them apart, whatever their sign, order and scale."""

from dataclasses import replace

import numpy as np
import pytest

from ldvae_core.analysis.matching import (
    REPLICATES,
    cosines,
    match_factors,
    match_programs,
    on_genes_of,
    program_cosines,
    stability,
)


@pytest.fixture
def loadings():
    """Two hundred genes, five factors."""
    return np.random.default_rng(0).standard_normal((200, 5))


@pytest.fixture
def share():
    """A few genes have most of the molecules, as in any cell."""
    share = np.exp(np.random.default_rng(1).normal(0, 2.0, 200))
    return share / share.sum()


@pytest.mark.parametrize("weighted", [False, True])
def test_factors_are_matched_whatever_their_sign_order_and_scale(loadings, share, weighted):
    """A permuted, flipped, rescaled and shifted copy matches perfectly, in either metric."""
    order, sign = [3, 0, 4, 1, 2], np.array([1, -1, 1, -1, 1])
    matching = match_factors(loadings, loadings[:, order] * sign * 3.0 + 2.0, share if weighted else None)
    assert [order[b] for b in matching.pairs[:, 1]] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(matching.match, 1)
    assert matching.same_sign.tolist() == [sign[b] > 0 for b in matching.pairs[:, 1]]


def test_runs_with_different_numbers_of_factors_are_matched_as_far_as_they_go(loadings):
    """Every factor of the smaller run has a partner."""
    matching = match_factors(loadings, loadings[:, [4, 1]])
    assert matching.pairs.tolist() == [[1, 1], [4, 0]]


def test_different_genes_cannot_be_compared(loadings):
    """The caller matches genes first."""
    with pytest.raises(ValueError, match=r"^200 and 150 genes: match the genes of both runs first$"):
        match_factors(loadings, loadings[:150])


def test_the_match_is_the_cosine_of_multinomial_information(loadings, share):
    """u' (diag f - f f') v over the lengths: what a multinomial's counts tell of small changes of log means."""
    information = np.diag(share) - np.outer(share, share)
    inner = loadings.T @ information @ loadings
    length = np.sqrt(np.diag(inner))
    np.testing.assert_allclose(cosines(loadings, loadings, share), inner / np.outer(length, length), atol=1e-12)


def test_the_unit_of_the_expression_does_not_matter(loadings, share):
    """Shares of molecules, means per cell and sums give one match."""
    np.testing.assert_allclose(
        cosines(loadings, loadings[:, ::-1], share), cosines(loadings, loadings[:, ::-1], 7e4 * share)
    )


def test_noise_of_rare_genes_costs_the_raw_cosine_a_program_and_not_the_match(share):
    """One program twice, each time with the errors that loadings of rare genes have: known to 1 / root of molecules."""
    random = np.random.default_rng(2)
    program = np.where(random.random((200, 1)) < 0.2, random.choice([-0.8, 0.8], (200, 1)), 0.0)
    error = 1 / np.sqrt(40_000 * share)[:, None]
    once, again = (program + error * random.standard_normal(program.shape) for _ in range(2))
    assert match_factors(once, again).match[0] < 0.5
    assert match_factors(once, again, share).match[0] > 0.9


def test_two_programs_on_genes_of_their_own_do_not_match(share):
    """A hundred pairs of sparse programs, each with a few genes of its own; one that they share is not enough."""
    random = np.random.default_rng(3)

    def sparse(n):
        driven = random.random((200, n)) < 0.1
        return np.where(driven, random.choice([-1.0, 1.0], driven.shape) * random.uniform(0.5, 1.2, driven.shape), 0.0)

    found = np.abs(cosines(sparse(10), sparse(10), share))
    assert (found < REPLICATES).mean() > 0.97
    assert np.median(found) < 0.2


def test_different_planted_programs_do_not_match_in_the_factors_of_a_run(plant, factors_of):
    """Programs of one model against themselves match only on the diagonal; a second model's match nothing."""
    planted = plant(depth=800.0)
    run = factors_of(planted)
    among = np.abs(program_cosines(run, run))
    np.testing.assert_allclose(np.diag(among), 1)
    assert np.max(among - np.eye(run.n_factors)) < 0.5
    moved = planted._replace(loadings=np.roll(planted.loadings, 75, axis=0))
    assert match_programs(run, factors_of(moved, counts=planted.counts)).match.max() < 0.5


def test_the_share_of_molecules_is_that_of_the_counts(planted, factors):
    """The model at the truth expects what was counted, gene by gene, to the error of a mean."""
    counted = np.asarray(planted.counts.sum(axis=0)).ravel() / planted.counts.sum()
    assert factors.molecule_share.sum() == pytest.approx(1)
    np.testing.assert_allclose(factors.molecule_share, counted, rtol=0.15)


def test_usages_and_turned_axes_are_matched_too(usage_factors):
    """Usages have no sign to turn; the match of a run with itself is 1."""
    assert match_programs(usage_factors, usage_factors).match == pytest.approx(1)


def test_stability_is_the_median_match_over_seeds(factors):
    """A factor found by all but one of the other seeds is stable; one found by none is not."""
    noise = np.random.default_rng(1).standard_normal(factors.loadings.shape).astype(np.float32)
    shrunken = np.array(factors.loadings_shrunken)
    shrunken[:, 2] = noise[:, 2]
    turned = replace(factors, loadings_shrunken=-factors.loadings_shrunken[:, ::-1])
    broken = replace(factors, loadings_shrunken=shrunken[:, [2, 0, 1, 3]])
    found = stability([factors, turned, broken, replace(factors, loadings_shrunken=shrunken)])
    assert found[[0, 1, 3]] == pytest.approx(1)
    assert found[2] < 0.3


def test_the_same_genes_in_another_order_are_brought_into_one(factors):
    """All that belongs to a gene moves with it; other genes give nothing."""
    order = np.random.default_rng(0).permutation(factors.n_genes)
    by_gene = ("loadings", "loadings_se", "loadings_shrunken", "loadings_shrunken_sd", "intercept",
               "inverse_dispersion", "gene_names", "gene_deviance")  # fmt: skip
    shuffled = replace(factors, **{name: getattr(factors, name)[order] for name in by_gene})
    back = on_genes_of(shuffled, factors)
    for name in by_gene:
        np.testing.assert_array_equal(getattr(back, name), getattr(factors, name))
    assert on_genes_of(replace(factors, gene_names=np.char.add(factors.gene_names, "x")), factors) is None
