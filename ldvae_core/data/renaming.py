"""Other names for the genes and cells of a data set, from what its file said besides: the counts are not read again."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ldvae_core import durable
from ldvae_core.data.blocks import row_blocks
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.folder import write_about, write_names
from ldvae_core.data.genes import mitochondrial_mask
from ldvae_core.data.layout import UNREADABLE_NAMES, Layout
from ldvae_core.data.names import tidy_names
from ldvae_core.data.naming import ID_COLUMNS, GeneNames, gene_names
from ldvae_core.data.progress import Report, silent
from ldvae_core.data.tallies import MITOCHONDRIAL
from ldvae_core.errors import CountsError

GENE_COLUMNS = "gene_columns.parquet"  # what could name the genes; beside the counts since 2026-12
MOST_COLUMNS = 30


def write_gene_columns(folder: Path, layout: Layout) -> None:
    """Keep the columns that can name the genes, and those of ids; nothing where there is no choice."""
    table = layout.genes.table if layout.kept is None else layout.genes.table.iloc[layout.kept]
    wanted = {*layout.naming.columns, *ID_COLUMNS}
    names = [name for name in dict.fromkeys(table.columns) if str(name) in wanted][:MOST_COLUMNS]
    if not names or any(table.columns.tolist().count(name) > 1 for name in names):
        return
    columns = {str(name): table[name].astype(object).where(table[name].notna(), "").astype(str) for name in names}
    index = pd.Index(table.index.astype(str), name=layout.genes.named_by)
    durable.write_table(folder / GENE_COLUMNS, pd.DataFrame(columns).set_axis(index))


def copy_gene_columns(source: Path, folder: Path) -> None:
    """The same for a data set with the genes of another, where that has them."""
    if (source / GENE_COLUMNS).exists():
        durable.write_table(folder / GENE_COLUMNS, durable.read_table(source / GENE_COLUMNS))


def names_of_genes(folder: Path) -> tuple[str, ...]:
    """What `rename` can name the genes of a data set by; () where its file left no choice, or it was read before."""
    if not (folder / GENE_COLUMNS).exists():
        return ()
    return gene_names(durable.read_table(folder / GENE_COLUMNS)).columns


def names_of_cells(annotations: pd.DataFrame) -> tuple[str, ...]:
    """Annotations that can name the cells: text, and another one for every cell."""
    return tuple(str(name) for name, column in annotations.items() if _tells_apart(column))


def rename(
    source: Path, matrix: CountMatrix, into: Path, *, genes: str = "", cells: str = "", report: Report = silent
) -> tuple[str, ...]:
    """Make `into` the data set of `source`, which `matrix` is, with other names; its counts are the same files on disk.

    genes: one of names_of_genes; cells: one of names_of_cells, whose place the names until now take; "" leaves names as
    they are. Returns what is to be said of it. Raises CountsError for what cannot name them, RunError for a damaged
    source; `into` is then as it was.
    """
    said: list[str] = []

    def fill(part: Path) -> None:
        durable.link_files(source, part)
        renamed = _with_genes(matrix, source, part, genes, report) if genes else matrix
        renamed = _with_cells(renamed, cells) if cells else renamed
        said.extend(_sentences(renamed, genes, cells))
        (part / "gene_ids.npy").unlink(missing_ok=True)
        write_names(
            part,
            cell_ids=renamed.cell_ids,
            gene_names=renamed.gene_names,
            gene_ids=renamed.gene_ids,
            annotations=renamed.annotations,
        )
        write_about(
            part,
            n_cells=renamed.n_cells,
            n_genes=renamed.n_genes,
            counts_from=renamed.counts_from,
            notices=renamed.notices,
            about=renamed.about,
            reading=renamed.reading,
            report=report,
        )

    durable.write_folder(into, fill)
    return tuple(said)


class _Named(NamedTuple):
    names: np.ndarray
    naming: GeneNames
    notices: tuple[str, ...]


def _named(table: pd.DataFrame, asked: str | None) -> _Named:
    naming = gene_names(table, asked=asked)
    names, problems, notices = tidy_names(naming.names, kind="gene")
    if problems:
        raise CountsError(problems, UNREADABLE_NAMES)
    return _Named(names, naming, (*naming.notices, *notices))


def _with_genes(matrix: CountMatrix, source: Path, part: Path, asked: str, report: Report) -> CountMatrix:
    reading = matrix.reading
    if reading is None or asked not in names_of_genes(source):
        raise CountsError(f"Genes cannot be named by '{asked}'.", "Read the file again.")
    table = durable.read_table(source / GENE_COLUMNS)
    before, now = _named(table, reading.options.genes_named_by), _named(table, asked)
    ids = None if now.naming.ids is None else np.asarray(now.naming.ids, dtype=str)
    by = str(table.index.name or "index") if asked == "index" else asked
    renamed = replace(
        matrix,
        gene_names=now.names,
        gene_ids=ids,
        notices=(*_without(matrix.notices, before.notices), *now.notices),
        reading=replace(
            reading,
            genes_named_by=by,
            sentence=_told(reading.sentence, "genes named by", by),
            options=replace(reading.options, genes_named_by=asked),
        ),
    )
    _count_mitochondria(matrix, renamed, part, report)
    return renamed


def _with_cells(matrix: CountMatrix, asked: str) -> CountMatrix:
    if asked not in names_of_cells(matrix.annotations):
        raise CountsError(f"Cells cannot be named by '{asked}'.", "Choose text that differs from cell to cell.")
    names, problems, notices = tidy_names(matrix.annotations[asked], kind="cell")
    if problems:
        raise CountsError(problems, UNREADABLE_NAMES)
    was = matrix.reading.cells_named_by if matrix.reading is not None else "index"
    place = matrix.annotations.columns.get_loc(asked)
    table = matrix.annotations.drop(columns=[asked])
    while was in table:
        was += "-1"
    table.insert(int(place), was, matrix.cell_ids.astype(object))  # type: ignore[arg-type]  # names are unique
    reading = matrix.reading
    if reading is not None:
        reading = replace(reading, cells_named_by=asked, sentence=_told(reading.sentence, "cells by", asked))
    return replace(
        matrix,
        cell_ids=names,
        annotations=table.set_axis(pd.Index(names, dtype=object)),
        notices=(*matrix.notices, *notices),
        reading=reading,
    )


def _count_mitochondria(matrix: CountMatrix, renamed: CountMatrix, part: Path, report: Report) -> None:
    """Their molecules are kept beside the counts, and names tell which genes they are."""
    chosen = _mitochondrial(renamed)
    if matrix.tallies is None or np.array_equal(chosen, _mitochondrial(matrix)):
        return
    molecules, weights = np.zeros(matrix.n_cells), chosen.astype(np.float64)
    for cells, block in row_blocks(matrix.counts):
        molecules[cells] = block @ weights
        report("reading", cells.stop, matrix.n_cells)
    durable.write_array(part / MITOCHONDRIAL, molecules)


def _mitochondrial(matrix: CountMatrix) -> np.ndarray:
    named = mitochondrial_mask(matrix.gene_names)
    return named if matrix.gene_ids is None else named | mitochondrial_mask(matrix.gene_ids)


def _tells_apart(column: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
        return False
    return bool(column.notna().all() and column.nunique() == len(column))


def _without(notices: Iterable[str], gone: Iterable[str]) -> tuple[str, ...]:
    dropped = set(gone)
    return tuple(notice for notice in notices if notice not in dropped)


def _told(sentence: str, words: str, by: str) -> str:
    return re.sub(f"{words} `[^`]*`", lambda _: f"{words} `{by}`", sentence, count=1)


def _sentences(renamed: CountMatrix, genes: str, cells: str) -> list[str]:
    said = [f"Genes are named by {genes} now: {', '.join(renamed.gene_names[:3])} ..."] if genes else []
    return [*said, f"Cells are named by {cells} now: {', '.join(renamed.cell_ids[:3])} ..."] if cells else said
