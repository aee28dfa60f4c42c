"""The queue: which jobs there are, and what was asked of each. Every change is one transaction.

It knows nothing of what the work is: a job has a lane (its kind), a subject (the id of a run, say) and arguments.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from ldvae_core.errors import RunError
from ldvae_core.workspace import database, processes
from ldvae_core.workspace.folders import Workspace

JobState = Literal["queued", "running", "paused", "finished", "stopped", "cancelled", "failed", "interrupted"]
Asked = Literal["", "stop", "cancel", "pause"]
LONGEST_TOKEN = 200
LIVES = processes.Watch()  # this process's own; it sees every heartbeat that anybody here reads
WITH_HEARTBEAT = (
    "SELECT jobs.*, COALESCE(lanes.heartbeat, 0) AS heartbeat FROM jobs "
    "LEFT JOIN lanes ON lanes.lane = jobs.lane AND lanes.owner = jobs.owner "
)


@dataclass(frozen=True)
class Job:
    """One row of the queue."""

    seq: int  # order of submission
    lane: str
    subject: str
    name: str  # which of the subject's, "" where there is one
    arguments: Mapping[str, Any]
    place: int  # order of execution
    state: JobState
    request: Asked  # asked for, not yet done
    owner: str
    heartbeat: int  # of its worker
    error: str

    @property
    def held(self) -> bool:
        """Whether a process may be working on it now."""
        return self.state == "running" and not processes.is_surely_dead(self.owner)

    @property
    def silent_seconds(self) -> float:
        """For how long its worker has not answered, as far as this process has looked; 0 unless it is held."""
        return LIVES.silent_seconds(self.owner, self.heartbeat) if self.held else 0.0


class Change:
    """One transaction on the queue; got from Queue.changing."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def find(self, lane: str, subject: str, name: str = "") -> Job | None:
        """The job, None without one."""
        return find(self._db, lane, subject, name)

    def with_token(self, token: str) -> Job | None:
        """The job of that submission. Raises RunError unless a token has 1 to 200 characters."""
        if not 1 <= len(token) <= LONGEST_TOKEN:
            raise RunError(f"A submission token has 1 to {LONGEST_TOKEN} characters; this one has {len(token)}.")
        row = self._db.execute(f"{WITH_HEARTBEAT} WHERE token = ?", (token,)).fetchone()
        return _job(row) if row else None

    def enqueue(
        self, lane: str, subject: str, name: str, arguments: Mapping[str, Any], *, token: str | None = None
    ) -> None:
        """Put it at the end of the queue; a row that is there already keeps its number and its token."""
        place = self._db.execute("SELECT COALESCE(MAX(place), 0) + 1 FROM jobs").fetchone()[0]
        self._db.execute(
            "INSERT INTO jobs (lane, subject, name, arguments, token, place, state) VALUES (?, ?, ?, ?, ?, ?, 'queued')"
            " ON CONFLICT (lane, subject, name) DO UPDATE SET arguments = excluded.arguments, place = excluded.place, "
            "state = 'queued', request = '', owner = '', error = ''",
            (lane, subject, name, json.dumps(dict(arguments)), token, place),
        )

    def ask(self, job: Job, what: Asked) -> None:
        """Ask a running job; what was cancelled stays so."""
        if job.request != "cancel":
            self._db.execute("UPDATE jobs SET request = ? WHERE seq = ?", (what, job.seq))

    def settle(self, job: Job, state: JobState, *, error: str = "") -> None:
        """Write down how it ended."""
        self._db.execute(
            "UPDATE jobs SET state = ?, request = '', owner = '', error = ? WHERE seq = ?", (state, error, job.seq)
        )

    def forget(self, subject: str, *, but: str = "") -> None:
        """Remove every job about the subject; a worker that has one of them finds that it is no longer its own.

        but: a lane whose job stays.
        """
        self._db.execute("DELETE FROM jobs WHERE subject = ? AND lane <> ?", (subject, but))


class Queue:
    """The queue of one workspace. Holds no connection: safe to share between threads, cheap to make."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    @contextmanager
    def changing(self) -> Iterator[Change]:
        """One transaction: committed at the end, undone when anything is raised inside. Raises RunError: no disk."""
        with database.writing(self.workspace.index) as db:
            yield Change(db)

    def all(self, lane: str) -> list[Job]:
        """Every job of the lane, in the order of submission."""
        with database.reading(self.workspace.index) as db:
            rows = db.execute(f"{WITH_HEARTBEAT} WHERE jobs.lane = ? ORDER BY seq", (lane,)).fetchall() if db else []
            return [_job(row) for row in rows]

    def find(self, lane: str, subject: str, name: str = "") -> Job | None:
        """One job, None without it."""
        with database.reading(self.workspace.index) as db:
            return find(db, lane, subject, name) if db else None

    def place(self, job: Job) -> int:
        """The place of a waiting job among those of its lane, 1 is next."""
        query = "SELECT COUNT(*) FROM jobs WHERE lane = ? AND state = 'queued' AND place <= ?"
        with database.reading(self.workspace.index) as db:
            return int(db.execute(query, (job.lane, job.place)).fetchone()[0]) if db else 1

    def put(self, lane: str, subject: str, name: str = "", *, arguments: Mapping[str, Any] | None = None) -> None:
        """Have it done, unless it waits or is worked on already. Raises RunError when nothing can be written."""
        self.workspace.make()
        with self.changing() as change:
            job = change.find(lane, subject, name)
            if job is None or not (job.state == "queued" or job.held):
                change.enqueue(lane, subject, name, arguments or {})

    def cancel(self, lane: str, subject: str, name: str = "") -> None:
        """Have it stopped, within about a second when it runs; or forget that it failed. No error when there is none.

        For kinds whose state is the queue's alone: a training's is also in its folder, see runs/training_jobs.py.
        """
        self.workspace.make()
        with self.changing() as change:
            job = change.find(lane, subject, name)
            if job is not None and job.held:
                change.ask(job, "cancel")
            elif job is not None and job.state not in ("finished", "cancelled"):
                change.settle(job, "cancelled")


def find(db: sqlite3.Connection, lane: str, subject: str, name: str = "") -> Job | None:
    """The job in this transaction."""
    key = (lane, subject, name)
    row = db.execute(f"{WITH_HEARTBEAT} WHERE jobs.lane = ? AND subject = ? AND name = ?", key).fetchone()
    return _job(row) if row else None


def jobs_where(db: sqlite3.Connection, condition: str, values: tuple[object, ...] = ()) -> list[Job]:
    """Jobs by a condition on the columns of the table, in the order of execution."""
    return [_job(row) for row in db.execute(f"{WITH_HEARTBEAT} WHERE {condition} ORDER BY place", values).fetchall()]


def _job(row: sqlite3.Row) -> Job:
    values = {name: row[name] for name in Job.__dataclass_fields__}
    return Job(**{**values, "arguments": json.loads(values["arguments"])})
