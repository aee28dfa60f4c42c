"""Structure is found where there is some, and nowhere else."""

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import dirichlet_multinomial, lognorm, nbinom

from ldvae_core.analysis.gain import NullModel, fit_null_model, gain_figures
from ldvae_core.analysis.metrics import mean_and_error
from ldvae_core.model.mean_fraction import mean_fraction


@pytest.fixture(scope="module")
def unstructured() -> sparse.csr_matrix:
    """Six hundred cells of 40 genes that vary by themselves; only depth is shared."""
    random = np.random.default_rng(2)
    mean = 800 * np.exp(0.3 * random.standard_normal(600))[:, None] * random.dirichlet(np.full(40, 1.0))
    return sparse.csr_matrix(random.poisson(mean * random.gamma(3.0, 1 / 3.0, mean.shape)) + (np.arange(40) == 0))


def test_the_gene_mean_model_is_a_negative_binomial_at_library_size_times_fraction(unstructured):
    """As scipy computes it, cell by cell."""
    null, dense = fit_null_model(unstructured), unstructured.toarray()
    mean = dense.sum(axis=1, keepdims=True) * dense.sum(axis=0) / dense.sum()
    theta = null.inverse_dispersion
    expected = nbinom.logpmf(dense, theta, theta / (theta + mean)).sum(axis=1)
    np.testing.assert_allclose(null.log_likelihood(unstructured), expected, rtol=1e-10)


def test_chance_knows_the_total(unstructured):
    """Genes that vary by themselves are predicted better by who is told that their sum is the library size."""
    null = fit_null_model(unstructured)
    lead, error = mean_and_error(null.chance(unstructured) - null.log_likelihood(unstructured))
    assert lead > 2
    assert error < 0.2


@pytest.mark.parametrize("constant", [False, True], ids=["means follow the total", "constant means"])
def test_chance_is_the_dirichlet_multinomial_where_that_is_exact(unstructured, constant):
    """With theta in proportion to the fractions, a cell's total is negative binomial too; the better way counts."""
    fraction, dense = mean_fraction(unstructured), unstructured.toarray()
    close, far = 20 * fraction, 0.5 * fraction
    thetas = (far, 700.0, close) if constant else (close, 700.0, far)
    expected = dirichlet_multinomial.logpmf(dense, close, dense.sum(axis=1))
    np.testing.assert_allclose(NullModel(fraction, *thetas, (0.0, 1.0)).chance(unstructured), expected, rtol=1e-8)


def test_a_model_that_only_uses_the_total_finds_no_structure(unstructured):
    """Half a nat over the gene means is sure, and is no structure: chance gives more."""
    null = fit_null_model(unstructured)
    figures = gain_figures(null.log_likelihood(unstructured) + 0.5, null, unstructured)
    assert (figures["gain"], figures["gain_se"]) == pytest.approx((0.5, 0.0), abs=1e-9)
    assert figures["chance_gain"] < 0
    assert figures["structure_found"] is False
    assert gain_figures(null.chance(unstructured) + 0.5, null, unstructured)["structure_found"] is True


def test_a_latent_library_size_is_predicted_by_the_null_models_too(unstructured):
    """log p(x) is compared with log p(x), not with log p(x given its library size)."""
    null = fit_null_model(unstructured)
    whole = null.log_likelihood(unstructured) + null.log_total(unstructured)
    assert gain_figures(whole, null, unstructured, knows_library=False)["gain"] == pytest.approx(0.0, abs=1e-9)
    total = unstructured.sum(axis=1).A1
    expected = lognorm.logpdf(total, np.log(total).std(), scale=np.exp(np.log(total).mean()))
    np.testing.assert_allclose(null.log_total(unstructured), expected, rtol=1e-8)


def test_the_error_of_a_gain_is_paired(unstructured):
    """What makes a cell hard for the run and for the gene means alike is no part of it."""
    null, noise = fit_null_model(unstructured), np.random.default_rng(0).normal(0.0, 3.0, 600)
    figures = gain_figures(null.log_likelihood(unstructured) + 1.0 + noise, null, unstructured)
    assert (figures["gain"], figures["gain_se"]) == pytest.approx((1 + noise.mean(), noise.std() / 600**0.5), rel=0.01)
    beyond = null.log_likelihood(unstructured) + 1.0 + noise - null.chance(unstructured)
    assert figures["chance_gain_se"] == pytest.approx(beyond.std() / 600**0.5, rel=0.01)


def test_without_a_bound_no_gain_is_claimed(unstructured):
    """PCA and NMF place a held-out cell by its own counts, which a null model cannot: the two are not compared."""
    assert set(gain_figures(None, fit_null_model(unstructured), unstructured).values()) == {None}
