"""How fast training is beside LinearSCVI: `python -m benchmarks.speed --data FOLDER [--part NAME ...] [--genes NAME]`.

FOLDER holds the files of benchmarks/data.py. Every training runs in a process of its own, the two programs in turn, on
one thread, with the same cells, genes, split and minibatches. Writes its sections of docs/benchmarks.md.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from benchmarks.data import STUDIES, open_study, simulated_counts
from benchmarks.report import conditions, table, write_section
from ldvae_core.data.split import split_cells

CLOCKS = ("training_cpu", "cpu")  # of the training alone, and with start-up
GENES = {"variance": "of highest variance", "seurat_v3": "of our default selection"}
EPOCHS_TRIED = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 100)
LINEARSCVI_EPOCHS = 100
SIZES = (2_500, 10_000, 40_000, 160_000)
MEMORY_SIZE = 125_000


def train(program: str, counts: Path, *, epochs: int, **options: Any) -> dict[str, float]:
    """What benchmarks.one_training prints."""
    flags = [part for name, value in options.items() for part in _flag(name, value)]
    command = [sys.executable, "-m", "benchmarks.one_training", program, str(counts), "--epochs", str(epochs), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def _flag(name: str, value: Any) -> list[str]:
    option = "--" + name.replace("_", "-")
    return [option] if value is True else [option, str(value)]


def save(counts: sparse.csr_matrix, split: np.ndarray, folder: Path, name: str) -> Path:
    """Counts and split in one file that both programs read."""
    path = folder / f"{name}.npz"
    parts = {"data": counts.data, "indices": counts.indices, "indptr": counts.indptr, "shape": counts.shape}
    np.savez(path, **parts, split=split)
    return path


def epoch_times(
    files: dict[str, Path], n_train: dict[str, int], density: dict[str, str], genes: str, command: str
) -> None:
    """Seconds of processor time an epoch takes, from the difference of a longer and a shorter training."""
    rows = []
    for name, path in files.items():
        for minibatch_size in (128, 1024):
            ours, plain, theirs = [], [], []
            for _ in range(3):  # in turn, so that a busy spell hits all
                theirs.append(_an_epoch("linearscvi", path, 1, 4, minibatch_size))
                ours.append(_an_epoch("ours", path, 4, 24, minibatch_size))
                plain.append(_an_epoch("plain", path, 1, 5, minibatch_size))
            ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
            per_1000 = [f"{statistics.median(part) / n_train[name] * 1000 * 10:.3f}" for part in (theirs, plain, ours)]
            rows.append([name, density[name], minibatch_size, *per_1000, f"**{ratio:.1f}**"])
            print(rows[-1], flush=True)
    columns = [
        "data, 1,000 genes",
        "not zero",
        "minibatch",
        "LinearSCVI",
        "ours, plain PyTorch",
        "ours",
        "LinearSCVI / ours",
    ]
    text = (
        "Processor seconds per 1,000 training cells and 10 epochs, one thread, 10 factors, no validation. Median of "
        "three rounds in turn. The minibatch of 1,024 is the faster one for LinearSCVI.\n\n"
        f"{table(columns, rows)}\n\n"
        "The paper (Fig. S5, read off the notebooks): 3.1 s per 1,000 cells and 10 epochs on a CPU, 2.2 s on a GPU.\n\n"
        + conditions(command)
    )
    write_section(f"Time per epoch on a processor, genes {genes}", text)


def _an_epoch(program: str, path: Path, short: int, long: int, minibatch_size: int) -> float:
    options = {"minibatch_size": minibatch_size, "steps_only": True}
    few, many = (train(program, path, epochs=epochs, **options)["training_cpu"] for epochs in (short, long))
    return (many - few) / (long - short)


def time_to_error(files: dict[str, Path], genes: str, command: str) -> None:
    """Seconds until our test error is as low as LinearSCVI's after 100 epochs."""
    rows = []
    for name, path in files.items():
        theirs = train("linearscvi", path, epochs=LINEARSCVI_EPOCHS)
        best = train("linearscvi", path, epochs=LINEARSCVI_EPOCHS, minibatch_size=1024)
        for epochs in EPOCHS_TRIED:
            ours = train("ours", path, epochs=epochs)
            if ours["test_error"] <= theirs["test_error"]:
                break
        reached = ours["test_error"] <= theirs["test_error"]
        alone, whole = (f"{theirs[clock] / ours[clock]:.0f}" if reached else "not reached" for clock in CLOCKS)
        row = [name, f"{theirs['test_error']:.1f}", f"{theirs['training_cpu']:.1f} ({theirs['cpu']:.1f})", epochs]
        row += [f"{ours['test_error']:.1f}", f"{ours['training_cpu']:.2f} ({ours['cpu']:.1f})"]
        row += [f"**{alone}**", whole, f"{best['test_error']:.1f} in {best['training_cpu']:.1f}"]
        rows.append(row)
        print(rows[-1], flush=True)
    columns = ["data, 1,000 genes", "LinearSCVI: test error after 100 epochs", "its seconds (with start-up)"]
    columns += ["our epochs", "our test error", "our seconds (with start-up)", "training, LinearSCVI / ours"]
    columns += ["with start-up", "LinearSCVI at minibatch 1,024: error, seconds"]
    text = (
        "Test error in nats per cell at the posterior mean, by one outside scorer (scipy). Processor seconds on one "
        "thread; start-up is everything from launching Python to posterior means of all cells. Our number of epochs is "
        f"the smallest of {', '.join(map(str, EPOCHS_TRIED))} whose whole run reaches the error. After 100 epochs the "
        "KL has a quarter of its weight in LinearSCVI and all of it in ours, which favours LinearSCVI here.\n\n"
        f"{table(columns, rows)}\n\n" + conditions(command)
    )
    write_section(f"Time until LinearSCVI's test error, genes {genes}", text)


def growth(folder: Path, command: str) -> None:
    """Seconds per cell from 2,500 to 160,000 cells, and memory at 125,000."""
    rows, memory = [], {}
    for n_cells in (*SIZES, MEMORY_SIZE):
        counts = simulated_counts(n_cells, 1000, seed=0)
        path = save(counts, split_cells(n_cells, seed=0), folder, f"simulated_{n_cells}")
        epochs = max(2, 200_000 // n_cells)
        found = train("ours", path, epochs=epochs + 1, steps_only=True)
        if n_cells == MEMORY_SIZE:
            in_counts = (counts.data.nbytes + counts.indices.nbytes) / 2**20
            memory = {"beyond": found["peak_mb"], "counts": in_counts}
            continue
        seconds = statistics.median(_an_epoch("ours", path, 2, 2 + epochs, 128) for _ in range(3))
        rows.append([f"{n_cells:,}", f"{seconds:.3f}", f"{seconds / (0.8 * n_cells) * 1e6:.2f}"])
        print(rows[-1], flush=True)
    times = [float(row[2]) for row in rows]
    text = (
        f"Simulated counts, 1,000 genes, {counts.nnz / counts.shape[0] / 10:.0f}% of entries not zero, minibatch 128, "
        "one thread.\n\n"
        + table(["cells", "seconds an epoch", "microseconds per training cell"], rows)
        + f"\n\nLargest over smallest time per cell: {max(times) / min(times):.2f}. "
        f"Training {MEMORY_SIZE:,} cells needs {memory['beyond']:.0f} MB beyond the counts themselves "
        f"({memory['counts']:.0f} MB), compiled code included.\n\n" + conditions(command)
    )
    write_section("Growth with the number of cells, and memory", text)


def main() -> None:
    """Measure the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", choices=["epoch", "error", "size", "gpu"], action="append")
    parser.add_argument("--genes", choices=GENES, action="append", help="of the parts epoch and error; both by default")
    asked = parser.parse_args()
    parts = asked.part or ["epoch", "error", "size", "gpu"]
    command = "python -m benchmarks.speed --data FOLDER " + " ".join(f"--part {part}" for part in parts)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for selection in (asked.genes or GENES) if {"epoch", "error"} & set(parts) else ():
            files, n_train, density = {}, {}, {}
            for name, study in STUDIES.items():
                data = open_study(asked.data, study, n_genes=1000, selection=selection)
                files[name] = save(data.counts, data.split, folder, f"{Path(study.file).stem}_{selection}")
                n_train[name] = int((data.split == 0).sum())
                density[name] = f"{100 * data.counts.nnz / np.prod(data.counts.shape):.0f}%"
            with_genes = f"{command} --genes {selection}"
            if "epoch" in parts:
                epoch_times(files, n_train, density, GENES[selection], with_genes)
            if "error" in parts:
                time_to_error(files, GENES[selection], with_genes)
        if "size" in parts:
            growth(folder, command)
        if "gpu" in parts:
            from benchmarks.gpu import measure

            measure(command)


if __name__ == "__main__":
    main()
