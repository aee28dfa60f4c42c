"""Runs are refined at their end; those made before are refined later, as runs of their own beside the old ones."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ldvae_core.analysis.metrics import reconstruction_error
from ldvae_core.data.prepare import DataChoices
from ldvae_core.data.synthetic import plant_programs
from ldvae_core.durable import read_json, write_json
from ldvae_core.errors import RunError
from ldvae_core.jobs import worker
from ldvae_core.jobs.queue import Queue
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.runs import execute as executing
from ldvae_core.runs.execute import execute
from ldvae_core.runs.opened import open_run_folder
from ldvae_core.runs.refine import STAGES, refine_run
from ldvae_core.runs.refine_jobs import REFINE_KIND, refine_status, start_refining
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.states import read_folder_state
from ldvae_core.training.refining import Outcome

COUNTS = plant_programs(n_cells=300, n_genes=60, n_factors=3, seed=2).counts


def start(folder: Path, **answers) -> Path:
    """A run of ten epochs in the folder."""
    RunSettings(
        "tiny", "demo", choices=DataChoices(gene_selection="variance", n_genes=60),
        model=ModelConfig(n_factors=3, n_hidden=16), training=TrainingConfig(n_epochs=10, threads=1, device="cpu"),
    ).write(folder)  # fmt: skip
    execute(folder, open_counts=lambda: COUNTS, **answers)
    return folder


@pytest.fixture
def old_run(tmp_path, monkeypatch):
    """The folder of a run as it was made before positions were refined."""
    with monkeypatch.context() as patch:
        patch.setattr(executing, "refined_model", lambda model, *rest, **more: Outcome(model, None, None, ""))
        folder = start(tmp_path / "old")
    metrics = read_json(folder / "metrics.json")
    for name in ("positions", "not_refined", "refit_rounds", "refit_dispersions", "drawn_from", "seconds_refining"):
        metrics.pop(name)
    write_json(folder / "metrics.json", metrics)
    return folder


def prints(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def error_from_exports(run) -> float:
    """The test error as a stranger recomputes it from the arrays."""
    factors, test = run.factors[run.axes], np.flatnonzero(run.split == 2)
    return reconstruction_error(
        run.counts.counts[test], factors.representation[test], factors.loadings, factors.intercept,
        factors.inverse_dispersion,
    ).mean()  # fmt: skip


def test_a_run_ends_refined_and_its_arrays_give_its_error(tmp_path):
    """On both kinds of axes, and the folder says how."""
    run = open_run_folder(start(tmp_path / "new"))
    assert run.has_refined_positions
    assert error_from_exports(run) == pytest.approx(run.metrics["test_reconstruction_error"], rel=1e-9)
    assert run.metrics["drawn_from"] in ("refined", "encoder")
    assert run.metrics["seconds_refining"] >= 0
    places = run.factors["as_trained"].rotation.T @ run.factors["readable"].rotation
    turned = run.factors["as_trained"].representation @ places
    assert np.allclose(turned, run.factors["readable"].representation, atol=1e-4)


def test_an_old_run_is_refined_beside_itself(old_run, tmp_path):
    """The old folder keeps every byte; the new one is a run with a lower error and the same curves and cells."""
    before, old = prints(old_run), open_run_folder(old_run)
    refine_run(old_run, tmp_path / "refined")
    assert prints(old_run) == before
    run = open_run_folder(tmp_path / "refined")
    assert (old.has_refined_positions, run.has_refined_positions) == (False, True)
    assert run.name == "tiny (refined)"
    assert run.metrics["test_reconstruction_error"] < old.metrics["test_reconstruction_error"]
    assert error_from_exports(run) == pytest.approx(run.metrics["test_reconstruction_error"], rel=1e-9)
    assert np.array_equal(run.split, old.split)
    pd.testing.assert_frame_equal(run.history, old.history)
    kept = ("n_cells", "epochs", "seconds_training", "best_epoch", "cells_per_second")
    assert [run.metrics[name] for name in kept] == [old.metrics[name] for name in kept]
    with pytest.raises(RunError, match="refined already"):
        refine_run(tmp_path / "refined", tmp_path / "again")


def test_a_refined_run_appears_whole_or_not_at_all(old_run, tmp_path, monkeypatch):
    """A process that ends in the middle leaves no run, and what it has written goes."""
    monkeypatch.setattr("ldvae_core.runs.refine.save_results", lambda *given, **more: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        refine_run(old_run, tmp_path / "refined")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old"]


def test_what_refining_has_done_is_told(old_run, tmp_path):
    """Its share rises, and the stages come in order."""
    told = []
    place = {stage: number for number, stage in enumerate(STAGES)}
    refine_run(old_run, tmp_path / "refined", on_progress=lambda stage, share: told.append((place[stage], share)))
    assert told == sorted(told)
    assert told[0][1] < told[-2][1] <= 1
    assert told[-1][0] == 1


@pytest.fixture
def run_to_refine(workspace, old_run):
    """Its id in a workspace, as it was made before positions were refined."""
    shutil.copytree(old_run, workspace.runs / "old")
    return "old"


def test_the_job_makes_a_run_beside_the_old_one(workspace, run_to_refine, store):
    """Once, however often it is asked for; the old run can be opened as before."""
    start_refining(workspace, run_to_refine)
    start_refining(workspace, run_to_refine)
    assert refine_status(workspace, run_to_refine).state == "queued"
    worker.run(workspace, REFINE_KIND, idle_seconds=0)
    status = refine_status(workspace, run_to_refine)
    assert status.state == "ready"
    assert store.open(status.refined_id).has_refined_positions
    assert store.card(status.refined_id).state == "finished"
    assert not store.open(run_to_refine).has_refined_positions
    store.delete(status.refined_id)
    assert refine_status(workspace, run_to_refine).state == "none"


def test_a_run_that_cannot_be_refined_starts_nothing(workspace, run_to_refine, finished_run):
    """Whatever the reason is, it is said."""
    (workspace.runs / run_to_refine / "model.npz").unlink()
    for run_id in (run_to_refine, finished_run):
        with pytest.raises(RunError, match="does not keep its trained network"):
            start_refining(workspace, run_id)
    assert Queue(workspace).all(REFINE_KIND.lane) == []


def test_a_run_without_its_network_cannot_be_refined(old_run, tmp_path):
    """And nothing is begun."""
    (old_run / "model.npz").unlink()
    with pytest.raises(RunError, match="does not keep its trained network"):
        refine_run(old_run, tmp_path / "refined")
    assert not (tmp_path / "refined").exists()


@pytest.mark.parametrize(("answer", "stage"), [("cancel", "cancelled"), ("pause", "paused"), ("stop", "finished")])
def test_refining_can_be_stopped(tmp_path, monkeypatch, answer, stage):
    """Cancelled or paused as training is; "stop" keeps the cells where the encoder puts them, and says so."""
    monkeypatch.setattr(executing, "SECONDS_BETWEEN_TICKS", 0.0)
    monkeypatch.setattr("ldvae_core.training.loop.SECONDS_BETWEEN_TICKS", 1e9)
    folder = start(tmp_path / "run", should_stop=lambda: answer)
    assert read_folder_state(folder).stage == stage
    if answer == "stop":
        metrics = read_json(folder / "metrics.json")
        assert (metrics["positions"], metrics["not_refined"]) == ("encoder", "it was stopped")
