"""Runs in the queue: what submitting, pausing, resuming, cancelling, deleting and having back mean for a run's folder.

A run's state is the queue's word and the folder's put together (runs/states.py); both change in one transaction.
"""

import functools
import time
import uuid
from pathlib import Path
from typing import Literal, get_args

from ldvae_core import durable
from ldvae_core.errors import RunError
from ldvae_core.jobs.kinds import Control, Kind, Outcome
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.jobs.queue import Change, Job, JobState, Queue
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.states import (
    RESUMABLE,
    SETTLED,
    WITH_RESULTS,
    RunState,
    cancel_folder,
    merged_state,
    read_folder_state,
    write_folder_state,
)
from ldvae_core.workspace import processes
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import Workspace, is_id, listed_folder, make_id
from ldvae_core.workspace.trash import marked, put_in_trash, take_from_trash

TRAINING = "training"  # the lane
Request = Literal["stop", "cancel", "pause", "resume"]


class TrainingJobs:
    """The queue of runs of one workspace. Holds no connection: safe to share between threads, cheap to make."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.queue = workspace, Queue(workspace)

    def submit(self, settings: RunSettings, *, token: str | None = None) -> str:
        """Make the run folder and put the run at the end of the queue; returns its id, once both are on the disk.

        token: names the submission (a form's, say): a second one with the same token returns the first one's run.
        Raises RunError when the data set is not in the workspace.
        """
        source = Datasets(self.workspace).card(settings.data_source)
        self.workspace.make()
        run_id = make_id(settings.name, token or uuid.uuid4().hex)
        folder = self.workspace.runs / run_id
        with self.queue.changing() as change:
            if token is not None and (known := change.with_token(token)):
                return known.subject
            if not folder.exists():
                settings.write(folder, data_name=source.name, fingerprint=source.fingerprint)
            if read_folder_state(folder).stage is None:  # else an index that was lost: nothing is trained twice
                change.enqueue(TRAINING, run_id, "", {}, token=token)
        return run_id

    def request(self, run_id: str, what: Request) -> None:
        """Ask for a change; a run that nobody works on is changed at once, a running one within about a second.

        Asking twice is asking once. Raises RunError when the run is unknown or its state does not allow it.
        """
        if what not in get_args(Request):
            raise RunError(f"A run can be asked to {', '.join(get_args(Request))}; this was {what!r}.")
        with self.queue.changing() as change:
            folder = listed_folder(self.workspace.runs, run_id, what="run")
            job = change.find(TRAINING, run_id)
            state = state_of(job, folder)
            if what == "resume":
                _resume(change, folder, state)
            elif state == "running" and job:
                change.ask(job, what)
            elif what == "cancel" and state in ("queued", "cancelled", *RESUMABLE):
                cancel_folder(folder)
                if job:
                    change.settle(job, "cancelled")
            elif what == "pause" and state in ("queued", "paused"):
                if job:
                    change.settle(job, "paused")
            else:
                raise RunError(f"The run {run_id} cannot be asked to {what} now: it is {state}.", _way_out(what, state))

    def end(self, run_id: str) -> None:
        """End the process of a run that no longer answers; the run is then interrupted, and can be resumed.

        Raises RunError when the process works where it cannot be reached. No error when it has ended by itself.
        """
        if (job := self.queue.find(TRAINING, run_id)) is not None:
            Lanes(self.workspace).end(TRAINING_KIND, job)

    def find(self, run_id: str) -> Job | None:
        """Its row, None when it was not submitted here."""
        return self.queue.find(TRAINING, run_id)

    def all(self) -> dict[str, Job]:
        """Every row by run id, in the order of submission."""
        return {job.subject: job for job in self.queue.all(TRAINING)}

    def trouble(self) -> str:
        """Why waiting runs do not start, in words; "" when nothing is wrong."""
        return Lanes(self.workspace).trouble(TRAINING)

    def delete(self, run_id: str, *, for_good: bool = False) -> None:
        """Remove a run, to be had back for ten minutes by restore, or for good, with every job about it.

        A run that waits in the queue comes back paused. Raises RunError when it is unknown, is being trained, or the
        disk refuses.
        """
        with self.queue.changing() as change:
            folder = listed_folder(self.workspace.runs, run_id, what="run")
            job = change.find(TRAINING, run_id)
            if state_of(job, folder) == "running":
                raise RunError(f"The run {run_id} is running.", "Cancel it first, then delete it.")
            if for_good:
                change.forget(run_id)
                durable.delete_folder(folder)
                return
            put_in_trash(folder)  # first, for it may be refused; the queue's change is undone then
            change.forget(run_id, but=TRAINING)
            if job is not None and job.state == "queued":
                change.settle(job, "paused")

    def restore(self, run_id: str) -> None:
        """Have a deleted run back as it was. Raises RunError when its ten minutes are over."""
        with self.queue.changing():
            take_from_trash(self.workspace.runs, run_id)

    def empty_trash(self, run_id: str | None = None) -> None:
        """Remove for good the runs whose ten minutes are over, and `run_id` whatever its time."""
        over = [folder.name for folder, until in marked(self.workspace.runs) if until <= time.time()]
        for name in [*over, *([run_id] if run_id else [])]:
            with self.queue.changing() as change:
                folder = self.workspace.runs / name
                over_now = name == run_id or durable.kept_until(folder) <= time.time()
                if is_id(name) and durable.is_deleted(folder) and over_now:  # not had back, or deleted anew, meanwhile
                    change.forget(name)
                    durable.delete_folder(folder)


def state_of(job: Job | None, folder: Path) -> RunState:
    """The run's state, by the queue and by its folder."""
    found = read_folder_state(folder)
    alive = job.held if job else processes.is_alive(found.owner)
    return merged_state(job.state if job else None, found.stage, alive=alive)


def train(workspace: Workspace, job: Job, control: Control) -> JobState:
    """Train the run of a job; the state that its folder is then in. Raises LdvaeError as execute does."""
    from ldvae_core.runs.execute import execute  # loads torch: in this process only

    folder = workspace.runs / job.subject
    open_counts = functools.partial(Datasets(workspace).open, RunSettings.read(folder).data_source)
    execute(folder, open_counts=open_counts, should_stop=control.answer, resume=job.arguments.get("resume") is True)
    stage = read_folder_state(folder).stage
    for state in SETTLED:
        if stage == state:
            return state
    raise RuntimeError(f"execute returned at stage {stage}")


def settle_run(workspace: Workspace, job: Job, outcome: Outcome | None) -> Outcome:
    """Bring the folder's word in line with how the training ended. Raises OSError when the disk refuses."""
    folder = workspace.runs / job.subject
    found = read_folder_state(folder)
    if outcome is None:
        state = "cancelled" if job.request == "cancel" else merged_state("running", found.stage, alive=False)
        if state == "cancelled" and folder.exists():
            cancel_folder(folder)
        return Outcome(state, found.error if state == "failed" else "")
    if outcome.state == "cancelled":
        cancel_folder(folder)
    elif outcome.state != found.stage:
        write_folder_state(folder, outcome.state, error=outcome.error)  # type: ignore[arg-type]
    return outcome


TRAINING_KIND = Kind(
    TRAINING,
    train,
    settle_run,
    asks=True,
    niceness=10,  # the pages come first
    no_memory="There was not enough memory for this run. Model fewer genes, or choose smaller minibatches.",
    no_room="Make room, then resume this run.",
)


def _resume(change: Change, folder: Path, state: RunState) -> None:
    if state in ("queued", "running"):
        return  # somebody else was faster
    if state not in RESUMABLE:
        raise RunError(f"The run {folder.name} cannot be resumed: it is {state}.", _way_out("resume", state))
    RunSettings.read(folder)  # refused here, not in the worker
    change.enqueue(TRAINING, folder.name, "", {"resume": True})


def _way_out(what: Request, state: RunState) -> str:
    if what == "stop" and state == "queued":
        return "It has learned nothing yet: cancel it instead."
    if what == "stop" and state in RESUMABLE:
        return "Resume it first, then stop it."
    if state in WITH_RESULTS:
        return "Its results are there; train a new run to change them."
    return "Train a new run." if state in SETTLED else ""
