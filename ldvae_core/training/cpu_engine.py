"""The fast path on processors: one whole training step without autograd, its gradient worked out by hand.

Notation of fused.py: fraction f, mean m = l f, t = m / theta, residual r = (x - m) / (1 + t), and R tabulated. With a
minibatch of n cells, a = hidden sums, s = batch norm of a, h = dropout(relu(s)), q = (mu, log v) = h Wo' + bo:

    encoder      a = log1p(x) We + be                  only genes with molecules are touched: x stays sparse
    sample       z = mu + e sqrt(v)                    logistic-normal: z <- softmax(z)
    decoder      logits = z A' + c,  A_g = k_g W_g,  c_g = b_g - k_g W_g . zbar,  k_g = gain_g / sqrt(W_g S W_g' + eps)
                 (without batch norm A = W, c = b), zbar and S the minibatch's moments of z
    loss         mean_n [ -log p(x | z) + w KL ]       sum over n of log(1 + t) = log of the product of (1 + t)

Backwards, with E = d loss / d logits from the kernel, dA = E' z, dc = column sums of E:

    dk_g = dA_g . W_g - dc_g W_g . zbar,   dvar_g = -dk_g k_g / (2 (var_g + eps)),   dgain_g = dk_g k_g / gain_g
    dW_g = k_g dA_g - k_g dc_g zbar + 2 dvar_g W_g S,   db = dc
    dz   = E A - (1/n) sum_g k_g dc_g W_g + (2/n) (z - zbar) (sum_g dvar_g W_g' W_g)
    dmu  = dz + w mu / n,   dlog v = (dz e sqrt(v) + w (v - 1) / n) / 2,   dWo = dq' h,   dh = dq Wo
    ds   = dh where h > 0,  da by batch norm's usual rule,   dWe = log1p(x)' da

The parameters are views of one flat array, so that Adam is one loop. Equal to the plain path in every gradient and over
whole runs: tests/training/test_engines.py. The loops are in kernels.py; their draws are the plain path's draws.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ldvae_core.model.config import MAX_THETA, MIN_THETA, ModelConfig, TrainingConfig
from ldvae_core.model.ldvae import (
    LDVAE,
    NORM_EPSILON,
    NORM_MOMENTUM,
    centred_levels,
    draw_dropout,
    dropout_bits,
    dropout_bound,
    moments,
)
from ldvae_core.training import kernels
from ldvae_core.training.fused import RisingFactorials
from ldvae_core.training.minibatches import MinibatchSource

LIMIT = 15.0  # of a log-variance, as in the Encoder
THETA_BOUNDS = (math.log(MIN_THETA), math.log(MAX_THETA))  # of log theta, as in the model
MOST_DENSE_BYTES = 2**28  # counts that are often not zero are held dense up to this size: hardly larger than sparse
MOST_INPUT_BYTES = 2**27  # and so are their logarithms


class _Buffers:
    """Arrays for minibatches of one size, made once: torch and numpy see the same memory."""

    def __init__(self, n: int, config: ModelConfig, *, inputs: bool, counts: np.dtype | None) -> None:
        shapes = {
            "inputs": (n, config.n_genes if inputs else 0),
            "sums": (n, config.n_hidden),
            "hidden": (n, config.n_hidden),
            "d_hidden": (n, config.n_hidden),
            "noise": (n, config.n_factors),
            "sd": (n, config.n_factors),
            "z": (n, config.n_factors),
            "d_z": (config.n_factors, n),  # transposed
            "posterior": (n, 2 * config.n_factors),
            "d_posterior": (n, 2 * config.n_factors),
            "logits": (n, config.n_genes),
            "centre": (config.n_hidden,),
            "inverse_sd": (config.n_hidden,),
            "log_theta": (config.n_genes,),
            "d_intercept": (config.n_genes,),
            "d_log_theta": (config.n_genes,),
        }
        self.tensor = {name: torch.zeros(shape) for name, shape in shapes.items()}
        self.tensor["d_z"] = self.tensor["d_z"].T
        self.bits, self.tensor["chances"] = dropout_bits((n, config.n_hidden))
        self.counts = np.empty((n, 0 if counts is None else config.n_genes), counts)
        self.order = np.arange(n)
        self.array = {name: value.numpy() for name, value in self.tensor.items()}

    def arrays(self, *names: str) -> list[np.ndarray]:
        return [self.array[name] for name in names]


class CpuEngine:
    """Steps and evaluations of a fusable model on one thread. The model's parameters are trained in place."""

    def __init__(
        self,
        model: LDVAE,
        source: MinibatchSource,
        rising: RisingFactorials,
        rising_validation: RisingFactorials,
        config: TrainingConfig,
        generator: torch.Generator,
        decays: dict[str, float],
    ) -> None:
        self.model, self.source, self.config, self.generator = model, source, config, generator
        self.steps = 0
        # those of one weight decay stand side by side, and are one loop of Adam
        trained = sorted(decays, key=lambda name: decays[name])
        self.parameters = {name: model.get_parameter(name) for name in trained}
        self._decays = decays
        size = sum(value.numel() for value in self.parameters.values())
        flat = [torch.zeros(size) for _ in range(4)]  # values, gradient, Adam's mean and mean square
        for name, home in self._by_name(flat[0]).items():
            home.copy_(self.parameters[name].detach())
            self.parameters[name].data = home
        self.gradient, self.mean, self.square = self._by_name(flat[1]), flat[2], flat[3]
        self._pieces = self._by_decay([part.numpy() for part in flat])
        # what torch and the kernels read and write, without autograd: a matrix lies here as its transpose, as in memory
        self._tensor = {name: _in_memory_order(value.detach()) for name, value in model.named_parameters()}
        self._d_tensor = {name: _in_memory_order(value) for name, value in self.gradient.items()}
        self._value = {name: value.numpy() for name, value in self._tensor.items()}
        self._gradient = {name: value.numpy() for name, value in self._d_tensor.items()}
        self._norm = model.encoder.norm
        mean, variance, self._norm_steps = _running_statistics(self._norm)
        self._running = (mean.numpy(), variance.numpy())
        self._dropout, self._simplex = model.config.dropout, model.prior.is_usage
        self._tables, self._validation_tables = _tables(rising), _tables(rising_validation)
        largest = int(source.values.max()) if len(source.values) else 0
        self.log1p = np.log1p(np.arange(largest + 1)).astype(np.float32)
        self.counts = (source.starts.numpy(), source.genes.numpy(), source.values.numpy())
        self.library_size = (source.library_size.numpy(), float(source.library_size.max()))
        self._has_many_counts = len(source.values) > kernels.MANY * source.n_cells * source.n_genes
        size = source.n_cells * source.n_genes
        many, width = self._has_many_counts, self.counts[2].itemsize
        self._dense = self._all_counts() if many and size * width <= MOST_DENSE_BYTES else None
        self._inputs = (
            self._all_inputs(self._dense) if self._dense is not None and size * 4 <= MOST_INPUT_BYTES else None
        )
        self._buffers_by_size: dict[int, _Buffers] = {}

    def slices(self, order: np.ndarray, size: int) -> Iterator[np.ndarray]:
        """`order` in pieces of `size` cells."""
        for first in range(0, len(order), size):
            yield order[first : first + size]

    def step(self, cells: np.ndarray, kl_weight: float, rate: float, *, dropout: bool = True) -> np.ndarray:
        """One step of Adam; returns mean reconstruction error and mean KL of this minibatch, nats per cell."""
        figures = self.gradients(cells, kl_weight, dropout=dropout)
        self.steps += 1
        for pieces, decay in self._pieces:
            kernels.adam(*pieces, self.steps, rate, self.config.adam_epsilon, decay)
        return figures

    @torch.no_grad()
    def gradients(self, cells: np.ndarray, kl_weight: float, *, dropout: bool = True) -> np.ndarray:
        """Fill self.gradient with the gradient of the mean loss; returns mean error and mean KL."""
        n, buffers, dropped = len(cells), self._buffers(len(cells)), self._dropout if dropout else 0.0
        if not self.model.training:
            self.model.train()
        covariates = self._covariates(cells)
        self._hidden_sums(buffers, cells, covariates)
        if dropped:
            draw_dropout(buffers.bits, self.generator)
        buffers.tensor["noise"].normal_(generator=self.generator)
        kernels.column_moments(
            buffers.array["sums"], NORM_EPSILON, NORM_MOMENTUM, *buffers.arrays("centre", "inverse_sd"), *self._running
        )
        self._norm_steps += 1
        kl = self._sample(buffers, buffers.arrays("centre", "inverse_sd"), dropout=dropped)
        error = self._decode(buffers, cells, covariates)
        self._encoder_gradient(buffers, cells, covariates, kl_weight, dropout=dropped)
        return np.array([error / n, kl / n])

    @torch.no_grad()
    def evaluate(self, cells: np.ndarray, size: int, generator: torch.Generator) -> tuple[float, float]:
        """Mean reconstruction error and KL of the validation cells, in evaluation mode, one draw of z a cell."""
        self.model.eval()
        norm, sums = self.model.encoder.norm, np.zeros(2)
        mean, variance, _ = _running_statistics(norm)
        moments_used = [mean.numpy(), (variance + NORM_EPSILON).rsqrt_().numpy()]
        loadings, intercept = self.model.linear_decoder.folded()
        loadings = loadings.T.contiguous()
        for piece in self.slices(cells, size):
            buffers, covariates = self._buffers(len(piece)), self._covariates(piece)
            self._hidden_sums(buffers, piece, covariates)
            buffers.tensor["noise"].normal_(generator=generator)
            kl = self._sample(buffers, moments_used, dropout=0.0)
            error = self._reconstruct(buffers, piece, covariates, loadings, intercept, self._validation_tables)
            sums += error, kl
        return float(sums[0] / len(cells)), float(sums[1] / len(cells))

    def _by_decay(self, flat: list[np.ndarray]) -> list[tuple[list[np.ndarray], float]]:
        """The flat arrays cut where the weight decay changes."""
        cut, first = [], 0
        for decay in sorted(set(self._decays.values())):
            size = sum(value.numel() for name, value in self.parameters.items() if self._decays[name] == decay)
            cut.append(([part[first : first + size] for part in flat], decay))
            first += size
        return cut

    def _buffers(self, n: int) -> _Buffers:
        if n not in self._buffers_by_size:
            gathered = self._has_many_counts and self._dense is None
            counts = self.counts[2].dtype if gathered else None
            self._buffers_by_size[n] = _Buffers(n, self.model.config, inputs=self._has_many_counts, counts=counts)
        return self._buffers_by_size[n]

    def _all_counts(self) -> np.ndarray:
        dense = np.empty((self.source.n_cells, self.source.n_genes), self.counts[2].dtype)
        kernels.make_dense(*self.counts, np.arange(self.source.n_cells), dense)
        return dense

    def _all_inputs(self, dense: np.ndarray) -> np.ndarray:
        inputs = np.empty(dense.shape, np.float32)
        kernels.fill_inputs(dense, np.arange(len(inputs)), inputs)
        return inputs

    def _rows(self, buffers: _Buffers, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Dense counts, and which of their rows are those of the cells."""
        return (buffers.counts, buffers.order) if self._dense is None else (self._dense, cells)

    def _covariates(self, cells: np.ndarray) -> Tensor | None:
        """The design of these cells (n, levels), None without covariates."""
        return self.source.covariates[torch.from_numpy(cells)] if self.source.covariates.shape[1] else None

    def _hidden_sums(self, buffers: _Buffers, cells: np.ndarray, covariates: Tensor | None) -> None:
        """The encoder's first layer, (n, hidden)."""
        weight, n_genes = self._tensor["encoder.hidden.weight"], self.source.n_genes
        if self._has_many_counts:
            self._fill_inputs(buffers, cells)
            bias = self._tensor["encoder.hidden.bias"]
            torch.addmm(bias, buffers.tensor["inputs"], weight[:n_genes], out=buffers.tensor["sums"])
        else:
            of_layer = self._value["encoder.hidden.weight"], self._value["encoder.hidden.bias"]
            kernels.hidden_sums(*self.counts, cells, self.log1p, *of_layer, buffers.array["sums"])
        if covariates is not None:
            buffers.tensor["sums"].addmm_(covariates, weight[n_genes:])

    def _fill_inputs(self, buffers: _Buffers, cells: np.ndarray) -> None:
        """log1p of the counts of these cells, (n, genes)."""
        if self._inputs is not None:
            np.take(self._inputs, cells, axis=0, out=buffers.array["inputs"], mode="clip")
            return
        if self._dense is None:
            kernels.make_dense(*self.counts, cells, buffers.counts)
        kernels.fill_inputs(*self._rows(buffers, cells), buffers.array["inputs"])

    def _sample(self, buffers: _Buffers, norm: list[np.ndarray], *, dropout: float) -> float:
        """From hidden sums to z; norm: mean and inverse standard deviation of the sums. Returns the summed KL."""
        sums, chances, hidden = buffers.arrays("sums", "chances", "hidden")
        gain, shift = self._value["encoder.norm.weight"], self._value["encoder.norm.bias"]
        kernels.norm_and_relu(sums, gain, shift, *norm, chances, dropout, dropout_bound(dropout), hidden)
        bias, weight = self._tensor["encoder.outputs.bias"], self._tensor["encoder.outputs.weight"]
        torch.addmm(bias, buffers.tensor["hidden"], weight, out=buffers.tensor["posterior"])
        return kernels.sample(*buffers.arrays("posterior", "noise"), LIMIT, self._simplex, *buffers.arrays("sd", "z"))

    def _decode(self, buffers: _Buffers, cells: np.ndarray, covariates: Tensor | None) -> float:
        """Summed reconstruction error; the gradients of the decoder, and buffers's d_z, are filled in."""
        decoder, gradient, z, n = self.model.linear_decoder, self.gradient, buffers.tensor["z"], len(cells)
        weight, intercept = self._tensor["decoder.loadings"], self._tensor["decoder.intercept"]  # (factors, genes)
        d_weight = self._d_tensor["decoder.loadings"]
        if not decoder.batch_norm:
            error = self._reconstruct(buffers, cells, covariates, weight, intercept, self._tables)
            torch.mm(weight, buffers.tensor["logits"].T, out=buffers.tensor["d_z"].T)
            torch.mm(z.T, buffers.tensor["logits"], out=d_weight)
        else:
            decoder.follow(z)
            mean, covariance = moments(z)
            spread = covariance @ weight  # (factors, genes)
            variance = (weight * spread).sum(dim=0).add_(NORM_EPSILON)
            scale = decoder.gain.detach() * variance.rsqrt()
            folded = weight * scale
            error = self._reconstruct(buffers, cells, covariates, folded, intercept - mean @ folded, self._tables)
            d_folded, d_intercept = torch.mm(z.T, buffers.tensor["logits"]), buffers.tensor["d_intercept"]
            scaled = scale * d_intercept
            d_scale = (d_folded * weight).sum(dim=0) - d_intercept * (mean @ weight)
            d_variance = -0.5 * d_scale * scale / variance
            torch.mul(d_scale, variance.rsqrt(), out=gradient["decoder.gain"])
            through_moments = (z - mean) @ ((weight * d_variance) @ weight.T) * (2.0 / n) - weight @ scaled / n
            torch.mm(folded, buffers.tensor["logits"].T, out=buffers.tensor["d_z"].T)
            buffers.tensor["d_z"].add_(through_moments)
            d_weight.copy_(d_folded * scale - torch.outer(mean, scaled) + 2.0 * d_variance * spread)
        if decoder.has_intercept:
            self._gradient["decoder.intercept"][:] = buffers.array["d_intercept"]
        self._gradient["log_theta"][:] = buffers.array["d_log_theta"]
        if covariates is not None:
            of_effects = (covariates.T @ buffers.tensor["logits"]).T
            gradient["decoder.covariate_loadings"].copy_(centred_levels(of_effects, decoder.level_counts))
        return error

    def _reconstruct(
        self,
        buffers: _Buffers,
        cells: np.ndarray,
        covariates: Tensor | None,
        loadings: Tensor,
        intercept: Tensor,
        tables: tuple[Any, ...],
    ) -> float:
        """Summed error; in buffers the gradient of its mean: in the logits, the intercept and log theta."""
        torch.addmm(intercept, buffers.tensor["z"], loadings, out=buffers.tensor["logits"])
        if covariates is not None:
            buffers.tensor["logits"].addmm_(covariates, self.model.linear_decoder.centred_covariates().T)
        log_theta, bounded = self._value["log_theta"], buffers.array["log_theta"]
        kernels.bound(log_theta, *THETA_BOUNDS, bounded)
        of_logits = (buffers.array["logits"], bounded, *buffers.arrays("d_intercept", "d_log_theta"))
        if self._has_many_counts:
            error = kernels.reconstruct_many(*self._rows(buffers, cells), cells, self.library_size[0], *of_logits)
        else:
            error = kernels.reconstruct(*self.counts, cells, *self.library_size, *of_logits)
        return error - len(cells) * kernels.interpolate(log_theta, bounded, *tables, buffers.array["d_log_theta"])

    def _encoder_gradient(
        self, buffers: _Buffers, cells: np.ndarray, covariates: Tensor | None, kl_weight: float, *, dropout: float
    ) -> None:
        n_genes, d_hidden = self.source.n_genes, buffers.tensor["d_hidden"]
        d_bias, d_sums = self._gradient["encoder.outputs.bias"], buffers.array["d_hidden"]
        kernels.sample_gradient(
            *buffers.arrays("posterior", "noise", "sd", "z", "d_z"),
            LIMIT,
            self._simplex,
            kl_weight,
            *buffers.arrays("d_posterior"),
            d_bias,
        )
        d_posterior, weight = buffers.tensor["d_posterior"], self._tensor["encoder.outputs.weight"]  # (hidden, outputs)
        torch.mm(buffers.tensor["hidden"].T, d_posterior, out=self._d_tensor["encoder.outputs.weight"])
        torch.mm(d_posterior, weight.T, out=d_hidden)
        # d_hidden becomes the gradient of the sums; that of their bias is 0 under batch norm
        norm = (self._value["encoder.norm.weight"], buffers.array["inverse_sd"], dropout)
        d_norm = (self._gradient["encoder.norm.weight"], self._gradient["encoder.norm.bias"])
        kernels.norm_and_relu_gradient(d_sums, *buffers.arrays("hidden", "sums"), *norm, *d_norm)
        d_weight = self._d_tensor["encoder.hidden.weight"]  # (inputs, hidden)
        if self._has_many_counts:
            torch.mm(buffers.tensor["inputs"].T, d_hidden, out=d_weight[:n_genes])
        else:
            d_of_genes = self._gradient["encoder.hidden.weight"][:n_genes]
            kernels.hidden_weight_gradient(*self.counts, cells, self.log1p, d_sums, d_of_genes)
        if covariates is not None:
            torch.mm(covariates.T, d_hidden, out=d_weight[n_genes:])

    def state(self) -> dict[str, Any]:
        """Adam's moments by parameter name, and its number of steps."""
        return {
            "steps": self.steps,
            "mean": {name: piece.clone() for name, piece in self._by_name(self.mean).items()},
            "square": {name: piece.clone() for name, piece in self._by_name(self.square).items()},
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what state() gave."""
        self.steps = state["steps"]
        for key, flat in (("mean", self.mean), ("square", self.square)):
            for name, piece in self._by_name(flat).items():
                piece.copy_(state[key][name])

    def _by_name(self, flat: Tensor) -> dict[str, Tensor]:
        pieces = flat.split([value.numel() for value in self.parameters.values()])
        return {
            name: _shaped(piece, value) for (name, value), piece in zip(self.parameters.items(), pieces, strict=True)
        }


def _shaped(piece: Tensor, value: Tensor) -> Tensor:
    """A flat piece in the shape of `value`; matrices lie column by column, so that a gene's encoder weights and a
    factor's loadings stand side by side."""
    return piece.view(value.T.shape).T if value.ndim == 2 else piece.view(value.shape)


def _in_memory_order(value: Tensor) -> Tensor:
    return value.T if value.ndim == 2 else value


def _running_statistics(norm: torch.nn.BatchNorm1d) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, variance and number of steps, in the norm's own memory."""
    mean, variance, steps = norm.running_mean, norm.running_var, norm.num_batches_tracked
    if mean is None or variance is None or steps is None:
        raise TypeError("this batch norm keeps no running statistics")
    return mean, variance, steps


def _tables(rising: RisingFactorials) -> tuple[Any, ...]:
    table = torch.stack([rising.values, rising.slopes], dim=2).transpose(0, 1)  # (genes, grid, 2)
    n_genes = len(table)
    return rising.low, rising.step, table.contiguous().numpy(), np.full(n_genes, -1), np.empty((n_genes, 4))
