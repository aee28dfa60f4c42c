"""The map of a run: computed by a process of its own, in every state that can end in, with real kills."""

import os
import threading

import numpy as np
import psutil
import pytest

from ldvae_core.durable import read_json, write_json
from ldvae_core.errors import RunError, SettingsError
from ldvae_core.runs import map_process, maps
from ldvae_core.runs.additions import LEIDEN
from ldvae_core.runs.maps import NEWS, cancel_map, map_status, read_map, start_map
from ldvae_core.workspace import processes
from ldvae_core.workspace.folders import DEMO
from tests.runs.conftest import N_CELLS, wait_until


def work(workspace, run_id, *more) -> int:
    """Be the process that computes the map."""
    return map_process.main([str(workspace.root), run_id, *more])


def stand_in(monkeypatch, code: str) -> None:
    """In place of the real process, one that does what the code says."""
    real = maps.subprocess.Popen
    monkeypatch.setattr(maps.subprocess, "Popen", lambda command, **options: real([command[0], "-c", code], **options))


@pytest.fixture(name="endless")
def _endless(monkeypatch, workspace, finished_run):
    """A process that never ends by itself; what still runs at the end is ended."""
    stand_in(monkeypatch, "import time; time.sleep(60)")
    yield finished_run
    cancel_map(workspace, finished_run)


def owner_of(store, run_id) -> str:
    return read_json(store.additions(run_id).folder / NEWS)["owner"]


@pytest.fixture(autouse=True)
def _same_priority(monkeypatch):
    """Being the process must not slow down all other tests."""
    monkeypatch.setattr(map_process.os, "nice", lambda by: by, raising=False)


def test_a_run_begins_without_a_map(workspace, finished_run):
    """Nothing there, nothing wrong."""
    assert map_status(workspace, finished_run).state == "none"
    assert read_map(workspace, finished_run, N_CELLS) is None


def test_the_result_can_be_read_and_is_an_annotation(workspace, finished_run, store):
    """Positions and clusters of every cell, what they were made with, and the clusters as an annotation."""
    assert work(workspace, finished_run, "0.7") == 0
    status, made = map_status(workspace, finished_run), read_map(workspace, finished_run, N_CELLS)
    assert status.state == "ready"
    assert status.about["resolution"] == 0.7
    assert set(status.about["versions"]) == {"scanpy", "umap-learn", "pynndescent", "igraph"}
    assert made.positions.dtype == np.float32
    assert not isinstance(made.positions, np.memmap)  # Windows would not replace it
    clusters = store.additions(finished_run).annotations(N_CELLS)[LEIDEN]
    assert np.array_equal(clusters.codes, made.clusters)


def test_other_clusters_leave_the_map_as_it_is(workspace, finished_run, monkeypatch):
    """Only what was asked for is made again: no cell is placed twice."""
    work(workspace, finished_run, "0.2")
    before = read_map(workspace, finished_run, N_CELLS)
    monkeypatch.setattr("ldvae_core.analysis.neighbours.place_cells", lambda *args, **options: 1 / 0)
    assert work(workspace, finished_run, "3") == 0
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
    (MemoryError(), "There was not enough memory"),
    (OSError(28, "No space left on device"), "The disk is full."),
    (ZeroDivisionError("a secret path"), "The program made a mistake (error "),
], ids=["refused", "memory", "disk", "bug"])  # fmt: skip
def test_a_failure_says_its_reason(workspace, finished_run, monkeypatch, fault, words):
    """In words for people; it can be started again."""

    def fail(*args, **options):
        raise fault

    monkeypatch.setattr(map_process, "map_cells", fail)
    assert work(workspace, finished_run) == 1
    status = map_status(workspace, finished_run)
    assert (status.state, status.error[: len(words)]) == ("failed", words)
    monkeypatch.undo()
    assert (work(workspace, finished_run), map_status(workspace, finished_run).state) == (0, "ready")


def test_a_failed_attempt_leaves_the_earlier_map(workspace, finished_run, monkeypatch):
    """What there was stays readable."""
    work(workspace, finished_run)
    monkeypatch.setattr(map_process, "map_cells", lambda *args, **options: 1 / 0)
    work(workspace, finished_run)
    assert map_status(workspace, finished_run).state == "failed"
    assert map_status(workspace, finished_run).about["n_cells"] == N_CELLS
    assert read_map(workspace, finished_run, N_CELLS) is not None


def test_two_starts_at_once_give_one_process(workspace, endless, store, monkeypatch):
    """However many people press the button."""
    begun, real = [], maps._start_process
    monkeypatch.setattr(maps, "_start_process", lambda *given: begun.append(1) or real(*given))
    threads = [threading.Thread(target=start_map, args=(workspace, endless)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 1
    assert map_status(workspace, endless).state == "running"
    assert work(workspace, endless) == map_process.ANOTHER_ONE_WORKS


@pytest.mark.kills
def test_a_killed_process_reads_as_interrupted_and_can_be_started_again(workspace, endless, store):
    """kill -9: said at once, and the next start begins anew."""
    start_map(workspace, endless)
    first = owner_of(store, endless)
    psutil.Process(processes.pid_of(first)).kill()
    wait_until(lambda: map_status(workspace, endless).state == "interrupted")
    start_map(workspace, endless)
    assert map_status(workspace, endless).state == "running"
    assert owner_of(store, endless) != first


@pytest.mark.kills
def test_cancelling_ends_the_process(workspace, endless, store):
    """And leaves no trace of it."""
    start_map(workspace, endless)
    owner = owner_of(store, endless)
    cancel_map(workspace, endless)
    wait_until(lambda: not processes.is_alive(owner))
    assert map_status(workspace, endless).state == "none"


def test_a_silent_process_of_another_machine_is_dead_in_the_end(workspace, finished_run, store):
    """It cannot be looked up: it lives as long as it writes."""
    boot = processes.home().partition(":")[0]
    news = store.additions(finished_run).make() / NEWS
    write_json(news, maps.news_of(f"{boot}:1/77/5", "clustering", started=0.0))
    assert map_status(workspace, finished_run).state == "running"
    os.utime(news, (0, 0))
    assert map_status(workspace, finished_run).state == "interrupted"


def test_an_impossible_resolution_starts_nothing(workspace, finished_run):
    """Refused before any process is started."""
    with pytest.raises(SettingsError):
        start_map(workspace, finished_run, resolution=1e6)
    assert map_status(workspace, finished_run).state == "none"


def test_an_unknown_run_is_named(workspace):
    """No folder is ever made for it."""
    with pytest.raises(RunError, match="There is no run 'nowhere'"):
        start_map(workspace, "nowhere")


@pytest.mark.kills
def test_the_demos_map_is_computed_by_a_real_process(workspace):
    """The read-only run that comes with the program: from the button to the result, progress rising."""
    start_map(workspace, DEMO)
    shares = []
    wait_until(lambda: shares.append(map_status(workspace, DEMO)) or shares[-1].state != "running", seconds=240)
    assert shares[-1].state == "ready", shares[-1]
    going = [status.share for status in shares[:-1]]
    assert going == sorted(going)
    assert read_map(workspace, DEMO, shares[-1].about["n_cells"]) is not None
