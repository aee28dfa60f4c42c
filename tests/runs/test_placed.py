"""Cells placed on a run are kept with it, drawn as its own cells are, and can be had back once deleted."""

import numpy as np
import pytest

from ldvae_core.data.demo import load_demo
from ldvae_core.errors import RunError
from ldvae_core.jobs import worker
from ldvae_core.jobs.queue import Job
from ldvae_core.runs import placing_jobs
from ldvae_core.runs.opened import with_additions
from ldvae_core.runs.placed import NEAREST, STRANGE, as_run, placed_cards, read_placed
from ldvae_core.runs.placing_jobs import (
    PLACING_KIND,
    delete_placed,
    place_data,
    placing_status,
    restore_placed,
    start_placing,
)
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.folders import DEMO

N_CELLS = 240


@pytest.fixture
def some_cells(monkeypatch):
    """Instead of all cells of the demo, some of them."""
    counts = load_demo()
    some = counts.subset(cells=np.linspace(0, counts.n_cells - 1, N_CELLS).astype(int))
    monkeypatch.setattr(placing_jobs.Datasets, "open", lambda self, dataset_id: some)
    return some


@pytest.fixture
def placed_id(workspace, some_cells):
    """Cells of the demo, placed on the demo run by the worker."""
    made = start_placing(workspace, DEMO, DEMO)
    assert worker.run(workspace, PLACING_KIND, idle_seconds=0) == 0
    assert placing_status(workspace, DEMO, made).state == "finished"
    return made


def test_placed_cells_are_kept_and_read_again(workspace, placed_id, some_cells):
    """Where the run has them itself, on whatever axes and however these are turned; with their own annotations."""
    store = RunStore(workspace)
    kept = store.additions(DEMO)
    placed = read_placed(kept, placed_id)
    (card,) = placed_cards(kept)
    assert (card.placed_id, card.n_cells) == (placed_id, N_CELLS)
    kept.write_factor_note("readable", 0, flipped=True)
    opened = with_additions(store.open(DEMO), store.additions(DEMO))
    run = as_run(opened, placed)
    rows = opened.counts.annotations.index.get_indexer(some_cells.cell_ids)
    for axes, factors in opened.factors.items():
        assert np.abs(run.factors[axes].representation - factors.representation[rows]).max() < 1e-4
    known = set(some_cells.annotations.columns.astype(str))
    assert {NEAREST, STRANGE} | known == set(run.counts.annotations.columns.astype(str))
    assert (run.labels(NEAREST) == run.labels(opened.label_column).astype(str).to_numpy()).mean() > 0.8


def test_a_stopped_placing_leaves_nothing(workspace, some_cells):
    """And says that it was cancelled."""

    class Impatient:
        answer = staticmethod(lambda: "cancel")
        report = staticmethod(lambda _progress: None)

    job = Job(1, "placing", DEMO, "some-id", {"dataset": DEMO}, 1, "running", "", "", 0, "")
    assert place_data(workspace, job, Impatient()) == "cancelled"
    assert list((RunStore(workspace).additions(DEMO).folder / "placed").iterdir()) == []


def test_deleted_ones_can_be_had_back(workspace, placed_id):
    """For ten minutes."""
    kept = RunStore(workspace).additions(DEMO)
    delete_placed(workspace, DEMO, placed_id)
    assert placed_cards(kept) == []
    with pytest.raises(RunError, match="not placed on this run any more"):
        read_placed(kept, placed_id)
    restore_placed(workspace, DEMO, placed_id)
    assert [card.placed_id for card in placed_cards(kept)] == [placed_id]


def test_a_damaged_part_is_said(workspace, placed_id):
    """Instead of cells in wrong places."""
    kept = RunStore(workspace).additions(DEMO)
    np.save(kept.folder / "placed" / placed_id / "distance.npy", np.zeros(3, np.float32))
    with pytest.raises(RunError, match="do not fit together"):
        read_placed(kept, placed_id)
