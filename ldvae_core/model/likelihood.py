"""The three count likelihoods, in log space, with every constant included.

Source: Svensson et al. 2020, section 2 (the Gamma-Poisson lines). There theta is named overdispersion; here it is the
inverse dispersion, variance = mean + mean**2 / theta. All functions are elementwise and broadcast.

No epsilon stands inside a logarithm: everything is written with softplus of log(mean / theta), which loses no digits
for tiny or huge ratios. Single precision cannot hold lgamma(x + theta) - lgamma(theta) for large theta (off by 0.1 nats
at theta = 1e5), so the value is worked out in double precision wherever the device has it.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

MIN_THETA, MAX_THETA = 1e-3, 1e4  # beyond: a gene with all counts in one cell, or a Poisson gene


def log_negative_binomial(counts: Tensor, log_mean: Tensor, log_theta: Tensor) -> Tensor:
    """log NB(x; mean m, inverse dispersion theta) in nats; variance m + m**2 / theta.

    counts: whole numbers >= 0; log_mean: natural log of the mean; log_theta: natural log of theta; any shapes that
    broadcast. Returns their common shape, in double precision. Raises nothing.
    """
    counts, log_mean, log_theta = (_double(tensor) for tensor in (counts, log_mean, log_theta))
    theta, log_ratio = log_theta.exp(), log_mean - log_theta
    rising = torch.lgamma(counts + theta) - torch.lgamma(theta) - torch.lgamma(counts + 1)
    return rising - counts * softplus(-log_ratio) - theta * softplus(log_ratio)


def log_poisson(counts: Tensor, log_mean: Tensor) -> Tensor:
    """log Poisson(x; mean m) in nats: the limit of the negative binomial for large theta."""
    counts, log_mean = _double(counts), _double(log_mean)
    return counts * log_mean - log_mean.exp() - torch.lgamma(counts + 1)


def log_zero_inflated_negative_binomial(
    counts: Tensor, log_mean: Tensor, log_theta: Tensor, zero_logit: Tensor
) -> Tensor:
    """log ZINB in nats: with probability sigmoid(zero_logit) a count is lost and reads 0, else it is negative binomial.

    zero_logit -> -inf gives the negative binomial, +inf a certain zero.
    """
    zero_logit = _double(zero_logit)
    log_nb = log_negative_binomial(counts, log_mean, log_theta)
    kept = log_nb - softplus(zero_logit)
    at_zero = torch.logaddexp(-softplus(-zero_logit), kept)
    return torch.where(counts == 0, at_zero, kept)


def _double(tensor: Tensor) -> Tensor:
    """Double precision, except on Apple's GPU, which has none."""
    return tensor if tensor.device.type == "mps" else tensor.double()
