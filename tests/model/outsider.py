"""One ELBO written a second time, in numpy and scipy, from the paper's formulas and a model's bare weights."""

import numpy as np
from scipy.special import expit, softmax
from scipy.stats import nbinom, norm, poisson

from ldvae_core.model.ldvae import LDVAE, Minibatch

EPSILON = 1e-3  # of every batch norm


class Outsider:
    """Sees a model's weights, by name, and nothing of its code. Evaluation mode: running statistics, no dropout."""

    def __init__(self, model: LDVAE, batch: Minibatch) -> None:
        self.config = model.config
        self.weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
        self.library_prior = model.log_library_prior
        self.counts, self.library_size, self.levels = (part.numpy() for part in batch)

    def posterior(self, encoder: str) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of q, from log(1 + counts) and the covariates' levels."""
        w = {name.removeprefix(f"{encoder}."): value for name, value in self.weights.items() if encoder in name}
        inputs = np.hstack([np.log(1 + self.counts), self.levels])
        hidden = inputs @ w["hidden.weight"].T + w["hidden.bias"]
        scaled = (hidden - w["norm.running_mean"]) / np.sqrt(w["norm.running_var"] + EPSILON)
        outputs = np.maximum(scaled * w["norm.weight"] + w["norm.bias"], 0) @ w["outputs.weight"].T + w["outputs.bias"]
        mean, log_variance = np.split(outputs, 2, axis=1)
        return mean, np.exp(log_variance)

    def expected_counts(self, z: np.ndarray, library_size: np.ndarray) -> np.ndarray:
        """library size * softmax over genes of the decoded values, batch norm at its running moments of z."""
        w = {name.removeprefix("decoder."): value for name, value in self.weights.items()}
        decoded = z @ w["loadings"].T
        if self.config.batch_norm:
            spread = np.einsum("gi,ij,gj->g", w["loadings"], w["z_covariance"], w["loadings"])
            decoded = (decoded - w["loadings"] @ w["z_mean"]) / np.sqrt(spread + EPSILON) * w["gain"]
        logits = decoded + w["intercept"]
        if self.levels.shape[1]:
            logits = logits + self.levels @ self.centred(w["covariate_loadings"]).T
        return library_size[:, None] * softmax(logits, axis=1)

    def centred(self, effects: np.ndarray) -> np.ndarray:
        """Effects (genes, levels): those of each covariate sum to 0."""
        ends = np.cumsum([len(covariate.levels) for covariate in self.config.covariates])
        parts = np.split(effects, ends[:-1], axis=1)
        return np.hstack([part - part.mean(axis=1, keepdims=True) for part in parts])

    def inverse_dispersion(self) -> np.ndarray:
        """(genes,), or (cells, genes) where it differs between levels."""
        log_theta = self.weights["log_theta"]
        if self.config.dispersion == "gene_level":
            log_theta = log_theta + self.levels @ self.centred(self.weights["dispersion_levels"]).T
        return np.exp(log_theta)

    def log_likelihood(self, z: np.ndarray, library_size: np.ndarray) -> np.ndarray:
        """log p(x | z), (cells,), by scipy's distributions."""
        mean, theta = self.expected_counts(z, library_size), self.inverse_dispersion()
        if self.config.likelihood == "poisson":
            return poisson.logpmf(self.counts, mean).sum(axis=1)
        probability = nbinom.pmf(self.counts, theta, theta / (theta + mean))
        if self.config.likelihood == "zinb":
            lost = expit(z @ self.weights["zero_logits.weight"].T + self.weights["zero_logits.bias"])
            probability = (1 - lost) * probability + lost * (self.counts == 0)
        return np.log(probability).sum(axis=1)

    def latents(self, noise: np.ndarray, library_noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """z on its own scale and the library size that these standard normal numbers lead to."""
        mean, variance = self.posterior("encoder")
        z, size = mean + np.sqrt(variance) * noise, self.library_size
        if self.config.library == "latent":
            mean, variance = self.posterior("library_encoder")
            size = np.exp(mean + np.sqrt(variance) * library_noise)[:, 0]
        return (softmax(z, axis=1) if self.config.prior == "logistic_normal" else z), size

    def kl(self, encoder: str, mean: float = 0.0, variance: float = 1.0, n_draws: int = 200_000) -> np.ndarray:
        """KL of q from its normal prior by Monte Carlo: the mean over draws of log q - log p, (cells,)."""
        centre, spread = (part[None] for part in self.posterior(encoder))
        draws = centre + np.sqrt(spread) * np.random.default_rng(0).standard_normal((n_draws, *centre.shape[1:]))
        gap = norm.logpdf(draws, centre, np.sqrt(spread)) - norm.logpdf(draws, mean, np.sqrt(variance))
        return gap.sum(axis=2).mean(axis=0)
