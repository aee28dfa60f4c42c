"""Deleted runs and data sets come back as they were, and go for good after ten minutes."""

import time

import numpy as np
import pytest

from ldvae_core.errors import RunError
from ldvae_core.runs.additions import FactorNote
from ldvae_core.workspace.datasets import Datasets
from tests.runs.conftest import settings_named


@pytest.fixture(name="later")
def _later(monkeypatch):
    """Let ten minutes pass."""
    now = time.time()
    return lambda: monkeypatch.setattr(time, "time", lambda: now + 601)


def test_a_deleted_run_is_nowhere_and_comes_back(store, finished_run):
    """Neither listed nor opened nor added to; then all of it is there again."""
    store.additions(finished_run).write_factor_note("as_trained", 0, name="blood")
    before = sorted(path.name for path in (store.workspace.runs / finished_run).rglob("*"))
    kept = store.additions(finished_run)
    store.delete(finished_run)
    assert finished_run not in [card.run_id for card in store.cards()]
    with pytest.raises(RunError, match="There is no run"):
        store.open(finished_run)
    with pytest.raises(RunError, match="was deleted meanwhile"):
        kept.write_factor_note("as_trained", 0, name="liver")
    assert [run_id for run_id, _, _ in store.deleted()] == [finished_run]
    store.restore(finished_run)
    assert sorted(path.name for path in (store.workspace.runs / finished_run).rglob("*")) == before
    assert store.additions(finished_run).factor_notes("as_trained")[0].name == "blood"


def test_a_waiting_run_comes_back_paused(store):
    """It is not trained while it is deleted, and not started by having it back."""
    run_id = store.jobs.submit(settings_named())
    store.delete(run_id)
    assert store.jobs.find(run_id).state == "paused"
    store.restore(run_id)
    assert store.card(run_id).state == "paused"
    store.jobs.request(run_id, "resume")
    assert store.card(run_id).state == "queued"


def test_ten_minutes_later_whoever_lists_removes_it(store, finished_run, later):
    """Neither files nor a row in the queue are left."""
    run_id = store.jobs.submit(settings_named())
    store.delete(run_id)
    store.delete(finished_run)
    store.cards()
    assert (store.workspace.runs / finished_run).exists()
    later()
    store.cards()
    assert list(store.workspace.runs.iterdir()) == []
    assert store.jobs.all() == {}
    with pytest.raises(RunError, match="deleted for good meanwhile"):
        store.restore(finished_run)


def test_a_run_had_back_is_not_swept(store, finished_run, later):
    """Its mark is gone, whatever the clock says."""
    store.delete(finished_run)
    store.restore(finished_run)
    later()
    assert finished_run in [card.run_id for card in store.cards()]


def test_a_taken_back_note_is_as_before_unless_somebody_wrote_since(store, finished_run):
    """Undo never overwrites another person's words."""
    kept = store.additions(finished_run)
    first = kept.write_factor_note("as_trained", 0, name="blood", who="Anna")
    kept.take_back_factor_note("as_trained", 0, to=FactorNote(), written=first)
    assert kept.factor_notes("as_trained")[0].name == ""
    mine = kept.write_factor_note("as_trained", 0, name="blood", who="Anna")
    kept.write_factor_note("as_trained", 0, notes="Not blood.", who="Bo")
    with pytest.raises(RunError, match="Somebody has changed it since"):
        kept.take_back_factor_note("as_trained", 0, to=FactorNote(), written=mine)
    assert kept.factor_notes("as_trained")[0].notes == "Not blood."


def test_a_deleted_selection_comes_back_with_its_cells(store, finished_run):
    """Under its id, so that links to it go on working; not beside another one of its name."""
    kept, cells = store.additions(finished_run), np.arange(40) % 3 == 0
    made = kept.save_selection("late", cells, who="", view="", taken=[])
    kept.delete_selection(made.selection_id)
    kept.restore_selection(made, cells)
    assert kept.selections() == [made]
    assert (kept.cells_of(made, 40) == cells).all()
    kept.delete_selection(made.selection_id)
    kept.save_selection("Late", cells, who="", view="", taken=[])
    with pytest.raises(RunError, match="another selection 'late' by now"):
        kept.restore_selection(made, cells)


def small_table():
    """60 cells, 30 genes."""
    header = "gene," + ",".join(f"c{cell}" for cell in range(60))
    rows = [f"g{gene}," + ",".join(str((gene * cell + 1) % 7) for cell in range(60)) for gene in range(30)]
    return "\n".join([header, *rows]).encode()


@pytest.fixture(name="dataset")
def _dataset(store):
    """A small table that was loaded."""
    return Datasets(store.workspace).add_upload("mine.csv", small_table())


def test_a_deleted_data_set_comes_back(store, dataset):
    """Gone from the list, then there as before."""
    datasets = Datasets(store.workspace)
    store.delete_data(dataset)
    assert dataset not in [card.dataset_id for card in datasets.list()]
    assert [card.dataset_id for card, _ in datasets.deleted()] == [dataset]
    datasets.restore(dataset)
    assert datasets.open(dataset).n_cells == 60


def test_a_deleted_data_set_goes_for_good_when_listed_late(store, dataset, later):
    """Its folder is removed."""
    store.delete_data(dataset)
    later()
    Datasets(store.workspace).list()
    assert not (store.workspace.datasets / dataset).exists()


def test_data_that_a_run_has_to_read_cannot_be_deleted(store, dataset):
    """A waiting run would fail."""
    settings = settings_named()
    object.__setattr__(settings, "data_source", dataset)
    store.jobs.submit(settings)
    with pytest.raises(RunError, match="still has to read this data set"):
        store.delete_data(dataset)
    assert dataset in [card.dataset_id for card in Datasets(store.workspace).list()]


def test_a_deleted_data_set_that_is_loaded_again_is_there(store, dataset):
    """Under the same id, and not swept ten minutes later."""
    store.delete_data(dataset)
    datasets = Datasets(store.workspace)
    assert datasets.add_upload("mine.csv", small_table()) == dataset
    assert dataset in [card.dataset_id for card in datasets.list()]
    assert datasets.deleted() == ()


def test_the_demo_is_not_deleted(store):
    """It belongs to the program."""
    with pytest.raises(RunError, match="belongs to the program"):
        store.delete_data("demo")
