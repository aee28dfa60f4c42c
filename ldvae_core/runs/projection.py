"""New cells on the programs of a run: placed as the run's own cells were, turned by its rotation. Loads torch."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from ldvae_core.analysis.strange import FEWEST_HELD_OUT, strangeness
from ldvae_core.data.align import aligned_blocks, find_genes
from ldvae_core.data.counts import CountMatrix, sum_by_cell
from ldvae_core.data.folder import WHOLE_LIBRARY, load_counts, write_about, write_names
from ldvae_core.data.names import listing
from ldvae_core.data.store import CountsWriter
from ldvae_core.durable import write_array
from ldvae_core.errors import CountsError, RunError
from ldvae_core.model.config import Covariate
from ldvae_core.runs.network import OF_DAMAGE
from ldvae_core.runs.placed import Placed
from ldvae_core.runs.prepare import covariate_columns, levels_as_learned
from ldvae_core.runs.programs import Programs
from ldvae_core.runs.trained import model_of
from ldvae_core.training.place import Placing

AHEAD = 3  # blocks that wait for each thread
MOST_THREADS = 8
Block = tuple[slice, sparse.csr_matrix]  # which cells, and their counts


class Done(NamedTuple):
    """A block that was placed. filled: (k,) bool, cells with counts in these genes; the others hold only those."""

    rows: slice
    filled: np.ndarray
    counts: sparse.csr_matrix
    z: np.ndarray
    error: np.ndarray


class Stopped(Exception):
    """Somebody has asked to stop."""


def project(
    programs: Programs,
    data: CountMatrix,
    folder: Path,
    *,
    go_on: Callable[[float], bool] = lambda done: True,
    threads: int | None = None,
) -> Placed:
    """Place the cells of `data` on the axes people see first; the run's own cells come out where they were.

    Cells are gone through in blocks, and their counts of the programs' genes written into the new folder `folder`, from
    which `cells` are mapped. Library sizes are sums over these genes, missing ones counted as 0; cells without any are
    left out. go_on: told the share done; Stopped is raised where it answers False. threads: None: all cores, at most 8.
    Raises CountsError when fewer than half of the genes are there, no cell has counts in them, an annotation that the
    run corrects for is not there, or has levels that the run has not learned; RunError where the network is damaged.
    """
    config, factors = programs.network.config, programs.factors
    _require_levels(data.annotations, config.covariates)
    places = find_genes(data, factors.gene_names, programs.gene_ids)
    try:
        placing = Placing(model_of(programs.network), is_refined=programs.is_refined)
    except OF_DAMAGE:
        raise RunError(f"The network of {programs.name!r} cannot be used.", "It is damaged.") from None
    folder.mkdir(parents=True)
    writer = CountsWriter(folder, programs.n_genes)
    means: list[np.ndarray] = []
    errors: list[np.ndarray] = []
    kept: list[np.ndarray] = []

    def place(block: Block) -> Done:
        rows, counts = block
        size = sum_by_cell(counts)
        filled = np.flatnonzero(size > 0)
        counts, design = counts[filled], covariate_columns(data.annotations.iloc[rows].iloc[filled], config.covariates)
        z, error = placing.place(counts, size[filled], design) if len(filled) else _nothing(config.n_factors)
        return Done(rows, size > 0, counts, z, error)

    blocks = aligned_blocks(data.counts, places)
    blocks = blocks if programs.is_refined else _together(blocks)
    for done in _in_order(_n_threads(threads), place, blocks):
        writer.append(done.counts)
        means.append((done.z.astype(np.float64) @ factors.rotation).astype(np.float32))
        errors.append(done.error)
        kept.append(done.filled)
        if not go_on(0.95 * done.rows.stop / data.n_cells):
            writer.abandon()
            raise Stopped
    writer.close()
    cells = _kept_cells(programs, data, folder, np.concatenate(kept))
    representation = np.concatenate(means)
    return Placed(programs, cells, places >= 0, representation, np.concatenate(errors),
                      strangeness(programs.reference, representation))  # fmt: skip


def _kept_cells(programs: Programs, data: CountMatrix, folder: Path, filled: np.ndarray) -> CountMatrix:
    """Finish the folder and open it."""
    if not filled.any():
        raise CountsError("No cell has counts in the modelled genes.", "Check that these are the right data.")
    n_cells, empty, genes = int(filled.sum()), int((~filled).sum()), programs.factors.gene_names
    said = f"{empty:,} of {data.n_cells:,} cells have no counts in the modelled genes: left out."
    write_names(folder, cell_ids=data.cell_ids[filled], gene_names=genes, gene_ids=programs.gene_ids,
                annotations=data.annotations[filled])  # fmt: skip
    write_array(folder / WHOLE_LIBRARY, data.molecules[filled])
    mark = hashlib.sha256(f"placed {data.fingerprint} {' '.join(genes.tolist())}".encode()).hexdigest()
    about = {name: words for name, words in data.about.items() if name != "derived_labels"}
    write_about(folder, n_cells=n_cells, n_genes=len(genes), counts_from=data.counts_from,
                notices=[*([said] if empty else []), *_too_few(programs)], about=about,
                fingerprint=mark)  # fmt: skip
    return load_counts(folder)


def _too_few(programs: Programs) -> list[str]:
    """Why no cell is called strange, where the run holds out too few to tell."""
    n = programs.reference.n_held_out
    if n >= FEWEST_HELD_OUT:
        return []
    return [f"The run holds out {n:,} cells; {FEWEST_HELD_OUT} are needed to tell strange cells, so none is called so."]


def _nothing(n_factors: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((0, n_factors), np.float32), np.zeros(0)


def _together(blocks: Iterator[Block]) -> Iterator[Block]:
    parts = list(blocks)
    yield slice(0, parts[-1][0].stop), sparse.vstack([part for _, part in parts], format="csr")


def _n_threads(asked: int | None) -> int:
    """Each works on one core: what the libraries start themselves would only get in the way."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(1)
    return asked or min(cores, MOST_THREADS)


def _in_order(threads: int, work: Callable[[Block], Done], blocks: Iterator[Block]) -> Iterator[Done]:
    """What work makes of every block, in their order; only some wait at a time."""
    waiting: deque[Future[Done]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for block in blocks:
                waiting.append(pool.submit(work, block))
                if len(waiting) > AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for left in waiting:
                left.cancel()


def _require_levels(annotations: pd.DataFrame, covariates: tuple[Covariate, ...]) -> None:
    problems = []
    for covariate in covariates:
        number = covariate.kind == "number"
        known = "It is a number." if number else f"The run has learned: {listing(covariate.levels, 20)}."
        if covariate.name not in annotations.columns:
            problems.append(f"The run corrects for {covariate.name!r}, which the data has no annotation of. {known}")
            continue
        if number:
            if not pd.api.types.is_numeric_dtype(annotations[covariate.name].dtype):
                problems.append(f"The run corrects for the number {covariate.name!r}; the data has text there.")
            continue
        found = levels_as_learned(annotations[covariate.name], covariate.levels)
        if unknown := sorted(set(found.tolist()) - set(covariate.levels)):
            problems.append(
                f"The annotation {covariate.name!r} has levels that the run has not learned: {listing(unknown)}. "
                f"{known}"
            )
    if problems:
        raise CountsError(problems, "Name the levels as the run does, or train a run with these cells.")
