"""The queue: who waits, who works, and what was asked of whom. Every change is one transaction."""

import os
import shutil
import sqlite3
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ldvae_core.errors import RunError
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.states import (
    RESUMABLE,
    SETTLED,
    WITH_RESULTS,
    RunState,
    cancel_folder,
    merged_state,
    read_folder_state,
)
from ldvae_core.workspace import database, processes
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import Workspace, listed_folder, make_id

Request = Literal["stop", "cancel", "pause", "resume"]
Asked = Literal["", "stop", "cancel", "pause"]
LONGEST_TOKEN = 200


@dataclass(frozen=True)
class Job:
    """One row of the queue."""

    run_id: str
    seq: int  # order of submission
    place: int  # order of execution
    state: RunState  # the queue's own word; see states.merged_state
    resume: bool
    request: Asked  # asked for, not yet done
    owner: str
    heartbeat: int
    device: str
    error: str

    @property
    def held(self) -> bool:
        """Whether a process may be working on it now."""
        return self.state == "running" and not processes.is_surely_dead(self.owner)


class Jobs:
    """The queue of one workspace. Holds no connection: safe to share between threads, cheap to make."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def submit(self, settings: RunSettings, *, token: str | None = None) -> str:
        """Make the run folder and put the run at the end of the queue; returns its id, once both are on the disk.

        token: names the submission (a form's, say): a second one with the same token returns the first one's run.
        Raises RunError when the data set is not in the workspace.
        """
        if token is not None and not 1 <= len(token) <= LONGEST_TOKEN:
            raise RunError(f"A submission token has 1 to {LONGEST_TOKEN} characters; this one has {len(token)}.")
        source = Datasets(self.workspace).card(settings.data_source)
        self.workspace.make()
        run_id = make_id(settings.name, token or uuid.uuid4().hex)
        folder = self.workspace.runs / run_id
        with database.writing(self.workspace.index) as db:
            if token and (row := db.execute("SELECT run_id FROM jobs WHERE token = ?", (token,)).fetchone()):
                return row["run_id"]
            if not folder.exists():
                settings.write(folder, data_name=source.name, fingerprint=source.fingerprint)
            if read_folder_state(folder).stage is None:  # else an index that was lost: nothing is trained twice
                device = settings.training.device
                _enqueue(db, run_id, token=token, device=device, resume=False)
        return run_id

    def request(self, run_id: str, what: Request) -> None:
        """Ask for a change; a run that nobody works on is changed at once, a running one within about a second.

        Asking twice is asking once. Raises RunError when the run is unknown or its state does not allow it.
        """
        if what not in get_args(Request):
            raise RunError(f"A run can be asked to {', '.join(get_args(Request))}; this was {what!r}.")
        with database.writing(self.workspace.index) as db:
            folder = listed_folder(self.workspace.runs, run_id, what="run")
            job = _find(db, run_id)
            state = _state_of(job, folder)
            if what == "resume":
                self._resume(db, folder, job, state)
            elif state == "running" and job:
                if job.request != "cancel":  # what was thrown away cannot be kept after all
                    db.execute("UPDATE jobs SET request = ? WHERE run_id = ?", (what, run_id))
            elif what == "cancel" and state in ("queued", "cancelled", *RESUMABLE):
                cancel_folder(folder)
                _settle(db, run_id, "cancelled")
            elif what == "pause" and state in ("queued", "paused"):
                _settle(db, run_id, "paused")
            else:
                raise RunError(f"The run {run_id} cannot be asked to {what} now: it is {state}.", _way_out(what, state))

    def claim(self, owner: str) -> Job | None:
        """Take the next waiting run as `owner`, who has the lock; None when none waits or the lock is another's."""
        with database.writing(self.workspace.index) as db:
            lock = db.execute("SELECT owner FROM worker").fetchone()
            row = db.execute("SELECT run_id FROM jobs WHERE state = 'queued' ORDER BY place LIMIT 1").fetchone()
            if row is None or lock is None or lock["owner"] != owner:
                return None
            db.execute(
                "UPDATE jobs SET state = 'running', owner = ?, request = '', error = '' WHERE run_id = ?",
                (owner, row["run_id"]),
            )
            return _find(db, row["run_id"])

    def beat(self, owner: str, run_id: str | None) -> Asked:
        """Show that `owner` lives, and return what is asked of its run; "pause" when the run is no longer its own."""
        with database.writing(self.workspace.index, flush=False) as db:
            db.execute("UPDATE worker SET heartbeat = heartbeat + 1 WHERE owner = ?", (owner,))
            if run_id is None:
                return ""
            mine = "run_id = ? AND owner = ? AND state = 'running'"
            db.execute(f"UPDATE jobs SET heartbeat = heartbeat + 1 WHERE {mine}", (run_id, owner))
            row = db.execute(f"SELECT request FROM jobs WHERE {mine}", (run_id, owner)).fetchone()
            return "pause" if row is None else row["request"]

    def settle(self, owner: str, run_id: str, state: RunState, *, error: str = "") -> bool:
        """Write down how a claimed run ended; False when it was no longer `owner`'s."""
        with database.writing(self.workspace.index) as db:
            job = _find(db, run_id)
            if job is None or job.owner != owner or job.state != "running":
                return False
            _settle(db, run_id, state, error=error)
            return True

    def mark_interrupted(self, watch: processes.Watch) -> list[str]:
        """Settle the runs whose owner is dead, by what their folder says, and free its lock; returns their ids."""
        if not any(job.state == "running" for job in self.all().values()) and self.worker() is None:
            return []
        with database.writing(self.workspace.index) as db:
            lock = db.execute("SELECT owner, heartbeat FROM worker").fetchone()
            if lock and watch.is_dead(lock["owner"], lock["heartbeat"]):
                db.execute("DELETE FROM worker WHERE owner = ?", (lock["owner"],))
            running = [_job(row) for row in db.execute("SELECT * FROM jobs WHERE state = 'running'").fetchall()]
            dead = [job for job in running if watch.is_dead(job.owner, job.heartbeat)]
            for job in dead:
                self._settle_dead(db, job)
            return [job.run_id for job in dead]

    def take_lock(self, owner: str, watch: processes.Watch) -> bool:
        """Become the one worker of this workspace; False when another one lives."""
        with database.writing(self.workspace.index) as db:
            lock = db.execute("SELECT owner, heartbeat FROM worker").fetchone()
            if lock and lock["owner"] != owner and not watch.is_dead(lock["owner"], lock["heartbeat"]):
                return False
            db.execute("INSERT OR REPLACE INTO worker (only, owner, heartbeat) VALUES (1, ?, 0)", (owner,))
            return True

    def release_lock(self, owner: str, *, only_if_idle: bool) -> bool:
        """Stop being the worker; returns whether. only_if_idle: not while a run waits, so that none is left behind."""
        with database.writing(self.workspace.index) as db:
            if only_if_idle and db.execute("SELECT 1 FROM jobs WHERE state = 'queued'").fetchone():
                return False
            db.execute("DELETE FROM worker WHERE owner = ?", (owner,))
            return True

    def worker(self) -> str | None:
        """Owner string of the worker that has the lock, dead or alive."""
        with database.reading(self.workspace.index) as db:
            row = db.execute("SELECT owner FROM worker").fetchone() if db else None
            return row["owner"] if row else None

    def all(self) -> dict[str, Job]:
        """Every row by run id, in the order of submission."""
        with database.reading(self.workspace.index) as db:
            rows = db.execute("SELECT * FROM jobs ORDER BY seq").fetchall() if db else []
            return {row["run_id"]: _job(row) for row in rows}

    def delete(self, run_id: str) -> None:
        """Remove a run for good. Raises RunError when it is unknown or a process works on it."""
        with database.writing(self.workspace.index) as db:
            folder = listed_folder(self.workspace.runs, run_id, what="run")
            hidden = folder.with_name(f".{run_id}.{uuid.uuid4().hex}.deleted")
            if _state_of(_find(db, run_id), folder) == "running":
                raise RunError(f"The run {run_id} is running.", "Cancel it first, then delete it.")
            db.execute("DELETE FROM jobs WHERE run_id = ?", (run_id,))
            os.replace(folder, hidden)
        shutil.rmtree(hidden, ignore_errors=True)

    def _resume(self, db: sqlite3.Connection, folder: Path, job: Job | None, state: RunState) -> None:
        if state in ("queued", "running"):
            return  # somebody else was faster
        if state not in RESUMABLE:
            raise RunError(f"The run {folder.name} cannot be resumed: it is {state}.", _way_out("resume", state))
        settings = RunSettings.read(folder)
        device = settings.training.device
        _enqueue(db, folder.name, token=None, device=device, resume=True, known=job is not None)

    def _settle_dead(self, db: sqlite3.Connection, job: Job) -> None:
        """Settle a run whose process has ended without doing so."""
        folder = self.workspace.runs / job.run_id
        found = read_folder_state(folder)
        state = merged_state("running", found.stage, alive=False)
        if job.request == "cancel" and folder.exists():
            cancel_folder(folder)
            state = "cancelled"
        _settle(db, job.run_id, state, error=found.error if state == "failed" else "")


def _enqueue(
    db: sqlite3.Connection, run_id: str, *, token: str | None, device: str, resume: bool, known: bool = False
) -> None:
    place = db.execute("SELECT COALESCE(MAX(place), 0) + 1 FROM jobs").fetchone()[0]
    if known:
        db.execute(
            "UPDATE jobs SET state = 'queued', place = ?, resume = ?, request = '', owner = '', error = '' "
            "WHERE run_id = ?",
            (place, resume, run_id),
        )
        return
    db.execute(
        "INSERT INTO jobs (run_id, token, place, state, resume, device) VALUES (?, ?, ?, 'queued', ?, ?)",
        (run_id, token, place, resume, device),
    )


def _state_of(job: Job | None, folder: Path) -> RunState:
    """The run's state, by the queue and by its folder."""
    found = read_folder_state(folder)
    alive = job.held if job else processes.is_alive(found.owner)
    return merged_state(job.state if job else None, found.stage, alive=alive)


def _settle(db: sqlite3.Connection, run_id: str, state: RunState, *, error: str = "") -> None:
    db.execute(
        "UPDATE jobs SET state = ?, request = '', owner = '', error = ? WHERE run_id = ?", (state, error, run_id)
    )


def _find(db: sqlite3.Connection, run_id: str) -> Job | None:
    row = db.execute("SELECT * FROM jobs WHERE run_id = ?", (run_id,)).fetchone()
    return _job(row) if row else None


def _job(row: sqlite3.Row) -> Job:
    values = {name: row[name] for name in Job.__dataclass_fields__}
    return Job(**{**values, "resume": bool(values["resume"])})


def _way_out(what: Request, state: RunState) -> str:
    if what == "stop" and state == "queued":
        return "It has learned nothing yet: cancel it instead."
    if what == "stop" and state in RESUMABLE:
        return "Resume it first, then stop it."
    if state in WITH_RESULTS:
        return "Its results are there; train a new run to change them."
    return "Train a new run." if state in SETTLED else ""
