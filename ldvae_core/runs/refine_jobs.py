"""Refining an older run as a job: the refined one appears beside it as a run of its own, and the old one stays."""

import logging
from dataclasses import dataclass, field
from typing import Literal

from ldvae_core.errors import RunError
from ldvae_core.jobs.kinds import Control, Kind
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.jobs.progress import Progress
from ldvae_core.jobs.queue import Job, JobState, Queue
from ldvae_core.jobs.status import JobStatus, job_status
from ldvae_core.model.refinable import unrefinable
from ldvae_core.runs.opened import OpenRun
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.folders import DEMO, Workspace, listed_folder, listed_ids, make_id

log = logging.getLogger(__name__)

RefineState = Literal["none", "queued", "running", "failed", "interrupted", "ready"]
REFINING = "refining"  # the lane
BEGINS = {"refining": 0.0, "analysing": 0.9}  # share of the whole, roughly


@dataclass(frozen=True)
class RefineStatus:
    """How the refining of a run stands."""

    state: RefineState
    job: JobStatus = field(default_factory=JobStatus)
    refined_id: str = ""  # of the refined run, where there is one


def refined_id(run_id: str) -> str:
    """The id that the refined run has or would have."""
    return make_id(f"{run_id} refined", f"refined {run_id}")


def why_not_refined(workspace: Workspace, opened: OpenRun) -> str:
    """Why this run cannot be refined now, in words for people; "" where it can."""
    if opened.has_refined_positions:
        return "it is refined already"
    if opened.run_id == DEMO:
        return "the demo run comes with the program without its counts and stays as it is"
    if reason := unrefinable(opened.settings.model):
        return reason
    kept = (workspace.runs / opened.run_id / "model.npz").exists()
    return "" if kept else "it does not keep its trained network, for it was made before that was kept"


def refine_status(workspace: Workspace, run_id: str) -> RefineStatus:
    """Where it stands. Raises RunError when there is no such run."""
    listed_folder(workspace.runs, run_id, what="run")
    job, made = job_status(workspace, REFINING, run_id), refined_id(run_id)
    if job.under_way:
        return RefineStatus("queued" if job.state == "queued" else "running", job)
    if made in listed_ids(workspace.runs):
        return RefineStatus("ready", job, made)
    if job.state in ("failed", "interrupted"):
        return RefineStatus("failed" if job.state == "failed" else "interrupted", job)
    return RefineStatus("none")


def start_refining(workspace: Workspace, run_id: str) -> None:
    """Have it refined; nothing happens while that is under way already. Raises RunError: unknown, or it cannot be."""
    if reason := why_not_refined(workspace, RunStore(workspace).open(run_id)):
        raise RunError(f"The run {run_id} cannot be refined: {reason}.")
    Queue(workspace).put(REFINING, run_id)


def cancel_refining(workspace: Workspace, run_id: str) -> None:
    """Have it stopped, or forget that it failed."""
    Queue(workspace).cancel(REFINING, run_id)


def end_refining(workspace: Workspace, run_id: str) -> None:
    """End its process, which no longer answers. Raises RunError when it cannot be reached."""
    if (job := Queue(workspace).find(REFINING, run_id)) is not None:
        Lanes(workspace).end(REFINE_KIND, job)


def refine_older_run(workspace: Workspace, job: Job, control: Control) -> JobState:
    """Refine the run that a job is about. Raises LdvaeError in words for people."""
    from ldvae_core.runs.refine import refine_run  # loads torch: in this process only

    def report(stage: str, share: float) -> None:
        ends = min([begin for begin in BEGINS.values() if begin > BEGINS[stage]], default=1.0)
        control.report(Progress(stage, BEGINS[stage] + (ends - BEGINS[stage]) * share, 1.0))

    folder = listed_folder(workspace.runs, job.subject, what="run")
    refine_run(folder, workspace.runs / refined_id(job.subject), on_progress=report)
    return "finished"


REFINE_KIND = Kind(
    REFINING,
    refine_older_run,
    no_memory="There was not enough memory to refine so many cells. Close other programs, then try again.",
)
