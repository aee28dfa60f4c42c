"""One training in a process of its own: `python -m benchmarks.one_training ours|linearscvi COUNTS.npz ...`.

Prints one JSON object: seconds of the whole process until the model can be read (start-up, imports and posterior means
included), seconds of the training alone, both as wall clock and as processor time, and the test error by the outside
scorer. Other benchmarks call it, so that neither program profits from what the other has loaded.
"""

import time

BEGAN = (time.perf_counter(), time.process_time())

import argparse  # noqa: E402  (the clock starts before anything is loaded)
import json  # noqa: E402
import os  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from scipy import sparse  # noqa: E402


def main() -> None:
    """Train as asked, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", choices=["ours", "plain", "linearscvi"])
    parser.add_argument("counts")
    parser.add_argument("--factors", type=int, default=10)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--minibatch-size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps-only", action="store_true", help="one validation cell, no scoring: for timing epochs")
    asked = parser.parse_args()
    os.environ.update({name: str(asked.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")})
    with np.load(asked.counts, allow_pickle=False) as saved:
        counts = sparse.csr_matrix((saved["data"], saved["indices"], saved["indptr"]), shape=saved["shape"])
        split = saved["split"]
    if asked.steps_only:
        split[np.flatnonzero(split == 1)[1:]] = 2
    train = _ours if asked.program != "linearscvi" else _linearscvi
    marks, fitted, extra = train(asked, counts, split)
    ended = (time.perf_counter(), time.process_time())
    found: dict[str, Any] = {
        "wall": ended[0] - BEGAN[0],
        "cpu": ended[1] - BEGAN[1],
        "training_wall": marks[1][0] - marks[0][0],
        "training_cpu": marks[1][1] - marks[0][1],
        **extra,
    }
    if not asked.steps_only:
        from benchmarks.outsiders import held_out_error

        found["test_error"] = held_out_error(counts, np.flatnonzero(split == 2), fitted)
    print(json.dumps(found))


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _ours(asked: argparse.Namespace, counts: sparse.csr_matrix, split: np.ndarray) -> tuple[Any, ...]:
    import psutil
    import torch

    from benchmarks.data import Prepared
    from benchmarks.ours import fitted, make_trainer

    torch.set_num_threads(asked.threads)
    torch.set_flush_denormal(True)
    library_size = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    process = psutil.Process()
    before = process.memory_info().rss
    trainer = make_trainer(
        Prepared(counts, library_size, split, np.empty(0)),
        n_factors=asked.factors,
        fast=asked.program == "ours",
        n_epochs=asked.epochs,
        minibatch_size=asked.minibatch_size,
        seed=asked.seed,
        patience=1.0,
    )
    began = _now()
    trainer.train()
    marks = began, _now()
    peak = _peak_memory()
    return marks, fitted(trainer), {"peak_mb": (peak - before) / 2**20, "baseline_mb": before / 2**20}


def _linearscvi(asked: argparse.Namespace, counts: sparse.csr_matrix, split: np.ndarray) -> tuple[Any, ...]:
    import torch

    from benchmarks.outsiders import train_linearscvi

    torch.set_num_threads(asked.threads)
    marks: list[tuple[float, float]] = []
    result = train_linearscvi(
        counts,
        split,
        n_factors=asked.factors,
        n_epochs=asked.epochs,
        minibatch_size=asked.minibatch_size,
        seed=asked.seed,
        mark=lambda: marks.append(_now()),
    )
    return tuple(marks), result, {}


def _peak_memory() -> int:
    """Largest resident size of this process so far, in bytes."""
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
