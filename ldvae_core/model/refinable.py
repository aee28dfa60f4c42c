"""Which models have cells whose positions can be refined after the training. Nothing here loads torch."""

from ldvae_core.model.config import ModelConfig
from ldvae_core.model.families import LIKELIHOODS, NegativeBinomial, Poisson
from ldvae_core.model.priors import PRIORS, LogisticNormal


def unrefinable(config: ModelConfig) -> str:
    """Why the cells of this model stay where the encoder puts them, in words for people; "" where they are refined."""
    likelihood, prior = LIKELIHOODS[config.likelihood], PRIORS[config.prior]
    if config.is_baseline:
        return "a baseline has no encoder that had placed them"
    if config.decoder != "linear":
        return "a neural decoder has no loadings whose curvature could be used"
    if likelihood.is_zero_inflated:
        return "zero inflation depends on the positions in a way that is not refined"
    if not isinstance(likelihood, NegativeBinomial | Poisson):
        return f"the likelihood ({likelihood.words}) is not one of those that are refined"
    if not (prior.is_standard or isinstance(prior, LogisticNormal)):
        return f"the prior ({prior.words}) is not one of those that are refined"
    return ""
