"""Placing a data set of the workspace on the programs of a run, as a job of its own lane: never behind a training."""

import math
import time

from ldvae_core import durable
from ldvae_core.data.demo import DEMO_RUN
from ldvae_core.errors import LdvaeError
from ldvae_core.jobs.kinds import Control, Kind
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.jobs.progress import Progress
from ldvae_core.jobs.queue import Job, JobState, Queue
from ldvae_core.jobs.status import JobStatus, job_status
from ldvae_core.runs.opened import with_additions
from ldvae_core.runs.placed import CELLS, FOLDER, keep_placed
from ldvae_core.runs.programs import programs_of
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import DEMO, Workspace, make_id
from ldvae_core.workspace.trash import put_in_trash, take_from_trash

PLACING = "placing"  # the lane
SILENT_SECONDS = 120.0


def start_placing(workspace: Workspace, run_id: str, dataset_id: str) -> str:
    """Have a data set placed on a run, in the place of an earlier placing of it; the id of what will be there.

    Raises RunError: no such run or data set, or nothing can be written.
    """
    RunStore(workspace).additions(run_id)
    placed_id = make_id(Datasets(workspace).card(dataset_id).name, dataset_id)
    Queue(workspace).put(PLACING, run_id, placed_id, arguments={"dataset": dataset_id})
    return placed_id


def placing_status(workspace: Workspace, run_id: str, placed_id: str) -> JobStatus:
    """Where it stands."""
    return job_status(workspace, PLACING, run_id, placed_id)


def stop_placing(workspace: Workspace, run_id: str, placed_id: str) -> None:
    """Have it stopped, or forget that it failed; an earlier placing stays."""
    Queue(workspace).cancel(PLACING, run_id, placed_id)


def end_placing(workspace: Workspace, run_id: str, placed_id: str) -> None:
    """End its process, which no longer answers. Raises RunError when it cannot be reached."""
    if (job := Queue(workspace).find(PLACING, run_id, placed_id)) is not None:
        Lanes(workspace).end(PLACING_KIND, job)


def delete_placed(workspace: Workspace, run_id: str, placed_id: str) -> None:
    """Remove placed cells, to be had back for ten minutes. Raises RunError when the disk refuses."""
    put_in_trash(RunStore(workspace).additions(run_id).folder / FOLDER / placed_id)


def restore_placed(workspace: Workspace, run_id: str, placed_id: str) -> None:
    """Have them back. Raises RunError when their ten minutes are over."""
    take_from_trash(RunStore(workspace).additions(run_id).folder / FOLDER, placed_id)


def place_data(workspace: Workspace, job: Job, control: Control) -> JobState:
    """Place what a job asks for and keep it with the run. Raises LdvaeError in words for people."""
    from ldvae_core.runs.projection import Stopped, project  # loads torch: in this process only

    control.report(Progress("starting", 0.0, 1.0))
    store, datasets, began = RunStore(workspace), Datasets(workspace), time.monotonic()
    additions, dataset_id = store.additions(job.subject), str(job.arguments.get("dataset", ""))
    opened = with_additions(store.open(job.subject), additions)
    programs = programs_of(opened, DEMO_RUN if job.subject == DEMO else workspace.runs / job.subject)
    data, name = datasets.open(dataset_id), datasets.card(dataset_id).name

    def go_on(share: float) -> bool:
        seconds = time.monotonic() - began
        left = seconds * (1 - share) / share if share > 0 else math.nan
        control.report(Progress("placing", share, 1.0, seconds, left))
        return control.answer() == "go"

    parent = additions.make() / FOLDER
    parent.mkdir(exist_ok=True)
    durable.sweep_deleted(parent)
    try:
        durable.write_folder(
            parent / job.name,
            lambda part: keep_placed(project(programs, data, part / CELLS, go_on=go_on), part, name=name),
        )
    except Stopped:
        return "cancelled" if control.answer() == "cancel" else "interrupted"
    except OSError as fault:
        raise LdvaeError(f"Nothing was kept ({fault.strerror or fault}).", "Make room on the disk.") from None
    return "finished"


PLACING_KIND = Kind(
    PLACING,
    place_data,
    asks=True,
    niceness=5,  # somebody waits for it
    silent_seconds=SILENT_SECONDS,
    no_memory="There was not enough memory to place so many cells. Close other programs, then try again.",
)
