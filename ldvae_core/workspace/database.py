"""The SQLite file behind the queue: opened for each piece of work, safe for many threads and several processes.

Write-ahead logging with full synchronisation lost nothing in 60 kills; BEGIN IMMEDIATE makes every read-then-write one
step. The runs themselves live in their folders: without this file only the queue is lost. A file of an earlier version
is brought to this one in place, in one transaction, at the first opening.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ldvae_core.errors import RunError

SCHEMA_VERSION = 2
PATIENCE_SECONDS = 30.0  # to wait for another writer
_ONE_AT_A_TIME = threading.Lock()  # threads of one process take turns: SQLite's own waiting is slow and unfair
TABLES = (
    """CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of submission
        lane TEXT NOT NULL,                     -- the kind of work; one job at a time in each
        subject TEXT NOT NULL,                  -- what it is about, such as the id of a run
        name TEXT NOT NULL DEFAULT '',          -- which of the subject's, where there can be several
        arguments TEXT NOT NULL DEFAULT '{}',   -- JSON
        token TEXT UNIQUE,                      -- of the submission: the same one makes one job
        place INTEGER NOT NULL,                 -- in the queue; what is taken up again goes to its end
        state TEXT NOT NULL,
        request TEXT NOT NULL DEFAULT '',       -- stop, cancel or pause, asked of a running one
        owner TEXT NOT NULL DEFAULT '',         -- the process that works on it
        error TEXT NOT NULL DEFAULT '',
        UNIQUE (lane, subject, name)
    )""",
    """CREATE TABLE lanes (
        lane TEXT PRIMARY KEY,
        owner TEXT NOT NULL DEFAULT '',         -- the worker; '' when there is none
        heartbeat INTEGER NOT NULL DEFAULT 0,   -- a counter, not a clock
        trouble TEXT NOT NULL DEFAULT ''        -- why its jobs do not start
    )""",
)
# Version 1 knew only trainings, one row a run, and one worker. What is copied keeps its order and its token.
FROM_VERSION_1 = (
    "ALTER TABLE jobs RENAME TO jobs_1",
    *TABLES,
    """INSERT INTO jobs (seq, lane, subject, arguments, token, place, state, request, owner, error)
        SELECT seq, 'training', run_id, CASE resume WHEN 0 THEN '{}' ELSE '{"resume": true}' END, token, place, state,
            request, owner, error FROM jobs_1""",
    "INSERT INTO lanes (lane, owner, heartbeat) SELECT 'training', owner, heartbeat FROM worker",
    "DROP TABLE jobs_1",
    "DROP TABLE worker",
)


@contextmanager
def writing(path: Path, *, flush: bool = True) -> Iterator[sqlite3.Connection]:
    """One transaction with the file to itself: committed at the end, undone when anything is raised inside.

    flush=False lets a power cut lose it, for heartbeats. Raises RunError when the file is damaged, newer or locked.
    """
    with _ONE_AT_A_TIME, _explained(path), closing(_connect(path)) as connection:
        _prepare(connection, path)
        connection.execute(f"PRAGMA synchronous = {'FULL' if flush else 'NORMAL'}")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection | None]:
    """A connection to read with, that never waits for writers; None while there is no queue yet."""
    if not path.exists():
        yield None
        return
    with _explained(path), closing(_connect(path)) as connection:
        version = _version(connection, path)
        if 0 < version < SCHEMA_VERSION:
            _prepare(connection, path)
        yield connection if version else None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE_SECONDS, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise RunError(
            f"The queue {path.name} was made by a newer version of this program ({version}; this one reads "
            f"{SCHEMA_VERSION}).",
            "Update the program.",
        )
    return version


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables, or bring an earlier version's to this one, once; many may try at the same time."""
    if _version(connection, path) == SCHEMA_VERSION:
        return
    until = time.monotonic() + PATIENCE_SECONDS
    while True:  # the change to write-ahead logging does not wait for others by itself
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection, path)  # asked again, now that nobody else can change it
        if version < SCHEMA_VERSION:
            for statement in FROM_VERSION_1 if version else TABLES:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn SQLite's faults into words."""
    try:
        yield
    except sqlite3.OperationalError as fault:
        raise RunError(
            f"The queue {path.name} cannot be used now ({fault}).",
            "Look for a full disk or a folder that is read-only.",
        ) from fault
    except sqlite3.DatabaseError as fault:
        raise RunError(
            f"The queue {path.name} is damaged ({fault}).",
            "Move this file away: the runs are kept, only the queue is lost.",
        ) from fault
