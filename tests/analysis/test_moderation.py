"""Moderated variances, judged by limma's published formulas, scipy and statsmodels."""

import numpy as np
import patsy
import pytest
import statsmodels.api as sm
from scipy import optimize, stats
from scipy.special import digamma, polygamma

from ldvae_core.analysis.moderation import fit_prior, inverse_trigamma, natural_spline, squeeze
from ldvae_core.analysis.pseudobulk import Design, difference_of_samples


def published_prior(variance, df, abundance=None):
    """fitFDist as Smyth (2004) writes it, section 6.2, on patsy's natural cubic splines where there is a trend."""
    e = np.log(variance) - digamma(df / 2) + np.log(df / 2)
    basis = (
        np.ones((len(e), 1)) if abundance is None else np.asarray(patsy.dmatrix("cr(x, df=4) - 1", {"x": abundance}))
    )
    fitted = sm.OLS(e, basis).fit()
    beyond = fitted.ssr / fitted.df_resid - polygamma(1, df / 2)
    if beyond <= 0:
        return np.exp(fitted.fittedvalues), np.inf
    d0 = 2 * optimize.brentq(lambda x: polygamma(1, x) - beyond, 1e-4, 1e6)
    return np.exp(fitted.fittedvalues + digamma(d0 / 2) - np.log(d0 / 2)), d0


@pytest.fixture
def variances():
    """Of 400 genes with 4 degrees of freedom: s0^2 falls with abundance, d0 is 6."""
    rng = np.random.default_rng(0)
    abundance = rng.uniform(2, 12, 400)
    own = (0.05 + np.exp(-abundance / 3)) * 6 / rng.chisquare(6, 400)
    return own * rng.chisquare(4, 400) / 4, abundance


@pytest.mark.parametrize("trend", [False, True])
def test_the_prior_is_limmas(variances, trend):
    """With and without a trend over abundance."""
    variance, abundance = variances
    found = fit_prior(variance, 4, abundance if trend else None)
    theirs, d0 = published_prior(variance, 4, abundance if trend else None)
    assert found.df == pytest.approx(d0, rel=1e-6)
    np.testing.assert_allclose(found.variance, theirs, rtol=1e-6)


def test_a_planted_prior_is_recovered(variances):
    """The trend to a tenth, the degrees of freedom roughly: 400 genes tell no more."""
    variance, abundance = variances
    found = fit_prior(variance, 4, abundance)
    assert 4 < found.df < 9
    assert np.median(np.abs(np.log(found.variance / (0.05 + np.exp(-abundance / 3))))) < 0.15


def test_every_gene_may_have_its_own_degrees_of_freedom():
    """As limma's fitFDist takes them; equal ones are one number; a planted prior comes back."""
    rng = np.random.default_rng(0)
    df = rng.integers(3, 12, 4000)
    variance = 2.0 * 6 / rng.chisquare(6, 4000) * rng.chisquare(df) / df
    found = fit_prior(variance, df)
    assert found.df == pytest.approx(6, rel=0.15)
    np.testing.assert_allclose(found.variance, 2.0, rtol=0.05)
    moderated, together = squeeze(variance, df, found, np.zeros(4000, bool))
    np.testing.assert_allclose(moderated, (df * variance + found.df * found.variance) / (df + found.df))
    np.testing.assert_allclose(together, df + found.df)
    same = fit_prior(variance, np.full(4000, 4)), fit_prior(variance, 4)
    np.testing.assert_allclose(same[0].variance, same[1].variance)
    for one, other in zip(*(squeeze(variance, each, same[0]) for each in (np.full(4000, 4), 4)), strict=True):
        np.testing.assert_allclose(one, other)


def test_squeezed_variances_are_weighted_means(variances):
    """Smyth (2004), equation 5; degrees of freedom add up, but never beyond those of all genes."""
    variance, _ = variances
    prior = fit_prior(variance, 4)
    found, df = squeeze(variance, 4, prior)
    lent = df - 4
    np.testing.assert_allclose(found, (4 * variance + lent * prior.variance) / (4 + lent))
    assert np.median(lent) > 0.8 * prior.df
    assert lent.max() <= prior.df
    assert (squeeze(variance[:2], 4, fit_prior(variance[:2] * 0 + 1, 4))[1] == 8).all()


def test_a_gene_that_varies_beyond_the_prior_is_not_calmed(variances):
    """A hundred times the variance of its abundance: what it has itself is kept, with its own degrees of freedom."""
    variance, abundance = variances
    prior = fit_prior(variance, 4, abundance)
    variance = np.where(np.arange(400) == 7, 100 * prior.variance, variance)
    found, df = squeeze(variance, 4, prior)
    assert found[7] > 0.95 * variance[7]
    assert df[7] < 4.2
    assert np.median(df) > 4 + 0.8 * prior.df


def test_the_spline_is_patsys_natural_cubic_one():
    """Another basis of the same space: each column of theirs is a combination of ours."""
    x = np.random.default_rng(1).gamma(2, 2, 200)
    theirs, ours = np.asarray(patsy.dmatrix("cr(x, df=4) - 1", {"x": x})), natural_spline(x)
    assert ours.shape == (200, 4)
    left = theirs - ours @ np.linalg.lstsq(ours, theirs, rcond=None)[0]
    assert np.abs(left).max() < 1e-9


@pytest.mark.parametrize("x", [1e-5, 0.01, 1.0, 30.0, 1e5])
def test_trigamma_is_inverted(x):
    """Over ten orders of magnitude."""
    assert inverse_trigamma(float(polygamma(1, x))) == pytest.approx(x, rel=1e-4)


@pytest.mark.parametrize("paired", [False, True])
def test_unmoderated_differences_are_scipys_and_statsmodels(paired):
    """The t test with one variance for both groups, the paired one, and the regression on the group."""
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, (5, 3)), rng.normal(0.5, 1, (5 if paired else 4, 3))
    places = np.arange(5)
    design = Design(paired, places, places if paired else places[:4], 0, 5)
    effect, variance, unit, df = difference_of_samples(np.vstack([a, b]), design)
    theirs = stats.ttest_rel(a, b) if paired else stats.ttest_ind(a, b)
    np.testing.assert_allclose(effect / np.sqrt(variance * unit), theirs.statistic)
    assert df == theirs.df[0] if np.ndim(theirs.df) else theirs.df
    if not paired:
        fitted = sm.OLS(np.concatenate([a, b])[:, 0], sm.add_constant(np.repeat([1.0, 0.0], [5, 4]))).fit()
        assert fitted.bse[1] == pytest.approx(np.sqrt(variance[0] * unit))
