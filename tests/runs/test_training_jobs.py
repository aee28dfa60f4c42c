"""The queue keeps its promises: one run a submission, first come first served, nothing lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ldvae_core.errors import RunError
from ldvae_core.jobs.kinds import Outcome
from ldvae_core.runs.states import read_folder_state, write_folder_state
from ldvae_core.runs.training_jobs import TRAINING_KIND, TrainingJobs
from ldvae_core.workspace import processes
from ldvae_core.workspace.folders import Workspace
from tests.runs.conftest import claim, settings_named

ME = processes.this_process()
KINDS = {"training": TRAINING_KIND}
DEAD = f"{processes.home()}/1/1"


@pytest.fixture(name="claimed")
def _claimed(jobs) -> str:
    """A run that this process works on."""
    run_id = jobs.submit(settings_named("endless"))
    claim(jobs.workspace)
    write_folder_state(jobs.workspace.runs / run_id, "training")
    return run_id


def test_sixty_four_submissions_with_one_token_make_one_run(tmp_path):
    """Two tabs, or an impatient finger, start one run."""
    workspace, start = Workspace(tmp_path), threading.Barrier(64)

    def submit(_):
        start.wait()
        return TrainingJobs(workspace).submit(settings_named(), token="form-1")

    with ThreadPoolExecutor(64) as pool:
        assert len(set(pool.map(submit, range(64)))) == 1
    assert len(list(workspace.runs.iterdir())) == len(TrainingJobs(workspace).all()) == 1


def test_many_submissions_without_a_token_make_many_runs(jobs):
    """Nothing is lost when many submit at the same moment."""
    with ThreadPoolExecutor(16) as pool:
        ids = set(pool.map(lambda _: jobs.submit(settings_named()), range(16)))
    assert len(ids) == 16
    assert set(jobs.all()) == ids


def test_a_submission_cut_off_before_the_queue_is_taken_up_again(jobs, monkeypatch):
    """The folder is written first; a second try with the same token finds it and adds the row."""
    monkeypatch.setattr(
        "ldvae_core.jobs.queue.Change.enqueue", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        jobs.submit(settings_named(), token="t")
    monkeypatch.undo()
    assert [jobs.submit(settings_named(), token="t")] == [path.name for path in jobs.workspace.runs.iterdir()]


def test_an_unknown_data_set_is_refused_before_anything_is_made(jobs):
    """A run without data would only fail later."""
    settings = settings_named()
    object.__setattr__(settings, "data_source", "/etc/passwd")
    with pytest.raises(RunError, match=r"There is no data set '/etc/passwd'\. Known are: none; and demo\."):
        jobs.submit(settings)
    assert not list(jobs.workspace.runs.iterdir())


def test_runs_are_taken_in_the_order_they_came(jobs, lanes):
    """First come, first served; a resumed run goes to the end."""
    first, second, third = (jobs.submit(settings_named()) for _ in range(3))
    jobs.request(first, "pause")
    jobs.request(first, "resume")
    lanes.take(TRAINING_KIND, ME, processes.Watch())
    taken = [lanes.claim("training", ME) for _ in range(3)]
    assert [job.subject for job in taken] == [second, third, first]
    assert [job.arguments for job in taken] == [{}, {}, {"resume": True}]
    assert lanes.claim("training", ME) is None


def test_two_claims_never_give_the_same_run(jobs, lanes):
    """Claiming is one step, even for many threads."""
    ids = {jobs.submit(settings_named()) for _ in range(8)}
    lanes.take(TRAINING_KIND, ME, processes.Watch())
    with ThreadPoolExecutor(16) as pool:
        claimed = [job.subject for job in pool.map(lambda _: lanes.claim("training", ME), range(16)) if job]
    assert sorted(claimed) == sorted(ids)


def test_only_the_worker_with_the_lock_can_claim(jobs, lanes):
    """One worker at a time works in a workspace; a live one is never pushed aside, a dead one is."""
    jobs.submit(settings_named())
    assert lanes.take(TRAINING_KIND, DEAD, processes.Watch())
    assert lanes.take(TRAINING_KIND, ME, processes.Watch())
    assert not lanes.take(TRAINING_KIND, "another", processes.Watch())
    assert lanes.claim("training", "another") is None
    assert lanes.claim("training", ME) is not None


def test_the_lock_is_not_released_while_a_run_waits(jobs, lanes):
    """A run submitted at the moment a worker leaves is not left behind."""
    lanes.take(TRAINING_KIND, ME, processes.Watch())
    jobs.submit(settings_named())
    assert not lanes.release("training", ME, only_if_idle=True)
    assert lanes.worker("training") == ME


@pytest.mark.parametrize("what", ["stop", "cancel", "pause"])
def test_a_request_reaches_the_worker(jobs, claimed, what, lanes):
    """What is asked on a page arrives with the next heartbeat."""
    assert lanes.beat("training", ME, jobs.find(claimed)) == ""
    jobs.request(claimed, what)
    assert lanes.beat("training", ME, jobs.find(claimed)) == what
    assert jobs.all()[claimed].heartbeat == 2


def test_a_cancelled_run_cannot_be_kept_after_all(jobs, claimed, lanes):
    """Cancel is final: a later request does not replace it."""
    jobs.request(claimed, "cancel")
    jobs.request(claimed, "stop")
    assert lanes.beat("training", ME, jobs.find(claimed)) == "cancel"


def test_a_worker_that_lost_its_run_is_told_to_pause(jobs, claimed, lanes):
    """Two processes never write one run: the one that lost it lets go."""
    assert lanes.beat("training", "another", jobs.find(claimed)) == "pause"
    assert not lanes.settle("another", jobs.find(claimed), Outcome("finished"))


@pytest.mark.parametrize(("what", "message"), [
    ("resume", "cannot be resumed: it is finished. Its results are there"),
    ("stop", "cannot be asked to stop now: it is finished"),
    ("cancel", "cannot be asked to cancel now: it is finished"),
    ("pause", "cannot be asked to pause now: it is finished"),
    ("explode", "can be asked to stop, cancel, pause, resume"),
])  # fmt: skip
def test_a_finished_run_cannot_be_changed(jobs, finished_run, what, message):
    """Results are never put at risk by a late click."""
    with pytest.raises(RunError, match=message):
        jobs.request(finished_run, what)


def test_a_waiting_run_is_cancelled_at_once(jobs):
    """Nobody has to be told."""
    run_id = jobs.submit(settings_named())
    jobs.request(run_id, "cancel")
    assert jobs.all()[run_id].state == "cancelled"
    assert read_folder_state(jobs.workspace.runs / run_id).stage == "cancelled"
    with pytest.raises(RunError, match=r"cannot be resumed: it is cancelled\. Train a new run\."):
        jobs.request(run_id, "resume")


def test_a_waiting_run_cannot_be_stopped_and_kept(jobs):
    """There is nothing to keep yet, and the message says what to do instead."""
    run_id = jobs.submit(settings_named())
    with pytest.raises(RunError, match=r"it is queued\. It has learned nothing yet: cancel it instead\."):
        jobs.request(run_id, "stop")


def test_resuming_twice_is_resuming_once(jobs):
    """The second of two tabs gets no error."""
    run_id = jobs.submit(settings_named())
    jobs.request(run_id, "pause")
    jobs.request(run_id, "resume")
    jobs.request(run_id, "resume")
    assert jobs.all()[run_id].state == "queued"


def test_the_run_of_a_dead_owner_is_interrupted_and_can_go_on(jobs, claimed, lanes):
    """Killed, out of memory, power cut: found, said, and resumed by one click."""
    _owned_by(jobs, claimed, DEAD)
    assert [job.subject for job in lanes.settle_dead(KINDS, processes.Watch())] == [claimed]
    assert jobs.all()[claimed].state == "interrupted"
    assert lanes.worker("training") is None
    jobs.request(claimed, "resume")
    lanes.take(TRAINING_KIND, ME, processes.Watch())
    assert lanes.claim("training", ME).arguments == {"resume": True}


def test_the_run_of_a_live_owner_is_left_alone(jobs, claimed, lanes):
    """A server that starts anew finds a running run and does not touch it."""
    assert lanes.settle_dead(KINDS, processes.Watch()) == []
    assert jobs.all()[claimed].state == "running"
    assert lanes.worker("training") == ME


def test_a_run_that_finished_just_before_its_worker_died_is_finished(jobs, claimed, lanes):
    """The folder is written first, so its word counts."""
    write_folder_state(jobs.workspace.runs / claimed, "finished")
    _owned_by(jobs, claimed, DEAD)
    lanes.settle_dead(KINDS, processes.Watch())
    assert jobs.all()[claimed].state == "finished"


def test_a_run_whose_worker_died_while_it_was_cancelled_is_cancelled(jobs, claimed, lanes):
    """The wish survives the worker."""
    (jobs.workspace.runs / claimed / "checkpoint.npz").write_bytes(b"x")
    jobs.request(claimed, "cancel")
    _owned_by(jobs, claimed, DEAD)
    lanes.settle_dead(KINDS, processes.Watch())
    assert jobs.all()[claimed].state == "cancelled"
    assert not (jobs.workspace.runs / claimed / "checkpoint.npz").exists()


def test_a_lost_index_loses_only_the_queue(jobs, claimed, store):
    """Runs live in their folders: without the index they are interrupted, and can go on."""
    for file in jobs.workspace.root.glob("index.sqlite3*"):
        file.unlink()
    folder = jobs.workspace.runs / claimed
    (folder / "state.json").write_text('{"stage": "training"}')
    assert store.card(claimed).state == "interrupted"
    jobs.request(claimed, "resume")
    assert store.card(claimed).state == "queued"


def test_a_damaged_index_is_explained(jobs):
    """SQLite's words never reach a page alone."""
    jobs.workspace.index.write_bytes(b"this is no database" * 100)
    with pytest.raises(RunError, match=r"The queue index\.sqlite3 is damaged .* Move this file away"):
        jobs.submit(settings_named())


def _owned_by(jobs: TrainingJobs, run_id: str, owner: str) -> None:
    from ldvae_core.workspace import database

    with database.writing(jobs.workspace.index) as db:
        db.execute("UPDATE jobs SET owner = ? WHERE subject = ?", (owner, run_id))
        db.execute("UPDATE lanes SET owner = ?", (owner,))
