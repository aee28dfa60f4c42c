"""The priors of the factors: what each costs (its KL), what it makes of a draw, its words. One table, PRIORS.

The encoder gives a normal q(v | x) for every cell; a prior is one of v, and z = factors(v). What reads the table:
settings, command line, form, model, scoring and analysis. How to add one: docs/architecture.md. Nothing here loads
torch, so that the page server can read the words.
"""

import math
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

PriorName = Literal["normal", "logistic_normal"]


class Prior:
    """The standard normal N(0, I); others derive from it and say what differs."""

    title = "Normal"  # on the form
    words = "normal"  # in a sentence
    about = "factors go both ways from 0"  # on the form, after its title
    least_factors = 1
    too_few = ""  # why fewer are refused
    is_standard = True  # N(0, I): training ends by bringing z to its units (training/standardise.py)
    is_transformed = False  # factors() changes v: moments of z then have no closed form
    is_usage = False  # z >= 0 and sums to 1 in every cell
    may_rotate = True  # p(z) is the same on any axes, so that they may be chosen to be read
    may_flip = True  # p(z) = p(-z) for each factor
    is_fusable = True  # the compiled step knows its KL and what it makes of a draw (training/kernels.py)

    def kl(self, mean: "Tensor", log_variance: "Tensor") -> "Tensor":
        """KL(q || prior) in nats, elementwise (..., factors)."""
        return normal_kl(mean, log_variance)

    def log_density(self, values: "Tensor") -> "Tensor":
        """log p(v) + log(2 pi) / 2, elementwise; the constant is that of q, against which it is compared."""
        return -0.5 * values.square()

    def factors(self, values: "Tensor") -> "Tensor":
        """Draws v of q -> z (..., factors)."""
        return values


class LogisticNormal(Prior):
    """z = softmax(v), v ~ N(0, I): a cell is a mixture. The KL is that of v: the softmax adds nothing to it."""

    title = "Logistic-normal"
    words = "logistic-normal"
    about = "a cell is a mixture; its factors are shares that sum to 1"
    least_factors = 2
    too_few = "A logistic-normal prior needs at least 2 factors: with one, every cell has the value 1."
    is_standard = False
    is_transformed = True
    is_usage = True
    may_rotate = False
    may_flip = False

    def factors(self, values: "Tensor") -> "Tensor":
        """See Prior."""
        return values.softmax(dim=-1)


PRIORS: dict[PriorName, Prior] = {"normal": Prior(), "logistic_normal": LogisticNormal()}


def normal_kl(mean: "Tensor", log_variance: "Tensor", prior_mean: float = 0.0, prior_variance: float = 1.0) -> "Tensor":
    """KL(N(mean, variance) || N(prior_mean, prior_variance)) in nats, elementwise."""
    squares = ((mean - prior_mean).square() + log_variance.exp()) / prior_variance
    return 0.5 * (squares - 1.0 - log_variance + math.log(prior_variance))
