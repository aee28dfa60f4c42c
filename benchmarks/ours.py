"""Our own training, called as the worker calls it, with the result in the form that the outside scorer reads."""

from typing import Any

import numpy as np
import torch

from benchmarks.data import Prepared
from benchmarks.outsiders import Fitted
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.training.loop import Trainer
from ldvae_core.training.score import folded_decoder, represent


def make_trainer(
    data: Prepared, *, n_factors: int, fast: bool = True, model: dict[str, Any] | None = None, **training: Any
) -> Trainer:
    """A Trainer on the processor for prepared counts."""
    n_cells, n_genes = data.counts.shape
    return Trainer(
        data.counts,
        data.library_size,
        data.split,
        np.zeros((n_cells, 0)),
        model_config=ModelConfig(n_genes, n_factors=n_factors, **(model or {})),
        training_config=TrainingConfig(**training),
        device=torch.device("cpu"),
        fast=fast,
    )


def fitted(trainer: Trainer) -> Fitted:
    """What a trained Trainer says of all cells."""
    z = represent(trainer.model, trainer.source).mean
    loadings, intercept = folded_decoder(trainer.model, z, np.zeros((len(z), 0)))
    theta = trainer.model.bounded_log_theta().detach().double().exp().numpy()
    return Fitted(z, loadings, intercept, theta)
