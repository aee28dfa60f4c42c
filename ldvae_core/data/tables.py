"""Counts out of a text table: cells x genes or genes x cells; any common encoding and separator, gzipped or not."""

import csv
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core.data.damage import OF_THE_DISK
from ldvae_core.data.limits import expect
from ldvae_core.data.names import listing
from ldvae_core.data.opened import Candidate, Opened, Opening, Side
from ldvae_core.data.orient import by_totals, is_transposed
from ldvae_core.data.regular import is_gzipped, require_regular
from ldvae_core.data.stored import SpilledStored
from ldvae_core.data.table_columns import (
    TABLE_REMEDY,
    are_mixed,
    clean_names,
    holding_no_counts,
    is_number,
    refuse_text_rows,
    refuse_thousands,
    text_place,
)
from ldvae_core.data.table_form import SPACES, Form, Header, form_of, header_of
from ldvae_core.durable import GrowingArray
from ldvae_core.errors import CountsError

VALUES_TOGETHER = 2_000_000
FIRST = "first column"  # what one without a header is called
MOST_APART = 1_000
UNFOLDED = 60  # bytes that are written for a byte of text, at most; a packed one holds some ten letters
LIST_REMEDY = (
    "Turn the list into a table with a row for each gene and a column for each cell (a pivot), then load that."
)
_GENE_CORNERS = {"gene", "genes", "gene_name", "gene_id", "gene_symbol", "symbol", "geneid", "genename"}
_CELL_CORNERS = {"cell", "cells", "cell_id", "cellid", "cell_name", "barcode", "barcodes", "cell_index"}


@dataclass
class _Spill:
    """The numbers of the rows read so far, on disk, and the rest of them in memory."""

    folder: Path
    row_names: list[str] = field(default_factory=list)
    texts: list[pd.DataFrame] = field(default_factory=list)
    is_text: np.ndarray = field(default_factory=lambda: np.ones(0, bool))  # by column: no counts
    named: np.ndarray = field(default_factory=lambda: np.ones(0, bool))  # those told by their names
    row_totals: list[np.ndarray] = field(default_factory=list)
    column_totals: np.ndarray | None = None

    def __post_init__(self) -> None:
        self._data = GrowingArray(self.folder / "data.npy", np.float64)
        self._indices = GrowingArray(self.folder / "indices.npy", np.int32)
        self._lengths: list[np.ndarray] = []

    def add(self, values: np.ndarray) -> None:
        """More rows of numbers."""
        rows = sparse.csr_matrix(values.astype(np.float64))
        self._data.append(rows.data)
        self._indices.append(rows.indices)
        self._lengths.append(np.diff(rows.indptr))
        known = np.nan_to_num(values.astype(np.float64))
        self.row_totals.append(known.sum(axis=1))
        totals = known.sum(axis=0)
        self.column_totals = totals if self.column_totals is None else self.column_totals + totals

    def close(self) -> SpilledStored:
        """The matrix that was written."""
        self._data.close()
        self._indices.close()
        starts = GrowingArray(self.folder / "indptr.npy", np.int64)
        starts.append(np.concatenate([[0], np.cumsum(np.concatenate([np.zeros(0, np.int64), *self._lengths]))]))
        starts.close()
        return SpilledStored(self.folder, len(self.row_names), int((~self.is_text).sum()))


class _Told(NamedTuple):
    """Whether rows hold genes, and what told it."""

    rows_are_genes: bool
    why: str


def open_text_table(path: Path, opening: Opening) -> Opened:
    """A text table, its numbers written beside while it is read.

    Columns of text in a table with one row a cell become annotations. Raises CountsError: not a table, or text among
    the counts.
    """
    require_regular(path)
    expect(path.stat().st_size * UNFOLDED)
    spill = _Spill(opening.folder("table"))
    try:
        form = form_of(path)
        header = header_of(path, form)
        columns = clean_names(header.columns)
        place, corner, columns = _names_first(header.corner, columns, opening.columns)
        _read(_chunks(path, form, header, place), columns, spill, opening.columns)
    except (UnicodeDecodeError, pd.errors.ParserError, EOFError, OSError, zlib.error, csv.Error, ValueError) as fault:
        if isinstance(fault, OSError) and fault.errno in OF_THE_DISK:
            raise
        detail = (str(fault).splitlines() or [""])[0][:150]
        raise CountsError(f"{path.name} is not a readable table of counts ({detail}).", TABLE_REMEDY) from None
    if spill.is_text.all():
        raise CountsError(f"{path.name} holds no columns of numbers.", TABLE_REMEDY)
    return Opened((_candidate(path, spill, corner, np.asarray(columns, dtype=object)),))


def _names_first(corner: str, columns: list[str], kinds: Mapping[str, str]) -> tuple[int, str, list[str]]:
    """(place in the file of the column of names, what it is called, the other columns in their order).

    Raises CountsError when a column that something is said of is not there.
    """
    everyone = [corner or FIRST, *columns]
    if unknown := [name for name in kinds if name not in everyone]:
        raise CountsError(f"The table has no column {listing(unknown)}.", f"It has: {listing(everyone, 20)}.")
    named = next((name for name, kind in kinds.items() if kind == "names"), everyone[0])
    place = everyone.index(named)
    return place, named if place else corner, [*everyone[:place], *everyone[place + 1 :]]


def _candidate(path: Path, spill: _Spill, corner: str, columns: np.ndarray) -> Candidate:
    stored = spill.close()
    numbers, about = columns[~spill.is_text], columns[spill.is_text]
    annotations = pd.concat(spill.texts, ignore_index=True).set_axis(about, axis=1)
    told = _told(corner, spill, numbers.tolist())
    names, named_by = spill.row_names, corner or FIRST
    beside = {"fov": "cell_ID", "cell_id": "fov"}.get(corner)
    if beside in annotations and not told.rows_are_genes:
        views, cells = (names, annotations[beside]) if corner == "fov" else (annotations[beside], names)
        names = [f"{view}_{cell}" for view, cell in zip(views, cells, strict=True)]
        named_by = "fov and cell_ID"  # cells are numbered within a field of view
    late = _text_after_numbers(spill, annotations)
    if told.rows_are_genes and len(late):
        first = text_place(annotations.iloc[:, int(spill.is_text[: late[0]].sum())], names)
        found = listing(columns[late])
        raise CountsError(f"Columns of {path.name} hold text among the counts: {found}{first}.", TABLE_REMEDY)
    if len(numbers) == 1 and len(about) and len(set(names)) < len(names):
        raise CountsError(
            f"{path.name} is a list with a row for each count, not a table of cells and genes.", LIST_REMEDY
        )
    side = (
        "rows are genes and whose columns are cells"
        if told.rows_are_genes
        else "rows are cells and whose columns are genes"
    )
    notices = []
    if len(about):
        taken = "left out" if told.rows_are_genes else "taken as annotations of the cells"
        notices.append(f"Columns that hold no counts were {taken}: {listing(about)}.")
    rows = Side(annotations.set_axis(pd.Index(names, dtype=object)), named_by, notices=tuple(notices))
    across = Side(pd.DataFrame(index=pd.Index(numbers, dtype=object)), "header")
    return Candidate(
        "table",
        stored,
        rows=lambda: rows,
        columns=lambda: across,
        genes_in="rows" if told.rows_are_genes else "columns",
        told=f"Read as a table whose {side}{told.why}.",
        apart=tuple(about.tolist()[:MOST_APART]),
    )


def _told(corner: str, spill: _Spill, columns: list[str]) -> _Told:
    """By the word in the corner, by the names, by how totals spread; else the usual order."""
    if corner in _GENE_CORNERS or corner in _CELL_CORNERS:
        return _Told(corner in _GENE_CORNERS, "")
    turned = is_transposed(spill.row_names, columns)
    if turned is not None:
        return _Told(turned, "")
    assert spill.column_totals is not None  # there are columns of numbers
    spread = by_totals(np.concatenate(spill.row_totals), spill.column_totals)
    if spread is not None:
        return _Told(spread, " (told by their totals: those of genes differ far more than those of cells)")
    return _Told(False, " (the names do not tell; this is the usual order)")


def _text_after_numbers(spill: _Spill, texts: pd.DataFrame) -> np.ndarray:
    """Positions of columns among the counts, not before them, that hold numbers and text; of words alone is fine."""
    first = int(np.flatnonzero(~spill.is_text)[0])
    late = np.flatnonzero(spill.is_text & ~spill.named)
    places = np.cumsum(spill.is_text) - 1
    return np.asarray([n for n in late if n > first and are_mixed(texts.iloc[:, places[n]])], dtype=int)


def _read(chunks: Iterator[pd.DataFrame], columns: list[str], spill: _Spill, kinds: Mapping[str, str]) -> None:
    """Row blocks, column by column number or text as the first block shows, or as `kinds` says."""
    for whole in chunks:
        empty = (whole.iloc[:, 0].str.strip() == "") & whole.iloc[:, 1:].isna().all(axis=1)
        chunk = whole[~empty]
        body, names = chunk.iloc[:, 1:], chunk.iloc[:, 0]
        refuse_thousands(body, names, columns)
        if not spill.row_names:
            refuse_text_rows(body, names)
            spill.named, no_counts = holding_no_counts(body, columns)
            spill.is_text = spill.named | no_counts
            for column, kind in enumerate(map(kinds.get, columns)):
                spill.named[column] |= kind == "annotation"
                spill.is_text[column] = spill.is_text[column] if kind is None else kind == "annotation"
        spill.row_names += clean_names(names.tolist())
        numbers = body.loc[:, ~spill.is_text]
        broken = [column for column, dtype in numbers.dtypes.items() if not is_number(dtype)]
        if broken:
            raise ValueError(f"text among the counts in {len(broken):,} columns")
        spill.texts.append(body.loc[:, spill.is_text])
        spill.add(numbers.to_numpy())


def _chunks(path: Path, form: Form, header: Header, place: int) -> Iterator[pd.DataFrame]:
    """Blocks of rows: column 0 the names as text, which stand at `place` in the file, then the values."""
    n_columns, separator = len(header.columns), header.separator
    chunks = pd.read_csv(
        path,
        sep=r"\s+" if separator == SPACES else separator,
        header=None,
        skiprows=form.n_before + 1,
        usecols=range(n_columns + 1),
        names=range(n_columns + 1),
        index_col=False,
        converters={place: str},  # a gene called NA or nan keeps its name
        chunksize=max(1, VALUES_TOGETHER // max(1, n_columns)),
        low_memory=False,
        encoding=form.encoding,
        decimal=header.decimal,
        compression="gzip" if is_gzipped(path) else None,
    )
    order = [place, *(column for column in range(n_columns + 1) if column != place)]
    for chunk in chunks:
        yield chunk if place == 0 else chunk[order].set_axis(range(n_columns + 1), axis=1)
