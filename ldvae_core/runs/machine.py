"""What the program finds out about this machine and prepares on it: once a start, in a process of its own.

The page server never loads torch: it reads what was found in machine.json.
"""

import logging
from typing import Any

from ldvae_core import durable
from ldvae_core.jobs.kinds import Control, Kind
from ldvae_core.jobs.progress import read_object
from ldvae_core.jobs.queue import Job, JobState, Queue
from ldvae_core.jobs.status import job_status
from ldvae_core.workspace.folders import Workspace

log = logging.getLogger(__name__)

MACHINE = "machine"  # the lane
MACHINE_FILE = "machine.json"
UNKNOWN = {
    "devices": [{"name": "cpu", "label": "CPU"}],
    "best": "cpu",
    "reason": "This machine could not be asked for a GPU, so training runs on the processor.",
}


def ask_machine(workspace: Workspace) -> None:
    """Have the devices found and the training step compiled; nothing happens while that is under way."""
    Queue(workspace).put(MACHINE, MACHINE)


def found_devices(workspace: Workspace) -> dict[str, Any] | None:
    """{"devices": [{"name", "label"}], "best", "reason"}; None while they are being looked for."""
    found = read_object(workspace.root / MACHINE_FILE)
    if found.get("devices") and found.get("best") and found.get("reason"):
        return found
    return None if job_status(workspace, MACHINE, MACHINE).under_way else UNKNOWN


def prepare_machine(workspace: Workspace, job: Job, control: Control) -> JobState:
    """Write machine.json, then compile the training step unless that was done before."""
    from ldvae_core.training.compile import compile_training_step, is_compiled
    from ldvae_core.training.devices import found_devices

    durable.write_json(workspace.root / MACHINE_FILE, found_devices())
    if not is_compiled():
        log.info("compiling the training step")
        compile_training_step()
    return "finished"


MACHINE_KIND = Kind(MACHINE, prepare_machine, niceness=19)
