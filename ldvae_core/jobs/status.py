"""What a page shows of one job, whatever its kind."""

import time
from dataclasses import dataclass, field
from typing import Literal

from ldvae_core.jobs.lanes import Lanes
from ldvae_core.jobs.progress import Progress, read_progress
from ldvae_core.jobs.queue import Asked, Job, JobState, Queue
from ldvae_core.jobs.worker import progress_file
from ldvae_core.workspace.folders import Workspace

UNDER_WAY = ("queued", "running")


@dataclass(frozen=True)
class JobStatus:
    """Where a job stands, read from the queue and its progress file."""

    state: JobState | Literal["none"] = "none"
    progress: Progress = field(default_factory=Progress)
    error: str = ""  # why it failed, in words
    request: Asked = ""  # asked for, on its way
    place: int = 0  # among those that wait, 1 is next
    silent_seconds: float = 0.0  # for how long its process has not answered
    trouble: str = ""  # why it does not start, while it waits

    @property
    def under_way(self) -> bool:
        """Whether there is something to wait for."""
        return self.state in UNDER_WAY


def job_status(workspace: Workspace, lane: str, subject: str, name: str = "") -> JobStatus:
    """The status of a job; state "none" without one. Raises RunError when the queue cannot be read."""
    queue = Queue(workspace)
    job = queue.find(lane, subject, name)
    if job is None:
        return JobStatus()
    if job.state == "queued":
        return JobStatus("queued", place=queue.place(job), trouble=Lanes(workspace).trouble(lane))
    if job.state == "running" and not job.held:
        return JobStatus("interrupted")
    if job.state == "running":
        return JobStatus("running", _progress(workspace, job), request=job.request, silent_seconds=job.silent_seconds)
    return JobStatus(job.state, error=job.error)


def _progress(workspace: Workspace, job: Job) -> Progress:
    """As last written, with the seconds since then: work may be silent for a while."""
    path = progress_file(workspace, job)
    found = read_progress(path)
    try:
        since = max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return found
    return Progress(found.stage, found.done, found.total, found.seconds + since, found.seconds_left, found.more)
