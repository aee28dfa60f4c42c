"""The likelihoods of the counts: what each needs, its formulas by name, its words. One table, LIKELIHOODS.

What reads it: settings, command line, form, model, scoring and analysis. The formulas in torch, for training, are in
likelihood.py; those in numpy, with which anyone recomputes a run's figures from its arrays, are here. How to add one:
docs/architecture.md. Nothing loads torch before a formula is asked for.

With mean m = library_size * fraction, and everything in nats:

    log p(x | m) = [at_counts(x, log m), where x > 0] - at_zero(m) + constants(x)

so that only sparse work depends on x.
"""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

LikelihoodName = Literal["nb", "poisson", "zinb"]
Array = NDArray[np.float64]
Theta = Array | None  # inverse dispersion of each gene; None for a likelihood without one


class Likelihood:
    """A count likelihood. theta and zero_logit are there only where has_dispersion and is_zero_inflated say so."""

    title: str  # on the form
    words: str  # in tables
    about: str  # on the form, a sentence
    has_dispersion = False  # of every gene, trained
    is_zero_inflated = False  # a gene's counts are lost with a chance that depends on z
    is_recomputable = True  # from the arrays that a run exports; else its NumPy formulas are those of a part of it
    is_fusable = False  # the hand-written gradients know it (training/fused.py, kernels.py): only the NB's do

    def log_probability(
        self,
        counts: "Tensor",
        log_mean: "Tensor",
        log_theta: "Tensor",
        zero_logit: "Tensor | None",
        rising: "Tensor | None",
    ) -> "Tensor":
        """log p(x) in nats, elementwise (cells, genes), in double precision. rising: of rising(), if known already."""
        raise NotImplementedError

    def rising(self, counts: "Tensor", log_theta: "Tensor") -> "Tensor | None":
        """What is costly in it and depends on no mean, where many means are tried; None where nothing is."""
        return None

    def at_counts(self, x: Array, log_mean: Array, theta: Theta) -> Array:
        """What log p(x) has above log p(0), constants left out; x > 0, all of one shape."""
        raise NotImplementedError

    def at_zero(self, mean: Array, theta: Theta) -> Array:
        """-log p(0): mean (..., genes), theta (genes,) -> the shape of mean."""
        raise NotImplementedError

    def constants(self, x: Array, theta: Theta) -> Array:
        """The part of log p(x) that depends on no mean; x > 0."""
        raise NotImplementedError

    def information(self, mean: Array, theta: Theta) -> Array:
        """Fisher information of log m in one count: mean (..., genes) -> its shape."""
        raise NotImplementedError


class NegativeBinomial(Likelihood):
    """Variance m + m**2 / theta."""

    title, words = "Negative binomial", "negative binomial"
    about = "Counts vary more than chance alone, gene by gene: right for nearly all data."
    has_dispersion = True
    is_fusable = True

    def log_probability(
        self,
        counts: "Tensor",
        log_mean: "Tensor",
        log_theta: "Tensor",
        zero_logit: "Tensor | None",
        rising: "Tensor | None",
    ) -> "Tensor":
        """See Likelihood."""
        from ldvae_core.model.likelihood import log_negative_binomial

        return log_negative_binomial(counts, log_mean, log_theta, rising)

    def rising(self, counts: "Tensor", log_theta: "Tensor") -> "Tensor | None":
        """See Likelihood."""
        from ldvae_core.model.likelihood import rising_factorials

        return rising_factorials(counts, log_theta)

    def at_counts(self, x: Array, log_mean: Array, theta: Theta) -> Array:
        """x log(m / (m + theta))."""
        terms: Array = -x * np.logaddexp(0.0, np.log(_given(theta)) - log_mean)
        return terms

    def at_zero(self, mean: Array, theta: Theta) -> Array:
        """theta log(1 + m / theta)."""
        terms: Array = np.log1p(mean / _given(theta))
        terms *= _given(theta)  # in place: mean is cells x genes
        return terms

    def constants(self, x: Array, theta: Theta) -> Array:
        """lgamma(x + theta) - lgamma(theta) - lgamma(x + 1)."""
        from scipy.special import gammaln

        theta = _given(theta)
        terms: Array = gammaln(x + theta) - gammaln(theta) - gammaln(x + 1)
        return terms

    def information(self, mean: Array, theta: Theta) -> Array:
        """m theta / (m + theta)."""
        return mean / (1 + mean / _given(theta))


class ZeroInflated(NegativeBinomial):
    """A count is lost with a chance that depends on z; in NumPy, its negative binomial part."""

    title, words = "Zero-inflated negative binomial", "zero-inflated NB"
    about = "Adds extra zeros: for data without molecule barcodes."
    is_zero_inflated = True
    is_recomputable = False
    is_fusable = False

    def log_probability(
        self,
        counts: "Tensor",
        log_mean: "Tensor",
        log_theta: "Tensor",
        zero_logit: "Tensor | None",
        rising: "Tensor | None",
    ) -> "Tensor":
        """See Likelihood."""
        from ldvae_core.model.likelihood import log_zero_inflated_negative_binomial

        assert zero_logit is not None
        return log_zero_inflated_negative_binomial(counts, log_mean, log_theta, zero_logit, rising)


class Poisson(Likelihood):
    """Variance m: the limit of the negative binomial for large theta."""

    title, words = "Poisson", "Poisson"
    about = "Counts vary by chance alone: only for comparison."

    def log_probability(
        self,
        counts: "Tensor",
        log_mean: "Tensor",
        log_theta: "Tensor",
        zero_logit: "Tensor | None",
        rising: "Tensor | None",
    ) -> "Tensor":
        """See Likelihood."""
        from ldvae_core.model.likelihood import log_poisson

        return log_poisson(counts, log_mean)

    def at_counts(self, x: Array, log_mean: Array, theta: Theta) -> Array:
        """x log m."""
        return x * log_mean

    def at_zero(self, mean: Array, theta: Theta) -> Array:
        """m."""
        return mean

    def constants(self, x: Array, theta: Theta) -> Array:
        """-lgamma(x + 1)."""
        from scipy.special import gammaln

        terms: Array = -gammaln(x + 1)
        return terms

    def information(self, mean: Array, theta: Theta) -> Array:
        """m."""
        return mean


LIKELIHOODS: dict[LikelihoodName, Likelihood] = {"nb": NegativeBinomial(), "poisson": Poisson(), "zinb": ZeroInflated()}


def _given(theta: Theta) -> Array:
    """Theta, which this likelihood has."""
    assert theta is not None
    return theta
