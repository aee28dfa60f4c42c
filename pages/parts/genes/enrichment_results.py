"""Enrichment results of a run as its pages need them: read or computed once for all visitors."""

import contextlib
from pathlib import Path

import pandas as pd
import streamlit as st

from ldvae_core import durable
from ldvae_core.analysis.enrichment import Background, background, over_representation
from ldvae_core.analysis.factors import Factors
from ldvae_core.data.gmt import GeneSets
from ldvae_core.errors import RunError, SettingsError
from ldvae_core.runs.gene_set_results import GeneSetResults
from ldvae_core.runs.store import OpenRun
from pages.parts.runs import store


def results_of(opened: OpenRun) -> GeneSetResults:
    """What is kept with this run."""
    return GeneSetResults(store().additions(opened.run_id))


def kept_result(opened: OpenRun, name: str) -> pd.DataFrame | None:
    """The table kept under this name, None when there is none."""
    path = results_of(opened).path(name)
    try:
        return _read(str(path), path.stat().st_mtime_ns)
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
        results_of(opened).keep(name, table, found, known, "over_representation", factors)
    return table
