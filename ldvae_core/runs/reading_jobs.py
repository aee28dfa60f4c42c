"""Reading a file into the workspace as a job of its own lane: never behind a training, with progress and a stop."""

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ldvae_core import durable
from ldvae_core.data.progress import ReadingProgress
from ldvae_core.data.reading_options import NOTHING_SAID, ReadingOptions
from ldvae_core.errors import CountsError, LdvaeError, RunError
from ldvae_core.jobs.kinds import Control, Kind
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.jobs.progress import Progress, read_object
from ldvae_core.jobs.queue import Job, JobState, Queue
from ldvae_core.jobs.status import JobStatus, job_status
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import Workspace

READING = "reading"  # the lane
SILENT_SECONDS = 120.0


@dataclass(frozen=True)
class ReadingStatus:
    """How a reading stands. dataset_id: what it has led to; refusal: why it has not; None and None before its end."""

    job: JobStatus = field(default_factory=JobStatus)
    dataset_id: str | None = None
    refusal: LdvaeError | None = None


def start_reading(workspace: Workspace, source: str, *, options: ReadingOptions = NOTHING_SAID) -> str:
    """Have a file read: "file ID" of the data folder, or "upload ID" as Datasets.keep_upload gave it; the reading's id.

    Raises RunError when nothing can be written.
    """
    reading_id = uuid.uuid4().hex
    Queue(workspace).put(READING, reading_id, arguments={"source": source, "options": options.to_dict()})
    return reading_id


def reading_status(workspace: Workspace, reading_id: str) -> ReadingStatus:
    """Where a reading stands. Raises RunError when the queue cannot be read."""
    job = job_status(workspace, READING, reading_id)
    if job.under_way:
        return ReadingStatus(job)
    told = read_object(_result(workspace, reading_id))
    if isinstance(told.get("dataset_id"), str):
        return ReadingStatus(job, dataset_id=told["dataset_id"])
    if told.get("problems"):
        return ReadingStatus(job, refusal=_refusal(told))
    if job.state == "cancelled":
        return ReadingStatus(job, refusal=CountsError("The reading was stopped.", "Nothing was loaded."))
    words = job.error or "The reading has ended before it was done."
    return ReadingStatus(job, refusal=RunError(words, "Nothing was loaded. Start it again."))


def cancel_reading(workspace: Workspace, reading_id: str) -> None:
    """Have it stopped: nothing is loaded then."""
    Queue(workspace).cancel(READING, reading_id)


def end_reading(workspace: Workspace, reading_id: str) -> None:
    """End its process, which no longer answers. Raises RunError when it cannot be reached."""
    if (job := Queue(workspace).find(READING, reading_id)) is not None:
        Lanes(workspace).end(READING_KIND, job)


def read_data(workspace: Workspace, job: Job, control: Control) -> JobState:
    """Read what a job asks for and keep it as a data set. Raises LdvaeError in words for people."""
    options = ReadingOptions.from_dict(job.arguments.get("options", {}))
    kind, _, key = str(job.arguments.get("source", "")).partition(" ")
    datasets = Datasets(workspace)
    control.report(Progress("opening", 0.0, 1.0))

    def report(progress: ReadingProgress) -> None:
        left = progress.seconds_left
        control.report(Progress(progress.step, progress.share, 1.0, seconds_left=math.nan if left is None else left))

    how: dict[str, Any] = {"on_progress": report, "should_stop": lambda: control.answer() != "go"}
    if options:
        how["options"] = options
    add = datasets.add_kept if kind == "upload" else datasets.add_file
    try:
        dataset_id = add(key, **how)
    except LdvaeError as refusal:
        if control.answer() != "go":
            return "cancelled" if control.answer() == "cancel" else "interrupted"
        _tell(workspace, job.subject, _told(refusal))
        raise
    _tell(workspace, job.subject, {"dataset_id": dataset_id})
    return "finished"


def _told(refusal: LdvaeError) -> dict[str, Any]:
    offers = refusal.offers if isinstance(refusal, CountsError) else {}
    return {"problems": list(refusal.problems), "remedy": refusal.remedy, "offers": offers}


def _refusal(told: Mapping[str, Any]) -> CountsError:
    return CountsError([str(one) for one in told["problems"]], str(told.get("remedy", "")), offers=told.get("offers"))


def _tell(workspace: Workspace, reading_id: str, result: Mapping[str, Any]) -> None:
    durable.write_json(_result(workspace, reading_id), dict(result))


def _result(workspace: Workspace, reading_id: str) -> Path:
    return workspace.progress / f"reading-{reading_id}.json"


READING_KIND = Kind(
    READING,
    read_data,
    asks=True,
    niceness=5,  # somebody waits for it
    silent_seconds=SILENT_SECONDS,
    no_memory="There was not enough memory. Close other programs, then try again.",
)
