"""Compile the training step ahead of the first run: `python -m ldvae_core.training.compile`, about ten seconds.

numba keeps what it compiled beside kernels.py (or, where that cannot be written to, in the user's cache), so that every
later run starts at once.
"""

import logging
from itertools import product
from pathlib import Path

import numpy as np
import torch

from ldvae_core.data.split import split_cells
from ldvae_core.data.synthetic import plant_programs
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.training.loop import Trainer

COMPILED_FOLDER = Path(__file__).parent / "__pycache__"


def is_compiled() -> bool:
    """Whether an earlier run has left what it compiled where numba looks first."""
    return any(COMPILED_FOLDER.glob("kernels.*.nbi"))


def compile_training_step() -> None:
    """Train a few cells for one epoch: with few counts and with many, with small ones and with some of 32 bits."""
    torch.set_num_threads(1)
    for depth, largest in product((30.0, 3000.0), (0, 2**15)):
        planted = plant_programs(n_cells=100, n_genes=200, n_factors=2, depth=depth, seed=0)
        counts = planted.counts.counts.copy()
        counts.data[0] += largest
        Trainer(
            counts,
            np.asarray(counts.sum(axis=1), dtype=np.float64).ravel(),
            split_cells(100, seed=0),
            np.zeros((100, 0)),
            model_config=ModelConfig(counts.shape[1], n_factors=2),
            training_config=TrainingConfig(n_epochs=1),
            device=torch.device("cpu"),
        ).train()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    compile_training_step()
