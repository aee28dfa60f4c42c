"""How long training takes on this machine: `python -m benchmarks.speed [--minibatch-size 128] [--epochs 10]`.

Trains on the embedded demo (1,000 genes, 10 factors), the fast path and the plain path in one run, on one thread, and
prints a table. Times are processor seconds of this process, which other work on the machine disturbs least; compare the
ratio of the two rows, not one row with another machine's.
"""

import argparse
import platform
import time

import numpy as np
import torch

from ldvae_core.data.demo import load_demo
from ldvae_core.data.prepare import DataChoices, prepare
from ldvae_core.data.split import split_cells
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.training.loop import Trainer


def seconds_of_training(*, fast: bool, minibatch_size: int, n_epochs: int, n_genes: int) -> tuple[float, int]:
    """Processor seconds of the epochs alone (no reading, no start), and how many training cells there were."""
    counts = prepare(load_demo(), DataChoices(gene_selection="variance", n_genes=n_genes))
    trainer = Trainer(
        counts.counts,
        counts.library_size,
        split_cells(counts.n_cells, seed=0),
        np.zeros((counts.n_cells, 0)),
        model_config=ModelConfig(counts.n_genes),
        training_config=TrainingConfig(n_epochs=n_epochs, minibatch_size=minibatch_size, patience=1.0),
        device=torch.device("cpu"),
        fast=fast,
    )
    began = time.process_time()
    trainer.train()
    return time.process_time() - began, len(trainer.train_cells)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minibatch-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--genes", type=int, default=1000)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print(f"{platform.machine()}, one thread, torch {torch.__version__}, minibatch {asked.minibatch_size}")
    print("| path | processor seconds per 1,000 cells and 10 epochs |\n|---|---|")
    for name, fast in (("fast", True), ("plain", False)):
        seconds, n_train = seconds_of_training(
            fast=fast, minibatch_size=asked.minibatch_size, n_epochs=asked.epochs, n_genes=asked.genes
        )
        print(f"| {name} | {seconds / n_train * 1000 * 10 / asked.epochs:.3f} |", flush=True)


if __name__ == "__main__":
    main()
