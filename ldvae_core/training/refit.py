"""Loadings, intercept and inverse dispersions fitted once more, to refined positions: EM rounds after the training.

E-step: every training cell's posterior as a normal around its refined position v with covariance S (refine.py). M-step:
half a Fisher step for every gene's weights a_g = (W_g, b_g) on the expected log-likelihood, to second order in v,

    gradient_g      sum_n (r_ng - f_ng R_n) (v_n, 1) - sum_n w_ng S_n (W_g - mean W) - RIDGE W_g
    information_g   sum_n w_ng [(v_n, 1)(v_n, 1)' + S_n] + RIDGE I

with r, R, f and w of refine.py. The terms in S keep E[v v' + S] at the identity; without them (weights fitted to the
positions as if these were known) positions shrink and the weights take up their scale. Half a step, because the
softmax couples the genes, which the blocks leave out. Each M-step ends by bringing E[v] to 0 and E[v v' + S] to the
identity, as standardise.py does, at unchanged expected counts (parameter-expanded EM, Liu, Rubin, Wu 1998). After the
last, the inverse dispersions are fitted by maximum likelihood. Each of both is kept only where the validation cells,
refined anew, are predicted better. Source: EM for generalised linear latent variable models with Laplace's
approximation, Steele 1996.
"""

import copy
import logging
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from ldvae_core.data.chunks import some_cells
from ldvae_core.model.budget import MOST_CELLS, MOST_ROUNDS
from ldvae_core.model.dispersion import fit_inverse_dispersion
from ldvae_core.model.ldvae import LDVAE, NORM_EPSILON
from ldvae_core.model.refinable import unrefinable
from ldvae_core.training.minibatches import MinibatchSource
from ldvae_core.training.refine import (
    MOST_STEPS,
    Decoder,
    block_of,
    block_size,
    climb,
    laplace,
    log_library_of,
    means_at,
    one_thread,
    refine,
    slopes,
)
from ldvae_core.training.score import reconstruction_errors

log = logging.getLogger(__name__)

STEP = 0.5
RIDGE = 2.0  # of the loadings: a prior of sd 0.7, so that a gene of few counts stays near 0
INTERCEPT_RIDGE = 1e-3  # a constant added to every intercept changes nothing
DISPERSION_CELLS, VALIDATION_CELLS = 5_000, 1_000  # seeded samples: enough for one number a gene, and for a difference
STEPS_A_ROUND = 2  # of every cell's position


class Refit(NamedTuple):
    """What the rounds came to."""

    model: LDVAE  # with what was kept of them
    rounds: int  # kept
    dispersions: bool  # fitted anew
    gained: float  # nats a validation cell, beyond refined positions alone


class _Step(NamedTuple):
    """Where an M-step leads."""

    loadings: Tensor  # (genes, factors)
    intercept: Tensor  # (genes,)
    positions: np.ndarray  # (n_chosen, n_factors): v of the cells it was taken at, in its units


def refittable(model: LDVAE) -> bool:
    """Whether the rounds are meant for this model: refined positions that are z themselves."""
    return not unrefinable(model.config) and model.prior.is_standard


@torch.no_grad()
def refit(
    model: LDVAE,
    source: MinibatchSource,
    counts: sparse.csr_matrix,
    train: np.ndarray,
    validation: np.ndarray,
    *,
    rounds: int = MOST_ROUNDS,
    go_on: Callable[[float], bool] = lambda done: True,
) -> Refit | None:
    """Refit a copy of the model on the cells `train`; None when go_on, told the share done, answers False.

    counts: those that the source holds, (n_cells, n_genes) CSR. The model must be refittable.
    """
    train, validation = some_cells(train, MOST_CELLS, seed=0), some_cells(validation, VALIDATION_CELLS, seed=0)
    kept, at_train, done = model, None, 0
    with one_thread():
        at_validation = _positions(kept, source, validation, None)
        begun = reached = _error(kept, source, validation, at_validation)
        for number in range(rounds):
            if not go_on(number / (rounds + 1)):
                return None
            loadings, intercept, at_train = _m_step(kept, source, train, at_train)
            trial = copy.deepcopy(kept)
            replace_decoder(trial, loadings, intercept)
            moved = _positions(trial, source, validation, at_validation)
            error = _error(trial, source, validation, moved)
            if not error < reached:
                break
            kept, at_validation, reached, done = trial, moved, error, number + 1
        dispersions = False
        if (fitted := _with_dispersions(kept, source, counts, train, at_train)) is not None:
            error = _error(fitted, source, validation, _positions(fitted, source, validation, at_validation))
            if dispersions := error < reached:
                kept, reached = fitted, error
    log.info("Refit: %d rounds, dispersions %s: validation error %.3f -> %.3f", done, dispersions, begun, reached)
    return Refit(kept, done, dispersions, begun - reached)


def replace_decoder(model: LDVAE, loadings: Tensor, intercept: Tensor) -> None:
    """Give the linear decoder these folded loadings (genes, factors) and, where it has one, intercept (genes,).

    With batch norm, its statistics and gain become those under which folding changes nothing.
    """
    decoder = model.linear_decoder
    with torch.no_grad():
        decoder.loadings.copy_(loadings)
        if decoder.has_intercept:
            decoder.intercept.copy_(intercept)
        if decoder.batch_norm:
            decoder.z_mean.zero_()
            decoder.z_covariance.copy_(torch.eye(loadings.shape[1]))
            decoder.gain.copy_((loadings.square().sum(dim=1) + NORM_EPSILON).sqrt())


def _m_step(model: LDVAE, source: MinibatchSource, cells: np.ndarray, start: np.ndarray | None) -> _Step:
    """Half a Fisher step of every gene's weights, at positions that are refined on the way."""
    decoder, device = Decoder.of(model, source.device), source.device
    n_genes, n_factors = decoder.loadings.shape
    width = n_factors + 1
    of_v, of_s = (torch.triu_indices(size, size, device=device) for size in (width, n_factors))
    slope = decoder.loadings.new_zeros(n_genes, width)
    packed, spread = slope.new_zeros(n_genes, of_v.shape[1]), slope.new_zeros(n_genes, of_s.shape[1])
    positions, around, first = np.empty((len(cells), n_factors)), slope.new_zeros(n_factors, n_factors), 0
    for batch in source.in_order(cells, block_size(n_genes, device)):
        piece = slice(first, first + batch.counts.shape[0])
        first = piece.stop
        begin = model.encode(batch)[0] if start is None else torch.from_numpy(start[piece]).to(device)
        block = block_of(decoder, batch, log_library_of(model, batch))
        climbed = climb(decoder, block, begin.double(), most_steps=STEPS_A_ROUND)
        found = slopes(block, climbed.means)
        covariance = laplace(decoder, found, climbed.v)
        design = torch.cat([climbed.v, torch.ones_like(climbed.v[:, :1])], dim=1)
        residual = found.residual - found.fraction * found.residual.sum(dim=1, keepdim=True)
        slope += residual.T @ design
        packed += found.information.T @ (design[:, of_v[0]] * design[:, of_v[1]])
        spread += found.information.T @ covariance[:, of_s[0], of_s[1]]
        positions[piece] = climbed.v.cpu().numpy()
        around += covariance.sum(dim=0)
    information, of_covariance = _square(packed, of_v, width), _square(spread, of_s, n_factors)
    slope[:, :n_factors] -= torch.einsum("gjk,gk->gj", of_covariance, decoder.loadings) + RIDGE * decoder.loadings
    information[:, :n_factors, :n_factors] += of_covariance
    information += slope.new_tensor([RIDGE] * n_factors + [INTERCEPT_RIDGE]).diag()
    step = STEP * torch.linalg.solve(information, slope[:, :, None])[:, :, 0]
    return _standardised(
        decoder.loadings + step[:, :n_factors], decoder.intercept + step[:, n_factors], positions,
        around / len(cells), has_intercept=model.linear_decoder.has_intercept,
    )  # fmt: skip


def _standardised(
    loadings: Tensor, intercept: Tensor, positions: np.ndarray, around: Tensor, *, has_intercept: bool
) -> _Step:
    """The same expected counts with the moments of the posterior (positions, mean covariance) those of the prior."""
    v = torch.from_numpy(positions).to(loadings)
    centre = v.mean(dim=0) if has_intercept else torch.zeros_like(v[0])
    v = v - centre
    values, vectors = torch.linalg.eigh(v.T @ v / len(v) + around)
    root, inverse = ((vectors * values**power) @ vectors.T for power in (0.5, -0.5))
    intercept = intercept + loadings @ centre
    return _Step((loadings - loadings.mean(dim=0)) @ root, intercept, (v @ inverse).cpu().numpy())


def _square(packed: Tensor, upper: Tensor, size: int) -> Tensor:
    whole = packed.new_empty(len(packed), size, size)
    whole[:, upper[0], upper[1]] = packed
    whole[:, upper[1], upper[0]] = packed
    return whole


def _with_dispersions(
    model: LDVAE, source: MinibatchSource, counts: sparse.csr_matrix, cells: np.ndarray, start: np.ndarray | None
) -> LDVAE | None:
    """A copy with inverse dispersions fitted at refined positions; None for a model without one per gene alone."""
    if not model.likelihood.has_dispersion or model.config.dispersion != "gene":
        return None
    few = some_cells(np.arange(len(cells)), DISPERSION_CELLS, seed=0)
    cells, start = cells[few], None if start is None else start[few]
    positions, decoder = _positions(model, source, cells, start), Decoder.of(model, source.device)

    def expected(chosen: np.ndarray) -> np.ndarray:
        batch = source.minibatch(cells[chosen])
        block = block_of(decoder, batch, log_library_of(model, batch))
        means = means_at(decoder, block, torch.from_numpy(positions[chosen]).to(source.device))
        return means.plain.cpu().numpy()

    changed = copy.deepcopy(model)
    changed.log_theta.copy_(torch.from_numpy(np.log(fit_inverse_dispersion(counts[cells], expected))))
    return changed


def _positions(model: LDVAE, source: MinibatchSource, cells: np.ndarray, start: np.ndarray | None) -> np.ndarray:
    """Refined positions (n_chosen, n_factors), from `start` or from where the encoder puts the cells."""
    refined = refine(model, source, cells, start=start, most_steps=MOST_STEPS if start is None else STEPS_A_ROUND)
    assert refined is not None
    return refined.values


def _error(model: LDVAE, source: MinibatchSource, cells: np.ndarray, positions: np.ndarray) -> float:
    """Mean reconstruction error, nats a cell."""
    whole = np.zeros((source.n_cells, positions.shape[1]))
    whole[cells] = positions
    return float(reconstruction_errors(model, source, cells, whole).mean())
