"""What a trained model says of the cells: their representation, the folded decoder, and held-out figures."""

import copy
import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ldvae_core.model.ldvae import LDVAE, LinearDecoder, Minibatch
from ldvae_core.training.minibatches import MinibatchSource

SCORING_SIZE = 512  # cells at a time
SIMPLEX_DRAWS = 64  # per cell, for the mean of a logistic-normal posterior, which has no closed form
ELBO_DRAWS = 8  # per test cell, so that the ELBO's own noise stays below the spread over cells
SCORE_SEED = 5489  # scoring draws the same numbers for every model
SLOPE_CELLS = 2_000  # over which a neural decoder's slopes are averaged
SLOPE_STEP = 0.1  # prior standard deviations


class Representation(NamedTuple):
    """Posterior of every cell: mean of z (n_cells, n_factors) and its variance, float32."""

    mean: np.ndarray
    variance: np.ndarray


class Scores(NamedTuple):
    """Figures of every scored cell, in nats: (n_cells,) float64 each."""

    reconstruction_error: np.ndarray  # -log p(x | posterior mean of z)
    elbo: np.ndarray


@torch.no_grad()
def represent(model: LDVAE, source: MinibatchSource) -> Representation:
    """Posterior mean and variance of z for every cell.

    Logistic-normal: E[softmax(v)] is not softmax(E v), so both are Monte-Carlo moments, seeded; rows sum to 1.
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
        if model.config.prior == "logistic_normal":
            noise = torch.randn(SIMPLEX_DRAWS, *centre.shape, generator=generator, device=source.device)
            draws = (centre + noise * spread.sqrt()).softmax(dim=-1)  # (draws, cells, factors)
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
def score(model: LDVAE, source: MinibatchSource, cells: np.ndarray, representation: np.ndarray) -> Scores:
    """Reconstruction error at the posterior mean and ELBO of chosen cells, in evaluation mode and double precision.

    representation (n_cells, n_factors): the posterior mean of all cells, as saved.
    """
    exact = copy.deepcopy(model).cpu().double().eval()
    generator = torch.Generator().manual_seed(SCORE_SEED)
    errors, elbos = [], []
    position = 0
    for batch in source.in_order(cells, SCORING_SIZE):
        batch = Minibatch(*(part.cpu().double() for part in batch))
        here = cells[position : position + batch.counts.shape[0]]
        position += len(here)
        z = torch.from_numpy(representation[here]).double()
        log_library = _mean_log_library(exact, batch)
        errors.append(-exact.log_likelihood(z, batch, log_library))
        draws = [exact.elbo(batch, generator) for _ in range(ELBO_DRAWS)]
        elbos.append(
            -sum(terms.reconstruction_error + terms.kl_factors + terms.kl_library for terms in draws) / ELBO_DRAWS
        )
    return Scores(torch.cat(errors).numpy(), torch.cat(elbos).numpy())


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Mean over cells, and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def _mean_log_library(model: LDVAE, batch: Minibatch) -> Tensor:
    """Observed log library size, or the posterior mean of the latent one: (cells,)."""
    if model.config.library == "observed":
        return batch.library_size.log()
    return model.library_encoder(model.encoder_inputs(batch))[0].squeeze(1)
