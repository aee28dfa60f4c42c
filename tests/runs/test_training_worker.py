"""The training process does what was asked, run after run, and no failure of one touches another."""

import re
import threading
from dataclasses import replace

import pytest

from ldvae_core.durable import read_json
from ldvae_core.jobs import worker
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.runs.states import read_folder_state
from ldvae_core.workspace import processes
from tests.runs.conftest import settings_named, state_is, wait_until
from tests.runs.stand_in import TRAINING, train


def work(jobs, **options) -> int:
    """Be the worker until nothing waits."""
    return worker.run(jobs.workspace, options.pop("kind", TRAINING), idle_seconds=0, **options)


@pytest.fixture(name="at_work")
def _at_work(jobs, monkeypatch):
    """A worker in a thread, with a fast pulse, and an endless run in its hands."""
    monkeypatch.setattr(worker, "BEAT_SECONDS", 0.02)
    run_id, ending = jobs.submit(settings_named("endless")), threading.Event()
    thread = threading.Thread(target=work, args=(jobs,), kwargs={"ending": ending})
    thread.start()
    wait_until((jobs.workspace.runs / run_id / "progress.json").exists)
    yield run_id
    ending.set()
    thread.join()


def test_waiting_runs_are_executed_in_order_and_the_worker_leaves(jobs, store, lanes):
    """It works until nothing waits, and gives the lock back."""
    done, ids = [], [jobs.submit(settings_named()) for _ in range(3)]

    def noted(workspace, job, control):
        done.append(job.subject)
        return train(workspace, job, control)

    assert work(jobs, kind=replace(TRAINING, perform=noted)) == 0
    assert done == ids
    assert {store.card(run_id).state for run_id in ids} == {"finished"}
    assert lanes.worker("training") is None


@pytest.mark.parametrize(("name", "state", "error"), [
    ("refused", "failed", r"^These counts cannot be used\. Load others\.$"),
    ("broken", "failed", r"^The program made a mistake \(error [0-9a-f]{8}\)\. The details are in the log"),
    ("vague", "failed", r"^The program made a mistake"),
    ("full", "failed", r"^The disk is full: [\d,]+ MB are free .* Make room, then resume this run\.$"),
    ("quick", "finished", r"^$"),
])  # fmt: skip
def test_every_end_is_written_down_in_words(jobs, store, name, state, error):
    """What people can act on is said; what they cannot is a number, with the details in the log alone."""
    run_id, after = jobs.submit(settings_named(name)), jobs.submit(settings_named())
    work(jobs)
    card = store.card(run_id)
    assert card.state == state
    assert re.search(error, card.error), card.error
    assert "somebody" not in card.error
    assert read_folder_state(jobs.workspace.runs / run_id).stage == state
    assert store.card(after).state == "finished"


def test_a_process_that_lost_its_gpu_ends_and_leaves_the_next_run_to_another(jobs, store, lanes):
    """CUDA refuses everything in a process after a fault: the run fails in words, the next one still waits."""
    run_id, after = jobs.submit(settings_named("lost")), jobs.submit(settings_named())
    work(jobs)
    assert (store.card(run_id).state, store.card(run_id).error) == (
        "failed",
        "The GPU failed during this run. Resume the run.",
    )
    assert store.card(after).state == "queued"
    assert lanes.worker("training") is None
    work(jobs)
    assert store.card(after).state == "finished"


def test_the_traceback_of_a_mistake_is_in_the_log(jobs, store, caplog):
    """The number on the screen finds it."""
    run_id = jobs.submit(settings_named("broken"))
    work(jobs)
    number = store.card(run_id).error.partition("(error ")[2][:8]
    record = next(record for record in caplog.records if number in record.getMessage())
    assert record.exc_info[0] is ZeroDivisionError


def test_stop_keeps_what_was_learned(jobs, store, at_work):
    """A stopped run has results."""
    jobs.request(at_work, "stop")
    wait_until(lambda: state_is(store, at_work, "stopped"))
    assert (jobs.workspace.runs / at_work / "checkpoint.json").exists()


def test_cancel_keeps_only_what_was_asked_for(jobs, store, at_work):
    """Partial results are removed; run.json stays."""
    jobs.request(at_work, "cancel")
    wait_until(lambda: state_is(store, at_work, "cancelled"))
    assert {file.name for file in (jobs.workspace.runs / at_work).iterdir()} == {"run.json", "state.json"}


def test_a_paused_run_goes_on_where_it_was(jobs, store, at_work):
    """The checkpoint is kept, and the resumed run starts from it."""
    jobs.request(at_work, "pause")
    wait_until(lambda: state_is(store, at_work, "paused"))
    reached = store.progress(at_work).done
    assert read_json(jobs.workspace.runs / at_work / "began.json") == {"step": 0}
    jobs.request(at_work, "resume")
    work_on = threading.Thread(target=work, args=(jobs,))
    work_on.start()
    wait_until(lambda: store.progress(at_work).done > reached)
    jobs.request(at_work, "stop")
    work_on.join()  # at once where the first worker had not left yet: then it has taken the run up again itself
    wait_until(lambda: state_is(store, at_work, "stopped"))
    assert read_json(jobs.workspace.runs / at_work / "began.json")["step"] >= reached


def test_a_request_shows_on_the_card_until_it_is_done(jobs, store, at_work, monkeypatch):
    """The page can say "stopping" at once."""
    assert store.card(at_work).request == ""
    jobs.request(at_work, "stop")
    assert store.card(at_work).request in ("stop", "")
    wait_until(lambda: state_is(store, at_work, "stopped"))
    assert store.card(at_work).request == ""


def test_a_second_worker_leaves_at_once(jobs, at_work, monkeypatch):
    """One worker at a time: two would fight for the cores."""
    monkeypatch.setattr(processes, "this_process", lambda: f"{processes.home()}/1/another")
    assert work(jobs) == worker.ANOTHER_ONE_WORKS


def test_a_missed_heartbeat_does_not_end_a_training(jobs, store, at_work, monkeypatch):
    """A queue that is locked for a moment costs nothing."""
    before = store.progress(at_work).done
    monkeypatch.setattr(Lanes, "beat", lambda *_: (_ for _ in ()).throw(OSError("locked")))
    wait_until(lambda: store.progress(at_work).done > before + 5)
    monkeypatch.undo()
    assert store.card(at_work).state == "running"


def test_a_run_whose_folder_is_damaged_fails_alone(jobs, store):
    """The queue goes on behind it."""
    run_id, after = jobs.submit(settings_named()), jobs.submit(settings_named())
    (jobs.workspace.runs / run_id / "run.json").write_text("{")
    work(jobs)
    assert "run.json" in store.card(run_id).error
    assert [store.card(key).state for key in (run_id, after)] == ["failed", "finished"]
