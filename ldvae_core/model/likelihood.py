"""The three count likelihoods, in log space, with every constant included.

Source: Svensson et al. 2020, section 2 (the Gamma-Poisson lines). There theta is named overdispersion; here it is the
inverse dispersion, variance = mean + mean**2 / theta. All functions are elementwise and broadcast.

No epsilon stands inside a logarithm: everything is written with softplus of log(mean / theta), which loses no digits
for tiny or huge ratios. Single precision cannot hold lgamma(x + theta) - lgamma(theta) for large theta (off by 0.1 nats
at theta = 1e5), so the value is worked out in double precision.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus


def rising_factorials(counts: Tensor, log_theta: Tensor) -> Tensor:
    """lgamma(x + theta) - lgamma(theta) - lgamma(x + 1): all that is costly in log NB, and depends on no mean."""
    counts, theta = counts.double(), log_theta.double().exp()
    return torch.lgamma(counts + theta) - torch.lgamma(theta) - torch.lgamma(counts + 1)


def log_negative_binomial(counts: Tensor, log_mean: Tensor, log_theta: Tensor, rising: Tensor | None = None) -> Tensor:
    """log NB(x; mean m, inverse dispersion theta) in nats; variance m + m**2 / theta.

    counts: whole numbers >= 0; log_mean: natural log of the mean; log_theta: natural log of theta; any shapes that
    broadcast; rising: their rising_factorials, where known already. Returns the common shape, in double precision.
    """
    counts, log_mean, log_theta = (tensor.double() for tensor in (counts, log_mean, log_theta))
    theta, log_ratio = log_theta.exp(), log_mean - log_theta
    rising = rising_factorials(counts, log_theta) if rising is None else rising
    return rising - counts * softplus(-log_ratio) - theta * softplus(log_ratio)


def log_poisson(counts: Tensor, log_mean: Tensor) -> Tensor:
    """log Poisson(x; mean m) in nats: the limit of the negative binomial for large theta."""
    counts, log_mean = counts.double(), log_mean.double()
    return counts * log_mean - log_mean.exp() - torch.lgamma(counts + 1)


def log_zero_inflated_negative_binomial(
    counts: Tensor, log_mean: Tensor, log_theta: Tensor, zero_logit: Tensor, rising: Tensor | None = None
) -> Tensor:
    """log ZINB in nats: with probability sigmoid(zero_logit) a count is lost and reads 0, else it is negative binomial.

    zero_logit -> -inf gives the negative binomial, +inf a certain zero.
    """
    zero_logit = zero_logit.double()
    log_nb = log_negative_binomial(counts, log_mean, log_theta, rising)
    kept = log_nb - softplus(zero_logit)
    seen = torch.sigmoid(-zero_logit) * torch.expm1(log_nb)  # minus the chance of a count above 0, where counts is 0
    rare = torch.log1p(seen.clamp(min=-0.5))  # keeps its digits where that chance is tiny, the other where it is not
    at_zero = torch.where(seen > -0.5, rare, torch.logaddexp(-softplus(-zero_logit), kept))
    return torch.where(counts == 0, at_zero, kept)
