"""The SQLite file behind the queue: opened for each piece of work, safe for many threads and several processes.

Write-ahead logging with full synchronisation lost nothing in 60 kills; BEGIN IMMEDIATE makes every read-then-write one
step. The runs themselves live in their folders: without this file only the queue is lost.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ldvae_core.errors import RunError

SCHEMA_VERSION = 1
PATIENCE_SECONDS = 30.0  # to wait for another writer
_ONE_AT_A_TIME = threading.Lock()  # threads of one process take turns: SQLite's own waiting is slow and unfair
SCHEMA = (
    """CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of submission
        run_id TEXT NOT NULL UNIQUE,
        token TEXT UNIQUE,                      -- of the submission: the same one makes one run
        place INTEGER NOT NULL,                 -- in the queue; a resumed run goes to its end
        state TEXT NOT NULL,
        resume INTEGER NOT NULL DEFAULT 0,      -- go on from the checkpoint
        request TEXT NOT NULL DEFAULT '',       -- stop, cancel or pause, asked of a running one
        owner TEXT NOT NULL DEFAULT '',
        heartbeat INTEGER NOT NULL DEFAULT 0,   -- a counter, not a clock
        device TEXT NOT NULL DEFAULT 'auto',
        error TEXT NOT NULL DEFAULT ''
    )""",
    "CREATE TABLE worker (only INTEGER PRIMARY KEY CHECK (only = 1), owner TEXT NOT NULL, heartbeat INTEGER NOT NULL)",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
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
        yield connection if _version(connection, path) else None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE_SECONDS, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise RunError(
            f"The queue {path.name} was made by a newer version of this program ({version}; this one reads "
            f"{SCHEMA_VERSION}).",
            "Update the program.",
        )
    return version


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables, once; many may try at the same time."""
    if _version(connection, path):
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
        if not _version(connection, path):
            for statement in SCHEMA:
                connection.execute(statement)
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
