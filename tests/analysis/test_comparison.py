"""Two runs compared, blind to sign, order and rotation where they should be."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ortho_group

from ldvae_core.analysis.comparison import covariance_view, matching_table, principal_angles
from ldvae_core.analysis.matching import match_factors


@pytest.fixture
def loadings():
    """Two hundred genes, five factors."""
    return np.random.default_rng(0).standard_normal((200, 5))


def test_a_rotation_is_told_from_noise(loadings):
    """Rotated factors match poorly one by one, while the subspaces are the same; noise fails in both."""
    rotated, noise = loadings @ ortho_group.rvs(5, random_state=0), np.random.default_rng(9).standard_normal((200, 5))
    assert match_factors(loadings, rotated).match.min() < 0.9
    np.testing.assert_allclose(principal_angles(loadings, rotated), 0, atol=1e-6)
    assert principal_angles(loadings, noise)[0] > 0.8


def test_the_covariance_view_is_that_of_numpy():
    """Correlation of the factors, and eigenvalues as shares that sum to 1, largest first."""
    z = np.random.default_rng(0).multivariate_normal(np.zeros(3), [[2, 1, 0], [1, 1, 0], [0, 0, 5]], 1000)
    view = covariance_view(z)
    np.testing.assert_allclose(view.correlation, np.corrcoef(z.T), atol=1e-12)
    np.testing.assert_allclose(view.eigenvalue_share, np.linalg.eigvalsh(np.corrcoef(z.T))[::-1] / 3, atol=1e-12)


def test_usages_have_one_eigenvalue_of_zero(planted_usage):
    """Rows that sum to 1 carry one dimension less... unless their sds differ, and then still one."""
    assert covariance_view(planted_usage.z).eigenvalue_share[-1] == pytest.approx(0, abs=1e-12)


def test_a_dead_factor_does_not_break_the_view():
    """A constant column correlates with nothing but itself."""
    z = np.column_stack([np.random.default_rng(0).standard_normal(100), np.ones(100)])
    assert covariance_view(z).correlation[0].tolist() == pytest.approx([1, 0])


def test_a_matching_table_names_partners_and_what_replicates(factors):
    """A run matched with a turned copy of itself: every factor is found, with the genes of the end that fits."""
    names = ("loadings", "loadings_shrunken", "representation")
    turned = replace(factors, **{name: -getattr(factors, name)[:, ::-1] for name in names},
                     gene_deviance=factors.gene_deviance[:, ::-1])  # fmt: skip
    table = matching_table(factors, turned)
    assert table["partner"].tolist() == [3, 2, 1, 0]
    assert table["found"].all()
    assert not table["same_sign"].any()
    assert (table["genes"] == table["partner_genes"]).all()


def test_a_factor_found_by_no_other_run_does_not_replicate(factors):
    """Noise in place of one factor, in all other runs: flagged; the others stay."""
    noise = np.random.default_rng(0).standard_normal(factors.loadings.shape).astype(np.float32)
    broken = np.array(factors.loadings_shrunken)
    broken[:, 1] = noise[:, 1]
    other = replace(factors, loadings_shrunken=broken)
    table = matching_table(factors, other, [other])
    assert table["replicates"].tolist() == [True, False, True, True]


def test_a_dead_factor_is_neither_found_nor_replicated(factors):
    """Its loadings mean nothing, even where they match."""
    dead = replace(factors, active=np.array([True, True, True, False]))
    assert matching_table(dead, factors)[["found", "replicates"]].iloc[3].tolist() == [False, False]


def test_a_smaller_run_leaves_factors_without_partner(factors):
    """They are missing in the table, not matched with anything."""
    names = ("representation", "loadings", "loadings_shrunken", "loadings_shrunken_sd")
    small = replace(factors, active=factors.active[:2], **{name: getattr(factors, name)[:, :2] for name in names})
    table = matching_table(factors, small)
    assert table["partner"].isna().tolist() == [False, False, True, True]
    assert table["found"].tolist() == [True, True, False, False]
