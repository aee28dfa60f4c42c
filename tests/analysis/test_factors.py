"""Factors: order, orientation and scale are chosen; the likelihood is not touched."""

import numpy as np
import pytest

from ldvae_core import durable
from ldvae_core.analysis.factors import ARRAYS, load_factors, save_factors
from ldvae_core.analysis.metrics import reconstruction_error
from ldvae_core.errors import RunError


def error_of(factors, planted):
    arrays = (factors.representation, factors.loadings, factors.intercept, factors.inverse_dispersion)
    return reconstruction_error(planted.counts, *arrays, planted.library_size)


@pytest.mark.parametrize("usage", [False, True], ids=["normal", "logistic_normal"])
@pytest.mark.parametrize("axes", ["readable", "as_trained"])
def test_the_likelihood_is_exactly_that_of_the_trained_model(usage, axes, plant, factors_of):
    """Rotating, flipping, ordering and centring change no expected count (beyond single precision)."""
    model = plant(usage=usage, seed=3)
    shown = error_of(factors_of(model, axes=axes), model)
    np.testing.assert_allclose(shown, reconstruction_error(*model[:6]), rtol=1e-6)


def test_axes_turned_in_training_are_turned_back(planted, factors, factors_of):
    """Two trainings that differ by a rotation show the same readable factors: signs and order included."""
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((4, 4)))[0]
    turned = factors_of(planted, representation=planted.z @ turn, loadings=planted.loadings @ turn)
    np.testing.assert_allclose(turned.representation, factors.representation, atol=2e-3)
    np.testing.assert_allclose(turned.loadings, factors.loadings, atol=2e-3)


def test_the_rotation_leads_from_trained_to_shown_positions(planted, factors):
    """New cells can be put on the same axes: representation = trained representation @ rotation."""
    np.testing.assert_allclose(planted.z @ factors.rotation, factors.representation, atol=1e-5)


def test_as_trained_keeps_the_axes_and_says_which_is_which(planted, factors_of):
    """Each shown factor is one trained factor, up to the stored flip."""
    shown = factors_of(planted, axes="as_trained")
    sign = np.where(shown.flipped, -1, 1)
    np.testing.assert_allclose(shown.representation, planted.z[:, shown.trained_as] * sign, rtol=1e-6)


def test_the_heavier_tail_is_positive(factors):
    """A normal-prior factor has no sign of its own: its skewness is made positive."""
    centred = factors.representation - factors.representation.mean(axis=0)
    assert ((centred**3).mean(axis=0) > 0).all()


def test_factors_come_strongest_first(factors):
    """The order is that of explained deviance."""
    assert (np.diff(factors.explained_deviance) <= 0).all()


def test_loadings_are_centred_over_genes(factors, usage_factors):
    """Softmax ignores a constant added to a column, so it is taken out."""
    for shown in (factors, usage_factors):
        np.testing.assert_allclose(shown.loadings.mean(axis=0), 0, atol=1e-6)


def test_usages_are_never_turned_flipped_or_centred(planted_usage, usage_factors):
    """A logistic-normal factor stays a usage: not below 0, rows summing to 1, columns only reordered."""
    assert not usage_factors.flipped.any()
    np.testing.assert_allclose(usage_factors.representation.sum(axis=1), 1, rtol=1e-6)
    order = usage_factors.trained_as
    np.testing.assert_allclose(usage_factors.representation, planted_usage.z[:, order], rtol=1e-6)


def test_a_usage_with_a_heavy_low_tail_is_not_flipped(planted_usage, factors_of):
    """An archetype that most cells are made of is skewed downwards, and still is never below 0."""
    z = np.random.default_rng(0).dirichlet([12, 1, 1, 1], len(planted_usage.z))
    assert factors_of(planted_usage, representation=z).representation.min() >= 0


def test_a_usage_loading_is_against_the_mean_archetype(usage_factors):
    """Because usages sum to 1, loadings are also centred per gene over factors."""
    np.testing.assert_allclose(usage_factors.loadings.mean(axis=1), 0, atol=1e-6)


def test_the_intercept_is_a_log_fraction(factors):
    """exp(intercept) is the composition of a cell at z = 0."""
    assert np.exp(factors.intercept.astype(float)).sum() == pytest.approx(1, rel=1e-5)


def test_saved_factors_come_back_memory_mapped(factors, tmp_path, monkeypatch):
    """Every array, the names, the axes and the prior survive; nothing large is read before it is used."""
    monkeypatch.setattr(durable, "MAPPED_FROM", 0)
    save_factors(factors, tmp_path / "readable")
    opened = load_factors(tmp_path / "readable")
    assert all(np.array_equal(getattr(opened, name), getattr(factors, name)) for name in ARRAYS)
    assert opened.gene_names.tolist() == factors.gene_names.tolist()
    assert (opened.axes, opened.prior) == ("readable", "normal")
    assert isinstance(opened.representation, np.memmap)


def test_damaged_factors_are_refused(factors, tmp_path):
    """Arrays that do not fit together are named, before any page draws them."""
    save_factors(factors, tmp_path / "readable")
    np.save(tmp_path / "readable" / "intercept.npy", np.zeros(3, np.float32))
    message = r"^The factors in readable do not fit together: intercept\. Train the run again\.$"
    with pytest.raises(RunError, match=message):
        load_factors(tmp_path / "readable")


def test_covariates_stay_in_the_predictions(planted, factors_of):
    """A sequencing batch moves the expected counts but is no factor: explained deviance is judged with it in place."""
    rng = np.random.default_rng(0)
    design = np.eye(2)[rng.integers(0, 2, len(planted.z))]
    shift = rng.normal(0, 0.5, (len(planted.loadings), 2))
    with_batch = factors_of(planted, covariates=design, covariate_loadings=shift)
    silent = factors_of(planted, covariates=design, covariate_loadings=np.zeros_like(shift))
    assert with_batch.n_factors == 4
    assert not np.allclose(with_batch.explained_deviance, silent.explained_deviance)
    np.testing.assert_allclose(silent.explained_deviance, factors_of(planted).explained_deviance, rtol=1e-9)


@pytest.mark.parametrize("likelihood", ["poisson", "zinb"])
def test_other_likelihoods_are_built_too(planted, likelihood, factors_of):
    """A Poisson model has no inverse dispersion (infinite); a zero-inflated one is ordered by its NB part."""
    theta = None if likelihood == "poisson" else planted.theta
    shown = factors_of(planted, likelihood=likelihood, inverse_dispersion=theta)
    assert np.isinf(shown.inverse_dispersion).all() == (likelihood == "poisson")
    assert shown.active.all()
