"""Who works where: every lane has at most one worker, which claims its jobs one after the other.

One heartbeat a worker, kept with its lane, stands for the job in its hands too.
"""

import logging

from ldvae_core.errors import RunError
from ldvae_core.jobs.kinds import Kind, Kinds, Outcome
from ldvae_core.jobs.queue import Asked, Change, Job, jobs_where
from ldvae_core.workspace import database, processes
from ldvae_core.workspace.folders import Workspace

log = logging.getLogger(__name__)


class Lanes:
    """The lanes of one workspace. Holds no connection: safe to share between threads, cheap to make."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def take(self, kind: Kind, owner: str, watch: processes.Watch) -> bool:
        """Become the one worker of this lane; False when another one lives."""
        with database.writing(self.workspace.index) as db:
            row = db.execute("SELECT owner, heartbeat FROM lanes WHERE lane = ?", (kind.lane,)).fetchone()
            if (
                row
                and row["owner"] not in ("", owner)
                and not watch.is_dead(row["owner"], row["heartbeat"], patience=kind.silent_seconds)
            ):
                return False
            db.execute(
                "INSERT INTO lanes (lane, owner) VALUES (?, ?) "
                "ON CONFLICT (lane) DO UPDATE SET owner = excluded.owner, heartbeat = 0",
                (kind.lane, owner),
            )
            return True

    def release(self, lane: str, owner: str, *, only_if_idle: bool) -> bool:
        """Stop being the worker; returns whether. only_if_idle: not while a job waits, so that none is left behind."""
        with database.writing(self.workspace.index) as db:
            if only_if_idle and jobs_where(db, "jobs.lane = ? AND state = 'queued'", (lane,)):
                return False
            db.execute("UPDATE lanes SET owner = '' WHERE lane = ? AND owner = ?", (lane, owner))
            return True

    def worker(self, lane: str) -> str | None:
        """Owner string of the worker that has the lane, dead or alive."""
        with database.reading(self.workspace.index) as db:
            row = db.execute("SELECT owner FROM lanes WHERE lane = ?", (lane,)).fetchone() if db else None
            return (row["owner"] or None) if row else None

    def waiting(self) -> list[str]:
        """The lanes in which a job waits and that no worker has."""
        query = (
            "SELECT DISTINCT jobs.lane FROM jobs LEFT JOIN lanes ON lanes.lane = jobs.lane "
            "WHERE state = 'queued' AND COALESCE(lanes.owner, '') = '' ORDER BY jobs.lane"
        )
        with database.reading(self.workspace.index) as db:
            return [row["lane"] for row in db.execute(query).fetchall()] if db else []

    def claim(self, lane: str, owner: str) -> Job | None:
        """Take the next waiting job as `owner`, who has the lane; None when none waits or the lane is another's."""
        with database.writing(self.workspace.index) as db:
            if not db.execute("SELECT 1 FROM lanes WHERE lane = ? AND owner = ?", (lane, owner)).fetchone():
                return None
            waiting = jobs_where(db, "jobs.lane = ? AND state = 'queued'", (lane,))
            if not waiting:
                return None
            db.execute(
                "UPDATE jobs SET state = 'running', owner = ?, request = '', error = '' WHERE seq = ?",
                (owner, waiting[0].seq),
            )
            db.execute("UPDATE lanes SET trouble = '' WHERE lane = ?", (lane,))
            return jobs_where(db, "seq = ?", (waiting[0].seq,))[0]

    def beat(self, lane: str, owner: str, job: Job | None) -> Asked:
        """Show that `owner` lives, and return what is asked of its job; "pause" when the job is no longer its own."""
        with database.writing(self.workspace.index, flush=False) as db:
            db.execute("UPDATE lanes SET heartbeat = heartbeat + 1 WHERE lane = ? AND owner = ?", (lane, owner))
            if job is None:
                return ""
            mine = jobs_where(db, "seq = ? AND jobs.owner = ? AND state = 'running'", (job.seq, owner))
            return mine[0].request if mine else "pause"

    def settle(self, owner: str, job: Job, outcome: Outcome) -> bool:
        """Write down how a claimed job ended; False when it was no longer `owner`'s."""
        with database.writing(self.workspace.index) as db:
            if not jobs_where(db, "seq = ? AND jobs.owner = ? AND state = 'running'", (job.seq, owner)):
                return False
            Change(db).settle(job, outcome.state, error=outcome.error)
            return True

    def settle_dead(self, kinds: Kinds, watch: processes.Watch) -> list[Job]:
        """Settle the jobs whose worker is dead, and free its lane; returns them. Looks at the lanes of `kinds`."""
        with database.reading(self.workspace.index) as db:
            if db is None or not (
                jobs_where(db, "state = 'running'") or db.execute("SELECT 1 FROM lanes WHERE owner != ''").fetchone()
            ):
                return []
        settled: list[Job] = []
        with database.writing(self.workspace.index) as db:
            lanes = {row["lane"]: row for row in db.execute("SELECT * FROM lanes").fetchall()}
            for lane, kind in kinds.items():
                owner = lanes[lane]["owner"] if lane in lanes else ""
                if owner and watch.is_dead(owner, lanes[lane]["heartbeat"], patience=kind.silent_seconds):
                    db.execute("UPDATE lanes SET owner = '' WHERE lane = ?", (lane,))
                    owner = ""
                for job in jobs_where(db, "jobs.lane = ? AND state = 'running'", (lane,)):
                    if not owner or job.owner != owner:  # only a lane's worker can have a job of it
                        outcome = kind.settle(self.workspace, job, None)
                        Change(db).settle(job, outcome.state, error=outcome.error)
                        settled.append(job)
        return settled

    def running(self) -> list[Job]:
        """The jobs in work, in all lanes."""
        with database.reading(self.workspace.index) as db:
            return jobs_where(db, "state = 'running'") if db else []

    def listen(self) -> None:
        """Look at every heartbeat, so that pages of this process know since when one has been silent."""
        for job in self.running():
            _ = job.silent_seconds

    def end(self, kind: Kind, job: Job) -> None:
        """End the process that has the job, also one that no longer answers, and free its lane for the next.

        Raises RunError when the process works where it cannot be reached. No error when it has ended by itself.
        """
        with database.reading(self.workspace.index) as db:
            now = jobs_where(db, "seq = ? AND state = 'running'", (job.seq,)) if db else []
        if not now or now[0].owner != job.owner:
            return
        if not processes.end(job.owner):
            raise RunError("The process could not be ended from here.", "Restart the computer it runs on, or wait.")
        log.warning("the worker of %s %s was ended on request", job.lane, job.subject)
        self.settle_dead({kind.lane: kind}, processes.Watch())

    def trouble(self, lane: str) -> str:
        """Why waiting jobs do not start, in words; "" when nothing is wrong."""
        with database.reading(self.workspace.index) as db:
            row = db.execute("SELECT trouble FROM lanes WHERE lane = ?", (lane,)).fetchone() if db else None
            return str(row["trouble"]) if row else ""

    def say_trouble(self, lane: str, words: str) -> None:
        """Write down why jobs do not start; gone when the next one does."""
        with database.writing(self.workspace.index) as db:
            db.execute(
                "INSERT INTO lanes (lane, trouble) VALUES (?, ?) ON CONFLICT (lane) DO UPDATE SET trouble = ?",
                (lane, words, words),
            )
