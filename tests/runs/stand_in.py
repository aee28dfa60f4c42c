"""A stand-in for execute that learns nothing: what it does is told by the run's name. Also a worker that uses it."""

import sys
import time
from dataclasses import replace
from pathlib import Path

from ldvae_core.durable import read_json, write_json
from ldvae_core.errors import DeviceLostError, LdvaeError
from ldvae_core.jobs import worker
from ldvae_core.jobs.kinds import Kind
from ldvae_core.jobs.progress import Progress
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.states import read_folder_state, write_folder_state
from ldvae_core.runs.training_jobs import TRAINING_KIND


def execute(folder, *, open_counts, should_stop, resume):
    """quick: finishes · endless: goes on until it is asked · refused, lost, broken, full, vague: end as named."""
    name = RunSettings.read(folder).name
    write_folder_state(folder, "preparing")
    step = read_json(folder / "checkpoint.json")["step"] if resume and (folder / "checkpoint.json").exists() else 0
    if name == "refused":
        raise LdvaeError("These counts cannot be used.", "Load others.")
    if name == "lost":
        raise DeviceLostError("The GPU failed during this run.", "Resume the run.")
    if name == "broken":
        raise ZeroDivisionError("a secret path /srv/somebody")
    if name == "full":
        raise OSError(28, "No space left on device")
    if name == "vague":
        return {}
    write_folder_state(folder, "training")
    write_json(folder / "began.json", {"step": step})
    answer = "go" if name == "quick" else _go_on(folder, step, should_stop)
    write_folder_state(folder, {"go": "finished", "stop": "stopped", "pause": "paused", "cancel": "cancelled"}[answer])
    return {}


def _go_on(folder: Path, step: int, should_stop):
    while (answer := should_stop()) == "go":
        step += 1
        write_json(folder / "checkpoint.json", {"step": step})
        write_json(folder / "progress.json", {"epoch": step, "n_epochs": 1000, "step": step, "n_steps": 1000})
        time.sleep(0.02)
    return answer


def train(workspace, job, control):
    """What training_jobs.train does, with the stand-in."""
    folder = workspace.runs / job.subject
    execute(folder, open_counts=None, should_stop=control.answer, resume=job.arguments.get("resume") is True)
    if (stage := read_folder_state(folder).stage) in ("finished", "stopped", "paused", "cancelled", "failed"):
        return stage
    raise RuntimeError(f"execute returned at stage {stage}")


def sleep(workspace, job, control):
    """Work that never asks: it reports once, and goes on for a minute."""
    control.report(Progress("sleeping", 1, 4))
    time.sleep(60)
    return "finished"


TRAINING = replace(TRAINING_KIND, perform=train)
SLEEP = Kind("sleep", sleep)
KINDS = {kind.lane: kind for kind in (TRAINING, SLEEP)}


if __name__ == "__main__":
    sys.exit(worker.main(KINDS, sys.argv[1:]))
