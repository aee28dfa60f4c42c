"""Figures on held-out cells: what they are made of, and that how they are worked out does not change them."""

import numpy as np
import pytest
import torch

from ldvae_core.model.config import Covariate, ModelConfig
from ldvae_core.training.score import (
    likelihood_bounds,
    log_importance_weights,
    reconstruction_errors,
    represent,
    scored_cells,
)
from tests.model.conftest import build, cells, seeded, without_covariates  # noqa: F401  (fixtures)

FAMILY = {
    "normal": {},
    "logistic-normal": {"prior": "logistic_normal"},
    "zero-inflated": {"likelihood": "zinb"},
    "poisson": {"likelihood": "poisson"},
    "latent library": {"library": "latent"},
    "neural": {"decoder": "neural"},
}


@pytest.fixture(params=FAMILY)
def trained(request, few_cells, trainer_for):
    """A trainer after five epochs."""
    trainer = trainer_for(few_cells, model=FAMILY[request.param], n_epochs=5)
    trainer.train()
    return trainer


def test_the_elbo_never_exceeds_the_iwll(trained):
    """In every cell, because both come from the same draws (Jensen); and neither the likelihood at its best."""
    bounds = likelihood_bounds(trained.model, trained.source, np.arange(60))
    assert (bounds.elbo <= bounds.iwll).all()
    assert (bounds.elbo < bounds.iwll).any()
    assert bounds.elbo.dtype == np.float64


def test_scoring_leaves_the_model_as_it_was(trained):
    """Same numbers again, same weights, still in single precision."""
    before = {name: value.clone() for name, value in trained.model.state_dict().items()}
    first, again = (likelihood_bounds(trained.model, trained.source, np.arange(20)) for _ in range(2))
    np.testing.assert_array_equal(first.iwll, again.iwll)
    assert all(torch.equal(before[name], value) for name, value in trained.model.state_dict().items())
    assert next(trained.model.parameters()).dtype == torch.float32


def test_a_cell_at_a_time_gives_the_same_error(trained, monkeypatch):
    """How many cells are dense at a time changes nothing."""
    z = represent(trained.model, trained.source).mean
    whole = reconstruction_errors(trained.model, trained.source, np.arange(10), z)
    monkeypatch.setattr("ldvae_core.training.score.SCORING_SIZE", 1)
    np.testing.assert_allclose(reconstruction_errors(trained.model, trained.source, np.arange(10), z), whole)


@pytest.mark.parametrize("settings", [{}, {"library": "latent"}], ids=["observed", "latent library"])
def test_weights_are_joint_density_over_posterior(build, cells, settings):  # noqa: F811
    """log p(x | z, l) + log p(z) + log p(l) - log q(z | x) - log q(l | x), by torch's own normal densities."""
    model, batch = build(**settings).eval(), without_covariates(cells)
    found = log_importance_weights(model, batch, 1, seeded(5))[0]
    noise = seeded(5)
    mean, log_variance = model.encode(batch)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    z = mean + torch.randn(mean.shape, generator=noise, dtype=mean.dtype) * posterior.scale
    expected = (torch.distributions.Normal(0, 1).log_prob(z) - posterior.log_prob(z)).sum(dim=1)
    log_library = batch.library_size.log()
    if settings:
        centre, log_spread = (part.squeeze(1) for part in model.library_encoder(model.encoder_inputs(batch)))
        q = torch.distributions.Normal(centre, (0.5 * log_spread).exp())
        log_library = centre + torch.randn(40, 1, generator=noise, dtype=mean.dtype)[:, 0] * q.scale
        prior = torch.distributions.Normal(model.log_library_prior[0], model.log_library_prior[1] ** 0.5)
        expected = expected + prior.log_prob(log_library) - q.log_prob(log_library)
    assert torch.allclose(found, expected + model.log_likelihood(z, batch, log_library))


def test_bounds_of_many_cells_come_from_a_seeded_sample():
    """At most 5,000 test cells, the same ones for every model, ascending."""
    assert scored_cells(np.arange(70)).tolist() == list(range(70))
    chosen = scored_cells(np.arange(0, 60_000, 5))
    assert len(np.unique(chosen)) == 5_000
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(chosen, scored_cells(np.arange(0, 60_000, 5)))


def test_a_dispersion_per_level_takes_the_plain_path():
    """The fast path knows one inverse dispersion per gene only."""
    donor = (Covariate("donor", ("a", "b")),)
    assert ModelConfig(20, covariates=donor).is_fusable
    assert not ModelConfig(20, covariates=donor, dispersion="gene_level").is_fusable
