"""Log-likelihoods against 50-digit references, at 2,000 points of the whole allowed range.

Points lie on log scales (counts to 1e5, means 1e-8 to 1e5, inverse dispersions 1e-3 to 1e4, zero logits -30 to 30),
drawn from a seed, with every corner of the range among them.
"""

from itertools import product

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import Tensor

from ldvae_core.analysis.metrics import reconstruction_error
from ldvae_core.model.likelihood import (
    log_negative_binomial,
    log_poisson,
    log_zero_inflated_negative_binomial,
)
from tests.model.exact import exact_log_nb, exact_log_poisson, exact_log_zinb, exact_slopes

LIKELIHOODS = {
    "negative binomial": (log_negative_binomial, exact_log_nb, 3),
    "poisson": (log_poisson, exact_log_poisson, 2),
    "zero-inflated": (log_zero_inflated_negative_binomial, exact_log_zinb, 4),
}
EACH = pytest.mark.parametrize(("ours", "exact", "n_arguments"), LIKELIHOODS.values(), ids=LIKELIHOODS)


def spread_points(n: int, *, largest_count: int = 100_000) -> np.ndarray:
    """(4, n): count, log mean, log theta, zero logit; the corners first, then seeded points, a quarter of counts 0."""
    corners = product((0, 1, largest_count), np.log([1e-8, 1.0, 1e5]), np.log([1e-3, 1.0, 1e4]), (-30.0, 0.0, 30.0))
    corners = np.array(list(corners)).T
    rng, more = np.random.default_rng(0), n - corners.shape[1]
    counts = np.floor(10 ** rng.uniform(0, np.log10(largest_count), more)) * (rng.random(more) > 0.25)
    log_mean, log_theta = (np.log(10) * rng.uniform(low, high, more) for low, high in ((-8, 5), (-3, 4)))
    return np.hstack([corners, [counts, log_mean, log_theta, rng.uniform(-30, 30, more)]])


def tensors(points: np.ndarray, n_arguments: int) -> list[Tensor]:
    return [torch.from_numpy(values.copy()) for values in points[:n_arguments]]


@EACH
def test_a_likelihood_is_exact_in_double_precision(ours, exact, n_arguments):
    """Within 1e-6 of 50 digits, relative, over 2,000 points."""
    points = spread_points(2000)
    reference = exact(*points[:n_arguments])
    assert np.abs(ours(*tensors(points, n_arguments)).numpy() / reference - 1).max() < 1e-6


@EACH
def test_a_likelihood_of_single_precision_numbers_is_within_a_thousandth_of_a_nat(ours, exact, n_arguments):
    """Single-precision arguments cost at most 1e-3 nats an entry for counts up to 500."""
    points = spread_points(2000, largest_count=500).astype(np.float32)
    value = ours(*tensors(points, n_arguments)).double().numpy()
    assert np.abs(value - exact(*points[:n_arguments].astype(float))).max() < 1e-3


@EACH
def test_the_slopes_of_a_likelihood_are_exact(ours, exact, n_arguments):
    """In log mean, log inverse dispersion and zero logit: within 1e-6 of the 50-digit derivatives."""
    points = spread_points(400)
    arguments = [tensor.requires_grad_() for tensor in tensors(points, n_arguments)]
    slopes = torch.autograd.grad(ours(*arguments).sum(), arguments[1:])
    reference = exact_slopes(exact, points[:n_arguments])
    for ours_now, expected in zip(slopes, reference, strict=True):
        np.testing.assert_allclose(ours_now.numpy(), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("likelihood", ["nb", "poisson"])
def test_the_reported_error_is_exact(likelihood):
    """The numpy formula behind every reported figure: a single gene, so that a cell's mean is its library size."""
    counts, log_mean, log_theta, _ = spread_points(2000)
    exact = exact_log_nb(counts, log_mean, log_theta) if likelihood == "nb" else exact_log_poisson(counts, log_mean)
    one_gene, reported = sparse.csr_matrix(counts.astype(np.int64)[:, None]), []
    for cell in range(2000):
        arguments = (np.zeros((1, 1)), np.zeros((1, 1)), np.zeros(1), np.exp(log_theta[[cell]]))
        error = reconstruction_error(one_gene[cell], *arguments, np.exp(log_mean[[cell]]), likelihood=likelihood)
        reported.extend(error)
    assert np.abs(np.array(reported) / -exact - 1).max() < 1e-6


@pytest.mark.parametrize("mean", [0.02, 4.0, 300.0])
@pytest.mark.parametrize("theta", [0.1, 3.0, 500.0])
def test_probabilities_sum_to_one(mean, theta):
    """Over all counts that matter."""
    counts = torch.arange(0.0, 200_000.0)
    log_mean, log_theta = torch.tensor([mean, theta]).double().log()
    values = {
        "negative binomial": log_negative_binomial(counts, log_mean, log_theta),
        "poisson": log_poisson(counts, log_mean),
        "zero-inflated": log_zero_inflated_negative_binomial(counts, log_mean, log_theta, torch.tensor(-0.5)),
    }
    assert {name: value.exp().sum().item() for name, value in values.items()} == pytest.approx(
        dict.fromkeys(values, 1.0), abs=1e-9
    )


def test_the_mean_and_variance_are_those_the_parameters_name():
    """Mean m and variance m + m^2 / theta, summed over the counts."""
    counts, (log_mean, log_theta) = torch.arange(0.0, 5000.0).double(), torch.tensor([6.0, 2.5]).double().log()
    probability = log_negative_binomial(counts, log_mean, log_theta).exp()
    mean = (probability * counts).sum()
    assert mean.item() == pytest.approx(6.0)
    assert (probability * (counts - mean) ** 2).sum().item() == pytest.approx(6.0 + 6.0**2 / 2.5)


def test_the_negative_binomial_becomes_poisson_for_large_theta():
    """The distance falls as 1 / theta: ((x - m)^2 - x) / (2 theta), the first term of the expansion."""
    counts, log_mean = torch.tensor([0.0, 2.0, 9.0]).double(), torch.tensor(3.0).double().log()
    for theta in (1e4, 1e6):
        near = log_negative_binomial(counts, log_mean, torch.tensor(theta).double().log())
        distance = (near - log_poisson(counts, log_mean)) * theta
        assert distance.tolist() == pytest.approx((((counts - 3) ** 2 - counts) / 2).tolist(), rel=1e-2)


def test_zero_inflation_has_both_limits():
    """No loss gives the negative binomial; certain loss gives a certain zero."""
    counts, log_mean, log_theta = torch.tensor([0.0, 5.0]), torch.tensor(1.0), torch.tensor(0.5)
    plain = log_negative_binomial(counts, log_mean, log_theta)
    kept = log_zero_inflated_negative_binomial(counts, log_mean, log_theta, torch.tensor(-60.0))
    lost = log_zero_inflated_negative_binomial(counts, log_mean, log_theta, torch.tensor(60.0))
    assert kept.tolist() == pytest.approx(plain.tolist(), rel=1e-9)
    assert lost[0].item() == pytest.approx(0.0, abs=1e-9)
    assert lost[1].item() == pytest.approx(plain[1].item() - 60)


def test_the_references_are_the_textbook_formulas():
    """The judge is judged: its probabilities sum to 1, and one of them is worked out by hand."""
    counts = np.arange(400.0)
    for exact, others in ((exact_log_nb, (1.0, 0.5)), (exact_log_poisson, (1.0,)), (exact_log_zinb, (1.0, 0.5, 0.3))):
        values = exact(counts, *(np.full(400, value) for value in others))
        assert np.exp(values).sum() == pytest.approx(1.0)
    assert exact_log_nb([2.0], [0.0], [0.0])[0] == pytest.approx(np.log(1 / 8))  # mean 1, theta 1: halves
