"""What a trained model says of the cells: their representation, the folded decoder, and held-out figures."""

import copy
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ldvae_core.model.ldvae import LDVAE, LinearDecoder, Minibatch
from ldvae_core.training.minibatches import MinibatchSource

SCORING_SIZE = 512  # cells at a time
SIMPLEX_DRAWS = 64  # per cell, for the mean of a logistic-normal posterior, which has no closed form
IWLL_DRAWS = 64  # per test cell; the ELBO is the mean over the same ones
MOST_SCORED = 5_000  # test cells for ELBO and IWLL: enough for a standard error far below what tells models apart
DENSE_ENTRIES = 2**18  # cells x genes at a time, where 64 draws are gone through: 2 MB in double precision
SCORE_SEED = 5489  # scoring draws the same numbers for every model
SLOPE_CELLS = 2_000  # over which a neural decoder's slopes are averaged
SLOPE_STEP = 0.1  # prior standard deviations


class Representation(NamedTuple):
    """Posterior of every cell: mean of z (n_cells, n_factors) and its variance, float32."""

    mean: np.ndarray
    variance: np.ndarray


class LikelihoodBounds(NamedTuple):
    """Lower bounds of log p(x) of every scored cell, in nats: (n_cells,) float64 each."""

    elbo: np.ndarray
    iwll: np.ndarray  # the tighter one


@torch.no_grad()
def represent(model: LDVAE, source: MinibatchSource) -> Representation:
    """Posterior mean and variance of z for every cell.

    A prior that transforms: E[softmax(v)] is not softmax(E v), so both are Monte-Carlo moments, seeded.
    """
    model.eval()
    generator = torch.Generator(source.device).manual_seed(SCORE_SEED)
    shape = (source.n_cells, model.config.n_factors)
    mean, variance = np.empty(shape, np.float32), np.empty(shape, np.float32)
    first = 0
    for batch in source.in_order(np.arange(source.n_cells), SCORING_SIZE):
        cells = slice(first, first + batch.counts.shape[0])
        first = cells.stop
        centre, log_variance = model.encode(batch)
        spread = log_variance.exp()
        if model.prior.is_transformed:
            noise = torch.randn(SIMPLEX_DRAWS, *centre.shape, generator=generator, device=source.device)
            draws = model.factors_of(centre + noise * spread.sqrt())  # (draws, cells, factors)
            centre, spread = draws.mean(dim=0), draws.var(dim=0)
        mean[cells], variance[cells] = centre.cpu().numpy(), spread.cpu().numpy()
    return Representation(mean, variance)


@torch.no_grad()
def folded_decoder(model: LDVAE, representation: np.ndarray, covariates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loadings (n_genes, n_factors) and intercept (n_genes,), float64, with batch norm folded into both.

    A neural decoder has no loadings: its mean slopes over (at most 2,000) cells stand in, d logit / d z_k, which says
    which genes a factor moves on average and nothing more.
    """
    model.eval()
    if isinstance(model.decoder, LinearDecoder):
        loadings, intercept = copy.deepcopy(model.decoder).cpu().double().folded()
        return loadings.numpy(), intercept.numpy()
    decoder = copy.deepcopy(model.decoder).cpu().double()
    chosen = np.linspace(0, len(representation) - 1, min(SLOPE_CELLS, len(representation))).astype(int)
    z = torch.from_numpy(representation[chosen]).double()
    levels = torch.from_numpy(np.asarray(covariates[chosen], dtype=np.float64))
    slopes = []
    for factor in range(z.shape[1]):
        step = torch.zeros(z.shape[1], dtype=torch.float64)
        step[factor] = SLOPE_STEP
        rise = decoder(z + step, levels).log_softmax(1) - decoder(z - step, levels).log_softmax(1)
        slopes.append(rise.mean(dim=0) / (2 * SLOPE_STEP))
    loadings = torch.stack(slopes, dim=1)
    intercept = (decoder(z, levels).log_softmax(dim=1) - z @ loadings.T).mean(dim=0)
    return loadings.numpy(), intercept.numpy()


@torch.no_grad()
def reconstruction_errors(
    model: LDVAE, source: MinibatchSource, cells: np.ndarray, representation: np.ndarray
) -> np.ndarray:
    """-log p(x | posterior mean of z) of chosen cells, in evaluation mode and double precision: (n_chosen,) nats.

    representation (n_cells, n_factors): the posterior mean of all cells, as saved.
    """
    exact, errors, first = _exact(model, source), [], 0
    for batch in _in_double(source, cells, SCORING_SIZE):
        here = cells[first : first + batch.counts.shape[0]]
        first += len(here)
        z = torch.from_numpy(representation[here]).to(batch.counts)
        errors.append(-exact.log_likelihood(z, batch, _mean_log_library(exact, batch)))
    return torch.cat(errors).cpu().numpy()


def scored_cells(cells: np.ndarray) -> np.ndarray:
    """The cells that ELBO and IWLL are worked out for: all of them, or a seeded sample of 5,000, ascending."""
    if len(cells) <= MOST_SCORED:
        return cells
    return np.sort(np.random.default_rng(SCORE_SEED).choice(cells, MOST_SCORED, replace=False))


@torch.no_grad()
def likelihood_bounds(
    model: LDVAE, source: MinibatchSource, cells: np.ndarray, *, draws: int = IWLL_DRAWS
) -> LikelihoodBounds:
    """ELBO and importance-weighted log-likelihood of chosen cells, in nats, from the same seeded draws of q.

    With w = p(x | z, l) p(z) p(l) / (q(z | x) q(l | x)), z before the softmax for a logistic-normal prior and l only
    where the library size is latent: ELBO = mean of log w, IWLL = log of the mean of w, so that in every cell
    ELBO <= IWLL (Jensen), and IWLL <= log p(x) on average. Source: Burda, Grosse, Salakhutdinov 2016;
    docs/model.md, "Metrics".
    """
    exact = _exact(model, source)
    generator = torch.Generator().manual_seed(SCORE_SEED)
    elbo, iwll = [], []
    for batch in _in_double(source, cells, max(1, DENSE_ENTRIES // source.n_genes)):
        weights = log_importance_weights(exact, batch, draws, generator)  # (draws, cells)
        elbo.append(weights.mean(dim=0))
        iwll.append(weights.logsumexp(dim=0) - math.log(draws))
    return LikelihoodBounds(torch.cat(elbo).cpu().numpy(), torch.cat(iwll).cpu().numpy())


def log_importance_weights(model: LDVAE, batch: Minibatch, draws: int, generator: torch.Generator) -> Tensor:
    """log w of every draw and cell, (draws, cells) nats: see likelihood_bounds. The generator lives on the processor.

    One draw at a time is dense, cells x genes.
    """
    q = [(*model.encode(batch), model.prior.log_density)]  # mean, log-variance, and the log density of the prior
    if model.config.library == "latent":
        q.append((*model.library_encoder(model.encoder_inputs(batch)), _normal_log_density(*model.log_library_prior)))
    log_library = batch.library_size.log()
    rising = model.likelihood.rising(batch.counts, model.bounded_log_theta(batch.covariates))
    log_weights = []
    for _ in range(draws):
        log_weight, drawn = torch.zeros_like(log_library), []
        for mean, log_variance, log_prior in q:
            noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype).to(mean.device)
            value = mean + noise * (0.5 * log_variance).exp()
            log_q = -0.5 * (noise.square() + log_variance)  # without its constant, as the prior's
            log_weight = log_weight + (log_prior(value) - log_q).sum(dim=1)
            drawn.append(value)
        if model.config.library == "latent":
            log_library = drawn[1].squeeze(1)
        z = model.factors_of(drawn[0])
        log_weights.append(log_weight + model.log_likelihood(z, batch, log_library, rising))
    return torch.stack(log_weights)


def _normal_log_density(mean: float, variance: float) -> Callable[[Tensor], Tensor]:
    """log N(. | mean, variance) + log(2 pi) / 2."""
    return lambda values: -0.5 * ((values - mean).square() / variance + math.log(variance))


def _exact(model: LDVAE, source: MinibatchSource) -> LDVAE:
    """A copy in double precision and evaluation mode, where the counts are."""
    return copy.deepcopy(model).to(source.device).double().eval()


def _in_double(source: MinibatchSource, cells: np.ndarray, size: int) -> Iterator[Minibatch]:
    for batch in source.in_order(cells, size):
        yield Minibatch(*(part.double() for part in batch))


def _mean_log_library(model: LDVAE, batch: Minibatch) -> Tensor:
    """Observed log library size, or the posterior mean of the latent one: (cells,)."""
    if model.config.library == "observed":
        return batch.library_size.log()
    return model.library_encoder(model.encoder_inputs(batch))[0].squeeze(1)
