"""Runs small enough to train in a second."""

import numpy as np
import pytest
import torch

from ldvae_core.data.split import split_cells
from ldvae_core.data.synthetic import Planted, plant_programs
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.training.loop import Trainer


@pytest.fixture(scope="session")
def planted() -> Planted:
    """Two thousand cells of 300 genes, in which 5 programs are known."""
    return plant_programs(n_cells=2000, n_genes=300, n_factors=5, seed=1)


@pytest.fixture(scope="session")
def few_cells() -> Planted:
    """Three hundred cells of 60 genes, in which 3 programs are known."""
    return plant_programs(n_cells=300, n_genes=60, n_factors=3, seed=2)


@pytest.fixture
def trainer_for(threads):
    """trainer_for(planted, model={...}, **training settings) gives a Trainer on one thread."""
    torch.set_num_threads(threads)

    def build(planted: Planted, *, model: dict | None = None, fast: bool = True, **training) -> Trainer:
        counts = planted.counts
        settings = {"n_factors": planted.loadings.shape[1], **(model or {})}
        return Trainer(
            counts.counts,
            counts.library_size,
            split_cells(counts.n_cells, seed=training.get("seed", 0)),
            np.zeros((counts.n_cells, 0)),
            model_config=ModelConfig(counts.n_genes, **settings),
            training_config=TrainingConfig(**training),
            device=torch.device("cpu"),
            fast=fast,
        )

    return build
