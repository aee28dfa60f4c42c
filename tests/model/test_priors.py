"""Every prior of the table keeps its promises: its KL is the integral, and a draw becomes what its flags say."""

import math

import pytest
import torch
from scipy.stats import norm

from ldvae_core.model.priors import PRIORS, Prior, normal_kl

POSTERIORS = [(0.0, 0.0), (1.5, -3.0), (-0.4, 1.2)]  # mean and log-variance of q
EACH = pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)


def integral_of_kl(prior: Prior, mean: float, log_variance: float) -> float:
    """Integral of q (log q - log p), on a grid that is exact to ten digits for a smooth or a once kinked density."""
    q = norm(mean, math.exp(log_variance / 2))
    grid = torch.linspace(-40.0, 40.0, 2_000_001, dtype=torch.float64)
    log_p = prior.log_density(grid).numpy() - 0.5 * math.log(2 * math.pi)
    density = q.pdf(grid.numpy())
    return float((density * (q.logpdf(grid.numpy()) - log_p)).sum() * (80.0 / 2_000_000))


@EACH
@pytest.mark.parametrize("posterior", POSTERIORS, ids=str)
def test_the_kl_of_a_prior_is_its_integral(prior, posterior):
    """KL(q || p) = integral of q (log q - log p)."""
    mean, log_variance = torch.tensor(posterior, dtype=torch.float64)
    assert prior.kl(mean, log_variance).item() == pytest.approx(integral_of_kl(prior, *posterior), abs=1e-7)


@EACH
def test_a_prior_makes_of_a_draw_what_it_says(prior):
    """Usages are shares that sum to 1; what is not transformed stays; what may be flipped has p(v) = p(-v)."""
    values = torch.linspace(-2, 2, 12, dtype=torch.float64).view(4, 3)
    z = prior.factors(values)
    assert prior.is_usage == (bool((z >= 0).all()) and torch.allclose(z.sum(dim=1), torch.ones(4).double()))
    assert prior.is_transformed == (not torch.equal(z, values))
    assert torch.equal(prior.log_density(values), prior.log_density(-values)) or not prior.may_flip


@EACH
def test_only_the_kl_that_the_kernels_know_takes_the_fast_path(prior):
    """kernels.py has the KL of N(0, I): a prior that says it is fusable has that one."""
    mean, log_variance = torch.tensor(POSTERIORS, dtype=torch.float64).T
    assert not prior.is_fusable or torch.equal(prior.kl(mean, log_variance), normal_kl(mean, log_variance))
