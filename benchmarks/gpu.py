"""Training two million cells on one GPU; says so where there is none. Called by benchmarks/speed.py --part gpu."""

import argparse
import time

import numpy as np
import torch
from scipy import sparse

from benchmarks.data import simulated_counts
from benchmarks.report import conditions, table, write_section
from ldvae_core.data.split import split_cells
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.training.loop import Trainer

N_CELLS, N_GENES, N_FACTORS, N_EPOCHS = 1_950_000, 1000, 10, 10
TITLE = "One GPU, 1.95 million cells"


def measure(command: str, *, beside: bool = True) -> None:
    """Write the section: time of ten epochs, and time per epoch beside LinearSCVI (on a tenth of the cells)."""
    if not torch.cuda.is_available():
        write_section(TITLE, "No GPU measured: there was none on this machine.\n\n" + conditions(command))
        return
    block = simulated_counts(195_000, N_GENES, seed=0)
    whole = sparse.vstack([block] * 10, format="csr")
    rows = [[f"{N_CELLS:,} cells, {N_EPOCHS} epochs", f"{_ours(whole, N_EPOCHS):.1f}", "", ""]]
    if beside:
        for minibatch_size in (128, 1024):
            ours, theirs = _ours(block, 3, minibatch_size) / 3, _theirs(block, 3, minibatch_size) / 3
            title = f"195,000 cells, one epoch, minibatch {minibatch_size}"
            rows.append([title, f"{ours:.2f}", f"{theirs:.2f}", f"**{theirs / ours:.1f}**"])
    text = (
        f"{torch.cuda.get_device_name(0)}; {N_GENES:,} genes, {100 * whole.nnz / np.prod(whole.shape):.0f}% of entries "
        "not zero, counts already in memory. The paper: 5,468 s for ten epochs (GeForce RTX 2070).\n\n"
        + table(["work", "our seconds", "LinearSCVI's", "LinearSCVI / ours"], rows)
        + "\n\n"
        + conditions(command)
    )
    write_section(TITLE, text)


def _ours(counts: sparse.csr_matrix, n_epochs: int, minibatch_size: int | None = None) -> float:
    """Wall seconds of training alone; with no size given, the default of a GPU."""
    size = {} if minibatch_size is None else {"minibatch_size": minibatch_size}
    trainer = Trainer(
        counts,
        np.asarray(counts.sum(axis=1), dtype=np.float64).ravel(),
        split_cells(counts.shape[0], seed=0),
        np.zeros((counts.shape[0], 0)),
        model_config=ModelConfig(N_GENES, n_factors=N_FACTORS),
        training_config=TrainingConfig(n_epochs=n_epochs, patience=1.0, **size),
        device=torch.device("cuda"),
    )
    torch.cuda.synchronize()
    began = time.perf_counter()
    trainer.train()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def _theirs(counts: sparse.csr_matrix, n_epochs: int, minibatch_size: int) -> float:
    from benchmarks.outsiders import train_linearscvi

    marks: list[float] = []
    train_linearscvi(
        counts,
        split_cells(counts.shape[0], seed=0),
        n_factors=N_FACTORS,
        n_epochs=n_epochs,
        minibatch_size=minibatch_size,
        seed=0,
        accelerator="gpu",
        mark=lambda: marks.append(time.perf_counter()),
    )
    return marks[1] - marks[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alone", action="store_true", help="without LinearSCVI beside it")
    measure("python -m benchmarks.gpu", beside=not parser.parse_args().alone)
