"""A lane a kind of work: nothing waits behind another kind, one worker each, and one way to stop."""

import threading

import pytest

from ldvae_core.errors import RunError
from ldvae_core.jobs import worker
from ldvae_core.jobs.kinds import Kind
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.jobs.progress import Progress, read_progress, write_progress
from ldvae_core.jobs.queue import Queue
from ldvae_core.jobs.status import job_status
from ldvae_core.workspace import processes
from tests.runs.conftest import wait_until

ME = processes.this_process()


def kind(perform=lambda workspace, job, control: "finished", lane="count", **more) -> Kind:
    return Kind(lane, perform, **more)


@pytest.fixture(name="queue")
def _queue(workspace) -> Queue:
    return Queue(workspace)


@pytest.fixture(name="elsewhere")
def _elsewhere(lanes, queue):
    """A job in the hands of a worker that cannot be looked up: in another container of this machine."""
    owner = f"{processes.home().partition(':')[0]}:another/7/7"
    queue.put("count", "a")
    lanes.take(kind(), owner, processes.Watch())
    return lanes.claim("count", owner)


def test_a_job_never_waits_behind_one_of_another_kind(queue, lanes):
    """Reading or an enrichment begins while a training is under way."""
    queue.put("count", "a")
    queue.put("sort", "b")
    lanes.take(kind(), ME, processes.Watch())
    assert lanes.claim("count", ME).subject == "a"
    assert lanes.waiting() == ["sort"]
    assert lanes.claim("sort", ME) is None
    lanes.take(kind(lane="sort"), "other", processes.Watch())
    assert lanes.claim("sort", "other").subject == "b"


def test_a_lane_has_one_worker(queue, lanes, workspace):
    """A second one leaves at once, and takes nothing."""
    queue.put("count", "a")
    lanes.take(kind(), "other", processes.Watch())
    lanes.release("count", "other", only_if_idle=False)
    lanes.take(kind(), f"{processes.home().partition(':')[0]}:another/7/7", processes.Watch())
    assert not lanes.take(kind(), ME, processes.Watch())


def test_asking_twice_makes_one_job(queue):
    """Also while it is worked on; once it has ended it can be asked for again."""
    queue.put("count", "a", arguments={"to": 1})
    queue.put("count", "a", arguments={"to": 2})
    (job,) = queue.all("count")
    assert (job.arguments, job.state) == ({"to": 1}, "queued")
    worker.run(queue.workspace, kind(), idle_seconds=0)
    queue.put("count", "a", arguments={"to": 3})
    (again,) = queue.all("count")
    assert (again.arguments, again.state, again.seq) == ({"to": 3}, "queued", job.seq)


def test_the_heart_of_a_worker_elsewhere_beats_for_its_job(elsewhere, lanes, workspace, monkeypatch):
    """What cannot be looked up is judged by its one heartbeat: silent, its job is settled and the lane is free."""
    now, watch, kinds = [0.0], processes.Watch(), {"count": kind()}
    monkeypatch.setattr(processes.time, "monotonic", lambda: now[0])
    for now[0] in (0.0, 3.0, 6.0):
        lanes.beat("count", elsewhere.owner, elsewhere)
        assert lanes.settle_dead(kinds, watch) == []
    now[0] = 9.0
    assert lanes.settle_dead(kinds, watch) == []
    now[0] = 10.5
    assert [job.subject for job in lanes.settle_dead(kinds, watch)] == ["a"]
    assert lanes.worker("count") is None
    assert job_status(workspace, "count", "a").state == "interrupted"


def test_a_process_that_cannot_be_reached_is_not_ended(elsewhere, lanes, workspace):
    """It says so, and the job stays as it is."""
    with pytest.raises(RunError, match="could not be ended from here"):
        lanes.end(kind(), elsewhere)
    assert job_status(workspace, "count", "a").state == "running"


def test_silence_is_counted_from_the_last_heartbeat(elsewhere, lanes, workspace, monkeypatch):
    """By our own steady clock, from the first look on."""
    now = [100.0]
    monkeypatch.setattr(processes.time, "monotonic", lambda: now[0])
    monkeypatch.setattr("ldvae_core.jobs.queue.LIVES", processes.Watch())

    def silent():
        return job_status(workspace, "count", "a").silent_seconds

    assert silent() == 0.0
    now[0] = 112.0
    assert silent() == 12.0
    lanes.beat("count", elsewhere.owner, elsewhere)
    assert silent() == 0.0


def test_work_that_asks_is_told(queue, lanes, monkeypatch):
    """A request arrives with the heartbeat; what the work then answers is how it ended."""
    monkeypatch.setattr(worker, "BEAT_SECONDS", 0.02)
    begun = threading.Event()

    def count(workspace, job, control):
        begun.set()
        wait_until(lambda: control.answer() == "cancel")
        return "cancelled"

    queue.put("count", "a")
    thread = threading.Thread(
        target=worker.run, args=(queue.workspace, kind(count, asks=True)), kwargs={"idle_seconds": 0}
    )
    thread.start()
    begun.wait(10)
    queue.cancel("count", "a")
    thread.join(10)
    assert queue.find("count", "a").state == "cancelled"


def test_work_that_does_not_ask_is_broken_off(queue, lanes, monkeypatch):
    """The job is settled and the lane freed first; then the process ends where it stands."""
    monkeypatch.setattr(worker, "BEAT_SECONDS", 0.02)
    go_on, begun, ended = threading.Event(), threading.Event(), []

    def count(workspace, job, control):
        begun.set()
        go_on.wait(10)
        return "finished"

    def end(status):
        ended.append((status, queue.find("count", "a").state, lanes.worker("count")))
        go_on.set()

    queue.put("count", "a")
    options = {"idle_seconds": 0, "end_process": end}
    thread = threading.Thread(target=worker.run, args=(queue.workspace, kind(count)), kwargs=options)
    thread.start()
    begun.wait(10)
    queue.cancel("count", "a")
    thread.join(10)
    assert ended[0] == (0, "cancelled", None)
    assert queue.find("count", "a").state == "cancelled"


def test_a_deleted_subject_breaks_its_work_off(queue, lanes, monkeypatch):
    """A job that is no longer there is nobody's."""
    monkeypatch.setattr(worker, "BEAT_SECONDS", 0.02)
    ended = threading.Event()

    def count(workspace, job, control):
        with queue.changing() as change:
            change.forget("a")
        assert ended.wait(10)
        return "finished"

    queue.put("count", "a")
    worker.run(queue.workspace, kind(count), idle_seconds=0, end_process=lambda status: ended.set())
    assert queue.all("count") == []


def test_a_report_reaches_the_page(queue, workspace, monkeypatch):
    """Stage, share and seconds, with every heartbeat."""
    monkeypatch.setattr(worker, "BEAT_SECONDS", 0.02)
    seen = []

    def count(workspace, job, control):
        control.report(Progress("counting", 1, 4))
        wait_until(lambda: seen.append(job_status(workspace, "count", "a").progress) or seen[-1].share == 0.25)
        return "finished"

    queue.put("count", "a")
    worker.run(workspace, kind(count), idle_seconds=0)
    assert seen[-1].stage == "counting"
    assert seen[-1].seconds > 0


def test_progress_is_read_whatever_the_file_holds(tmp_path):
    """A page never breaks on it; what a training wrote before there were other kinds is understood."""
    path = tmp_path / "p.json"
    for content in ("", "{", "[]", "null", '{"done": "many", "seconds": [], "seconds_left": null}'):
        path.write_text(content)
        assert read_progress(path).share == 0.0
    path.write_text('{"step": 30, "n_steps": 90, "epoch": 3}')
    assert (read_progress(path).share, read_progress(path).more["epoch"]) == (1 / 3, 3)
    write_progress(path, Progress("a", 1, 2, 3.0, 4.0, {"epoch": 5}))
    found = read_progress(path)
    assert (found.stage, found.done, found.total, found.seconds_left, found.more) == ("a", 1.0, 2.0, 4.0, {"epoch": 5})


def test_a_place_is_counted_in_its_own_lane(queue, workspace):
    """Number two of the enrichments, however many runs wait."""
    for lane, subject in (("sort", "x"), ("count", "a"), ("sort", "y"), ("count", "b")):
        queue.put(lane, subject)
    assert [job_status(workspace, "count", subject).place for subject in "ab"] == [1, 2]


def test_trouble_is_said_where_jobs_wait(queue, workspace):
    """And gone when one is taken."""
    queue.put("count", "a")
    Lanes(workspace).say_trouble("count", "No Python.")
    assert job_status(workspace, "count", "a").trouble == "No Python."
    worker.run(workspace, kind(), idle_seconds=0)
    assert Lanes(workspace).trouble("count") == ""
