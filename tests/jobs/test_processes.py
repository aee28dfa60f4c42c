"""Workers as real processes: detached, frozen, broken off, ended on request; with real kills."""

import os
import platform
import signal
import subprocess
import time

import psutil
import pytest

from ldvae_core.jobs.dispatcher import Dispatcher, start_worker
from ldvae_core.jobs.process import start_detached
from ldvae_core.jobs.queue import Queue
from ldvae_core.jobs.status import job_status
from ldvae_core.jobs.worker import progress_file
from ldvae_core.workspace import processes
from tests.runs.conftest import end_workers, settings_named, state_is, wait_until
from tests.runs.stand_in import KINDS, SLEEP


@pytest.fixture(name="dispatcher")
def _dispatcher(workspace):
    """A page server's dispatcher with stand-in workers; what still runs at the end is ended."""
    dispatcher = Dispatcher(workspace, KINDS, start_worker("tests.runs.stand_in"), interval_seconds=0.2)
    dispatcher.start()
    yield dispatcher
    dispatcher.stop()
    end_workers(workspace, KINDS)


@pytest.mark.skipif(not hasattr(os, "getsid"), reason="Windows has no sessions")
def test_a_detached_process_has_a_session_and_a_log_of_its_own(tmp_path, monkeypatch):
    """Nothing of the parent's reaches it but the environment; what it says is kept, after what was said before."""
    monkeypatch.setenv("FROM_THE_PARENT", "yes")
    log = tmp_path / "log"
    log.write_text("before ")
    code = "import os; print(os.getsid(0) == os.getpid(), os.environ['FROM_THE_PARENT'], os.environ['MORE'])"
    child = start_detached(["-c", code], log=log, environment={"MORE": "too"})
    assert child.wait(20) == 0
    assert log.read_text().split() == ["before", "True", "yes", "too"]


def test_no_code_of_ours_runs_between_fork_and_exec():
    """preexec_fn may hang a server that has threads: nothing uses it."""
    files = subprocess.run(["git", "grep", "-l", "preexec" + "_fn"], capture_output=True, text=True, check=False)
    assert [name for name in files.stdout.split() if not name.startswith("tests/")] == []


@pytest.mark.kills
@pytest.mark.skipif(platform.system() == "Windows", reason="Windows has no signal that freezes a process")
def test_a_frozen_worker_is_noticed_and_can_be_ended(dispatcher, jobs, store):
    """SIGSTOP: silent for all to see, and one click later the queue goes on."""
    frozen, waiting = jobs.submit(settings_named("endless")), jobs.submit(settings_named())
    wait_until(lambda: store.progress(frozen).done > 0)
    assert store.card(frozen).silent_seconds < 3
    os.kill(processes.pid_of(jobs.find(frozen).owner), signal.SIGSTOP)
    wait_until(lambda: store.card(frozen).silent_seconds > 4, seconds=15)
    assert store.card(frozen).state == "running"
    clicked = time.monotonic()
    jobs.end(frozen)
    assert store.card(frozen).state == "interrupted"
    wait_until(lambda: state_is(store, waiting, "finished"), seconds=10)
    assert time.monotonic() - clicked < 10
    jobs.request(frozen, "resume")
    wait_until(lambda: state_is(store, frozen, "running"))


@pytest.mark.kills
def test_the_queue_is_free_within_five_seconds_of_ending_it(dispatcher, jobs, lanes, store):
    """The lane has no owner, so that the next look of any server starts another worker."""
    run_id = jobs.submit(settings_named("endless"))
    wait_until(lambda: store.progress(run_id).done > 0)
    owner = jobs.find(run_id).owner
    os.kill(processes.pid_of(owner), signal.SIGSTOP)
    dispatcher.stop()
    clicked = time.monotonic()
    jobs.end(run_id)
    assert time.monotonic() - clicked < 5
    assert lanes.worker("training") is None
    assert not processes.is_alive(owner)


@pytest.mark.kills
def test_work_that_never_asks_is_stopped_within_seconds(dispatcher, workspace, lanes):
    """Its process is gone, and the next job of the lane begins in another one."""
    queue = Queue(workspace)
    queue.put(SLEEP.lane, "a")
    queue.put(SLEEP.lane, "b")
    wait_until(lambda: job_status(workspace, SLEEP.lane, "a").progress.share == 0.25)
    owner = lanes.worker(SLEEP.lane)
    queue.cancel(SLEEP.lane, "a")
    wait_until(lambda: job_status(workspace, SLEEP.lane, "a").state == "cancelled", seconds=5)
    wait_until(lambda: not processes.is_alive(owner), seconds=5)
    wait_until(lambda: job_status(workspace, SLEEP.lane, "b").progress.stage == "sleeping")


@pytest.mark.kills
def test_other_work_survives_its_server_as_training_does(dispatcher, workspace, lanes):
    """A server that starts anew finds the process at work and leaves it alone; killed, its job is interrupted."""
    Queue(workspace).put(SLEEP.lane, "a")
    wait_until(lambda: job_status(workspace, SLEEP.lane, "a").state == "running")
    dispatcher.stop()
    anew = Dispatcher(workspace, KINDS, lambda *_: pytest.fail("a second worker was started"))
    anew.tick()
    assert job_status(workspace, SLEEP.lane, "a").state == "running"
    psutil.Process(processes.pid_of(lanes.worker(SLEEP.lane))).kill()
    wait_until(lambda: job_status(workspace, SLEEP.lane, "a").state == "interrupted", seconds=5)
    anew.tick()
    assert lanes.worker(SLEEP.lane) is None


@pytest.mark.kills
def test_a_training_and_other_work_run_beside_each_other(dispatcher, jobs, store, workspace):
    """Neither waits for the other."""
    run_id = jobs.submit(settings_named("endless"))
    Queue(workspace).put(SLEEP.lane, run_id)
    wait_until(lambda: store.progress(run_id).done > 0)
    wait_until(lambda: job_status(workspace, SLEEP.lane, run_id).state == "running")
    assert store.card(run_id).state == "running"


def test_what_ended_jobs_reported_is_removed_at_the_next_start(workspace, lanes):
    """A file a job would add up; that of a job in work stays."""
    Queue(workspace).put(SLEEP.lane, "a")
    lanes.take(SLEEP, processes.this_process(), processes.Watch())
    working = progress_file(workspace, lanes.claim(SLEEP.lane, processes.this_process()))
    for path in (working, workspace.progress / "77.json"):
        path.write_text("{}")
    server = Dispatcher(workspace, KINDS, lambda *_: pytest.fail("nothing waits"))
    server.start()
    server.stop()
    assert list(workspace.progress.iterdir()) == [working]


def test_a_worker_that_cannot_be_started_at_all_is_said(workspace, jobs, monkeypatch):
    """No memory for a process, or no Python: in words, and tried again more and more rarely."""
    jobs.submit(settings_named())
    now = [0.0]
    monkeypatch.setattr("ldvae_core.jobs.dispatcher.time.monotonic", lambda: now[0])

    def start(*given):
        raise OSError(12, "Cannot allocate memory")

    dispatcher = Dispatcher(workspace, KINDS, start)
    for now[0] in (0.0, 1.5, 1.6, 5.0):
        dispatcher.tick()
    assert jobs.trouble() == "Its process cannot be started (Cannot allocate memory)."
