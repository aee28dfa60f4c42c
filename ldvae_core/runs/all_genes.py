"""All genes of the data set that a run was made from, where that data set can still be found.

A run keeps the counts of its modelled genes. Those of the others stay with the data set: the demo, one of the
workspace, or (for runs of the command line) a file.
"""

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.demo import load_demo
from ldvae_core.data.reading_options import ReadingOptions
from ldvae_core.errors import LdvaeError
from ldvae_core.runs.opened import OpenRun
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import DEMO, Workspace

CHECKED = 200  # cells whose counts must be those of the run


class AllGenes(NamedTuple):
    """Counts of every gene, and where the run's cells are among them."""

    counts: CountMatrix
    cells: np.ndarray  # (n_cells of the run,) rows


def counts_of_all_genes(run: OpenRun, workspace: Workspace | None = None) -> CountMatrix | None:
    """Counts of every gene in the data set that the run was made from; None when it is not there any more.

    A file is read anew in a safe process, into a folder that lives as long as the counts.
    """
    source = run.settings.data_source
    try:
        if source == DEMO:
            return load_demo()
        if not Path(source).is_absolute():
            return Datasets(workspace or Workspace.default()).open(source)
        return _read_file(Path(source), run.settings.reading)
    except (LdvaeError, OSError):
        return None


def all_genes(run: OpenRun, workspace: Workspace | None = None) -> AllGenes | None:
    """The same, with the place of each of the run's cells; None when it is gone or other data by now.

    Cells are found by id, and a few of them must have the very counts that the run has.
    """
    counts = counts_of_all_genes(run, workspace)
    if counts is None:
        return None
    cells = _rows_of(run.counts.cell_ids, counts.cell_ids)
    return AllGenes(counts, cells) if (cells >= 0).all() and _same_counts(run.counts, counts, cells) else None


def reads_a_file(run: OpenRun) -> bool:
    """Whether all genes come from a file outside the workspace, which takes long to read."""
    return run.settings.data_source != DEMO and Path(run.settings.data_source).is_absolute()


def _rows_of(wanted: np.ndarray, among: np.ndarray) -> np.ndarray:
    """(n,) the row of each wanted id, -1 where there is none; without a table of all ids where they are the same."""
    if np.array_equal(wanted, among):
        return np.arange(len(wanted))
    return np.asarray(pd.Index(among).get_indexer(pd.Index(wanted)), np.int64)


def _same_counts(modelled: CountMatrix, whole: CountMatrix, cells: np.ndarray) -> bool:
    """Whether a few cells, spread over all, have the very counts of the modelled genes that the run was made with."""
    place = {gene: column for column, gene in enumerate(whole.gene_names.tolist())}
    genes = np.array([place.get(gene, -1) for gene in modelled.gene_names.tolist()], np.int64)
    if (genes < 0).any():
        return False
    some = np.unique(np.linspace(0, len(cells) - 1, min(CHECKED, len(cells))).astype(np.int64))
    gap = whole.counts[cells[some]][:, genes].astype(np.int64) - modelled.counts[some].astype(np.int64)
    return bool(gap.count_nonzero() == 0)


def _read_file(source: Path, options: ReadingOptions) -> CountMatrix:
    from ldvae_core.data.read import read_counts

    folder = tempfile.mkdtemp(prefix="gene-programs-")
    try:
        counts = read_counts(source, Path(folder) / "counts", options=options)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(counts, shutil.rmtree, folder, ignore_errors=True)
    return counts
