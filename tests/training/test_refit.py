"""Loadings refitted after the training: never at the validation cells' cost, and consistent wherever they are read."""

import copy

import numpy as np
import pytest
import torch

from ldvae_core.data.split import TRAIN, VALIDATION, split_cells
from ldvae_core.model.packed import unpacked
from ldvae_core.training.refine import MOST_STEPS, refine
from ldvae_core.training.refining import refined_model
from ldvae_core.training.refit import _standardised, refit, refittable, replace_decoder
from ldvae_core.training.score import (
    folded_decoder,
    likelihood_bounds,
    log_importance_weights,
    reconstruction_errors,
    refined_representation,
    tighter_proposal,
)
from tests.model.conftest import build, cells, seeded, without_covariates  # noqa: F401  (fixtures)


def shares(n_cells: int) -> tuple[np.ndarray, np.ndarray]:
    split = split_cells(n_cells, seed=0)
    return np.flatnonzero(split == TRAIN), np.flatnonzero(split == VALIDATION)


@pytest.fixture(params=[{}, {"batch_norm": True}, {"likelihood": "poisson"}, {"intercept": False}], ids=str)
def trained(request, few_cells, trainer_for):
    """A trainer after five epochs."""
    trainer = trainer_for(few_cells, model=request.param, n_epochs=5)
    trainer.train()
    return trainer


@pytest.mark.parametrize("settings", [{}, {"batch_norm": True}], ids=["plain", "batch norm"])
def test_a_replaced_decoder_folds_to_what_it_was_given(build, settings):  # noqa: F811
    """Also with batch norm, whose statistics and gain then change nothing."""
    model = build(**settings)
    loadings, intercept = torch.randn(12, 3).double(), torch.randn(12).double()
    replace_decoder(model, loadings, intercept)
    found = folded_decoder(model, np.zeros((1, 3)), np.zeros((1, 0)))
    assert np.allclose(found[0], loadings, atol=1e-12)
    assert np.allclose(found[1], intercept, atol=1e-12)


def test_the_validation_error_never_rises(trained, few_cells):
    """What is kept is better there by as much as is said, and the model that was given is not touched."""
    train, validation = shares(few_cells.counts.n_cells)
    before = copy.deepcopy(trained.model.state_dict())
    found = refit(trained.model, trained.source, few_cells.counts.counts, train, validation)
    assert all(torch.equal(before[name], value) for name, value in trained.model.state_dict().items())
    errors = []
    for model in (trained.model, found.model):
        whole = np.zeros((trained.source.n_cells, 3))
        whole[validation] = refine(model, trained.source, validation).values
        errors.append(reconstruction_errors(model, trained.source, validation, whole).mean())
    assert found.gained >= 0
    assert errors[0] - errors[1] == pytest.approx(found.gained, abs=0.05)


def test_the_posterior_keeps_the_units_of_the_prior(planted, trainer_for):
    """E[z z' + S] stays at the identity, so that a loading is one per standard deviation of the prior."""
    trainer = trainer_for(planted, n_epochs=20)
    trainer.train()
    train, validation = shares(planted.counts.n_cells)
    found = refit(trainer.model, trainer.source, planted.counts.counts, train, validation)
    assert found.rounds > 0
    refined = refine(found.model, trainer.source, train)
    second = refined.values.T @ refined.values / len(train) + unpacked(refined.covariance, 5).mean(axis=0)
    assert np.abs(second - np.eye(5)).max() < 0.06


@pytest.mark.parametrize("has_intercept", [True, False])
def test_bringing_positions_to_the_priors_units_changes_no_logit(has_intercept):
    """But for a constant a cell, which softmax ignores; E[v] is 0 where there is an intercept, E[v v' + S] is 1."""
    loadings, intercept = torch.randn(12, 3, generator=seeded()).double(), torch.randn(12, generator=seeded(1)).double()
    positions = (0.5 + torch.randn(200, 3, generator=seeded(2)).double() @ torch.randn(3, 3).double()).numpy()
    around = torch.eye(3).double() / 4
    found = _standardised(loadings, intercept, positions, around, has_intercept=has_intercept)
    before = positions @ loadings.numpy().T + intercept.numpy()
    after = found.positions @ found.loadings.numpy().T + found.intercept.numpy()
    gap = before - after
    assert np.allclose(gap, gap.mean(axis=1, keepdims=True))
    centre = positions.mean(axis=0) * has_intercept
    second = (positions - centre).T @ (positions - centre) / 200 + around.numpy()
    values, vectors = np.linalg.eigh(second)
    inverse = vectors / np.sqrt(values) @ vectors.T
    assert np.allclose(found.positions, (positions - centre) @ inverse)


def test_a_refit_that_is_stopped_gives_nothing(trained, few_cells):
    """Its caller goes on with the model it has."""
    train, validation = shares(few_cells.counts.n_cells)
    counts = few_cells.counts.counts
    assert refit(trained.model, trained.source, counts, train, validation, go_on=lambda done: False) is None
    stopped = refined_model(
        trained.model, trained.source, counts, train=train, validation=validation, cells_trained=0,
        go_on=lambda done: False,
    )  # fmt: skip
    assert stopped.model is trained.model
    assert stopped.figures()["positions"] == "encoder"
    assert "stopped" in stopped.why_not


def test_more_cells_than_the_training_went_through_are_left(trained, few_cells, monkeypatch):
    """Refining may take as long as the training, and no longer."""
    monkeypatch.setattr("ldvae_core.model.budget.FREE", 0)
    train, validation = shares(few_cells.counts.n_cells)
    found = refined_model(
        trained.model, trained.source, few_cells.counts.counts, train=train, validation=validation, cells_trained=10
    )
    assert found.refined is None
    assert "longer than the training" in found.why_not


@pytest.mark.parametrize(("passes", "steps"), [(24, MOST_STEPS), (17, 2), (12, 1)])
def test_the_more_cells_the_fewer_steps_each_takes(trained, few_cells, monkeypatch, passes, steps):
    """As many as a training of that length leaves time for: the first step is worth most."""
    monkeypatch.setattr("ldvae_core.model.budget.FREE", 0)
    taken = []
    monkeypatch.setattr(
        "ldvae_core.training.refining.refine",
        lambda *given, most_steps, **more: taken.append(most_steps) or refine(*given, most_steps=most_steps, **more),
    )
    n, (train, validation) = few_cells.counts.n_cells, shares(few_cells.counts.n_cells)
    found = refined_model(
        trained.model, trained.source, few_cells.counts.counts, train=train, validation=validation,
        cells_trained=passes * n,
    )  # fmt: skip
    assert taken == [steps]
    assert found.refined.gained > 0


def test_usages_are_refined_and_their_loadings_stay(few_cells, trainer_for):
    """In the space before the softmax; rows of z still sum to 1."""
    trainer = trainer_for(few_cells, model={"prior": "logistic_normal"}, n_epochs=5)
    trainer.train()
    assert not refittable(trainer.model)
    train, validation = shares(few_cells.counts.n_cells)
    found = refined_model(
        trainer.model, trainer.source, few_cells.counts.counts, train=train, validation=validation, cells_trained=0
    )
    z = refined_representation(found.model, found.refined)
    assert np.allclose(z.mean.sum(axis=1), 1)
    assert (z.variance > 0).all()
    assert found.refit is None


def test_bounds_from_refined_positions_are_bounds_of_the_same_thing(trained):
    """ELBO below IWLL in every cell; the better proposal has the higher ELBO; no IWLL lies far above the other."""
    few = np.arange(30)
    refined = refine(trained.model, trained.source, few)
    around, encoder = (
        likelihood_bounds(trained.model, trained.source, few, draws=100, around=proposal)
        for proposal in (refined, None)
    )
    assert (around.elbo <= around.iwll).all()
    assert encoder.iwll.mean() < around.iwll.mean() + 0.1
    better = tighter_proposal(trained.model, trained.source, few, refined) is refined
    assert better == (around.elbo.mean() > encoder.elbo.mean())


def test_weights_around_refined_positions_are_joint_density_over_proposal(build, cells):  # noqa: F811
    """log p(x | z) + log p(z) - log q(z), q a normal with a full covariance, by torch's own densities."""
    model, batch = build().eval(), without_covariates(cells)
    centre, root = torch.randn(40, 3).double(), torch.randn(40, 3, 3).double().tril() / 5
    root.diagonal(dim1=1, dim2=2).abs_().add_(0.1)
    found = log_importance_weights(model, batch, 1, seeded(5), (centre, root))[0]
    noise = torch.randn(40, 3, generator=seeded(5), dtype=torch.float64)
    z = centre + (root @ noise[:, :, None])[:, :, 0]
    q = torch.distributions.MultivariateNormal(centre, scale_tril=root)
    expected = torch.distributions.Normal(0, 1).log_prob(z).sum(dim=1) - q.log_prob(z)
    assert torch.allclose(found, expected + model.log_likelihood(z, batch, batch.library_size.log()))
