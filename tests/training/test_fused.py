"""The fast path equals the plain path."""

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.special import gammaln

from ldvae_core.model.config import ModelConfig
from ldvae_core.training.fused import RisingFactorials, fused_elbo
from tests.model.conftest import build, cells, seeded, without_covariates  # noqa: F401  (fixtures)

FUSABLE = {
    "normal": {},
    "batch norm": {"batch_norm": True},
    "logistic-normal": {"prior": "logistic_normal"},
    "no intercept": {"intercept": False},
    "covariates": {"covariates": True},
}


def rising_of(batch) -> RisingFactorials:
    return RisingFactorials(sparse.csr_matrix(batch.counts.numpy()), np.arange(len(batch.counts)))


@pytest.mark.parametrize("settings", FUSABLE.values(), ids=FUSABLE)
def test_the_fast_path_equals_the_plain_path(build, cells, settings):  # noqa: F811
    """Over the cells the table was made from: the same sum of values, and the same gradient of every parameter."""
    batch = cells if settings.get("covariates") else without_covariates(cells)
    results = {}
    for path in ("plain", "fused"):
        model = build(**settings).train()
        terms = model.elbo(batch, seeded()) if path == "plain" else fused_elbo(model, batch, rising_of(batch), seeded())
        terms.loss(0.5).backward()
        gradients = {name: value.grad for name, value in model.named_parameters() if value.requires_grad}
        results[path] = terms.loss(0.5).item(), gradients
    assert results["fused"][0] == pytest.approx(results["plain"][0], rel=1e-7)
    for name, gradient in results["plain"][1].items():
        atol = 1e-6 if name == "log_theta" else 1e-12  # the slope is read off a table
        assert torch.allclose(results["fused"][1][name], gradient, rtol=1e-6, atol=atol), name


def test_the_table_of_rising_factorials_is_exact():
    """Between grid points too: value against lgamma, slope against a finite difference."""
    counts = np.random.default_rng(0).poisson(30, (200, 5)) * np.array([1, 0, 5, 1, 100])
    counts[0] += 1
    table = RisingFactorials(sparse.csr_matrix(counts), np.arange(200))
    log_theta = torch.tensor([-6.5, -1.03, 0.4, 3.333, 9.0], dtype=torch.float64, requires_grad=True)
    theta = np.exp(log_theta.detach().numpy())
    exact = (gammaln(counts + theta) - gammaln(theta) - gammaln(counts + 1)).sum() / 200
    value = table(log_theta)
    value.backward()
    nearby = [table(log_theta.detach() + step).item() for step in (1e-5, -1e-5)]
    assert value.item() == pytest.approx(exact, rel=1e-8)
    assert log_theta.grad.sum().item() == pytest.approx((nearby[0] - nearby[1]) / 2e-5, rel=1e-5)


def test_only_models_the_fast_path_knows_take_it():
    """Linear, negative binomial, observed library size; everything else is plain."""
    assert ModelConfig(20, batch_norm=True, prior="logistic_normal").is_fusable
    others = [{"decoder": "neural"}, {"likelihood": "poisson"}, {"likelihood": "zinb"}, {"library": "latent"}]
    assert not any(ModelConfig(20, **settings).is_fusable for settings in others)
