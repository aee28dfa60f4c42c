"""Pre-ranked enrichment of a run, which takes minutes: computed in a process of its own, and kept with the run."""

import math
import time
from typing import get_args

from ldvae_core.analysis.enrichment import background, enrichment_id, pre_ranked
from ldvae_core.data.genesets import Species, load_collection
from ldvae_core.data.gmt import GeneSets
from ldvae_core.errors import RunError
from ldvae_core.jobs.kinds import Control, Kind
from ldvae_core.jobs.lanes import Lanes
from ldvae_core.jobs.progress import Progress
from ldvae_core.jobs.queue import Job, JobState, Queue
from ldvae_core.jobs.status import JobStatus, job_status
from ldvae_core.runs.gene_set_results import GeneSetResults
from ldvae_core.runs.gene_sparse import with_gene_sparse
from ldvae_core.runs.maps import usable_threads
from ldvae_core.runs.opened import with_additions
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.folders import Workspace

ENRICHMENT = "enrichment"  # the lane
OWN = "own:"  # before the digest of gene sets that people added to the run
MOST_THREADS = 4


def start_enrichment(
    workspace: Workspace, run_id: str, name: str, *, axes: str, sets: str, species: str | None
) -> None:
    """Have the pre-ranked enrichment computed that is called `name`; nothing happens while it is under way already.

    sets: the key of a shipped collection, or OWN and the digest of the run's own sets. Raises RunError when there is
    no such run or nothing can be written.
    """
    RunStore(workspace).additions(run_id)
    Queue(workspace).put(ENRICHMENT, run_id, name, arguments={"axes": axes, "sets": sets, "species": species})


def enrichment_status(workspace: Workspace, run_id: str, name: str) -> JobStatus:
    """Where it stands."""
    return job_status(workspace, ENRICHMENT, run_id, name)


def stop_enrichment(workspace: Workspace, run_id: str, name: str) -> None:
    """Have it stopped; what was computed of it is lost."""
    Queue(workspace).cancel(ENRICHMENT, run_id, name)


def end_enrichment(workspace: Workspace, run_id: str, name: str) -> None:
    """End its process, which no longer answers. Raises RunError when it cannot be reached."""
    if (job := Queue(workspace).find(ENRICHMENT, run_id, name)) is not None:
        Lanes(workspace).end(ENRICHMENT_KIND, job)


def sets_of(results: GeneSetResults, key: str, species: Species | None) -> GeneSets:
    """Gene sets by their key. Raises SettingsError when there are none, RunError when they are gone."""
    return results.read_own(key.removeprefix(OWN)) if key.startswith(OWN) else load_collection(key, species)


def compute_enrichment(workspace: Workspace, job: Job, control: Control) -> JobState:
    """Compute what a job asks for and keep it. Raises LdvaeError in words for people."""
    store, began = RunStore(workspace), time.monotonic()
    additions = store.additions(job.subject)
    results, species = GeneSetResults(additions), job.arguments.get("species")
    opened = store.open(job.subject)
    if job.arguments.get("axes") == "gene_sparse":
        opened = with_gene_sparse(opened)
    opened = with_additions(opened, additions)
    factors = next((found for axes, found in opened.factors.items() if axes == job.arguments.get("axes")), None)
    found = sets_of(results, str(job.arguments.get("sets")), species if species in get_args(Species) else None)
    if factors is None or enrichment_id(factors, found, "pre_ranked") != job.name:
        raise RunError("The factors or the gene sets have changed since this was asked for.", "Start it again.")
    known = background(factors.gene_names, found)

    def report(done: int, total: int) -> bool:
        seconds = time.monotonic() - began
        left = seconds * (total - done) / done if done else math.nan
        control.report(Progress("ranking", done, total, seconds, left))
        return True

    report(0, int(factors.active.sum()))
    table = pre_ranked(factors, known, report=report, threads=min(MOST_THREADS, usable_threads()))
    GeneSetResults(store.additions(job.subject)).keep(job.name, table, found, known, "pre_ranked", factors)
    return "finished"


ENRICHMENT_KIND = Kind(ENRICHMENT, compute_enrichment)
