"""All genes of the data set that a run was made from, where that data set can still be found.

A run keeps the counts of its modelled genes. Those of the others stay with the data set: the demo, one of the
workspace, or (for runs of the command line) a file.
"""

import shutil
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core.data.by_gene import gene_columns
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.demo import load_demo
from ldvae_core.data.reading_options import ReadingOptions
from ldvae_core.errors import LdvaeError
from ldvae_core.runs.opened import OpenRun
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import DEMO, Workspace
from ldvae_core.workspace.scratch import new_scratch

CHECKED = 200  # cells whose counts must be those of the run


class AllGenes(NamedTuple):
    """Counts of every gene, and where the run's cells are among them."""

    counts: CountMatrix
    cells: np.ndarray  # (n_cells of the run,) rows


@dataclass(frozen=True, eq=False)
class KnownGenes:
    """Genes that can be looked at in a run: the modelled ones at their places there, then the data set's others.

    names: str (n_genes,). ids: str (n_genes,) or None. n_modelled: how many of them the model knows. columns: int64
    (n_genes,), places in the data set; None where that is not at hand.
    """

    names: np.ndarray
    ids: np.ndarray | None
    n_modelled: int
    columns: np.ndarray | None = None

    @property
    def n_others(self) -> int:
        """How many genes of the data set were not modelled."""
        return len(self.names) - self.n_modelled


def known_genes(run: OpenRun, everything: AllGenes | None) -> KnownGenes:
    """everything: of all_genes; without it, only the modelled genes are known."""
    modelled = run.counts
    if everything is None:
        return KnownGenes(modelled.gene_names, modelled.gene_ids, modelled.n_genes)
    whole = everything.counts
    place = {name: column for column, name in enumerate(whole.gene_names.tolist())}
    own = np.array([place[name] for name in modelled.gene_names.tolist()], np.int64)
    columns = np.concatenate([own, np.setdiff1d(np.arange(whole.n_genes), own)])
    ids = None if whole.gene_ids is None else whole.gene_ids[columns]
    return KnownGenes(whole.gene_names[columns], ids, modelled.n_genes, columns)


def counts_of_known(
    run: OpenRun, everything: AllGenes | None, known: KnownGenes, genes: Sequence[int] | np.ndarray
) -> sparse.csc_matrix:
    """Counts in the run's cells: CSC (n_cells of the run, len(genes)). known: known_genes of these two.

    genes: positions among the known ones. Raises IndexError where there is no such gene, RunError for damaged counts.
    """
    wanted = np.asarray(genes, np.int64)
    if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(known.names):
        raise IndexError(f"genes are counted from 0 to {len(known.names) - 1}")
    own = wanted < known.n_modelled
    if everything is None or known.columns is None:
        return gene_columns(run.counts.counts, wanted)
    if everything.counts.gene_index is not None:
        return _in_cells_of(everything, known.columns[wanted])
    modelled = gene_columns(run.counts.counts, wanted[own])
    if own.all():
        return modelled
    both = sparse.hstack([modelled, _in_cells_of(everything, known.columns[wanted[~own]])], format="csc")
    ordered: sparse.csc_matrix = both[:, np.argsort(np.concatenate([np.flatnonzero(own), np.flatnonzero(~own)]))]
    return ordered


def counts_of_all_genes(run: OpenRun, workspace: Workspace | None = None) -> CountMatrix | None:
    """Counts of every gene in the data set that the run was made from; None when it is not there any more.

    A file is read anew in a safe process, into a folder that lives as long as the counts.
    """
    source = dataset_of(run, workspace)
    try:
        if source == DEMO:
            return load_demo()
        if source is not None:
            return Datasets(workspace or Workspace.default()).open(source)
        return _read_file(Path(run.settings.data_source), run.settings.reading)
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


def dataset_of(run: OpenRun, workspace: Workspace | None = None) -> str | None:
    """The data set that the run was made from, by its id, which may be gone by now.

    For a run that the command line made from a file: the data set of the workspace with the same counts, once that file
    was loaded; of an older run, which does not know them, one of the file's name. None where there is none.
    """
    source = run.settings.data_source
    if source == DEMO or not Path(source).is_absolute():
        return source
    cards = Datasets(workspace or Workspace.default()).list()
    if run.data_fingerprint:
        return next((card.dataset_id for card in cards if card.fingerprint == run.data_fingerprint), None)
    return next((card.dataset_id for card in cards if card.name == Path(source).name), None)


def reads_a_file(run: OpenRun, workspace: Workspace | None = None) -> bool:
    """Whether all genes come from a file outside the workspace, which takes long to read."""
    return dataset_of(run, workspace) is None


def _in_cells_of(everything: AllGenes, columns: np.ndarray) -> sparse.csc_matrix:
    """Columns of the data set, with the rows of the run."""
    found, cells = everything.counts.gene_counts(columns), everything.cells
    if np.array_equal(cells, np.arange(everything.counts.n_cells)):
        return found
    place = np.full(everything.counts.n_cells, -1, np.int64)
    place[cells] = np.arange(len(cells))
    rows = place[found.indices]
    kept = rows >= 0
    indptr = np.concatenate([[0], np.cumsum(kept)])[found.indptr]
    chosen = sparse.csc_matrix((found.data[kept], rows[kept], indptr), shape=(len(cells), found.shape[1]))
    chosen.sort_indices()
    return chosen


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

    folder = new_scratch()
    try:
        counts = read_counts(source, folder / "counts", options=options)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(counts, shutil.rmtree, folder, ignore_errors=True)
    return counts
