"""What a trained model says of the cells: their representation, the folded decoder, and held-out figures."""

import copy
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ldvae_core.data.chunks import IN_CACHE, cell_chunks
from ldvae_core.model.ldvae import LDVAE, LinearDecoder, Minibatch
from ldvae_core.model.packed import unpacked
from ldvae_core.training.minibatches import MinibatchSource
from ldvae_core.training.refine import Refined, log_library_of

SCORING_SIZE = 512  # cells at a time
SIMPLEX_DRAWS = 64  # per cell, for the mean of a logistic-normal posterior, which has no closed form
IWLL_DRAWS = 64  # per test cell; the ELBO is the mean over the same ones
MOST_SCORED = 5_000  # test cells for ELBO and IWLL: enough for a standard error far below what tells models apart
DENSE_ENTRIES = 2**18  # cells x genes at a time, where 64 draws are gone through: 2 MB in double precision
PROPOSAL_CELLS, PROPOSAL_DRAWS = 200, 16  # by which the tighter proposal is found
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
def refined_representation(model: LDVAE, refined: Refined) -> Representation:
    """Refined cells as z: the top of every cell's posterior density, and the variance around it.

    A prior that transforms: z = factors(v) at the top, and the variance by the map's slope there.
    """
    n_factors = model.config.n_factors
    mean, variance = (np.empty((len(refined.values), n_factors), np.float32) for _ in range(2))
    for cells in cell_chunks(len(refined.values), n_factors**2, entries=IN_CACHE):
        around = unpacked(refined.covariance[cells], n_factors)
        z = model.factors_of(torch.from_numpy(refined.values[cells])).numpy()
        if model.prior.is_transformed:  # the softmax's, as unrefinable() sees to
            slope = z[:, :, None] * (np.eye(n_factors) - z[:, None, :])
            around = slope @ around @ slope.transpose(0, 2, 1)
        mean[cells], variance[cells] = z, np.einsum("nkk->nk", around)
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


def covariate_effects(model: LDVAE) -> np.ndarray | None:
    """Loadings of the covariates' levels, (n_genes, n_levels); None without covariates or with a neural decoder."""
    if not isinstance(model.decoder, LinearDecoder) or not model.config.covariates:
        return None
    return model.decoder.centred_covariates().detach().double().cpu().numpy()


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
        errors.append(-exact.log_likelihood(z, batch, log_library_of(exact, batch)))
    return torch.cat(errors).cpu().numpy()


def scored_cells(cells: np.ndarray) -> np.ndarray:
    """The cells that ELBO and IWLL are worked out for: all of them, or a seeded sample of 5,000, ascending."""
    if len(cells) <= MOST_SCORED:
        return cells
    return np.sort(np.random.default_rng(SCORE_SEED).choice(cells, MOST_SCORED, replace=False))


def tighter_proposal(model: LDVAE, source: MinibatchSource, cells: np.ndarray, refined: Refined) -> Refined | None:
    """Where to draw from for likelihood_bounds: around the refined positions if that gives the higher ELBO, else None.

    refined: of `cells`. Judged on at most 200 of them.
    """
    few = np.linspace(0, len(cells) - 1, min(PROPOSAL_CELLS, len(cells))).astype(int)
    around, encoder = (
        likelihood_bounds(model, source, cells[few], draws=PROPOSAL_DRAWS, around=proposal).elbo.mean()
        for proposal in (refined.of(few), None)
    )
    return refined if around > encoder else None


@torch.no_grad()
def likelihood_bounds(
    model: LDVAE,
    source: MinibatchSource,
    cells: np.ndarray,
    *,
    draws: int = IWLL_DRAWS,
    around: Refined | None = None,
) -> LikelihoodBounds:
    """ELBO and importance-weighted log-likelihood of chosen cells, in nats, from the same seeded draws of q.

    q is the encoder's, or, with `around` (of the same cells), the normal around each cell's refined position.

    With w = p(x | z, l) p(z) p(l) / (q(z | x) q(l | x)), z before the softmax for a logistic-normal prior and l only
    where the library size is latent: ELBO = mean of log w, IWLL = log of the mean of w, so that in every cell
    ELBO <= IWLL (Jensen), and IWLL <= log p(x) on average. Source: Burda, Grosse, Salakhutdinov 2016;
    docs/model.md, "Metrics".
    """
    exact = _exact(model, source)
    generator = torch.Generator().manual_seed(SCORE_SEED)
    elbo, iwll, first = [], [], 0
    for batch in _in_double(source, cells, max(1, DENSE_ENTRIES // source.n_genes)):
        piece = slice(first, first + batch.counts.shape[0])
        first = piece.stop
        normal = None if around is None else _normal_around(around, piece, source.device)
        weights = log_importance_weights(exact, batch, draws, generator, normal)  # (draws, cells)
        elbo.append(weights.mean(dim=0))
        iwll.append(weights.logsumexp(dim=0) - math.log(draws))
    return LikelihoodBounds(torch.cat(elbo).cpu().numpy(), torch.cat(iwll).cpu().numpy())


def log_importance_weights(
    model: LDVAE,
    batch: Minibatch,
    draws: int,
    generator: torch.Generator,
    around: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """log w of every draw and cell, (draws, cells) nats: see likelihood_bounds. The generator lives on the processor.

    around: mean (cells, factors) and a root (cells, factors, factors) of the covariance that q has in place of the
    encoder's. One draw at a time is dense, cells x genes.
    """
    log_library = batch.library_size.log()
    mean, log_variance = model.encode(batch)
    of_library = None
    if model.config.library == "latent":
        of_library = model.library_encoder(model.encoder_inputs(batch))
    rising = model.likelihood.rising(batch.counts, model.bounded_log_theta(batch.covariates))
    log_weights = []
    for _ in range(draws):
        noise = _noise_like(mean, generator)
        if around is None:
            value, log_root = mean + noise * (0.5 * log_variance).exp(), 0.5 * log_variance.sum(dim=1)
        else:
            centre, root = around
            value = centre + torch.einsum("njk,nk->nj", root, noise)
            log_root = root.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        log_q = -0.5 * noise.square().sum(dim=1) - log_root  # the constants of all the densities cancel
        log_weight = model.prior.log_density(value).sum(dim=1) - log_q
        if of_library is not None:
            mean_size, spread = (part.squeeze(1) for part in of_library)
            log_library, of_draw = _library_draw(model, mean_size, spread, generator)
            log_weight = log_weight + of_draw
        log_weights.append(log_weight + model.log_likelihood(model.factors_of(value), batch, log_library, rising))
    return torch.stack(log_weights)


def _library_draw(
    model: LDVAE, mean: Tensor, log_variance: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A draw of the log library size (cells,), and log p - log q of it."""
    noise = _noise_like(mean, generator)
    value = mean + noise * (0.5 * log_variance).exp()
    prior_mean, prior_variance = model.log_library_prior
    log_prior = -0.5 * ((value - prior_mean).square() / prior_variance + math.log(prior_variance))
    return value, log_prior + 0.5 * (noise.square() + log_variance)


def _noise_like(values: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(values.shape, generator=generator, dtype=values.dtype).to(values.device)


def _normal_around(around: Refined, cells: slice, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and root of the covariance of some refined cells."""
    mean = torch.from_numpy(around.values[cells]).to(device)
    return mean, torch.linalg.cholesky(torch.from_numpy(unpacked(around.covariance[cells], mean.shape[1])).to(device))


def _exact(model: LDVAE, source: MinibatchSource) -> LDVAE:
    """A copy in double precision and evaluation mode, where the counts are."""
    return copy.deepcopy(model).to(source.device).double().eval()


def _in_double(source: MinibatchSource, cells: np.ndarray, size: int) -> Iterator[Minibatch]:
    for batch in source.in_order(cells, size):
        yield Minibatch(*(part.double() for part in batch))
