"""Some cells of a data set as a data set of its own: all genes stay, and who it was taken from is said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ldvae_core import durable
from ldvae_core.data.blocks import row_blocks
from ldvae_core.data.counts import FEWEST_CELLS, CountMatrix
from ldvae_core.data.finishing import require_enough
from ldvae_core.data.folder import WHOLE_LIBRARY, load_counts, write_about, write_names
from ldvae_core.data.prepare import mitochondrial_genes
from ldvae_core.data.progress import Report, silent
from ldvae_core.data.room import require_room
from ldvae_core.data.store import CountsWriter
from ldvae_core.data.tallies import Tallies
from ldvae_core.errors import CountsError


def take_cells(
    matrix: CountMatrix, cells: np.ndarray, into: Path, *, parent: str, words: str, report: Report = silent
) -> CountMatrix:
    """Write these cells with all genes into the folder `into`, and open that.

    cells: bool (n_cells,). parent: what the data set is called; words: which cells these are, both for the notice.
    Raises CountsError: all cells, fewer than FEWEST_CELLS, fewer than FEWEST_GENES genes with counts, no room on the
    disk. On any failure `into` is as it was before.
    """
    n_taken = int(cells.sum())
    if n_taken == matrix.n_cells:
        raise CountsError("These are all cells of the data set.", "Choose some of them.")
    if n_taken < FEWEST_CELLS:
        raise CountsError(
            f"{n_taken:,} of {matrix.n_cells:,} cells were chosen; at least {FEWEST_CELLS} are needed.",
            "Choose more cells.",
        )
    said = f"{n_taken:,} of the {matrix.n_cells:,} cells of {parent}: {words}."
    durable.write_folder(into, lambda part: _fill(matrix, cells, part, said, report))
    return load_counts(into)


def _fill(matrix: CountMatrix, cells: np.ndarray, folder: Path, said: str, report: Report) -> None:
    require_room(folder, n_entries=int(np.diff(matrix.counts.indptr)[cells].sum()), turning=False)
    writer = CountsWriter(folder, matrix.n_genes, chosen=mitochondrial_genes(matrix), by_gene=True)
    for rows, block in row_blocks(matrix.counts):
        if cells[rows].any():
            writer.append(block[cells[rows]])
        report("reading", rows.stop, matrix.n_cells)
    written = writer.close()
    size_notices = require_enough(written)
    kept = np.flatnonzero(cells)[written.kept]
    write_names(
        folder,
        cell_ids=matrix.cell_ids[kept],
        gene_names=matrix.gene_names,
        gene_ids=matrix.gene_ids,
        annotations=_with_their_levels(matrix.annotations.iloc[kept]),
    )
    if matrix.whole_library is not None:
        durable.write_array(folder / WHOLE_LIBRARY, matrix.whole_library[kept])
    Tallies.write(folder, written)
    reading = None
    if matrix.reading is not None:
        reading = replace(matrix.reading, sentence=_sentence(matrix, len(kept), said), choices=())
    write_about(
        folder,
        n_cells=len(kept),
        n_genes=matrix.n_genes,
        counts_from=matrix.counts_from,
        notices=[said, *(notice for notice in matrix.notices if "never modelled" not in notice), *size_notices],
        about=matrix.about,
        reading=reading,
        report=report,
    )


def _with_their_levels(annotations: pd.DataFrame) -> pd.DataFrame:
    """Levels that no cell of these has are gone."""
    taken = annotations.copy()
    for name in taken.columns:
        if isinstance(taken[name].dtype, pd.CategoricalDtype) and taken[name].notna().any():
            taken[name] = taken[name].cat.remove_unused_categories()
    return taken


def _sentence(matrix: CountMatrix, n_cells: int, said: str) -> str:
    """The parent's, with the size of what was taken."""
    assert matrix.reading is not None  # the caller looked
    _, _, rest = matrix.reading.sentence.partition("; ")
    return f"{n_cells:,} cells x {matrix.n_genes:,} genes, {said.rstrip('.')}; {rest}"
