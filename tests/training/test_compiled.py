"""Compiled in this process, loaded from the cache, or without a cache: the training step gives the same bits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TRAIN = """
import hashlib, numpy, torch
from ldvae_core.data.split import split_cells
from ldvae_core.data.synthetic import plant_programs
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.training import cpu_engine
from ldvae_core.training.loop import Trainer

torch.set_num_threads(1)
for depth in (30.0, 3000.0):  # few counts, many counts
    counts = plant_programs(n_cells=150, n_genes=200, n_factors=2, depth=depth, seed=0).counts
    trainer = Trainer(
        counts.counts, counts.library_size, split_cells(150, seed=0), numpy.zeros((150, 0)),
        model_config=ModelConfig(counts.counts.shape[1], n_factors=2), training_config=TrainingConfig(n_epochs=2),
        device=torch.device("cpu"),
    )
    assert isinstance(trainer.engine, cpu_engine.CpuEngine)
    trainer.train()
    weights = b"".join(value.numpy().tobytes() for value in trainer.model.state_dict().values())
    print(hashlib.sha256(weights).hexdigest())
"""


def _trained(**environment: str) -> str:
    """Hashes of all weights after training in a process of its own."""
    command = [sys.executable, "-c", TRAIN]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(name="first", scope="module")
def _first(tmp_path_factory) -> tuple[str, Path]:
    """What a training gives that finds nothing compiled, and the cache it leaves."""
    cache = tmp_path_factory.mktemp("numba")
    return _trained(NUMBA_CACHE_DIR=str(cache)), cache


def test_the_first_training_after_an_install_gives_the_bits_of_later_ones(first):
    """It compiles every loop; the next one loads them."""
    weights, cache = first
    kept = {path: path.stat().st_mtime_ns for path in cache.rglob("*.nbc")}
    assert kept
    assert _trained(NUMBA_CACHE_DIR=str(cache)) == weights
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.nbc")} == kept  # nothing was compiled again


def test_an_installation_that_cannot_be_written_to_trains_to_the_same_bits(first):
    """numba finds no place for its cache, and every process compiles for itself."""
    weights, _ = first
    assert _trained(NUMBA_CACHE_LOCATOR_CLASSES="ZipCacheLocator") == weights
