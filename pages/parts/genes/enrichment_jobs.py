"""Enrichment results: kept with the run, computed once; the long ones beside the pages, one at a time."""

import contextlib
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

from ldvae_core import durable
from ldvae_core.analysis.enrichment import Background, Method, background, over_representation, pre_ranked
from ldvae_core.analysis.factors import Factors
from ldvae_core.data.genesets import GeneSets, read_gmt, write_gmt
from ldvae_core.errors import LdvaeError, RunError, SettingsError
from ldvae_core.runs.store import OpenRun
from pages.parts.runs import store

FOLDER, OWN_ABOUT = "enrichment", "own.json"
MOST_OWN = 20  # files of gene sets kept with one run
LONGEST_TITLE = 80  # characters
NICE = 10  # of 19: visitors' pages come first
log = logging.getLogger(__name__)


@dataclass
class Job:
    """One enrichment under way; written by its thread, read by pages."""

    done: int = 0
    of: int = 0
    finished: bool = False
    fault: str = ""
    stop: bool = False


@st.cache_resource
def _jobs() -> tuple[dict[str, Job], threading.Lock, threading.Lock]:
    return {}, threading.Lock(), threading.Lock()


def kept_result(opened: OpenRun, name: str) -> pd.DataFrame | None:
    """The table kept under this name, None when there is none."""
    path = store().additions(opened.run_id).folder / FOLDER / f"{name}.parquet"
    try:
        stamp = path.stat().st_mtime_ns
        return _read(str(path), stamp)
    except (OSError, RunError):
        return None


@st.cache_resource(max_entries=12, show_spinner=False)
def _read(path: str, stamp: int) -> pd.DataFrame:
    return durable.read_table(Path(path))


def background_of(stamp: str, digest: str, opened: OpenRun, found: GeneSets) -> Background:
    """The sets as modelled genes, matched once. Raises SettingsError when none can be tested."""
    known = _matched(stamp, digest, opened, found)
    if isinstance(known, SettingsError):
        raise SettingsError(known.problems, known.remedy)
    return known


@st.cache_resource(max_entries=8, show_spinner="Matching gene sets with the modelled genes")
def _matched(stamp: str, digest: str, _opened: OpenRun, _found: GeneSets) -> Background | SettingsError:
    """A refusal is an outcome too: what is raised is kept by no cache, and would be worked out at every visit."""
    try:
        return background(_opened.counts.gene_names, _found)
    except SettingsError as refusal:
        return refusal.with_traceback(None)


def compute_now(opened: OpenRun, factors: Factors, found: GeneSets, known: Background, name: str) -> pd.DataFrame:
    """Over-representation takes a second; kept where the disk allows."""
    table = over_representation(factors, known)
    with contextlib.suppress(OSError, RunError):  # a full disk costs the keeping, not the look
        _keep(opened, name, table, found, known, "over_representation", factors)
    return table


def start(opened: OpenRun, factors: Factors, found: GeneSets, known: Background, name: str) -> None:
    """Begin a pre-ranked enrichment beside the pages, unless it is under way; one runs at a time, others wait."""
    jobs, lock, turn = _jobs()
    with lock:
        key = f"{opened.run_id} {name}"
        if key in jobs and not jobs[key].finished:
            return
        for old in [other for other, job in jobs.items() if job.finished]:
            del jobs[old]
        job = jobs[key] = Job(of=int(factors.active.sum()))
    folder = store().additions(opened.run_id)
    arguments = (job, turn, folder, factors, found, known, name)
    threading.Thread(target=_work, args=arguments, name="enrichment", daemon=True).start()


def job_of(opened: OpenRun, name: str) -> Job | None:
    """The work under this name, under way or failed; None without."""
    return _jobs()[0].get(f"{opened.run_id} {name}")


def own_sets(opened: OpenRun) -> dict[str, str]:
    """Files of gene sets that people added to this run: name of the file here -> title."""
    folder = store().additions(opened.run_id).folder / FOLDER
    try:
        content = durable.read_json(folder / OWN_ABOUT)
    except (RunError, OSError):
        return {}
    rows = content.items() if isinstance(content, dict) else ()
    return {str(digest): str(title) for digest, title in rows if str(digest).isalnum() and len(str(digest)) == 16}


def read_own(opened: OpenRun, digest: str) -> GeneSets:
    """A file that keep_own kept. Raises RunError when it is gone, SettingsError when damaged."""
    title = own_sets(opened).get(digest, "own gene sets")
    try:
        content = (store().additions(opened.run_id).folder / FOLDER / f"{digest}.gmt.gz").read_bytes()
    except OSError:
        raise RunError(f"The gene sets {title!r} are gone.", "Load the file again.") from None
    return read_gmt(content, title)


def keep_own(opened: OpenRun, content: bytes, title: str) -> GeneSets:
    """Check a file of gene sets and keep it with the run. Raises SettingsError as read_gmt, RunError: not writable."""
    found = read_gmt(content, title[:LONGEST_TITLE])
    own = own_sets(opened)
    if found.digest not in own and len(own) >= MOST_OWN:
        raise SettingsError(f"This run keeps {MOST_OWN} files of gene sets, the most it can.", "Use one of these.")
    folder = store().additions(opened.run_id).make() / FOLDER
    try:
        folder.mkdir(exist_ok=True)
        durable.write_bytes(folder / f"{found.digest}.gmt.gz", write_gmt(found))
        durable.write_json(folder / OWN_ABOUT, {**own, found.digest: found.title})
    except OSError as fault:
        raise RunError(f"Nothing was saved ({fault.strerror}).", "Make room on the disk, then again.") from None
    return found


def _work(job: Job, turn: threading.Lock, kept, factors, found, known, name: str) -> None:  # noqa: ANN001
    with contextlib.suppress(OSError, AttributeError):  # only Linux knows the niceness of one thread
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)

    def report(done: int, of: int) -> bool:
        job.done, job.of = done, of
        return not job.stop

    try:
        with turn:
            table = pre_ranked(factors, known, report=report, threads=max(1, min(4, (os.cpu_count() or 2) - 1)))
            _write(kept, name, table, found, known, "pre_ranked", factors)
    except LdvaeError as fault:
        job.fault = str(fault)
    except OSError as fault:
        job.fault = f"The result could not be saved ({fault.strerror}). Make room on the disk, then again."
    except Exception as fault:
        if job.stop and isinstance(fault, RuntimeError):
            return
        log.exception("enrichment failed")
        job.fault = "The enrichment broke off. The server's log says more."
    finally:
        job.finished = True


def _keep(
    opened: OpenRun,
    name: str,
    table: pd.DataFrame,
    found: GeneSets,
    known: Background,
    method: Method,
    factors: Factors,
) -> None:
    _write(store().additions(opened.run_id), name, table, found, known, method, factors)


def _write(kept, name: str, table: pd.DataFrame, found, known, method: Method, factors) -> None:  # noqa: ANN001
    folder = kept.make() / FOLDER
    folder.mkdir(exist_ok=True)
    about = {"sets": found.title, "by_orthologues": found.translated, "n_sets": known.n_sets, "method": method,
             "axes": factors.axes, "n_modelled_genes": known.n_genes}  # fmt: skip
    durable.write_json(folder / f"{name}.json", about)
    durable.write_table(folder / f"{name}.parquet", table)
