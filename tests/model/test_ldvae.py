"""The model does what its formulas say."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from ldvae_core.model.ldvae import Minibatch, draw, normal_kl
from tests.model.conftest import seeded, without_covariates

FAMILY = {
    "normal": {},
    "normal, batch norm": {"batch_norm": True},
    "logistic-normal": {"prior": "logistic_normal"},
    "logistic-normal, batch norm": {"prior": "logistic_normal", "batch_norm": True},
    "no intercept": {"intercept": False},
    "neural": {"decoder": "neural"},
    "poisson": {"likelihood": "poisson"},
    "zero-inflated": {"likelihood": "zinb"},
    "latent library": {"library": "latent"},
    "covariates": {"covariates": True},
}


def cells_for(batch: Minibatch, settings: dict) -> Minibatch:
    return batch if settings.get("covariates") else without_covariates(batch)


@pytest.mark.parametrize("settings", FAMILY.values(), ids=FAMILY)
def test_the_gradient_of_the_elbo_is_that_of_finite_differences(build, cells, settings):
    """Every parameter of every member of the family, in double precision."""
    model, batch = build(**settings, dropout=0.0).train(), cells_for(cells, settings)
    loss = lambda: model.elbo(batch, seeded()).loss(0.7)  # noqa: E731
    loss().backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            step = torch.randn(parameter.shape, generator=seeded(7), dtype=torch.float64)
            slope = (parameter.grad * step).sum().item()
            with torch.no_grad():
                values = [(parameter.add_(step * h), loss().item())[1] for h in (1e-6, -2e-6)]
                parameter.add_(step * 1e-6)
            assert slope == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize("settings", FAMILY.values(), ids=FAMILY)
def test_fractions_sum_to_one(build, cells, settings):
    """The decoder's softmax is over genes."""
    model, batch = build(**settings).eval(), cells_for(cells, settings)
    z = model.factors_of(model.encode(batch)[0])
    fraction = model.decoder(z, batch.covariates).softmax(dim=-1)
    assert fraction.sum(dim=1).tolist() == pytest.approx([1.0] * 40)


def test_batch_norm_in_closed_form_is_batch_norm(build, cells):
    """Moments of z give what torch's batch norm computes over cells x genes."""
    decoder = build(batch_norm=True).decoder.train()
    z = torch.randn(40, 3, generator=seeded(), dtype=torch.float64)
    reference = torch.nn.BatchNorm1d(12, eps=1e-3).double().train()
    with torch.no_grad():
        reference.weight.copy_(decoder.gain)
        reference.bias.copy_(decoder.intercept)
    expected = reference(z @ decoder.loadings.T)
    assert torch.allclose(decoder(z, cells.covariates[:, :0]), expected, atol=1e-10)


def test_folding_gives_the_decoder_in_evaluation_mode(build, cells):
    """Folded loadings and intercept are the whole linear map: slope and constant alike."""
    decoder = build(batch_norm=True).decoder.train()
    for seed in range(20):
        decoder(torch.randn(40, 3, generator=seeded(seed), dtype=torch.float64) * 2 + 1, cells.covariates[:, :0])
    decoder.eval()
    z = torch.randn(40, 3, generator=seeded(99), dtype=torch.float64)
    loadings, intercept = decoder.folded()
    assert torch.allclose(decoder(z, cells.covariates[:, :0]), z @ loadings.T + intercept, atol=1e-5)
    assert not torch.allclose(intercept, decoder.intercept)


def test_a_logistic_normal_factor_is_a_share(build, cells):
    """z is never negative and sums to 1 in every cell."""
    model = build(prior="logistic_normal")
    z = model.factors_of(draw(*model.encode(without_covariates(cells)), seeded()))
    assert z.min() >= 0
    assert z.sum(dim=1).tolist() == pytest.approx([1.0] * 40)


def test_kl_agrees_with_monte_carlo():
    """The closed form equals the mean of log q - log p over draws, for a prior that is not standard."""
    mean, log_variance = torch.full((400_000,), 0.7).double(), torch.full((400_000,), -0.5).double()
    sample = draw(mean, log_variance, seeded())
    log_q = norm.logpdf(sample, 0.7, math.exp(-0.25))
    log_p = norm.logpdf(sample, 0.2, math.sqrt(1.5))
    ours = normal_kl(mean[:1], log_variance[:1], 0.2, 1.5).item()
    assert ours == pytest.approx((log_q - log_p).mean(), abs=0.005)


def test_the_elbo_stays_below_the_exact_likelihood(build, cells):
    """With one factor the likelihood can be integrated: the bound holds for every cell."""
    model = build(n_factors=1).eval()
    batch = Minibatch(*(part[:3] for part in without_covariates(cells)))
    log_library = batch.library_size.log()
    terms = [model.elbo(batch, seeded(seed)) for seed in range(2000)]
    bound = -torch.stack([term.reconstruction_error + term.kl_factors for term in terms]).mean(dim=0)

    def joint(value: float, cell: int) -> float:
        z = torch.full((3, 1), value, dtype=torch.float64)
        return math.exp(model.log_likelihood(z, batch, log_library)[cell].item() + 30) * norm.pdf(value)

    exact = [math.log(quad(joint, -8, 8, args=(cell,), limit=200)[0]) - 30 for cell in range(3)]
    assert all(below <= above + 0.02 for below, above in zip(bound.tolist(), exact, strict=True))


def test_cells_are_independent_of_their_neighbours(build, cells):
    """In evaluation mode, a cell's likelihood does not depend on which cells stand beside it, nor on their order."""
    model, batch = build().eval(), without_covariates(cells)
    z = model.encode(batch)[0]
    whole = model.log_likelihood(z, batch, batch.library_size.log())
    turned = Minibatch(*(part.flip(0) for part in batch))
    again = model.log_likelihood(z.flip(0), turned, turned.library_size.log())
    assert torch.allclose(whole.flip(0), again)


def test_the_covariates_effects_are_centred(build):
    """The intercept means an average level: effects sum to zero over the levels of a covariate."""
    effects = build(covariates=True).decoder.centred_covariates()
    assert effects.abs().max() > 0.01
    assert effects.sum(dim=1).abs().max() < 1e-12
