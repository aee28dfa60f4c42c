"""Making data sets as jobs of a lane of their own: never behind a training, with progress and a stop.

A file is read into the workspace, or data sets that are there become another one (workspace/derived.py).
"""

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ldvae_core import durable
from ldvae_core.data.progress import Course, ReadingProgress, Step
from ldvae_core.data.reading_options import NOTHING_SAID, ReadingOptions
from ldvae_core.errors import CountsError, LdvaeError, RunError
from ldvae_core.jobs.kinds import Control, Kind
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.jobs.progress import Progress, read_object
from ldvae_core.jobs.queue import Job, JobState, Queue
from ldvae_core.jobs.status import JobStatus, job_status
from ldvae_core.runs.settings import RunSettings
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.derived import Made, Recipe, make, recipe_from_dict, recipe_to_dict
from ldvae_core.workspace.folders import Workspace, listed_folder

READING = "reading"  # the lane
SILENT_SECONDS = 120.0


@dataclass(frozen=True)
class ReadingStatus:
    """How a reading stands. dataset_id: what it has led to; refusal: why it has not; None and None before its end.

    said: the sentence that tells what was made of other data sets; "" for a file.
    """

    job: JobStatus = field(default_factory=JobStatus)
    dataset_id: str | None = None
    refusal: LdvaeError | None = None
    said: str = ""


def start_reading(workspace: Workspace, source: str, *, options: ReadingOptions = NOTHING_SAID) -> str:
    """Have a file read; the reading's id.

    source: "file ID" of the data folder, "upload ID" as Datasets.keep_upload gave it, or "run ID" for the file that the
    command line made a run from. Raises RunError when nothing can be written.
    """
    return _put(workspace, {"source": source, "options": options.to_dict()})


def start_making(workspace: Workspace, recipe: Recipe) -> str:
    """Have a data set made of others; the id of that work, as of a reading. Raises RunError as start_reading."""
    return _put(workspace, recipe_to_dict(recipe))


def reading_status(workspace: Workspace, reading_id: str) -> ReadingStatus:
    """Where a reading stands. Raises RunError when the queue cannot be read."""
    job = job_status(workspace, READING, reading_id)
    if job.under_way:
        return ReadingStatus(job)
    told = read_object(_result(workspace, reading_id))
    if isinstance(told.get("dataset_id"), str):
        return ReadingStatus(job, dataset_id=told["dataset_id"], said=str(told.get("said", "")))
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
    """Do what a job asks for and keep the data set. Raises LdvaeError in words for people."""
    control.report(Progress("opening", 0.0, 1.0))
    try:
        made = (_make if "make" in job.arguments else _read)(Datasets(workspace), job, control)
    except LdvaeError as refusal:
        if control.answer() != "go":
            return "cancelled" if control.answer() == "cancel" else "interrupted"
        _tell(workspace, job.subject, _told(refusal))
        raise
    _tell(workspace, job.subject, made._asdict())
    return "finished"


def _read(datasets: Datasets, job: Job, control: Control) -> Made:
    options = ReadingOptions.from_dict(job.arguments.get("options", {}))
    kind, _, key = str(job.arguments.get("source", "")).partition(" ")
    how: dict[str, Any] = {
        "on_progress": lambda progress: _report(control, progress),
        "should_stop": lambda: control.answer() != "go",
    }
    if options:
        how["options"] = options
    if kind == "run":
        settings = RunSettings.read(listed_folder(datasets.workspace.runs, key, what="run"))
        how |= {"options": settings.reading} if settings.reading else {}
        return Made(datasets.add_path(Path(settings.data_source), **how), "")
    add = datasets.add_kept if kind == "upload" else datasets.add_file
    return Made(add(key, **how), "")


def _make(datasets: Datasets, job: Job, control: Control) -> Made:
    course = Course()

    def report(step: Step, done: int, of: int) -> None:
        _report(control, course.at(step, done, of))
        if control.answer() != "go":
            raise CountsError("The work was stopped.", "Nothing was kept.")

    return make(datasets, recipe_from_dict(job.arguments), report=report)


def _report(control: Control, progress: ReadingProgress) -> None:
    left = progress.seconds_left
    control.report(Progress(progress.step, progress.share, 1.0, seconds_left=math.nan if left is None else left))


def _put(workspace: Workspace, arguments: Mapping[str, Any]) -> str:
    reading_id = uuid.uuid4().hex
    Queue(workspace).put(READING, reading_id, arguments=dict(arguments))
    return reading_id


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
