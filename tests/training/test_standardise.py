"""The last steps of training change no expected count, and bring z to the units of its prior."""

import copy

import numpy as np
import pytest
import torch

from ldvae_core.training.standardise import refresh_norms, standardise

EVERY_DECODER = {
    "normal": {},
    "batch norm": {"batch_norm": True},
    "no intercept": {"intercept": False},
    "zero-inflated": {"likelihood": "zinb"},
    "neural": {"decoder": "neural"},
}


@pytest.fixture
def before_and_after(few_cells, trainer_for):
    """before_and_after(model settings) gives a trained model before and after standardising, and its minibatches."""

    def build(settings: dict) -> tuple:
        trainer = trainer_for(few_cells, model=settings, n_epochs=8)
        trainer.train()
        batches = list(trainer.source.in_order(trainer.train_cells, 1000))  # one, whose memory is not used again
        model = trainer.model
        with torch.no_grad():
            spread = torch.tensor([[1.5, 0.3, 0.0], [0.0, 0.6, 0.1], [0.2, 0.0, 2.0]])
            model.encoder.outputs.weight[:3] = spread @ model.encoder.outputs.weight[:3]
            model.encoder.outputs.bias[:3] += torch.tensor([0.5, -1.0, 0.2])
            if model.config.batch_norm:  # whose running moments of z belong to the encoder
                z = model.encode(batches[0])[0]
                model.decoder.z_mean.copy_(z.mean(dim=0))
                model.decoder.z_covariance.copy_(torch.cov(z.T, correction=0))
        before = copy.deepcopy(model)
        assert standardise(model, batches)
        return before.eval(), model.eval(), batches[0]

    return build


@pytest.mark.parametrize("settings", EVERY_DECODER.values(), ids=EVERY_DECODER)
def test_no_expected_count_changes(before_and_after, settings):
    """At the posterior mean of every cell, the log-likelihood is what it was, and the KL is lower."""
    before, after, batch = before_and_after(settings)
    found = []
    with torch.no_grad():
        for model in (before, after):
            mean, _ = model.encode(batch)
            found.append(model.log_likelihood(mean, batch, batch.library_size.log()).numpy())
        kl = [model.elbo(batch, torch.Generator().manual_seed(1)).kl_factors.mean().item() for model in (before, after)]
    assert found[1] == pytest.approx(found[0], rel=1e-5)
    assert kl[1] < kl[0] - 0.1


@pytest.mark.parametrize("settings", EVERY_DECODER.values(), ids=EVERY_DECODER)
def test_the_mixture_of_posteriors_is_the_prior(before_and_after, settings):
    """Mean 0 (with an intercept to take up the shift) and covariance 1, the posterior's own variance included."""
    _, after, batch = before_and_after(settings)
    with torch.no_grad():
        mean, log_variance = (part.double().numpy() for part in after.encode(batch))
    second = mean.T @ mean / len(mean) + np.diag(np.exp(log_variance).mean(axis=0))
    assert np.diag(second) == pytest.approx(np.ones(3), abs=1e-3)
    if settings.get("intercept", True):
        assert mean.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-4)


def test_statistics_of_batch_norm_know_no_dropout(few_cells, trainer_for):
    """The same moments of z from the same draws, however many units training silences; its setting is kept."""
    trainer = trainer_for(few_cells, model={"batch_norm": True, "dropout": 0.5})
    model, without = trainer.model, copy.deepcopy(trainer.model)
    without.encoder.dropout = 0.0
    for each in (model, without):
        refresh_norms(each, trainer.source.in_order(trainer.train_cells, 64), torch.Generator().manual_seed(1))
    for ours, theirs in zip(model.buffers(), without.buffers(), strict=True):
        assert torch.equal(ours, theirs)
    assert model.encoder.dropout == 0.5


def test_usages_are_left_alone(few_cells, trainer_for):
    """A logistic-normal z is a share: it has no units to change."""
    trainer = trainer_for(few_cells, model={"prior": "logistic_normal"}, n_epochs=2)
    trainer.train()
    weights = copy.deepcopy(trainer.model.state_dict())
    assert not standardise(trainer.model, trainer.source.in_order(trainer.train_cells, 1000))
    assert all(torch.equal(value, weights[name]) for name, value in trainer.model.state_dict().items())


def test_a_collapsed_factor_stops_nothing(few_cells, trainer_for):
    """A factor at its prior, the same in every cell, stays a number."""
    trainer = trainer_for(few_cells, n_epochs=2)
    with torch.no_grad():
        trainer.model.encoder.outputs.weight.zero_()
        trainer.model.encoder.outputs.bias.zero_()
    standardise(trainer.model, trainer.source.in_order(trainer.train_cells, 1000))
    assert all(torch.isfinite(value).all() for value in trainer.model.state_dict().values())


def test_positions_that_are_not_finite_change_nothing(few_cells, trainer_for):
    """Whatever went wrong before is said by the loop; here nothing is raised."""
    trainer = trainer_for(few_cells, n_epochs=1)
    batches = list(trainer.source.in_order(trainer.train_cells, 1000))
    with torch.no_grad():
        trainer.model.encoder.outputs.bias[0] = float("nan")
    assert not standardise(trainer.model, batches)
