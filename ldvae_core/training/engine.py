"""What takes the steps: autograd on any device here, or the compiled kernels of cpu_engine.py on processors."""

import logging
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ldvae_core.model.config import REFERENCE_MINIBATCH, TrainingConfig
from ldvae_core.model.ldvae import LDVAE, ElboTerms, InPieces, LinearDecoder, Minibatch, whole
from ldvae_core.training.fused import RisingFactorials, fused_elbo
from ldvae_core.training.minibatches import Cells, MinibatchSource
from ldvae_core.training.pieces import Pieces

log = logging.getLogger(__name__)

MOMENTS = {"exp_avg": "mean", "exp_avg_sq": "square"}  # torch's names of Adam's moments, and ours
PRIOR_WEIGHTS = ("decoder.loadings", "encoder.hidden.weight", "encoder.outputs.weight")  # also a library encoder's


class Engine(Protocol):
    """One step of training, and an evaluation. `cells` are what slices() hands out."""

    def slices(self, order: np.ndarray, size: int) -> Iterable[Any]:
        """Indices of cells, `size` at a time."""

    def step(self, cells: Any, kl_weight: float, rate: float, *, dropout: bool = True) -> Any:
        """One step of Adam, with the model's dropout or without.

        Returns mean reconstruction error and mean KL of this minibatch, two numbers.
        """

    def evaluate(self, cells: np.ndarray, size: int, generator: torch.Generator) -> tuple[float, float]:
        """Mean reconstruction error and KL of `cells` in evaluation mode, nats per cell, one draw of z a cell."""

    def state(self) -> dict[str, Any]:
        """The optimiser's state: "steps", and by parameter name "mean" and "square"."""

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what state() of any engine gave."""


class TorchEngine:
    """Steps by autograd: the plain ELBO, or with rising factorials the fused one."""

    def __init__(
        self,
        model: LDVAE,
        source: MinibatchSource,
        rising: RisingFactorials | None,
        config: TrainingConfig,
        generator: torch.Generator,
        n_train: int,
    ) -> None:
        self.model, self.source, self.rising, self.generator = model, source, rising, generator
        self.parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
        decays = weight_decays(model, config, n_train)
        self.optimizer = torch.optim.Adam(
            [
                {"params": [self.parameters[name] for name in decays if decays[name] == decay], "weight_decay": decay}
                for decay in sorted(set(decays.values()))
            ],
            lr=config.rate_for(REFERENCE_MINIBATCH),  # every step brings its own
            eps=config.adam_epsilon,
            fused=True,
        )
        self.pieces = Pieces()
        self.in_pieces: InPieces = self.pieces if source.device.type == "cpu" else whole
        self.steps = 0

    def slices(self, order: np.ndarray, size: int) -> Iterable[Cells]:
        """Indices on the device, `size` at a time."""
        return self.source.slices(order, size)

    def step(self, cells: Cells, kl_weight: float, rate: float, *, dropout: bool = True) -> Tensor:
        """One step of Adam; returns mean reconstruction error and mean KL, still on the device."""
        self.model.train()
        self.model.set_dropout(on=dropout)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        terms = self.terms(self.source.gather(cells))
        self.optimizer.zero_grad(set_to_none=True)
        terms.loss(kl_weight).backward()
        self.optimizer.step()
        self.steps += 1
        return torch.stack([terms.reconstruction_error.detach().mean(), _kl(terms).detach().mean()])

    def terms(self, batch: Minibatch) -> ElboTerms:
        """The ELBO of a minibatch by this engine's path."""
        if self.rising is None:
            return self.model.elbo(batch, self.generator, in_pieces=self.in_pieces)
        return fused_elbo(self.model, batch, self.rising, self.generator, in_pieces=self.in_pieces)

    @torch.no_grad()
    def evaluate(self, cells: np.ndarray, size: int, generator: torch.Generator) -> tuple[float, float]:
        """Mean reconstruction error and KL of `cells` by the plain formulas."""
        self.model.eval()
        sums = torch.zeros(2, dtype=torch.float64)
        for batch in self.source.in_order(cells, size):
            terms = self.model.elbo(batch, generator, in_pieces=self.in_pieces)
            sums += torch.stack([terms.reconstruction_error.sum(), _kl(terms).sum()]).cpu()
        error, kl = (sums / len(cells)).tolist()
        return error, kl

    def state(self) -> dict[str, Any]:
        """Adam's moments by parameter name, and its number of steps."""
        zero = {name: torch.zeros_like(value) for name, value in self.parameters.items()}
        found = {name: self.optimizer.state.get(value, {}) for name, value in self.parameters.items()}
        return {
            "steps": self.steps,
            "mean": {name: found[name].get("exp_avg", zero[name]).clone() for name in found},
            "square": {name: found[name].get("exp_avg_sq", zero[name]).clone() for name in found},
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what state() gave."""
        self.steps = state["steps"]
        for name, value in self.parameters.items():
            kept = {key: torch.empty_like(value).copy_(state[place][name]) for key, place in MOMENTS.items()}
            step = torch.tensor(float(self.steps), device=value.device if value.is_cuda else "cpu")
            self.optimizer.state[value] = {"step": step, **kept}


def weight_decays(model: LDVAE, config: TrainingConfig, n_train: int) -> dict[str, float]:
    """Weight decay of every trained parameter, by name.

    A normal prior of standard deviation s on a weight adds weight^2 / (2 s^2) to the loss of all n_train cells
    together, so weight / (n_train s^2) to the gradient of their mean. It holds for the loadings and the encoder's
    weights: in few shallow cells it is what keeps programs apart from noise; in many cells it vanishes. Under batch
    norm the size of the loadings means nothing, and they have none.
    """
    prior = 1.0 / (n_train * config.weight_prior_sd**2) if config.weight_prior_sd else 0.0
    normed = isinstance(model.decoder, LinearDecoder) and model.decoder.batch_norm
    held = tuple(PRIOR_WEIGHTS if not normed else set(PRIOR_WEIGHTS) - {"decoder.loadings"})
    return {
        name: config.weight_decay + (prior if name.endswith(held) else 0.0)
        for name, value in model.named_parameters()
        if value.requires_grad
    }


def make_engine(
    model: LDVAE,
    source: MinibatchSource,
    config: TrainingConfig,
    generator: torch.Generator,
    *,
    n_train: int,
    rising: RisingFactorials | None,
    rising_validation: RisingFactorials | None,
) -> Engine:
    """The fastest engine for this model here: compiled on processors, else autograd.

    rising: tables of the training cells, None for a model that only the plain path knows.
    """
    if rising is not None and rising_validation is not None and source.device.type == "cpu":
        try:
            from ldvae_core.training.cpu_engine import CpuEngine  # loads numba, which is not there on every machine
        except ImportError as fault:
            log.warning("The compiled training step is not available (%s): training takes the slower path.", fault)
        else:
            decays = weight_decays(model, config, n_train)
            return CpuEngine(model, source, rising, rising_validation, config, generator, decays)
    return TorchEngine(model, source, rising, config, generator, n_train)


def _kl(terms: ElboTerms) -> Tensor:
    return terms.kl_factors + terms.kl_library
