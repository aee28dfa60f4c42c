"""Rules of training that no curve shows: where it starts, what it may look at, what is done at its end."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.special import softmax

from ldvae_core.data.split import TEST, TRAIN, VALIDATION, split_cells
from ldvae_core.model.ldvae import moments
from ldvae_core.training.score import represent


def test_parameters_start_at_the_data(planted, trainer_for):
    """The intercept at the log mean fractions, the inverse dispersion at its moments, so within a factor of truth."""
    model = trainer_for(planted).model
    train = split_cells(planted.counts.n_cells, seed=0) == TRAIN
    totals = np.asarray(planted.counts.counts[train].sum(axis=0), float).ravel()
    common = totals > 1000
    expected = np.log(totals / totals.sum())[common]
    assert model.decoder.intercept.detach().numpy()[common] == pytest.approx(expected, abs=1e-3)
    log_theta, log_library = model.log_theta.detach().numpy(), np.log(planted.counts.library_size[train])
    assert np.corrcoef(log_theta, np.log(planted.inverse_dispersion))[0, 1] > 0.3
    assert model.log_library_prior == pytest.approx((log_library.mean(), log_library.var()), rel=1e-4)


def with_other_counts(planted, rows: np.ndarray):
    """The same data, but with strange counts in some cells, of the same library size."""
    counts = planted.counts.counts.toarray()
    counts[rows] = counts[rows][:, ::-1]
    return replace(planted, counts=replace(planted.counts, counts=sparse.csr_matrix(counts)))


@pytest.mark.parametrize("fast", [True, False], ids=["fast path", "plain path"])
@pytest.mark.parametrize("share", [TEST, VALIDATION], ids=["test", "validation"])
def test_training_sees_no_held_out_count(few_cells, trainer_for, share, fast):
    """Other counts in test cells change not one bit; in validation cells only what is measured on them."""
    rows = np.flatnonzero(split_cells(few_cells.counts.n_cells, seed=0) == share)
    runs = [trainer_for(data, n_epochs=3, fast=fast) for data in (few_cells, with_other_counts(few_cells, rows))]
    for trainer in runs:
        trainer.train()
    one, other = (trainer.state.history for trainer in runs)
    assert [point.train_elbo for point in other] == [point.train_elbo for point in one]
    same_curve = [point.validation_elbo for point in other] == [point.validation_elbo for point in one]
    assert same_curve == (share == TEST)


def test_the_kl_weight_of_a_run_rises_with_every_step(few_cells, trainer_for):
    """By steps, not by epochs: 3 epochs suffice to reach 1, and the end of the first is already there."""
    trainer = trainer_for(few_cells, n_epochs=3, minibatch_size=16, kl_warmup=0.5)
    trainer.train()
    steps = trainer.steps_per_epoch
    expected = [min(1.0, epoch * steps / (1.5 * steps)) for epoch in (1, 2, 3)]
    assert [point.kl_weight for point in trainer.state.history] == pytest.approx(expected)


@pytest.mark.parametrize("fast", [True, False], ids=["fast path", "plain path"])
def test_weight_decay_pulls_weights_towards_zero(few_cells, trainer_for, fast):
    """The same run with a strong decay ends with smaller encoder weights."""
    sizes = []
    for decay in (0.0, 0.5):
        trainer = trainer_for(few_cells, n_epochs=10, weight_decay=decay, fast=fast)
        trainer.train()
        sizes.append(trainer.model.encoder.hidden.weight.detach().norm().item())
    assert sizes[1] < 0.9 * sizes[0]


@pytest.mark.parametrize("prior", ["normal", "logistic_normal"])
def test_batch_norms_statistics_are_those_of_all_training_cells(few_cells, trainer_for, prior):
    """At the end of training: hidden sums exactly, z up to the noise of one draw a cell; no minibatch's leftovers."""
    trainer = trainer_for(few_cells, model={"batch_norm": True, "prior": prior}, n_epochs=3)
    trainer.train()
    model, batch = trainer.model, trainer.source.minibatch(torch.from_numpy(trainer.train_cells))
    sums = model.encoder.hidden(model.encoder_inputs(batch)).detach()
    assert torch.allclose(model.encoder.norm.running_mean, sums.mean(dim=0), rtol=1e-3, atol=1e-4)
    assert torch.allclose(model.encoder.norm.running_var, sums.var(dim=0), rtol=2e-2)
    mean, log_variance = (part.detach() for part in model.encode(batch))
    noise = torch.randn(200, *mean.shape, generator=torch.Generator().manual_seed(0))
    draws = model.factors_of(mean + noise * (0.5 * log_variance).exp())
    centre, covariance = moments(draws.flatten(0, 1))
    spread = covariance.diagonal().sqrt()
    assert (model.decoder.z_mean - centre).abs().div(spread).max() < 0.25
    assert (model.decoder.z_covariance.diagonal() / covariance.diagonal() - 1).abs().max() < 0.4


def test_a_usage_is_the_mean_of_the_draws_on_the_simplex(few_cells, trainer_for):
    """E[softmax(v)], which is not softmax(E[v]): rows sum to 1, means and variances agree with many draws."""
    trainer = trainer_for(few_cells, model={"prior": "logistic_normal"}, n_epochs=2)
    trainer.train()
    found = represent(trainer.model, trainer.source)
    batch = trainer.source.minibatch(torch.arange(few_cells.counts.n_cells))
    mean, log_variance = (part.detach().numpy() for part in trainer.model.encode(batch))
    noise = np.random.default_rng(0).standard_normal((2000, *mean.shape))
    draws = softmax(mean + noise * np.exp(log_variance / 2), axis=2)
    assert found.mean.sum(axis=1) == pytest.approx(1.0)
    assert found.variance.mean() == pytest.approx(draws.var(axis=0).mean(), rel=0.05)
    of_the_mean = softmax(mean, axis=1) - 1 / 3
    slopes = [
        ((usage - 1 / 3) * of_the_mean).sum() / (of_the_mean**2).sum() for usage in (found.mean, draws.mean(axis=0))
    ]
    assert slopes[0] == pytest.approx(slopes[1], rel=0.05)
    assert slopes[1] < 0.9  # so the mean of draws is nearer to an even mixture, and the test can tell
