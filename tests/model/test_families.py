"""Every likelihood of the table keeps its promises: its NumPy formulas are those in torch, in their parts and whole."""

import numpy as np
import pytest
import torch

from ldvae_core.model.families import LIKELIHOODS

RECOMPUTABLE = {name: each for name, each in LIKELIHOODS.items() if each.is_recomputable}
EACH = pytest.mark.parametrize("likelihood", RECOMPUTABLE.values(), ids=RECOMPUTABLE)


@pytest.fixture
def points():
    """Counts, log means and inverse dispersions, (genes,) each, zero counts among them."""
    rng = np.random.default_rng(0)
    return rng.poisson(3.0, 500).astype(float), rng.normal(0, 2, 500), np.exp(rng.normal(0, 2, 500))


def from_arrays(likelihood, counts, log_mean, theta) -> np.ndarray:
    """log p(x) as analysis/metrics.py puts it together."""
    seen = counts > 0
    found = -likelihood.at_zero(np.exp(log_mean), theta)
    found[seen] += likelihood.at_counts(counts[seen], log_mean[seen], theta[seen])
    found[seen] += likelihood.constants(counts[seen], theta[seen])
    return found


@EACH
def test_the_formulas_in_numpy_are_those_in_torch(likelihood, points):
    """log p(x) to ten digits, zero counts among them."""
    counts, log_mean, log_theta = (torch.from_numpy(part) for part in (points[0], points[1], np.log(points[2])))
    exact = likelihood.log_probability(counts, log_mean, log_theta, None, None)
    assert from_arrays(likelihood, *points) == pytest.approx(exact.numpy(), rel=1e-10, abs=1e-10)
    rising = likelihood.rising(counts, log_theta)
    assert torch.equal(likelihood.log_probability(counts, log_mean, log_theta, None, rising), exact)


@EACH
def test_the_information_is_the_expected_squared_slope(likelihood):
    """Sum over x of p(x) (d log p / d log m)^2, at a mean of 3 and an inverse dispersion of 2."""
    counts, log_theta = torch.arange(2000.0, dtype=torch.float64), torch.tensor(2.0).double().log()
    log_mean = torch.full((2000,), np.log(3.0), dtype=torch.float64, requires_grad=True)
    log_p = likelihood.log_probability(counts, log_mean, log_theta, None, None)
    (slope,) = torch.autograd.grad(log_p.sum(), log_mean)
    expected = (log_p.exp() * slope**2).sum().item()
    assert likelihood.information(np.array([3.0]), np.array([2.0])).item() == pytest.approx(expected, rel=1e-6)
