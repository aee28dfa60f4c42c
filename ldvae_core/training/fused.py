"""The fast path: linear decoder, softmax and negative binomial in one step, with the gradient worked out by hand.

For one minibatch, with logits a = z W' + b, fraction f = softmax(a), mean m = l f, and t = m / theta:

    log p(x | z) = sum_g x (log m - log theta - log1p(t)) - theta log1p(t)   + sum_g R(x, theta)
    d/d log m    = (x - m) / (1 + t)                        =: r
    d/d a        = r - f sum_g r                            (softmax: one row sum)
    d/d log theta = -r - theta log1p(t)                     + d R / d log theta

R(x, theta) = lgamma(x + theta) - lgamma(theta) - lgamma(x + 1) holds all the lgammas, and depends on no cell's z. Its
mean over *all* training cells is therefore used in every step: exact where a minibatch's would be noisy. For gene g it
is a smooth function of log theta_g alone, so it is tabulated once from the gene's histogram of counts, value and slope,
and read by cubic Hermite interpolation (RisingFactorials). No lgamma or digamma remains in a step.

Equal to LDVAE.elbo in value and gradient, which tests/training/test_fused.py holds. Covariates enter as further columns
of z and W. Which models take this path: ModelConfig.is_fusable.
"""

import math
from typing import Any

import numpy as np
import torch
from scipy import sparse
from scipy.special import digamma, gammaln
from torch import Tensor, nn

from ldvae_core.model.config import MAX_THETA, MIN_THETA
from ldvae_core.model.ldvae import LDVAE, ElboTerms, InPieces, Minibatch, draw, whole
from ldvae_core.training.initial_values import row_chunks

SMALL = 64  # counts below are tallied in one table, the few others one by one
GRID_POINTS = 257  # steps of 0.063 in log theta: the interpolation is exact to 1e-8 of the value


class RisingFactorials(nn.Module):
    """Mean over training cells of R(x, theta), summed over genes, as a function of log theta (genes,)."""

    values: Tensor  # (grid, genes), double
    slopes: Tensor  # likewise, times the step of the grid

    def __init__(self, counts: sparse.csr_matrix, cells: np.ndarray) -> None:
        """counts (n_cells, n_genes); cells: indices of those to average over."""
        super().__init__()
        low, high = math.log(MIN_THETA), math.log(MAX_THETA)
        grid = np.linspace(low, high, GRID_POINTS)
        values, slopes = _tabulate(*_occurrences(counts, cells), np.exp(grid), counts.shape[1], len(cells))
        self.low, self.step = low, (high - low) / (GRID_POINTS - 1)
        self.register_buffer("values", torch.from_numpy(values))
        self.register_buffer("slopes", torch.from_numpy(slopes * self.step))

    def forward(self, log_theta: Tensor) -> Tensor:
        """The sum over genes of the mean over cells, a scalar in nats per cell."""
        position = (log_theta.double() - self.low) / self.step
        left = position.detach().floor().nan_to_num(0.0).clamp(0, GRID_POINTS - 2).long()  # (genes,), NaN in u
        u = position - left
        gene = torch.arange(left.shape[0], device=left.device)
        v0, v1 = self.values[left, gene], self.values[left + 1, gene]
        s0, s1 = self.slopes[left, gene], self.slopes[left + 1, gene]
        rise = v1 - v0
        interpolated = v0 + u * (s0 + u * ((3 * rise - 2 * s0 - s1) + u * (s0 + s1 - 2 * rise)))
        return interpolated.sum().to(log_theta.dtype)


def _occurrences(counts: sparse.csr_matrix, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gene, count above zero, and in how many of `cells` that gene has that count."""
    n_genes = counts.shape[1]
    small = np.zeros(n_genes * SMALL, dtype=np.int64)
    large: list[np.ndarray] = []
    for _, rows in row_chunks(counts, cells):
        gene, count = rows.indices.astype(np.int64), rows.data.astype(np.int64)
        is_small = count < SMALL
        small += np.bincount(gene[is_small] * SMALL + count[is_small], minlength=len(small))
        large.append(gene[~is_small] << 32 | count[~is_small])
    pairs, times = np.unique(np.concatenate([np.empty(0, np.int64), *large]), return_counts=True)
    found = np.flatnonzero(small)
    gene, count = np.append(found // SMALL, pairs >> 32), np.append(found % SMALL, pairs & 0xFFFFFFFF)
    return gene, count.astype(np.float64), np.append(small[found], times)


def _tabulate(
    gene: np.ndarray, count: np.ndarray, times: np.ndarray, thetas: np.ndarray, n_genes: int, n_cells: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of R and of dR/d log theta over cells, each (thetas, genes), from how often a count occurs in a gene.

    The same few counts occur in all genes: the special functions are asked for each of them once.
    """
    kinds, kind = np.unique(count, return_inverse=True)
    shares = sparse.csr_matrix((times / n_cells, (gene, kind)), shape=(n_genes, len(kinds)))
    values, slopes = np.empty((2, len(thetas), n_genes))
    for row, theta in enumerate(thetas):
        values[row] = shares @ (gammaln(kinds + theta) - gammaln(theta) - gammaln(kinds + 1))
        slopes[row] = shares @ (theta * (digamma(kinds + theta) - digamma(theta)))
    return values, slopes


class _Reconstruction(torch.autograd.Function):
    """Sum over genes of everything in -log p(x | z) but R; see the head of this file."""

    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        loadings: Tensor,
        intercept: Tensor,
        log_theta: Tensor,
        counts: Tensor,
        library_size: Tensor,
    ) -> Tensor:
        theta = log_theta.exp()
        mean = torch.addmm(intercept, z, loadings.T)  # logits for now
        observed = torch.einsum("ng,ng->n", counts, mean)  # sum of x * logit
        top = mean.amax(dim=1, keepdim=True)
        total = mean.sub_(top).exp_().sum(dim=1, keepdim=True)
        mean.mul_(library_size[:, None] / total)  # (cells, genes) expected counts
        t = mean / theta
        log1p_t = torch.log1p(t)
        residual = (counts - mean).div_(t.add_(1.0))  # r, (cells, genes)
        offset = (library_size / total[:, 0]).log() - top[:, 0]
        x_total = counts.sum(dim=1)
        value = observed + x_total * offset - counts @ log_theta
        value -= torch.einsum("ng,ng->n", counts, log1p_t) + log1p_t @ theta
        ctx.save_for_backward(z, loadings, theta, mean, residual, log1p_t, library_size)
        return -value

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        z, loadings, theta, mean, residual, log1p_t, library_size = ctx.saved_tensors
        weight = upstream.neg()  # (cells,) the value is minus the log-likelihood
        d_log_theta = -(weight @ residual) - theta * (weight @ log1p_t)
        row = residual.sum(dim=1) / library_size
        d_logits = residual.addcmul_(mean, row[:, None], value=-1.0).mul_(weight[:, None])
        return d_logits @ loadings, d_logits.T @ z, d_logits.sum(dim=0), d_log_theta, None, None


def fused_elbo(
    model: LDVAE,
    batch: Minibatch,
    rising_factorials: RisingFactorials,
    generator: torch.Generator | None = None,
    *,
    in_pieces: InPieces = whole,
) -> ElboTerms:
    """The same as model.elbo(batch, generator, in_pieces=in_pieces) for a fusable model.

    R enters as the mean of the cells it was tabulated from: equal to the plain path in the sum over those cells.
    """
    mean, log_variance = model.encode(batch, generator)
    z = model.factors_of(draw(mean, log_variance, generator))  # (cells, factors)
    decoder = model.linear_decoder
    if model.training and decoder.batch_norm:
        decoder.follow(z.detach())
    loadings, intercept = decoder.folded(z if model.training else None)
    if batch.covariates.shape[1]:
        z = torch.cat([z, batch.covariates], dim=1)
        loadings = torch.cat([loadings, decoder.centred_covariates()], dim=1)
    log_theta = model.bounded_log_theta()

    def errors(z: Tensor, counts: Tensor, library_size: Tensor) -> Tensor:
        arguments = z, loadings, intercept, log_theta, counts, library_size
        found: Tensor = _Reconstruction.apply(*arguments)  # type: ignore[no-untyped-call]  # torch's own, for every one
        return found

    error = in_pieces(errors, (z, batch.counts, batch.library_size), (loadings, intercept, log_theta))
    return ElboTerms(
        reconstruction_error=error - rising_factorials(log_theta),
        kl_factors=model.prior.kl(mean, log_variance).sum(dim=1),
        kl_library=torch.zeros_like(error),
    )
