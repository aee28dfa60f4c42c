"""A workspace of one's own, small data, and runs in every state."""

import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ldvae_core.analysis.factors import Factors, save_factors
from ldvae_core.data.counts import CountMatrix, make_count_matrix
from ldvae_core.data.folder import save_counts
from ldvae_core.durable import write_array, write_json, write_table
from ldvae_core.jobs.dispatcher import Dispatcher, start_worker
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.jobs.queue import Job
from ldvae_core.runs.opened import HISTORY_COLUMNS
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.states import write_folder_state
from ldvae_core.runs.store import RunStore
from ldvae_core.runs.training_jobs import TRAINING_KIND, TrainingJobs
from ldvae_core.workspace import processes
from ldvae_core.workspace.folders import Workspace

N_CELLS, N_GENES, N_FACTORS = 60, 30, 3


@pytest.fixture(name="workspace")
def _workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path / "home").make()


@pytest.fixture(name="jobs")
def _jobs(workspace) -> TrainingJobs:
    return TrainingJobs(workspace)


@pytest.fixture(name="lanes")
def _lanes(workspace) -> Lanes:
    return Lanes(workspace)


@pytest.fixture(name="store")
def _store(workspace) -> RunStore:
    return RunStore(workspace)


def settings_named(name: str = "quick", **changes) -> RunSettings:
    return RunSettings(name=name, data_source="demo", **changes)


def small_counts(seed: int = 0) -> CountMatrix:
    rng = np.random.default_rng(seed)
    cells = [f"cell{position}" for position in range(N_CELLS)]
    labels = np.array(["blood", "gut", None], dtype=object)[np.arange(N_CELLS) % 3]
    return make_count_matrix(
        sparse.csr_matrix(rng.poisson(3.0, (N_CELLS, N_GENES))),
        cell_ids=cells,
        gene_names=[f"Gene{position}" for position in range(N_GENES)],
        annotations=pd.DataFrame({"cell_type": labels, "age": np.arange(N_CELLS) / 2}, index=cells),
    )


def small_factors(counts: CountMatrix, axes: str = "readable") -> Factors:
    """Factor k moves gene k up most; nothing else is meant to be true of it."""
    loadings = np.zeros((N_GENES, N_FACTORS), np.float32)
    loadings[np.arange(N_FACTORS), np.arange(N_FACTORS)] = 2.0
    loadings[np.arange(N_FACTORS) + 5, np.arange(N_FACTORS)] = -1.0
    ones = np.ones(N_FACTORS)
    return Factors(
        axes=axes,
        prior="normal",
        gene_names=counts.gene_names,
        representation=np.random.default_rng(1).normal(size=(N_CELLS, N_FACTORS)).astype(np.float32),
        loadings=loadings,
        loadings_se=np.full_like(loadings, 0.1),
        loadings_shrunken=loadings,
        loadings_shrunken_sd=np.full_like(loadings, 0.1),
        intercept=np.zeros(N_GENES, np.float32),
        inverse_dispersion=np.ones(N_GENES, np.float32),
        explained_deviance=ones / 10,
        active=ones > 0,
        flipped=ones < 0,
        trained_as=np.full(N_FACTORS, -1) if axes == "readable" else np.arange(N_FACTORS),
        rotation=np.eye(N_FACTORS),
    )


@pytest.fixture(name="finished_run")
def _finished_run(workspace, finished_folder) -> str:
    """A run with all its results, made without a queue, as the command line makes one."""
    shutil.copytree(finished_folder, workspace.runs / "done")
    return "done"


@pytest.fixture(name="finished_folder", scope="session")
def _finished_folder(tmp_path_factory) -> Path:
    folder, counts = tmp_path_factory.mktemp("finished") / "done", small_counts()
    settings_named("Done").write(folder)
    save_counts(counts, folder / "counts")
    write_array(folder / "split.npy", (np.arange(N_CELLS) % 3).astype(np.int8))
    write_table(folder / "history.parquet", pd.DataFrame({name: [1.0, 2.0] for name in HISTORY_COLUMNS}))
    for axes in ("readable", "as_trained"):
        save_factors(small_factors(counts, axes), folder / "factors" / axes)
    sizes = {"n_cells": N_CELLS, "n_genes": N_GENES, "epochs": 2}
    write_json(folder / "metrics.json", {**sizes, "test_reconstruction_error": 12.5, "test_elbo": -14.0})
    write_folder_state(folder, "finished")
    return folder


@pytest.fixture(name="work_on")
def _work_on(workspace):
    """The dispatcher of a page server with the real kinds; what still runs at the end is ended."""
    from ldvae_core.work import KINDS

    dispatcher = Dispatcher(workspace, KINDS, start_worker("ldvae_core.work"), interval_seconds=0.2)
    dispatcher.start()
    yield dispatcher
    dispatcher.stop()
    end_workers(workspace, KINDS)


def end_workers(workspace: Workspace, lanes: Iterable[str]) -> None:
    """End every worker of these lanes."""
    for lane in lanes:
        processes.end(Lanes(workspace).worker(lane) or "")


def claim(workspace: Workspace, owner: str | None = None) -> Job | None:
    """Take the next waiting run, as the worker of the lane."""
    owner = owner or processes.this_process()
    Lanes(workspace).take(TRAINING_KIND, owner, processes.Watch())
    return Lanes(workspace).claim("training", owner)


def wait_until(true, seconds: float = 10.0) -> None:
    """Return as soon as `true()` is; fail after `seconds`."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def state_is(store: RunStore, run_id: str, state: str) -> bool:
    return store.card(run_id).state == state
