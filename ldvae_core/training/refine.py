"""Refined positions: every cell moved from where the encoder puts it to the top of its own posterior density.

With v the position of a cell before the prior's map, z = factors(v), logits eta = W z + b + covariate effects,
f = softmax(eta), m = library_size f, the density of one cell is, up to a constant,

    o(v) = sum_g log p(x_g | m_g) - |v|^2 / 2

With r_g = d log p / d log m_g, c_g = -d^2 log p / d (log m_g)^2, R = sum_g r_g, Wf = sum_g f_g W_g, and z = v:

    gradient   sum_g r_g W_g - R Wf - v
    -Hessian   sum_g (c_g + R f_g) (W_g - Wf)(W_g - Wf)' + I

negative binomial: r = (x - m) theta / (m + theta), c = (x + theta) m theta / (m + theta)^2; Poisson: r = x - m, c = m.
R f_g may be negative: o is not concave everywhere. Where -Hessian is not positive definite, the information
w = m theta / (m + theta) (or m) stands for c_g + R f_g (Fisher scoring), which always is. For z = softmax(v), with
J = diag(z) - z z', the gradient of the likelihood becomes J' times it and its Hessian J' H J (Gauss-Newton). A step is
halved until o does not fall, so that o never falls; a cell is done when a step promises less than TOLERANCE.

The covariance of a cell's posterior is the inverse of -Hessian at the top, with the information for c + R f
(Laplace's approximation). Double precision, some cells at a time, on one thread of the processor: no bit depends on
the number of threads. Source: Newton's method for the modes of latent Gaussian models, Rue, Martino, Chopin 2009.
"""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from ldvae_core.model.budget import ALL_STEPS
from ldvae_core.model.config import MAX_THETA, MIN_THETA
from ldvae_core.model.ldvae import LDVAE, LinearDecoder, Minibatch, centred_levels
from ldvae_core.training.minibatches import MinibatchSource

TOLERANCE = 1e-3  # nats that a full step would gain by the quadratic model, below which it is the last one
MOST_STEPS, MOST_HALVINGS = ALL_STEPS, 10
BLOCK_ENTRIES, GPU_ENTRIES = 2**17, 2**24  # cells x genes at a time; 1 MB was measured fastest


class Refined(NamedTuple):
    """Refined cells, in the order asked for."""

    values: np.ndarray  # (n_cells, n_factors) float64: v, which is z but for a prior that transforms
    covariance: np.ndarray  # (n_cells, pairs) float32: of v, as model/packed.py has it
    gained: float  # nats a cell, mean over cells: what the objective rose by
    steps: float  # a cell, mean over cells

    def of(self, cells: np.ndarray) -> Self:
        """Some of them."""
        return self._replace(values=self.values[cells], covariance=self.covariance[cells])


class Decoder(NamedTuple):
    """A linear decoder as it is, in double precision: all that a cell's density depends on."""

    loadings: Tensor  # (genes, factors), centred over genes, which changes no fraction
    intercept: Tensor  # (genes,)
    effects: Tensor  # (genes, levels), centred over the levels of each covariate
    log_theta: Tensor | None  # (genes,); None: Poisson
    theta_levels: Tensor | None  # (genes, levels), added to it; None: one for all
    is_usage: bool
    pairs: Tensor | None = None  # (genes, pairs of factors): products of loadings; None: worked out where needed

    @classmethod
    def of(cls, model: LDVAE, device: torch.device | None = None) -> Self:
        """The decoder of a model that can be refined (see model/refinable.py), batch norm folded in."""
        place = next(model.parameters()).device if device is None else device
        decoder = model.linear_decoder
        with torch.no_grad():
            loadings, intercept = _folded_in_double(decoder)
            levels = None
            if model.config.dispersion == "gene_level":
                levels = centred_levels(model.dispersion_levels.double(), model.level_counts).to(place)
            centred = (loadings - loadings.mean(dim=0)).to(place)
            return cls(
                centred,
                intercept.to(place),
                centred_levels(decoder.covariate_loadings.double(), decoder.level_counts).to(place),
                model.log_theta.double().to(place) if model.likelihood.has_dispersion else None,
                levels,
                model.prior.is_usage,
                _pairs(centred),
            )


class Block(NamedTuple):
    """Some cells, dense, in double precision."""

    counts: Tensor  # (cells, genes)
    log_library: Tensor  # (cells, 1)
    offset: Tensor  # (1 or cells, genes): intercept and covariate effects
    theta: Tensor | None  # (1 or cells, genes)


class Means(NamedTuple):
    """Expected counts of some cells."""

    log: Tensor  # (cells, genes)
    plain: Tensor  # (cells, genes)


class Climbed(NamedTuple):
    """Where climb ended."""

    v: Tensor  # (cells, factors)
    means: Means
    rise: Tensor  # (cells,) nats, >= 0
    steps: int  # of all cells


class Slopes(NamedTuple):
    """Derivatives of the log-likelihood in the logits."""

    fraction: Tensor  # (cells, genes)
    residual: Tensor  # (cells, genes): r
    curvature: Tensor  # (cells, genes): c + R f
    information: Tensor  # (cells, genes): w


@torch.no_grad()
def refine(
    model: LDVAE,
    source: MinibatchSource,
    cells: np.ndarray,
    *,
    start: np.ndarray | None = None,
    most_steps: int = MOST_STEPS,
    go_on: Callable[[float], bool] = lambda done: True,
) -> Refined | None:
    """Refine the positions of `cells` (indices into the source); None when go_on, told the share done, answers False.

    start: v (n_chosen, n_factors) to begin at; None: the encoder's mean. The model must be refinable.
    """
    with one_thread():
        decoder, device = Decoder.of(model, source.device), source.device
        n_factors, upper = model.config.n_factors, torch.triu_indices(model.config.n_factors, model.config.n_factors)
        values = np.empty((len(cells), n_factors))
        covariance = np.empty((len(cells), upper.shape[1]), np.float32)
        gained, steps, first = 0.0, 0, 0
        for batch in source.in_order(cells, block_size(source.n_genes, device)):
            piece = slice(first, first + batch.counts.shape[0])
            first = piece.stop
            begin = model.encode(batch)[0] if start is None else torch.from_numpy(start[piece]).to(device)
            block = block_of(decoder, batch, log_library_of(model, batch))
            found = climb(decoder, block, begin.double(), most_steps=most_steps)
            values[piece] = found.v.cpu().numpy()
            around = laplace(decoder, slopes(block, found.means), found.v)
            covariance[piece] = around[:, upper[0], upper[1]].cpu().numpy()
            gained, steps = gained + float(found.rise.sum()), steps + found.steps
            if not go_on(first / len(cells)):
                return None
    return Refined(values, covariance, gained / max(len(cells), 1), steps / max(len(cells), 1))


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread: what is computed inside does not depend on what training had chosen."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def block_size(n_genes: int, device: torch.device) -> int:
    """Cells that are dense at a time."""
    return max(1, (BLOCK_ENTRIES if device.type == "cpu" else GPU_ENTRIES) // n_genes)


def log_library_of(model: LDVAE, batch: Minibatch) -> Tensor:
    """Observed log library size, or the posterior mean of the latent one: (cells,)."""
    if model.config.library == "observed":
        return batch.library_size.double().log()
    mean: Tensor = model.library_encoder(model.encoder_inputs(batch))[0].squeeze(1)
    return mean.double()


def block_of(decoder: Decoder, batch: Minibatch, log_library: Tensor) -> Block:
    """A minibatch of counts with what the decoder adds to it."""
    covariates, offset, theta = batch.covariates.double(), decoder.intercept[None], None
    if covariates.shape[1]:
        offset = offset + covariates @ decoder.effects.T
    if decoder.log_theta is not None:
        log_theta = decoder.log_theta[None]
        if decoder.theta_levels is not None:
            log_theta = log_theta + covariates @ decoder.theta_levels.T
        theta = log_theta.clamp(math.log(MIN_THETA), math.log(MAX_THETA)).exp()
    return Block(batch.counts.double(), log_library.double()[:, None], offset, theta)


def climb(decoder: Decoder, block: Block, start: Tensor, *, most_steps: int = MOST_STEPS) -> Climbed:
    """Damped Newton steps from v = start (cells, factors) until a step promises nothing."""
    v = start.clone()
    means = means_at(decoder, block, v)
    height = objective(block, means, v)
    begun, active, taken = height.clone(), torch.arange(len(v), device=v.device), 0
    for _ in range(most_steps):
        here = _rows(block, active)
        direction, promised = _direction(decoder, here, _means(means, active), v[active])
        taken += len(active)
        left, length = torch.arange(len(active), device=v.device), 1.0
        for _ in range(MOST_HALVINGS):
            tried, target = _rows(here, left), v[active[left]] + length * direction[left]
            reached = means_at(decoder, tried, target)
            higher = objective(tried, reached, target)
            good = higher >= height[active[left]]
            moved, all_good = active[left[good]], bool(good.all())
            v[moved], height[moved] = target[good], higher[good]
            for kept, new in zip(means, reached, strict=True):
                kept[moved] = new if all_good else new[good]
            left, length = left[~good], length / 2
            if all_good:
                break
        active = active[promised > 2 * TOLERANCE]
        if not len(active):
            break
    return Climbed(v, means, height - begun, taken)


def means_at(decoder: Decoder, block: Block, v: Tensor) -> Means:
    """Expected counts at v (cells, factors)."""
    z = v.softmax(dim=1) if decoder.is_usage else v
    logits = z @ decoder.loadings.T
    logits += block.offset
    logits += block.log_library - logits.logsumexp(dim=1, keepdim=True)
    return Means(logits, logits.exp())


def objective(block: Block, means: Means, v: Tensor) -> Tensor:
    """o(v), (cells,) nats, without what depends on neither v nor the mean."""
    at_counts = (block.counts * means.log).sum(dim=1) - 0.5 * v.square().sum(dim=1)
    if block.theta is None:
        return at_counts - means.plain.sum(dim=1)
    return at_counts - ((block.counts + block.theta) * torch.log1p(means.plain / block.theta)).sum(dim=1)


def slopes(block: Block, means: Means) -> Slopes:
    """Derivatives at the means given."""
    mean = means.plain
    fraction = mean * (-block.log_library).exp()
    if block.theta is None:
        residual, curvature, information = block.counts - mean, mean, mean
    else:
        beyond = mean + block.theta
        ratio = block.theta / beyond
        residual, information = (block.counts - mean) * ratio, mean * ratio
        curvature = information * (block.counts + block.theta) / beyond
    return Slopes(fraction, residual, curvature + residual.sum(dim=1, keepdim=True) * fraction, information)


def gradient(decoder: Decoder, found: Slopes, v: Tensor) -> Tensor:
    """Of o in v, (cells, factors)."""
    sum_of_residuals = found.residual.sum(dim=1, keepdim=True)
    of_z = found.residual @ decoder.loadings - sum_of_residuals * (found.fraction @ decoder.loadings)
    if not decoder.is_usage:
        return of_z - v
    z = v.softmax(dim=1)
    return z * (of_z - (z * of_z).sum(dim=1, keepdim=True)) - v


def _pairs(loadings: Tensor) -> Tensor:
    first, second = torch.triu_indices(loadings.shape[1], loadings.shape[1])
    return loadings[:, first] * loadings[:, second]


def precision(decoder: Decoder, fraction: Tensor, weight: Tensor, v: Tensor) -> Tensor:
    """sum_g weight_g (W_g - Wf)(W_g - Wf)' in v, plus I: (cells, factors, factors)."""
    loadings = decoder.loadings
    n_factors = loadings.shape[1]
    first, second = torch.triu_indices(n_factors, n_factors)
    packed = weight @ (_pairs(loadings) if decoder.pairs is None else decoder.pairs)
    of_z = packed.new_empty(len(packed), n_factors, n_factors)
    of_z[:, first, second] = packed
    of_z[:, second, first] = packed
    centre, weighted, total = fraction @ loadings, weight @ loadings, weight.sum(dim=1)
    across = centre[:, :, None] * weighted[:, None, :]
    of_z += total[:, None, None] * centre[:, :, None] * centre[:, None, :] - across - across.transpose(1, 2)
    if decoder.is_usage:
        z = v.softmax(dim=1)
        turn = torch.diag_embed(z) - z[:, :, None] * z[:, None, :]
        of_z = turn @ of_z @ turn
    return of_z + torch.eye(n_factors, dtype=v.dtype, device=v.device)


def laplace(decoder: Decoder, found: Slopes, v: Tensor) -> Tensor:
    """Covariance of the posterior around v: (cells, factors, factors)."""
    return torch.cholesky_inverse(torch.linalg.cholesky(precision(decoder, found.fraction, found.information, v)))


def _direction(decoder: Decoder, block: Block, means: Means, v: Tensor) -> tuple[Tensor, Tensor]:
    """Newton's step, of Fisher scoring where that is no ascent, and twice what the quadratic model says it gains."""
    found = slopes(block, means)
    slope = gradient(decoder, found, v)
    factor, failed = torch.linalg.cholesky_ex(precision(decoder, found.fraction, found.curvature, v))
    bad = failed.nonzero()[:, 0]
    if len(bad):
        safe = precision(decoder, found.fraction[bad], found.information[bad], v[bad])
        factor[bad] = torch.linalg.cholesky(safe)
    step = torch.cholesky_solve(slope[:, :, None], factor)[:, :, 0]
    return step, (slope * step).sum(dim=1)


def _rows(block: Block, rows: Tensor) -> Block:
    """The cells `rows` of a block; the whole block is not copied."""
    if len(rows) == len(block.counts):
        return block
    offset = block.offset if len(block.offset) == 1 else block.offset[rows]
    theta = block.theta if block.theta is None or len(block.theta) == 1 else block.theta[rows]
    return Block(block.counts[rows], block.log_library[rows], offset, theta)


def _means(means: Means, rows: Tensor) -> Means:
    return means if len(rows) == len(means.log) else Means(means.log[rows], means.plain[rows])


def _folded_in_double(decoder: LinearDecoder) -> tuple[Tensor, Tensor]:
    loadings, intercept = copy.deepcopy(decoder).double().folded()
    return loadings, intercept
