"""The model does what its formulas say."""

import pytest
import torch

from ldvae_core.model.ldvae import Minibatch, draw
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
