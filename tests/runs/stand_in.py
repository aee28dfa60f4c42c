"""A stand-in for execute that learns nothing: what it does is told by the run's name. Also a worker that uses it."""

import sys
import time
from pathlib import Path

from ldvae_core.durable import read_json, write_json
from ldvae_core.errors import DeviceLostError, LdvaeError
from ldvae_core.runs import worker
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.states import write_folder_state


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


if __name__ == "__main__":
    sys.exit(worker.main(execute=execute))
