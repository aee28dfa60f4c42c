"""Log-likelihoods against independent references."""

import mpmath
import numpy as np
import pytest
import torch
from scipy.stats import nbinom, poisson

from ldvae_core.model.likelihood import (
    log_negative_binomial,
    log_poisson,
    log_zero_inflated_negative_binomial,
)


def exact_log_nb(count: float, mean: float, theta: float) -> mpmath.mpf:
    """The negative binomial at 50 digits, from the textbook formula."""
    x, m, t = mpmath.mpf(count), mpmath.mpf(mean), mpmath.mpf(theta)
    rising = mpmath.loggamma(x + t) - mpmath.loggamma(t) - mpmath.loggamma(x + 1)
    return rising + t * mpmath.log(t / (m + t)) + x * mpmath.log(m / (m + t))


def spread_points(n: int, *, largest_count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts, means 1e-8 to 1e5 and inverse dispersions 1e-3 to 1e4, on log scales; a quarter are 0."""
    rng = np.random.default_rng(0)
    counts = np.floor(10 ** rng.uniform(0, np.log10(largest_count), n)) * (rng.random(n) > 0.25)
    return counts, 10 ** rng.uniform(-8, 5, n), 10 ** rng.uniform(-3, 4, n)


def test_negative_binomial_agrees_with_scipy():
    """Our log-likelihood equals scipy's for the same mean and inverse dispersion."""
    counts, mean, theta = torch.tensor([0.0, 3.0, 40.0]), torch.tensor(5.0), torch.tensor(2.0)
    ours = log_negative_binomial(counts, mean.log(), theta.log())
    assert ours.tolist() == pytest.approx(nbinom.logpmf([0, 3, 40], n=2.0, p=2.0 / 7.0), rel=1e-6)


def test_negative_binomial_is_exact_in_double_precision():
    """Within 1e-6 of 50 digits, relative, over 2,000 points of the whole allowed range."""
    counts, mean, theta = spread_points(2000, largest_count=100_000)
    log_mean, log_theta = np.log(mean), np.log(theta)
    ours = log_negative_binomial(*(torch.from_numpy(values) for values in (counts, log_mean, log_theta))).numpy()
    with mpmath.workdps(50):
        arguments = zip(counts, log_mean, log_theta, strict=True)
        exact = np.array([float(exact_log_nb(x, mpmath.exp(m), mpmath.exp(t))) for x, m, t in arguments])
    assert np.abs(ours / exact - 1).max() < 1e-6


def test_negative_binomial_of_single_precision_numbers_is_within_a_thousandth():
    """Single-precision arguments cost at most 1e-3 nats for counts up to 500."""
    counts, mean, theta = spread_points(2000, largest_count=500)
    single = [torch.from_numpy(values).float() for values in (counts, np.log(mean), np.log(theta))]
    ours = log_negative_binomial(*single).numpy()
    with mpmath.workdps(50):
        arguments = zip(*(values.double().numpy() for values in single), strict=True)
        exact = np.array([float(exact_log_nb(x, mpmath.exp(m), mpmath.exp(t))) for x, m, t in arguments])
    assert np.abs(ours - exact).max() < 1e-3


@pytest.mark.parametrize("theta", [0.1, 3.0, 500.0])
def test_probabilities_sum_to_one(theta):
    """Over all counts that matter, for mean 4."""
    counts = torch.arange(0.0, 3000.0)
    log_mean, log_theta = torch.tensor(4.0).log(), torch.tensor(theta).log()
    assert log_negative_binomial(counts, log_mean, log_theta).exp().sum().item() == pytest.approx(1.0, abs=1e-6)
    zero_inflated = log_zero_inflated_negative_binomial(counts, log_mean, log_theta, torch.tensor(-0.5))
    assert zero_inflated.exp().sum().item() == pytest.approx(1.0, abs=1e-6)


def test_poisson_is_the_limit_of_large_theta():
    """Poisson agrees with scipy, and the negative binomial comes near it."""
    counts, log_mean = torch.tensor([0.0, 2.0, 9.0]).double(), torch.tensor(3.0).double().log()
    assert log_poisson(counts, log_mean).tolist() == pytest.approx(poisson.logpmf([0, 2, 9], 3.0), rel=1e-12)
    near = log_negative_binomial(counts, log_mean, torch.tensor(1e8).double().log())
    assert near.tolist() == pytest.approx(poisson.logpmf([0, 2, 9], 3.0), abs=1e-6)


def test_zero_inflation_has_both_limits():
    """No loss gives the negative binomial; certain loss gives a certain zero."""
    counts, log_mean, log_theta = torch.tensor([0.0, 5.0]), torch.tensor(1.0), torch.tensor(0.5)
    plain = log_negative_binomial(counts, log_mean, log_theta)
    kept = log_zero_inflated_negative_binomial(counts, log_mean, log_theta, torch.tensor(-60.0))
    lost = log_zero_inflated_negative_binomial(counts, log_mean, log_theta, torch.tensor(60.0))
    assert kept.tolist() == pytest.approx(plain.tolist(), rel=1e-9)
    assert lost[0].item() == pytest.approx(0.0, abs=1e-9)
    assert lost[1].item() < -59
