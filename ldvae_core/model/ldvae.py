"""The whole model in one file: encoder, linear (or neural) decoder, and the evidence lower bound (ELBO).

    z ~ prior;  fraction = softmax(z W' + b);  x ~ NegativeBinomial(library_size * fraction, inverse dispersion theta)

Source: Svensson, Gayoso, Yosef, Pachter 2020, section 2; the family of models follows its Fig. 1b. Where we differ from
the published code: the intercept b is present unless it is switched off, batch norm of the decoded values is computed
in closed form, and every parameter starts at the data. The priors are in priors.py, the likelihoods in families.py and
likelihood.py; together these files are all there is to one ELBO value. Rows are cells, columns are genes.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from ldvae_core.model.config import MAX_THETA, MIN_THETA, ModelConfig
from ldvae_core.model.families import LIKELIHOODS
from ldvae_core.model.priors import PRIORS, normal_kl

NORM_EPSILON = 1e-3  # added to a variance before its root is taken, as in the reference implementation
NORM_MOMENTUM = 0.05  # weight of the newest minibatch in running statistics, which a full pass replaces at the end


class Minibatch(NamedTuple):
    """A slice of the counts, dense, with what belongs to its cells."""

    counts: Tensor  # (cells, genes) float, whole numbers >= 0
    library_size: Tensor  # (cells,) counts per cell, > 0
    covariates: Tensor  # (cells, columns) of all covariates: levels one-hot, numbers; (cells, 0) without any


class ElboTerms(NamedTuple):
    """The parts of the negative ELBO of every cell, in nats."""

    reconstruction_error: Tensor  # (cells,) -log p(x | z)
    kl_factors: Tensor  # (cells,)
    kl_library: Tensor  # (cells,) zero when the library size is observed

    def loss(self, kl_weight: float = 1.0) -> Tensor:
        """Mean over cells of error + kl_weight * KL of the factors + KL of the library size; -ELBO at weight 1."""
        return (self.reconstruction_error + kl_weight * self.kl_factors + self.kl_library).mean()


class StartValues(NamedTuple):
    """Where the parameters start: at moments of the training counts (training/initial_values.py)."""

    log_fraction: Tensor  # (genes,) log of the mean fraction
    log_theta: Tensor  # (genes,) from mean and variance of every gene
    log_library: tuple[float, float]  # mean and variance of the log library size


class Encoder(nn.Module):
    """log1p(counts) and covariates -> mean and log-variance of a diagonal normal q(. | x)."""

    def __init__(self, n_inputs: int, n_outputs: int, config: ModelConfig, generator: Generator) -> None:
        super().__init__()
        self.hidden = linear(n_inputs, config.n_hidden, generator)
        self.norm = nn.BatchNorm1d(config.n_hidden, eps=NORM_EPSILON, momentum=NORM_MOMENTUM)
        self.outputs = linear(config.n_hidden, 2 * n_outputs, generator)
        self.dropout = config.dropout

    def forward(self, inputs: Tensor, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """inputs (cells, inputs) -> mean and log-variance, each (cells, outputs). The generator draws the dropout."""
        hidden = self.norm(self.hidden(inputs)).relu()  # (cells, hidden)
        if self.training and self.dropout:
            bits, chances = dropout_bits(hidden.shape, hidden.device)
            draw_dropout(bits, generator)
            hidden = hidden * (chances >= dropout_bound(self.dropout)) / (1 - self.dropout)
        mean, log_variance = self.outputs(hidden).chunk(2, dim=-1)  # 2 x (cells, outputs)
        return mean, log_variance.clamp(-15.0, 15.0)  # beyond, exp() leaves single precision


class LinearDecoder(nn.Module):
    """logits = z W' + b, with batch norm over the minibatch when it is on, and additive covariate effects."""

    z_mean: Tensor  # (factors,), running, as batch norm's statistics are
    z_covariance: Tensor  # (factors, factors), likewise

    def __init__(self, config: ModelConfig, start: StartValues, n_levels: int, generator: Generator) -> None:
        super().__init__()
        genes, factors = config.n_genes, config.n_factors
        self.level_counts = [len(covariate.columns) for covariate in config.covariates]
        self.batch_norm, self.has_intercept = config.batch_norm, config.intercept or config.batch_norm
        self.loadings = nn.Parameter(torch.randn(genes, factors, generator=generator) * 0.1)
        self.intercept = nn.Parameter(start.log_fraction.clone(), requires_grad=self.has_intercept)
        if not self.has_intercept:
            nn.init.zeros_(self.intercept)
        self.covariate_loadings = nn.Parameter(torch.zeros(genes, n_levels), requires_grad=n_levels > 0)
        self.gain = nn.Parameter(torch.full((genes,), 0.3), requires_grad=config.batch_norm)  # batch norm's gamma
        self.register_buffer("z_mean", torch.zeros(factors))
        self.register_buffer("z_covariance", torch.eye(factors))

    def folded(self, z: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Loadings (genes, factors) and intercept (genes,) with batch norm folded into both.

        Batch norm needs only mean and variance of z w' over the minibatch, and these are w . mean(z) and w' Cov(z) w:
        no pass over (cells, genes). With z (cells, factors) its own moments are used, without it the running ones.
        """
        if not self.batch_norm:
            return self.loadings, self.intercept
        mean, covariance = (self.z_mean, self.z_covariance) if z is None else moments(z)
        variance = ((self.loadings @ covariance) * self.loadings).sum(dim=1)  # (genes,)
        scale = self.gain / (variance + NORM_EPSILON).sqrt()  # (genes,)
        return self.loadings * scale[:, None], self.intercept - scale * (self.loadings @ mean)

    def centred_covariates(self) -> Tensor:
        """Covariate effects (genes, levels), centred over the levels of each covariate.

        So the intercept means "an average level", and two covariates do not trade constants.
        """
        return centred_levels(self.covariate_loadings, self.level_counts)

    def forward(self, z: Tensor, covariates: Tensor) -> Tensor:
        """z (cells, factors), covariates (cells, levels) -> logits (cells, genes)."""
        if self.training and self.batch_norm:
            self.follow(z.detach())
        loadings, intercept = self.folded(z if self.training else None)
        logits = z @ loadings.T + intercept
        return logits + covariates @ self.centred_covariates().T if covariates.shape[1] else logits

    def follow(self, z: Tensor) -> None:
        """Let the running moments of z take up this minibatch."""
        mean, covariance = moments(z)
        self.z_mean.lerp_(mean, NORM_MOMENTUM)
        self.z_covariance.lerp_(covariance, NORM_MOMENTUM)


class NeuralDecoder(nn.Module):
    """The plain VAE's decoder, for comparison: one hidden layer between z and the logits. It has no loadings."""

    def __init__(self, config: ModelConfig, start: StartValues, n_levels: int, generator: Generator) -> None:
        super().__init__()
        self.hidden = linear(config.n_factors + n_levels, config.n_hidden, generator)
        self.norm = nn.BatchNorm1d(config.n_hidden, eps=NORM_EPSILON, momentum=NORM_MOMENTUM)
        self.outputs = linear(config.n_hidden, config.n_genes, generator)
        with torch.no_grad():
            self.outputs.weight.mul_(0.1)
            self.outputs.bias.copy_(start.log_fraction)

    def forward(self, z: Tensor, covariates: Tensor) -> Tensor:
        """z (cells, factors), covariates (cells, levels) -> logits (cells, genes)."""
        logits: Tensor = self.outputs(self.norm(self.hidden(torch.cat([z, covariates], dim=1))).relu())
        return logits


Work = Callable[..., Tensor]
InPieces = Callable[[Work, Sequence[Tensor], Sequence[Tensor]], Tensor]  # training/pieces.py has another than whole()
MODULES_BEFORE = ("encoder", "library_encoder", "decoder")  # what has done its part before a likelihood is worked out


def whole(function: Work, of_cells: Sequence[Tensor], shared: Sequence[Tensor]) -> Tensor:
    """function(*of_cells), all cells at once; shared: what else it reads that has a gradient."""
    return function(*of_cells)


class LDVAE(nn.Module):
    """Linearly decoded variational autoencoder and its relatives: see ModelConfig for the family."""

    decoder: LinearDecoder | NeuralDecoder

    def __init__(self, config: ModelConfig, start: StartValues, generator: Generator) -> None:
        super().__init__()
        self.config = config
        self.prior, self.likelihood = PRIORS[config.prior], LIKELIHOODS[config.likelihood]
        n_levels = sum(len(covariate.columns) for covariate in config.covariates)
        self.encoder = Encoder(config.n_genes + n_levels, config.n_factors, config, generator)
        decoder = LinearDecoder if config.decoder == "linear" else NeuralDecoder
        self.decoder = decoder(config, start, n_levels, generator)
        self.log_theta = nn.Parameter(start.log_theta.clone(), requires_grad=self.likelihood.has_dispersion)  # (genes,)
        self.level_counts = [len(covariate.columns) for covariate in config.covariates]
        if config.dispersion == "gene_level":  # (genes, levels) added to log theta, centred as covariate effects are
            self.dispersion_levels = nn.Parameter(torch.zeros(config.n_genes, n_levels))
        if self.likelihood.is_zero_inflated:
            self.zero_logits = linear(config.n_factors, config.n_genes, generator)
        if config.library == "latent":
            self.library_encoder = Encoder(config.n_genes + n_levels, 1, config, generator)
        self.log_library_prior = start.log_library

    @property
    def linear_decoder(self) -> LinearDecoder:
        """The decoder, of a model that has loadings. Raises TypeError for the neural one."""
        if not isinstance(self.decoder, LinearDecoder):
            raise TypeError("a neural decoder has no loadings")
        return self.decoder

    def encoders(self) -> list[Encoder]:
        """Of the factors, and of the library size where it is latent."""
        return [module for module in self.children() if isinstance(module, Encoder)]

    def set_dropout(self, *, on: bool) -> None:
        """Switch the encoders' dropout in training mode."""
        for encoder in self.encoders():
            encoder.dropout = self.config.dropout if on else 0.0

    def bounded_log_theta(self, covariates: Tensor | None = None) -> Tensor:
        """log inverse dispersion within the bounds of config.py: (genes,), of an average level.

        With covariates (cells, levels) and a dispersion per level: (cells, genes).
        """
        log_theta: Tensor = self.log_theta
        if self.config.dispersion == "gene_level" and covariates is not None:
            log_theta = log_theta + covariates @ centred_levels(self.dispersion_levels, self.level_counts).T
        return log_theta.clamp(math.log(MIN_THETA), math.log(MAX_THETA))

    def encode(self, batch: Minibatch, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), each (cells, factors); before the softmax for a logistic-normal prior."""
        posterior: tuple[Tensor, Tensor] = self.encoder(self.encoder_inputs(batch), generator)
        return posterior

    def encoder_inputs(self, batch: Minibatch) -> Tensor:
        """log1p(counts) and covariates side by side, (cells, genes + levels)."""
        inputs = torch.log1p(batch.counts)
        return torch.cat([inputs, batch.covariates], dim=1) if batch.covariates.shape[1] else inputs

    def factors_of(self, values: Tensor) -> Tensor:
        """Values drawn from q -> z (..., factors), as the prior has them."""
        return self.prior.factors(values)

    def log_library(self, batch: Minibatch, generator: Generator | None) -> tuple[Tensor, Tensor]:
        """Log library size (cells,) and its KL (cells,): the observed one, or a draw of the latent one."""
        if self.config.library == "observed":
            return batch.library_size.log(), torch.zeros_like(batch.library_size)
        mean, log_variance = (part.squeeze(1) for part in self.library_encoder(self.encoder_inputs(batch), generator))
        return draw(mean, log_variance, generator), normal_kl(mean, log_variance, *self.log_library_prior)

    def log_likelihood(
        self,
        z: Tensor,
        batch: Minibatch,
        log_library: Tensor,
        rising: Tensor | None = None,
        *,
        in_pieces: InPieces = whole,
    ) -> Tensor:
        """log p(x | z, library size), (cells,) nats, by the plain formulas.

        rising: the rising factorials of these counts, where many z are tried; None works them out. in_pieces: how the
        cells are gone through once their logits are known.
        """

        def of(logits: Tensor, z: Tensor, counts: Tensor, covariates: Tensor, log_library: Tensor) -> Tensor:
            return self._log_likelihood_of(logits, z, counts, covariates, log_library, rising)

        parts = (self.decoder(z, batch.covariates), z, batch.counts, batch.covariates, log_library)
        shared = [value for name, value in self.named_parameters() if not name.startswith(MODULES_BEFORE)]
        return in_pieces(of, parts, shared)

    def _log_likelihood_of(
        self,
        logits: Tensor,
        z: Tensor,
        counts: Tensor,
        covariates: Tensor,
        log_library: Tensor,
        rising: Tensor | None,
    ) -> Tensor:
        """The same from the decoder's logits (cells, genes), every cell by itself."""
        log_mean = logits.log_softmax(dim=-1) + log_library[:, None]  # (cells, genes)
        zeros = self.zero_logits(z) if self.likelihood.is_zero_inflated else None
        log_theta = self.bounded_log_theta(covariates)
        return self.likelihood.log_probability(counts, log_mean, log_theta, zeros, rising).sum(dim=1)

    def elbo(self, batch: Minibatch, generator: Generator | None = None, *, in_pieces: InPieces = whole) -> ElboTerms:
        """One-sample estimate of the parts of the ELBO of every cell; the generator draws dropout and z."""
        mean, log_variance = self.encode(batch, generator)
        z = self.factors_of(draw(mean, log_variance, generator))  # (cells, factors)
        log_library, kl_library = self.log_library(batch, generator)
        return ElboTerms(
            reconstruction_error=-self.log_likelihood(z, batch, log_library, in_pieces=in_pieces),
            kl_factors=self.prior.kl(mean, log_variance).sum(dim=1),
            kl_library=kl_library,
        )


def centred_levels(effects: Tensor, level_counts: list[int]) -> Tensor:
    """Effects (genes, levels) of all covariates side by side, centred over the levels of each; a number's stay."""
    if not level_counts:
        return effects
    parts = torch.split(effects, level_counts, dim=1)
    return torch.cat([part - part.mean(dim=1, keepdim=True) if part.shape[1] > 1 else part for part in parts], dim=1)


class _Linear(nn.Linear):
    """A linear layer that draws nothing from the global generator. (skip_init would load a second of torch for it.)"""

    def reset_parameters(self) -> None:
        """Left to linear()."""


def linear(n_inputs: int, n_outputs: int, generator: Generator) -> nn.Linear:
    """A linear layer with uniform weights of variance 1 / (3 n_inputs), drawn from the run's own generator."""
    layer = _Linear(n_inputs, n_outputs)
    bound = 1 / math.sqrt(n_inputs)
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.uniform_(-bound, bound, generator=generator)
    return layer


def dropout_bits(shape: tuple[int, ...], device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Room for one draw of 16 bits per unit: 64 bits at a time, as draw_dropout() fills them, and the draws (shape)."""
    bits = torch.empty(-(-math.prod(shape) // 4), dtype=torch.int64, device=device)
    return bits, bits.view(torch.int16)[: math.prod(shape)].view(shape)


def draw_dropout(bits: Tensor, generator: Generator | None) -> None:
    """Fill the room of dropout_bits(); every draw is a whole number from -32,768 to 32,767."""
    bits.random_(-(2**63), None, generator=generator)


def dropout_bound(dropout: float) -> int:
    """Draws below it silence their unit."""
    return round(dropout * 2**16) - 2**15


def draw(mean: Tensor, log_variance: Tensor, generator: Generator | None) -> Tensor:
    """A draw from a diagonal normal, differentiable in its parameters (Kingma and Welling 2013)."""
    noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + noise * (0.5 * log_variance).exp()


def moments(z: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (factors,) and covariance (factors, factors; divided by the number of cells) of z (cells, factors)."""
    mean = z.mean(dim=0)
    centred = z - mean
    return mean, centred.T @ centred / z.shape[0]
