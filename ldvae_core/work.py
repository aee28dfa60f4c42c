"""Where the kinds of work are put together: a worker is `python -m ldvae_core.work WORKSPACE LANE`.

A further kind of work is a Kind in its own module, and an entry here.
"""

import logging
import sys

from ldvae_core import durable
from ldvae_core.errors import LdvaeError
from ldvae_core.jobs import worker
from ldvae_core.jobs.dispatcher import Dispatcher, start_worker
from ldvae_core.runs.enrichment_jobs import ENRICHMENT_KIND
from ldvae_core.runs.leftovers import sweep_runs
from ldvae_core.runs.machine import MACHINE_KIND, ask_machine
from ldvae_core.runs.map_jobs import MAP_KIND
from ldvae_core.runs.placing_jobs import PLACING_KIND
from ldvae_core.runs.reading_jobs import READING_KIND
from ldvae_core.runs.refine_jobs import REFINE_KIND
from ldvae_core.runs.training_jobs import TRAINING_KIND
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import Workspace

log = logging.getLogger(__name__)

KINDS = {
    kind.lane: kind
    for kind in (TRAINING_KIND, REFINE_KIND, MAP_KIND, ENRICHMENT_KIND, MACHINE_KIND, READING_KIND, PLACING_KIND)
}


def start_work(workspace: Workspace) -> Dispatcher:
    """Clear away what killed processes have left, and look after the queue from now on; stop() ends that.

    Raises RunError when the workspace cannot be used.
    """
    workspace.make()
    try:
        Datasets(workspace).sweep()
        durable.sweep_deleted(workspace.runs)
        sweep_runs(workspace)
        ask_machine(workspace)
    except (LdvaeError, OSError):  # pages say what is wrong with the disk or the queue; a server must be there for that
        log.warning("what was left behind could not be cleared away", exc_info=True)
    dispatcher = Dispatcher(workspace, KINDS, start_worker("ldvae_core.work"))
    dispatcher.start()
    return dispatcher


if __name__ == "__main__":
    sys.exit(worker.main(KINDS, sys.argv[1:]))
