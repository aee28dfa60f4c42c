"""How many threads a run trains with: found by a probe, once for each kind of model on a machine, then remembered.

More is not always faster: a step is short, and threads that wait for each other on shared cores made it eight times
slower. On processors torch itself keeps to one thread: a sum split over another number of them differs in its last bit,
and equal seeds shall give equal bits. The threads share out fixed pieces instead (pieces.py). The compiled engine works
on one thread.
"""

import contextlib
import os
import time
from pathlib import Path

import torch

from ldvae_core import durable
from ldvae_core.errors import LdvaeError
from ldvae_core.training.engine import TorchEngine
from ldvae_core.training.loop import Trainer

MOST_THREADS = 16
PROBE_STEPS = 4
WORTH_IT = 0.85  # twice the threads must bring the time below this share of the best so far


def remembered() -> Path:
    """The file of what was found on this machine; deleting it makes the next run probe again."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "gene-program-explorer" / "threads.json"


def choose_threads(trainer: Trainer, asked: int | None) -> int:
    """Set and return the threads of this trainer: as asked, else the fastest of 1, 2, 4 ... cores; 1 if compiled."""
    torch.set_flush_denormal(True)  # fractions that underflow would cost a hundred times a normal number
    cores = min(usable_cores(), MOST_THREADS)
    engine = trainer.engine
    if trainer.device.type != "cpu":
        threads = asked or min(cores, 4)
        torch.set_num_threads(threads)
        return threads
    torch.set_num_threads(1)
    if not isinstance(engine, TorchEngine):
        return 1
    threads = asked or (_found(trainer, engine, cores) if cores > 1 else 1)
    engine.pieces.share_out(threads)
    return threads


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _found(trainer: Trainer, engine: TorchEngine, cores: int) -> int:
    config = trainer.model.config
    kind = f"{cores} cores, {config.n_genes} genes, {trainer.minibatch_size} cells, {config.n_hidden} hidden units, "
    kind += f"{config.decoder}, {config.likelihood}, {config.library}, torch {torch.__version__}"
    path = remembered()
    known: dict[str, int] = {}
    with contextlib.suppress(LdvaeError, OSError, TypeError, ValueError):  # nothing there yet, or nothing to be read
        known = dict(durable.read_json(path))
    if isinstance(known.get(kind), int) and 1 <= known[kind] <= cores:
        return known[kind]
    threads = _probe(trainer, engine, cores)
    with contextlib.suppress(OSError):  # a home that cannot be written to: the next run probes again
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.write_json(path, {**known, kind: threads})
    return threads


def _probe(trainer: Trainer, engine: TorchEngine, cores: int) -> int:
    """Time a few steps with 1, 2, 4 ... threads; the trainer is left as it was."""
    before = trainer.snapshot()
    best, best_seconds, threads = 1, float("inf"), 1
    while threads <= cores:
        engine.pieces.share_out(threads)
        some = trainer.train_cells[: trainer.minibatch_size * (PROBE_STEPS + 1)]
        seconds = []  # the first step warms up
        for cells in engine.slices(some, trainer.minibatch_size):
            began = time.perf_counter()
            engine.step(cells, 1.0, trainer.rate)
            seconds.append(time.perf_counter() - began)
        fastest = min(seconds)  # the least disturbed step
        if fastest < WORTH_IT * best_seconds:
            best, best_seconds = threads, fastest
        threads *= 2
    trainer.restore(before)
    return best
