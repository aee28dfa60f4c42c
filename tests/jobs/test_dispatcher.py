"""Processes die, servers restart, and training goes on: with real processes, and real kills."""

import os
import platform
import signal
import subprocess
import sys
import time

import psutil
import pytest

from ldvae_core.jobs.dispatcher import Dispatcher, start_worker
from ldvae_core.runs.states import write_folder_state
from ldvae_core.workspace import processes
from ldvae_core.workspace.folders import PROJECT
from tests.runs.conftest import claim, settings_named, state_is, wait_until
from tests.runs.stand_in import KINDS
from tests.workspace.test_processes import before_reboot

start_stand_in = start_worker("tests.runs.stand_in")
NOBODY = "a worker was started though nothing waits"


@pytest.fixture(name="dispatcher")
def _dispatcher(workspace, jobs, lanes):
    """A page server's dispatcher that starts stand-in workers; what still runs at the end is ended."""
    dispatcher = Dispatcher(workspace, KINDS, start_stand_in, interval_seconds=0.2)
    dispatcher.start()
    yield dispatcher
    dispatcher.stop()
    if lanes.worker("training"):
        kill(lanes.worker("training"))


def kill(owner: str, with_signal: int | None = None) -> None:
    """End the worker process, as a person, the system or a full memory would."""
    if processes.is_alive(owner):
        worker = psutil.Process(processes.pid_of(owner))
        worker.kill() if with_signal is None else worker.send_signal(with_signal)


def begun(store, run_id) -> bool:
    return store.progress(run_id).done > 0


@pytest.mark.kills
def test_a_killed_worker_leaves_an_interrupted_run_that_goes_on(dispatcher, jobs, store, lanes):
    """kill -9 in the middle: said within 5 seconds, resumed by one click from where it was."""
    run_id = jobs.submit(settings_named("endless"))
    wait_until(lambda: begun(store, run_id))
    kill(lanes.worker("training"))
    killed = time.monotonic()
    wait_until(lambda: state_is(store, run_id, "interrupted"), seconds=5)
    wait_until(lambda: jobs.all()[run_id].state == "interrupted", seconds=5 - (time.monotonic() - killed))
    reached = store.progress(run_id).done
    jobs.request(run_id, "resume")
    wait_until(lambda: store.progress(run_id).done > reached)
    jobs.request(run_id, "stop")
    wait_until(lambda: state_is(store, run_id, "stopped"))


@pytest.mark.kills
def test_a_killed_server_does_not_end_the_training(workspace, jobs, store, lanes):
    """kill -9 of the page server: the worker goes on, and a new server finds it within 5 seconds."""
    run_id = jobs.submit(settings_named("endless"))
    code = """
import pathlib, sys, time
from ldvae_core.jobs.dispatcher import Dispatcher
from ldvae_core.workspace.folders import Workspace
from tests.jobs.test_dispatcher import KINDS, start_stand_in
Dispatcher(Workspace(pathlib.Path(sys.argv[1])), KINDS, start_stand_in, interval_seconds=0.1).start()
time.sleep(60)
"""
    server = subprocess.Popen([sys.executable, "-c", code, str(workspace.root)], cwd=PROJECT, start_new_session=True)
    wait_until(lambda: begun(store, run_id))
    worker = lanes.worker("training")
    os.killpg(server.pid, signal.SIGKILL) if hasattr(os, "killpg") else server.kill()
    server.wait()
    reached, waiting = store.progress(run_id).done, jobs.submit(settings_named())
    anew = Dispatcher(workspace, KINDS, lambda *_: pytest.fail(NOBODY))
    anew.tick()
    wait_until(lambda: store.progress(run_id).done > reached)
    assert (lanes.worker("training"), store.card(run_id).state) == (worker, "running")
    jobs.request(run_id, "cancel")
    wait_until(lambda: state_is(store, run_id, "cancelled") and state_is(store, waiting, "finished"))
    kill(worker)


@pytest.mark.kills
@pytest.mark.skipif(platform.system() == "Windows", reason="Windows ends a process without asking it")
def test_a_worker_asked_to_end_pauses_its_run(dispatcher, jobs, store, lanes):
    """A machine that shuts down sends SIGTERM: the run is kept, to be resumed."""
    run_id = jobs.submit(settings_named("endless"))
    wait_until(lambda: begun(store, run_id))
    kill(lanes.worker("training"), signal.SIGTERM)
    wait_until(lambda: state_is(store, run_id, "paused"))


@pytest.mark.skipif(not hasattr(os, "getsid"), reason="Windows has no sessions and no niceness")
def test_a_worker_is_detached_gentle_and_keeps_a_log(dispatcher, jobs, store, lanes):
    """It has a session of its own, leaves the cores to the pages, and says what it does in a file."""
    run_id = jobs.submit(settings_named("endless"))
    wait_until(lambda: begun(store, run_id))
    pid = processes.pid_of(lanes.worker("training"))
    assert os.getsid(pid) == pid
    assert os.getpriority(os.PRIO_PROCESS, pid) >= 10
    assert f"training {run_id}  begins" in next(jobs.workspace.logs.glob("training-*.log")).read_text()


def test_two_servers_over_one_workspace_start_one_worker(workspace, jobs, store):
    """Each may try; the lock lets one in, and every run is executed once."""
    ids = [jobs.submit(settings_named()) for _ in range(3)]
    started = []

    def start(*given):
        started.append(start_stand_in(*given))
        return started[-1]

    servers = [Dispatcher(workspace, KINDS, start) for _ in range(2)]
    for server in servers:
        server.tick()
    wait_until(lambda: all(state_is(store, run_id, "finished") for run_id in ids))
    logs = "".join(path.read_text() for path in workspace.logs.glob("training-*.log"))
    assert [logs.count(f"training {run_id}  begins") for run_id in ids] == [1, 1, 1]
    for process in started:
        process.kill()
        process.wait()


def test_no_worker_is_started_while_none_is_needed(workspace, jobs):
    """An empty queue costs nothing."""
    dispatcher = Dispatcher(workspace, KINDS, lambda *_: pytest.fail(NOBODY))
    dispatcher.tick()
    run_id = jobs.submit(settings_named())
    jobs.request(run_id, "pause")
    dispatcher.tick()


def test_a_worker_that_cannot_start_is_not_started_over_and_over(workspace, jobs, monkeypatch):
    """The wait doubles, and after two failures the page can say so."""
    jobs.submit(settings_named())
    started, now = [], [0.0]
    monkeypatch.setattr("ldvae_core.jobs.dispatcher.time.monotonic", lambda: now[0])

    def start(*_):
        started.append(subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(7)"]))
        started[-1].wait()
        return started[-1]

    dispatcher = Dispatcher(workspace, KINDS, start)
    for now[0] in (0.0, 0.1, 1.5, 1.6, 2.0, 3.8):
        dispatcher.tick()
    assert len(started) == 3
    assert "ended 2 times in a row" in jobs.trouble()
    claim(workspace)
    assert jobs.trouble() == ""


def test_a_stumble_does_not_end_the_dispatcher(workspace, monkeypatch, lanes):
    """A full disk for a moment must not be the end of all training."""
    looks = []

    def stumble(self, kinds, watch):
        looks.append(watch)
        raise OSError("disk full")

    monkeypatch.setattr("ldvae_core.jobs.lanes.Lanes.settle_dead", stumble)
    dispatcher = Dispatcher(workspace, KINDS, start_stand_in, interval_seconds=0.01)
    dispatcher.start()
    wait_until(lambda: len(looks) > 3)
    dispatcher.stop()


def test_a_restarted_machine_finds_its_runs_interrupted(workspace, jobs, store):
    """Every owner from before the boot is dead, whatever its number."""
    run_id, before = jobs.submit(settings_named()), before_reboot()
    claim(workspace, before)
    write_folder_state(workspace.runs / run_id, "training")
    Dispatcher(workspace, KINDS, lambda *_: pytest.fail(NOBODY)).tick()
    assert store.card(run_id).state == jobs.all()[run_id].state == "interrupted"
