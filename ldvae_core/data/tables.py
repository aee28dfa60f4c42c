"""Counts out of a text table: cells x genes or genes x cells; any common encoding and separator, gzipped or not."""

import csv
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core.data.damage import OF_THE_DISK
from ldvae_core.data.limits import expect
from ldvae_core.data.names import listing
from ldvae_core.data.opened import Candidate, Opened, Opening, Side
from ldvae_core.data.orient import by_totals, is_transposed
from ldvae_core.data.regular import require_regular
from ldvae_core.data.stored import SpilledStored
from ldvae_core.data.table_form import SPACES, Form, form_of, layout_of_table
from ldvae_core.durable import GrowingArray
from ldvae_core.errors import CountsError

VALUES_TOGETHER = 2_000_000
UNFOLDED = 60  # bytes that are written for a byte of text, at most; a packed one holds some ten letters
NO_COUNTS = {  # names of columns that say something of a cell or a gene, though they hold numbers
    *("length", "chr", "start", "end", "strand", "leiden", "louvain", "cluster", "clusters", "seurat_clusters"),
    *("doublet", "fov", "cell_id", "ncount_rna", "nfeature_rna", "percent.mt", "n_counts", "n_genes", "total_counts"),
    *("n_genes_by_counts", "pct_counts_mt", "batch", "sample", "donor", "orig.ident", "percent_mt", "doublet_score"),
}
THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+$")
TABLE_REMEDY = "Write a table with names of genes along one side, names of cells along the other, raw counts between."
_GENE_CORNERS = {"gene", "genes", "gene_name", "gene_id", "gene_symbol", "symbol", "geneid", "genename"}
_CELL_CORNERS = {"cell", "cells", "cell_id", "cellid", "cell_name", "barcode", "barcodes", "cell_index"}


@dataclass
class _Spill:
    """The numbers of the rows read so far, on disk, and the rest of them in memory."""

    folder: Path
    row_names: list[str] = field(default_factory=list)
    texts: list[pd.DataFrame] = field(default_factory=list)
    is_text: np.ndarray = field(default_factory=lambda: np.ones(0, bool))  # by column; empty before the first row
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
        separator, corner, columns = layout_of_table(path, form)
        _read(_chunks(path, form, separator, len(columns)), columns, spill)
    except (UnicodeDecodeError, pd.errors.ParserError, EOFError, OSError, zlib.error, csv.Error, ValueError) as fault:
        if isinstance(fault, OSError) and fault.errno in OF_THE_DISK:
            raise
        detail = (str(fault).splitlines() or [""])[0][:150]
        raise CountsError(f"{path.name} is not a readable table of counts ({detail}).", TABLE_REMEDY) from None
    if spill.is_text.all():
        raise CountsError(f"{path.name} holds no columns of numbers.", TABLE_REMEDY)
    return Opened((_candidate(path, spill, corner, np.asarray(columns, dtype=object)),))


def _candidate(path: Path, spill: _Spill, corner: str, columns: np.ndarray) -> Candidate:
    stored = spill.close()
    numbers, about = columns[~spill.is_text], columns[spill.is_text]
    annotations = pd.concat(spill.texts, ignore_index=True).set_axis(about, axis=1)
    told = _told(corner, spill, numbers.tolist())
    names, named_by = spill.row_names, corner or "first column"
    if corner == "fov" and "cell_ID" in annotations and not told.rows_are_genes:
        names = [f"{view}_{cell}" for view, cell in zip(names, annotations["cell_ID"], strict=True)]
        named_by = "fov and cell_ID"  # cells are numbered within a field of view
    late = _text_after_numbers(spill.is_text, columns)
    if told.rows_are_genes and late:
        raise CountsError(f"Columns of {path.name} hold text among the counts: {listing(late)}.", TABLE_REMEDY)
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


def _text_after_numbers(is_text: np.ndarray, columns: np.ndarray) -> list[str]:
    """Columns of text that are no known annotation and stand among the counts, not before them."""
    first = int(np.flatnonzero(~is_text)[0])
    return [name for name in columns[first:][is_text[first:]].tolist() if name.strip().lower() not in NO_COUNTS]


def _read(chunks: Iterator[pd.DataFrame], columns: list[str], spill: _Spill) -> None:
    """Row blocks, column by column number or text as the first block shows."""
    for chunk in chunks:
        body = chunk.iloc[:, 1:]
        _refuse_thousands(body, chunk.iloc[:, 0], columns)
        if not spill.row_names:
            about = [name.strip().lower() in NO_COUNTS for name in columns]
            spill.is_text = np.asarray([not _is_number(dtype) for dtype in body.dtypes], dtype=bool) | about
        spill.row_names += chunk.iloc[:, 0].tolist()
        numbers = body.loc[:, ~spill.is_text]
        broken = [column for column, dtype in numbers.dtypes.items() if not _is_number(dtype)]
        if broken:
            raise ValueError(f"text among the counts in {len(broken):,} columns")
        spill.texts.append(body.loc[:, spill.is_text])
        spill.add(numbers.to_numpy())


def _is_number(dtype: Any) -> bool:
    """Whether a column holds counts: true and false are no counts."""
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)


def _refuse_thousands(body: pd.DataFrame, names: pd.Series, columns: list[str]) -> None:
    """A gene with "1,234" among its counts would be taken for text. Raises CountsError with the row and the column."""
    kinds = [(int(position), dtype) for position, dtype in zip(body.columns, body.dtypes, strict=True)]
    for position in (position for position, dtype in kinds if not _is_number(dtype)):
        texts = body[position].astype(str).reset_index(drop=True)
        grouped = np.flatnonzero(texts.str.fullmatch(THOUSANDS).to_numpy(dtype=bool))
        if len(grouped) and texts[~np.isin(np.arange(len(texts)), grouped)].str.fullmatch(r"\d+").all():
            row, column = str(names.iloc[grouped[0]])[:60], columns[position - 1][:60]
            raise CountsError(
                f"The count {texts[int(grouped[0])]!r} in row {row!r}, column {column!r} has a comma for thousands.",
                "Write the table with plain numbers: in a spreadsheet, as numbers without separators.",
            )


def _chunks(path: Path, form: Form, separator: str, n_columns: int) -> Iterator[pd.DataFrame]:
    """Blocks of rows: column 0 the names as text, then the values."""
    yield from pd.read_csv(
        path,
        sep=r"\s+" if separator == SPACES else separator,
        header=None,
        skiprows=form.n_before + 1,
        usecols=range(n_columns + 1),
        names=range(n_columns + 1),
        index_col=False,
        converters={0: str},  # a gene called NA or nan keeps its name
        chunksize=max(1, VALUES_TOGETHER // max(1, n_columns)),
        low_memory=False,
        encoding=form.encoding,
    )
