"""One small training as the dashboard does it: a file, a safe reader, the queue, a process of its own, its results."""

import time
from pathlib import Path

import anndata
import numpy as np
import pandas as pd

from ldvae_core.data.choices import DataChoices
from ldvae_core.data.counts import CountMatrix
from ldvae_core.errors import RunError
from ldvae_core.jobs.dispatcher import Dispatcher, start_worker
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.runs.opened import OpenRun
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.store import RunStore
from ldvae_core.runs.training_jobs import TRAINING, TRAINING_KIND
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import Workspace

LONGEST_SECONDS = 600.0  # on a slow machine whose training step has to be compiled first
WORK = "ldvae_core.work"  # the module that is a worker
GOING = ("queued", "running")
LAST_WORDS = 600  # characters of a log
REMEDY = "Close other programs and try again; if it stays, send this output to whoever looks after the program."


def train_trial(
    root: Path,
    counts: CountMatrix,
    *,
    model: ModelConfig,
    training: TrainingConfig,
    seconds: float = LONGEST_SECONDS,
) -> OpenRun:
    """Load the counts from a file into a workspace at `root` and train on them; the finished run.

    Raises LdvaeError in words when the file is refused, the run fails, or it has not finished after `seconds`.
    """
    workspace = Workspace(root).make()
    file = root / "simulation.h5ad"
    _write(counts, file)
    with open(file, "rb") as content:
        data = Datasets(workspace).add_upload(file.name, content)
    choices = DataChoices(gene_selection="variance", n_genes=counts.n_genes)
    settings = RunSettings(name="selfcheck", data_source=data, choices=choices, model=model, training=training)
    store, lanes = RunStore(workspace), Lanes(workspace)
    run_id = store.jobs.submit(settings)
    dispatcher = Dispatcher(workspace, {TRAINING: TRAINING_KIND}, start_worker(WORK))
    dispatcher.start()
    try:
        until = time.monotonic() + seconds
        while (card := store.card(run_id)).state in GOING and time.monotonic() < until and not store.jobs.trouble():
            time.sleep(0.2)
        trouble = store.jobs.trouble()
        while lanes.worker(TRAINING) is not None and time.monotonic() < until and not trouble:
            time.sleep(0.2)  # it still has the log open
    finally:
        dispatcher.stop()
    if card.state != "finished":
        said = card.error or trouble or f"It was {card.state} after {seconds:.0f} seconds."
        raise RunError(f"A training in a process of its own did not finish. {said} {_last_words(workspace)}", REMEDY)
    return store.open(run_id)


def _write(counts: CountMatrix, file: Path) -> None:
    names = {"obs": pd.DataFrame(index=list(counts.cell_ids)), "var": pd.DataFrame(index=list(counts.gene_names))}
    anndata.AnnData(X=counts.counts.astype(np.float32), **names).write_h5ad(file)


def _last_words(workspace: Workspace) -> str:
    """The end of the latest log that says anything."""
    for path in sorted(workspace.logs.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True):
        if words := path.read_text(encoding="utf-8", errors="replace").strip():
            return f"Its last words: {' '.join(words.split())[-LAST_WORDS:]}"
    return ""
