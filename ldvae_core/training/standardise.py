"""The last steps of training: batch norm's statistics of all cells, and z in the units of its prior.

The mixture of q(z | x) over all cells should be the prior N(0, I). A run that ends early leaves it wider, because the
KL weight was low while the factors spread: on simulated counts by 10 to 25%, and every loading too small by as much.
With m and S the mean and covariance of that mixture,

    z' = S^(-1/2) (z - m),   W' = W S^(1/2),   b' = b + W m

changes no expected count, and lowers the KL to its minimum over all such maps; S^(1/2) is the symmetric root, which
turns the axes least. Without an intercept m stays 0, and S is the second moment.
"""

import logging
from collections.abc import Iterable

import torch
from torch import Generator, Tensor

from ldvae_core.model.ldvae import LDVAE, NORM_MOMENTUM, LinearDecoder, Minibatch, draw, moments
from ldvae_core.model.priors import normal_kl

log = logging.getLogger(__name__)


@torch.no_grad()
def refresh_norms(model: LDVAE, minibatches: Iterable[Minibatch], generator: Generator) -> None:
    """Replace batch norm's running statistics, which lag, by those of the given cells: all that were trained on."""
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm1d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the pass
    dropouts = [(encoder, encoder.dropout) for encoder in model.encoders()]
    for encoder, _ in dropouts:
        encoder.dropout = 0.0
    model.train()
    decoder, draws = model.decoder, _Rows()
    for batch in minibatches:
        if batch.counts.shape[0] < 2:
            continue
        z = model.factors_of(draw(*model.encode(batch), generator))
        draws.append(z)
        if model.config.library == "latent":
            model.library_encoder(model.encoder_inputs(batch))
        if not isinstance(decoder, LinearDecoder):
            decoder(z, batch.covariates)
    if isinstance(decoder, LinearDecoder) and decoder.batch_norm:
        mean, covariance = moments(draws.all)
        decoder.z_mean.copy_(mean)
        decoder.z_covariance.copy_(covariance)
    for encoder, rate in dropouts:
        encoder.dropout = rate
    for norm in norms:
        norm.momentum = NORM_MOMENTUM
    model.eval()


class _Rows:
    """Rows of a matrix that come a few at a time, in one array that grows.

    Thousands of small arrays keep the memory between them from being used again: 4 GB for two million cells.
    """

    def __init__(self) -> None:
        self._array, self._n = torch.empty(0), 0

    def append(self, rows: Tensor) -> None:
        if self._n + len(rows) > len(self._array):
            grown = rows.new_empty(2 * (self._n + len(rows)), rows.shape[1])
            grown[: self._n] = self._array[: self._n].to(rows) if self._n else grown[:0]
            self._array = grown
        self._array[self._n : self._n + len(rows)] = rows
        self._n += len(rows)

    @property
    def all(self) -> Tensor:
        return self._array[: self._n]


@torch.no_grad()
def standardise(model: LDVAE, minibatches: Iterable[Minibatch]) -> bool:
    """Bring z to mean 0 and covariance 1 over the given cells, in evaluation mode; whether that was done.

    Only for a normal prior. The posterior stays diagonal, so that the KL falls short of its minimum by the (small)
    correlations it cannot hold; nothing is changed where the KL would rise, or a factor has collapsed onto a point.
    """
    if not model.prior.is_standard:
        return False
    model.eval()
    posterior = [model.encode(batch) for batch in minibatches]
    mean, log_variance = (torch.cat(parts).double() for parts in zip(*posterior, strict=True))  # (cells, factors)
    variance = log_variance.exp()
    centre = mean.mean(dim=0) if _has_intercept(model) else torch.zeros_like(mean[0])
    around = mean - centre
    second_moment = around.T @ around / len(mean) + variance.mean(dim=0).diag()
    if not torch.isfinite(second_moment).all():  # eigh raises on these instead of saying so
        return False
    values, vectors = torch.linalg.eigh(second_moment)
    if not torch.isfinite(values).all() or values.min() <= 0:
        return False
    root, inverse = ((vectors * values**power) @ vectors.T for power in (0.5, -0.5))
    widening = (variance.mean(dim=0) @ (inverse**2).T / variance.mean(dim=0)).log()  # of every log-variance
    before = normal_kl(mean, variance.log()).sum(dim=1).mean()
    after = normal_kl(around @ inverse, variance.log() + widening).sum(dim=1).mean()
    if not after <= before:
        return False
    log.info("Standardised z: mean KL %.3f -> %.3f nats", before, after)
    _apply(model, centre, root, inverse, widening)
    return True


def _has_intercept(model: LDVAE) -> bool:
    """Whether the decoder can take up a shift of z."""
    return not isinstance(model.decoder, LinearDecoder) or model.decoder.has_intercept


def _apply(model: LDVAE, centre: Tensor, root: Tensor, inverse: Tensor, widening: Tensor) -> None:
    outputs, n_factors = model.encoder.outputs, len(centre)
    _set(outputs.weight[:n_factors], inverse @ outputs.weight[:n_factors].double())
    _set(outputs.bias[:n_factors], inverse @ (outputs.bias[:n_factors].double() - centre))
    _set(outputs.bias[n_factors:], outputs.bias[n_factors:].double() + widening)
    decoder = model.decoder
    if isinstance(decoder, LinearDecoder):
        if decoder.has_intercept and not decoder.batch_norm:  # batch norm takes every shift off by itself
            _set(decoder.intercept, decoder.intercept.double() + decoder.loadings.double() @ centre)
        _set(decoder.loadings, decoder.loadings.double() @ root)
        _set(decoder.z_mean, inverse @ (decoder.z_mean.double() - centre))
        _set(decoder.z_covariance, inverse @ decoder.z_covariance.double() @ inverse)
    else:
        _take_up(decoder.hidden, centre, root)
    if model.likelihood.is_zero_inflated:
        _take_up(model.zero_logits, centre, root)


def _take_up(layer: torch.nn.Linear, centre: Tensor, root: Tensor) -> None:
    """Let a layer that reads z (its first inputs) read the standardised z, with the same outputs."""
    of_z = layer.weight[:, : len(centre)].double()
    _set(layer.bias, layer.bias.double() + of_z @ centre)
    _set(layer.weight[:, : len(centre)], of_z @ root)


def _set(place: Tensor, value: Tensor) -> None:
    place.copy_(value.to(place.dtype))
