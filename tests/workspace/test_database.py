"""The queue's file: a new one, and one of every earlier version, is brought to today's in one step."""

import sqlite3
import threading
from contextlib import closing

import pytest

from ldvae_core.errors import RunError
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.jobs.queue import Queue
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace import database

VERSION_1 = """
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL UNIQUE, token TEXT UNIQUE, place INTEGER NOT NULL,
    state TEXT NOT NULL, resume INTEGER NOT NULL DEFAULT 0, request TEXT NOT NULL DEFAULT '',
    owner TEXT NOT NULL DEFAULT '', heartbeat INTEGER NOT NULL DEFAULT 0, device TEXT NOT NULL DEFAULT 'auto',
    error TEXT NOT NULL DEFAULT ''
);
CREATE TABLE worker (only INTEGER PRIMARY KEY CHECK (only = 1), owner TEXT NOT NULL, heartbeat INTEGER NOT NULL);
INSERT INTO jobs (seq, run_id, token, place, state, resume, request, owner, heartbeat, error) VALUES
    (1, 'first', 't1', 6, 'queued', 1, '', '', 0, ''),
    (2, 'second', NULL, 2, 'running', 0, 'pause', 'boot:1/2/3', 7, ''),
    (4, 'fourth', 't4', 4, 'failed', 0, '', '', 0, 'No room.'),
    (5, 'fifth', NULL, 5, 'queued', 0, '', '', 0, '');
INSERT INTO worker VALUES (1, 'boot:1/2/3', 9);
PRAGMA user_version = 1;
"""


@pytest.fixture(name="old")
def _old(workspace):
    """A workspace whose index was made by version 1: one run works, two wait, one failed."""
    with closing(sqlite3.connect(workspace.index)) as db:
        db.executescript(f"PRAGMA journal_mode = WAL; {VERSION_1}")
    return workspace


def version_of(workspace) -> int:
    with closing(sqlite3.connect(workspace.index)) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


def test_an_index_of_version_1_keeps_its_queue(old):
    """Every run in its state and at its place, with its token, what was asked of it, and who works on it."""
    jobs = {job.subject: job for job in Queue(old).all("training")}
    assert list(jobs) == ["first", "second", "fourth", "fifth"]
    assert [job.seq for job in jobs.values()] == [1, 2, 4, 5]
    assert (jobs["first"].state, jobs["first"].arguments, jobs["first"].place) == ("queued", {"resume": True}, 6)
    assert (jobs["second"].state, jobs["second"].request, jobs["second"].heartbeat) == ("running", "pause", 9)
    assert (jobs["fourth"].state, jobs["fourth"].error) == ("failed", "No room.")
    with Queue(old).changing() as change:
        assert change.with_token("t4") == jobs["fourth"]
    assert Lanes(old).worker("training") == jobs["second"].owner == "boot:1/2/3"
    assert version_of(old) == 2


def test_an_old_queue_goes_on_where_it_stood(old):
    """What came first is taken first, and a new job gets a number of its own."""
    Queue(old).put("training", "sixth")
    assert [job.seq for job in Queue(old).all("training")][-1] == 6
    waiting = sorted((job for job in Queue(old).all("training") if job.state == "queued"), key=lambda job: job.place)
    assert [job.subject for job in waiting] == ["fifth", "first", "sixth"]


def test_many_open_an_old_index_at_once(old):
    """Several servers and workers start after an update: it is brought up once, and nobody fails."""
    found, start = [], threading.Barrier(12)

    def look():
        start.wait()
        found.append(len(Queue(old).all("training")))

    threads = [threading.Thread(target=look) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [4] * 12


def test_a_step_that_fails_leaves_the_old_index_as_it_was(old, monkeypatch):
    """One transaction: the earlier version can still read it."""
    monkeypatch.setattr(database, "FROM_VERSION_1", (*database.FROM_VERSION_1[:-1], "DROP TABLE nothing"))
    with pytest.raises(RunError):
        Queue(old).all("training")
    monkeypatch.undo()
    assert version_of(old) == 1
    assert len(Queue(old).all("training")) == 4


def test_an_index_of_a_later_version_is_left_alone(old):
    """It says so, and pages do not guess."""
    with closing(sqlite3.connect(old.index)) as db:
        db.execute("PRAGMA user_version = 3")
    with pytest.raises(RunError, match=r"made by a newer version of this program \(3; this one reads 2\)"):
        RunStore(old).cards()


def test_both_ways_to_today_give_the_same_tables(old, tmp_path):
    """A new file and one that was brought up differ in nothing."""
    new = type(old)(tmp_path / "new").make()
    for workspace in (old, new):
        with database.writing(workspace.index):
            pass

    def tables(workspace):
        with closing(sqlite3.connect(workspace.index)) as db:
            return db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()

    assert tables(old) == tables(new)
