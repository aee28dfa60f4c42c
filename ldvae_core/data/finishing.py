"""The end of a reading: names and annotations beside the counts, checks of the whole, the sentence that tells it."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ldvae_core.data.annotations import tidy_annotations
from ldvae_core.data.choosing import choices
from ldvae_core.data.counts import FEWEST_CELLS, FEWEST_GENES
from ldvae_core.data.folder import write_about, write_maps, write_names
from ldvae_core.data.layout import UNREADABLE_NAMES, Layout
from ldvae_core.data.molecules import Molecules
from ldvae_core.data.names import listing, tidy_names
from ldvae_core.data.opened import Candidate, Opened
from ldvae_core.data.progress import Report
from ldvae_core.data.reading_options import Reading, ReadingOptions
from ldvae_core.data.renaming import write_gene_columns
from ldvae_core.data.store import Written
from ldvae_core.data.tallies import Tallies
from ldvae_core.errors import CountsError

LEFT_OUT = {  # why an annotation was left out, and the words of its notice
    "too many": "columns beyond the first",
    "could not be read": "that could not be read were left out",
    "name cannot be shown": "whose names cannot be shown were left out",
    "neither text nor numbers": "neither text nor numbers were left out",
}


class Filled(NamedTuple):
    """Counts of a candidate, written into a folder."""

    candidate: Candidate
    layout: Layout
    molecules: Molecules
    written: Written
    folder: Path


def finish(
    filled: Filled,
    folder: Path,
    *,
    opened: Opened,
    options: ReadingOptions,
    notices: Iterable[str],
    report: Report,
) -> None:
    """Write all but the counts, which lie in `folder`. Raises CountsError: too few cells or genes, odd names."""
    layout, written = filled.layout, filled.written
    size_notices = require_enough(written)
    cells, problems, cell_notices = tidy_names(layout.cells.table.index, kind="cell")
    if problems:
        raise CountsError(problems, UNREADABLE_NAMES)
    table, table_notices = tidy_annotations(layout.cells.table, cells)
    unread = layout.cells.left_out
    if unread:
        table_notices = [f"Annotation columns that could not be read were left out: {listing(unread)}.", *table_notices]
    beyond = layout.cells.beyond
    if beyond:
        n_read = f"{layout.cells.table.shape[1] + len(unread):,}"
        cut = f"Annotation columns beyond the first {n_read} were left out: {listing(beyond)}."
        table_notices = [cut, *table_notices]
    about = filled.candidate.about(table)
    if not written.kept.all():
        cells, table = cells[written.kept], table[written.kept]
    ids = None if layout.naming.ids is None else np.asarray(layout.naming.ids, dtype=str)
    write_names(folder, cell_ids=cells, gene_names=layout.gene_names, gene_ids=ids, annotations=table)
    maps = write_maps(folder, ((name, places[written.kept]) for name, places in layout.cells.maps()))
    write_gene_columns(folder, layout)
    Tallies.write(folder, written)
    n_left_out = len(unread) + len(beyond) + layout.cells.table.shape[1] - table.shape[1]
    why = [reason for reason, words in LEFT_OUT.items() if any(words in notice for notice in table_notices)]
    left_out = f", {n_left_out:,} left out ({', '.join(why)})" if n_left_out else ""
    reading = _reading(filled, opened, options, table.shape[1], left_out)
    said = (*notices, *layout.notices, *_value_notices(filled), *cell_notices, *table_notices, *size_notices)
    write_about(
        folder,
        n_cells=len(cells),
        n_genes=len(layout.gene_names),
        counts_from=filled.candidate.where,
        notices=said,
        about=about,
        maps=maps,
        reading=reading,
        report=report,
    )


def require_enough(written: Written) -> list[str]:
    """Notices of empty cells and silent genes. Raises CountsError when too few are left to learn from."""
    n_rows, n_cells = len(written.kept), int(written.kept.sum())
    n_genes, n_silent = written.histogram.n_genes, written.histogram.n_genes - len(np.unique(written.histogram.genes))
    problems = []
    if n_cells < FEWEST_CELLS:
        problems.append(f"{n_cells:,} of {n_rows:,} cells have counts; at least {FEWEST_CELLS} are needed.")
    if n_genes - n_silent < FEWEST_GENES:
        problems.append(f"{n_genes - n_silent:,} of {n_genes:,} genes have counts; at least {FEWEST_GENES} are needed.")
    if problems:
        raise CountsError(problems, "Load a data set with more cells and genes.")
    notices = []
    if n_cells < n_rows:
        notices.append(f"{n_rows - n_cells:,} of {n_rows:,} cells have no counts: dropped.")
    if n_silent:
        notices.append(f"{n_silent:,} of {n_genes:,} genes have no counts in any cell: never modelled.")
    return notices


def _value_notices(filled: Filled) -> list[str]:
    """What was done to the values."""
    molecules, notices = filled.molecules, []
    if molecules.n_near:
        notices.append(f"{molecules.n_near:,} values lay within 0.001 of a whole number: rounded.")
    if molecules.n_rounded:
        notices.append(f"{molecules.n_rounded:,} fractional values were rounded to whole molecules, as asked.")
    if molecules.largest == 1:
        notices.append(
            f"{filled.candidate.where} holds only 0 and 1: whether a gene was seen, not how often. No other "
            "counts were found in this file."
        )
    return notices


def _reading(filled: Filled, opened: Opened, options: ReadingOptions, n_annotations: int, left_out: str) -> Reading:
    layout, where = filled.layout, filled.candidate.where
    genes_by = layout.genes.named_by if layout.naming.named_by == "index" else layout.naming.named_by
    annotations = (
        f"{n_annotations:,} annotation{'' if n_annotations == 1 else 's'}" if n_annotations else "no annotations"
    )
    sentence = (
        f"{int(filled.written.kept.sum()):,} cells x {len(layout.gene_names):,} genes; genes named by `{genes_by}`, "
        f"cells by `{layout.cells.named_by}`; counts from {where}{_value_words(filled.molecules)}; "
        f"{annotations}{left_out}."
    )
    known = choices(opened)
    taken = filled.candidate.group or where
    return Reading(
        genes_named_by=genes_by,
        cells_named_by=layout.cells.named_by,
        genes_in=layout.genes_in,
        sentence=sentence,
        choices=tuple(dict.fromkeys((taken, *known))) if len(known) > 1 else (),
        gene_columns=layout.naming.columns,
        apart=filled.candidate.apart,
        options=options,
    )


def _value_words(molecules: Molecules) -> str:
    if molecules.n_rounded:
        return ", rounded to whole molecules"
    return ", of 0 and 1 only" if molecules.largest == 1 else ""
