"""The map of a run: a job of its own lane, in every state that can end in, with a real process at last."""

import threading

import numpy as np
import pytest

from ldvae_core.errors import RunError, SettingsError
from ldvae_core.jobs import worker
from ldvae_core.jobs.kinds import Outcome
from ldvae_core.jobs.progress import Progress, write_progress
from ldvae_core.jobs.queue import Queue
from ldvae_core.runs import map_jobs
from ldvae_core.runs.additions import LEIDEN
from ldvae_core.runs.map_jobs import CELL_MAP, MAP_KIND, cancel_map, map_status, start_map
from ldvae_core.runs.maps import keep_map, read_map
from ldvae_core.work import KINDS
from ldvae_core.workspace import processes
from ldvae_core.workspace.folders import DEMO, listed_ids
from tests.runs.conftest import N_CELLS, wait_until

ME = processes.this_process()


def work(workspace, run_id, **asked) -> str:
    """Ask for the map and be the worker that computes it; the state this ends in."""
    start_map(workspace, run_id, **asked)
    assert worker.run(workspace, MAP_KIND, idle_seconds=0) == 0
    return map_status(workspace, run_id).state


@pytest.fixture(name="at_work")
def _at_work(workspace, finished_run, lanes):
    """A map whose job this process has claimed."""
    start_map(workspace, finished_run)
    lanes.take(MAP_KIND, ME, processes.Watch())
    return lanes.claim(CELL_MAP, ME)


def test_a_run_begins_without_a_map(workspace, finished_run):
    """Nothing there, nothing wrong."""
    assert map_status(workspace, finished_run).state == "none"
    assert read_map(workspace, finished_run, N_CELLS) is None


def test_the_result_can_be_read_and_is_an_annotation(workspace, finished_run, store):
    """Positions and clusters of every cell, what they were made with, and the clusters as an annotation."""
    assert work(workspace, finished_run, resolution=0.7) == "ready"
    status, made = map_status(workspace, finished_run), read_map(workspace, finished_run, N_CELLS)
    assert status.about["resolution"] == 0.7
    assert set(status.about["versions"]) == {"scanpy", "umap-learn", "pynndescent", "igraph"}
    assert made.positions.dtype == np.float32
    assert not isinstance(made.positions, np.memmap)  # Windows would not replace it
    clusters = store.additions(finished_run).annotations(N_CELLS)[LEIDEN]
    assert np.array_equal(clusters.codes, made.clusters)


def test_other_clusters_leave_the_map_as_it_is(workspace, finished_run, monkeypatch):
    """Only what was asked for is made again: no cell is placed twice."""
    work(workspace, finished_run, resolution=0.2)
    before = read_map(workspace, finished_run, N_CELLS)
    monkeypatch.setattr("ldvae_core.analysis.neighbours.place_cells", lambda *args, **options: 1 / 0)
    assert work(workspace, finished_run, resolution=3.0) == "ready"
    after = read_map(workspace, finished_run, N_CELLS)
    assert np.array_equal(before.positions, after.positions)
    assert after.clusters.max() > before.clusters.max()


def test_a_map_of_other_cells_is_refused(workspace, finished_run):
    """A damaged or foreign folder is said, not drawn."""
    work(workspace, finished_run)
    with pytest.raises(RunError, match=r"does not fit its cells\. Compute it again\."):
        read_map(workspace, finished_run, N_CELLS + 1)


@pytest.mark.parametrize(("fault", "words"), [
    (RunError("It cannot be.", "Do that."), "It cannot be. Do that."),
    (MemoryError(), "There was not enough memory for a map"),
    (OSError(28, "No space left on device"), "The disk is full"),
    (ZeroDivisionError("a secret path"), "The program made a mistake (error "),
], ids=["refused", "memory", "disk", "bug"])  # fmt: skip
def test_a_failure_says_its_reason(workspace, finished_run, monkeypatch, fault, words):
    """In words for people; it can be started again."""

    def fail(*args, **options):
        raise fault

    monkeypatch.setattr(map_jobs, "map_cells", fail)
    assert work(workspace, finished_run) == "failed"
    assert map_status(workspace, finished_run).job.error.startswith(words)
    monkeypatch.undo()
    assert work(workspace, finished_run) == "ready"


def test_a_failed_attempt_leaves_the_earlier_map(workspace, finished_run, monkeypatch):
    """What there was stays readable, and the failure can be forgotten."""
    work(workspace, finished_run)
    monkeypatch.setattr(map_jobs, "map_cells", lambda *args, **options: 1 / 0)
    assert work(workspace, finished_run) == "failed"
    assert map_status(workspace, finished_run).about["n_cells"] == N_CELLS
    assert read_map(workspace, finished_run, N_CELLS) is not None
    cancel_map(workspace, finished_run)
    assert map_status(workspace, finished_run).state == "ready"


def test_two_starts_at_once_give_one_job(workspace, finished_run, lanes):
    """However many people press the button, and also while it is computed."""
    threads = [threading.Thread(target=start_map, args=(workspace, finished_run)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lanes.take(MAP_KIND, ME, processes.Watch())
    job = lanes.claim(CELL_MAP, ME)
    start_map(workspace, finished_run, resolution=2.0)
    assert Queue(workspace).all(CELL_MAP) == [job]
    assert lanes.claim(CELL_MAP, ME) is None


def test_progress_is_that_of_every_job(workspace, finished_run, at_work):
    """Stage and share come from the job's progress file."""
    write_progress(worker.progress_file(workspace, at_work), Progress("clustering", 0.9, 1.0, 12.0))
    status = map_status(workspace, finished_run)
    assert (status.state, status.job.progress.stage, status.job.progress.share) == ("running", "clustering", 0.9)
    assert status.job.progress.seconds >= 12.0


def test_a_dead_process_reads_as_interrupted_and_can_be_started_again(workspace, finished_run, lanes, at_work):
    """Before and after the server has noticed."""
    with Queue(workspace).changing() as change:
        change._db.execute("UPDATE jobs SET owner = ?", (f"{processes.home()}/1/1",))
    assert map_status(workspace, finished_run).state == "interrupted"
    lanes.settle_dead(KINDS, processes.Watch())
    assert map_status(workspace, finished_run).state == "interrupted"
    start_map(workspace, finished_run)
    assert map_status(workspace, finished_run).state == "queued"


def test_cancelling_what_waits_is_done_at_once(workspace, finished_run):
    """And leaves no trace of it."""
    start_map(workspace, finished_run)
    cancel_map(workspace, finished_run)
    assert map_status(workspace, finished_run).state == "none"


@pytest.mark.parametrize("for_good", [True, False])
def test_a_deleted_run_does_not_come_back_with_its_map(workspace, finished_run, store, lanes, at_work, for_good):
    """The process that still computes it finds nothing to add it to."""
    made = map_jobs.map_cells(store.open(finished_run).factors["readable"])
    store.delete(finished_run, for_good=for_good)
    with pytest.raises(RunError, match="There is no run"):
        keep_map(store, finished_run, made, {})
    assert listed_ids(workspace.runs) == []
    assert lanes.beat(CELL_MAP, ME, at_work) == "pause"
    assert not lanes.settle(ME, at_work, Outcome("finished"))


def test_grouping_millions_of_cells_is_not_taken_for_death(workspace):
    """Leiden lets no other thread speak: a worker of another container may be silent for minutes."""
    watch, other = processes.Watch(), f"{processes.home().partition(':')[0]}:another/7/7"
    watch.silent_seconds(other, 1)
    watch._seen[other] = (1, watch._seen[other][1] - 200.0)
    assert not watch.is_dead(other, 1, patience=MAP_KIND.silent_seconds)
    assert watch.is_dead(other, 1)


def test_an_impossible_resolution_starts_nothing(workspace, finished_run):
    """Refused before anything is queued."""
    with pytest.raises(SettingsError):
        start_map(workspace, finished_run, resolution=1e6)
    assert map_status(workspace, finished_run).state == "none"


def test_an_unknown_run_is_named(workspace):
    """No folder is ever made for it."""
    with pytest.raises(RunError, match="There is no run 'nowhere'"):
        start_map(workspace, "nowhere")


@pytest.mark.kills
def test_the_demos_map_is_computed_by_a_real_process(workspace, work_on):
    """The read-only run that comes with the program: from the button to the result, progress rising."""
    start_map(workspace, DEMO)
    seen = []
    wait_until(lambda: seen.append(map_status(workspace, DEMO)) or not seen[-1].job.under_way, seconds=240)
    assert seen[-1].state == "ready", seen[-1]
    going = [status.job.progress.share for status in seen if status.state == "running"]
    assert going == sorted(going)
    assert read_map(workspace, DEMO, seen[-1].about["n_cells"]) is not None
