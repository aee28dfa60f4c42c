"""What the training loop says while it works, and the answers it understands."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ldvae_core.answer import Answer
from ldvae_core.model.ldvae import LDVAE


@dataclass(frozen=True)
class HistoryPoint:
    """One reported point of the curves; errors, KL and ELBO in nats per cell, NaN where not measured."""

    epoch: float  # whole at the end of an epoch
    step: int
    train_reconstruction_error: float
    train_kl: float
    train_elbo: float
    validation_reconstruction_error: float
    validation_kl: float
    validation_elbo: float
    kl_weight: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Progress:
    """Where the run is, several times a second at most."""

    epoch: int  # being worked on, from 1
    n_epochs: int
    step: int
    n_steps: int
    seconds: float
    seconds_left: float
    cells_per_second: float
    kl_weight: float


@dataclass
class TrainingState:
    """Everything a run needs to go on bit by bit as if it had never stopped."""

    epochs_done: int = 0
    seconds: float = 0.0
    rate_factor: float = 1.0  # halved after a loss that was not finite
    rollbacks: int = 0
    best_elbo: float = -math.inf
    best_epoch: int = 0
    halvings: int = 0  # of the minibatch, after the memory of a GPU was too small
    notices: list[str] = field(default_factory=list)  # what people should know of how this run went
    history: list[HistoryPoint] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, taken every epoch: points do not change, so that they need no copy."""
        return {**vars(self), "notices": list(self.notices), "history": [vars(point) for point in self.history]}


@dataclass(frozen=True)
class Reports:
    """Where the loop reports to; the defaults do nothing."""

    on_tick: Callable[[Progress, LDVAE], Answer] = lambda progress, model: "go"
    on_point: Callable[[list[HistoryPoint], LDVAE], None] = lambda history, model: None
    on_checkpoint: Callable[[Any], None] = lambda trainer: None  # gets the Trainer
