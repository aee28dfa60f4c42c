"""Raw counts out of a text table: cells x genes or genes x cells, comma, tab or semicolon, gzipped or not."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core.data.counts import CountMatrix, make_count_matrix
from ldvae_core.data.faults import RAW_COUNTS_REMEDY, fault_sentences, find_faults, guess_transformation
from ldvae_core.data.names import listing
from ldvae_core.data.orient import is_transposed
from ldvae_core.errors import CountsError

LONGEST_LINE = 50_000_000  # characters; enough for millions of columns
VALUES_TOGETHER = 2_000_000
TABLE_REMEDY = "Write a table with names of genes along one side, names of cells along the other, raw counts between."
_GENE_CORNERS = {"gene", "genes", "gene_name", "gene_id", "gene_symbol", "symbol", "geneid", "genename"}
_CELL_CORNERS = {"cell", "cells", "cell_id", "cellid", "cell_name", "barcode", "barcodes"}


@dataclass
class _Gathered:
    """What the rows read so far hold."""

    row_names: list[str] = field(default_factory=list)
    counts: list[sparse.csr_matrix] = field(default_factory=list)
    texts: list[pd.DataFrame] = field(default_factory=list)
    is_text: np.ndarray = field(default_factory=lambda: np.ones(0, bool))  # by column; empty before the first row
    faults: Counter[str] = field(default_factory=Counter)
    n_entries: int = 0
    guess: str = ""


def read_text_table(path: Path) -> CountMatrix:
    """Counts of a text table; a notice says which side was taken for the cells.

    Columns of text in a table with one row a cell become annotations. Raises CountsError: not a table, text among the
    counts, values that are no counts.
    """
    try:
        separator, corner, columns = _layout(path)
        gathered = _gather(_chunks(path, separator, len(columns)))
    except (UnicodeDecodeError, pd.errors.ParserError, EOFError, gzip.BadGzipFile, csv.Error, ValueError) as fault:
        detail = (str(fault).splitlines() or [""])[0][:150]
        raise CountsError(f"{path.name} is not a readable table of counts ({detail}).", TABLE_REMEDY) from None
    if gathered.faults:
        sentences = fault_sentences(gathered.faults, n_entries=gathered.n_entries, where="the table")
        raise CountsError([*sentences, *filter(None, [gathered.guess])], RAW_COUNTS_REMEDY)
    if gathered.is_text.all():
        raise CountsError(f"{path.name} holds no columns of numbers.", TABLE_REMEDY)
    return _oriented(path, gathered, corner, np.asarray(columns, dtype=object))


def _oriented(path: Path, gathered: _Gathered, corner: str, columns: np.ndarray) -> CountMatrix:
    numbers = columns[~gathered.is_text]
    turned = _rows_are_genes(corner, gathered.row_names, numbers.tolist())
    side = "rows are genes and whose columns are cells" if turned else "rows are cells and whose columns are genes"
    sure = "" if turned is not None else " (the names do not tell; this is the usual order)"
    if turned and gathered.is_text.any():
        names = listing(columns[gathered.is_text])
        raise CountsError(f"Columns of {path.name} hold text among the counts: {names}.", TABLE_REMEDY)
    counts = sparse.csr_matrix(sparse.vstack(gathered.counts, format="csr"))
    annotations = pd.concat(gathered.texts, ignore_index=True).set_axis(columns[gathered.is_text], axis=1)
    return make_count_matrix(
        counts.T.tocsr() if turned else counts,
        cell_ids=numbers if turned else gathered.row_names,
        gene_names=gathered.row_names if turned else numbers,
        annotations=None if turned else annotations,
        counts_from="table",
        notices=[f"Read as a table whose {side}{sure}."],
    )


def _gather(chunks: Iterator[pd.DataFrame]) -> _Gathered:
    """Row blocks, column by column number or text as the first block shows; values are checked as they come."""
    gathered = _Gathered()
    for chunk in chunks:
        body = chunk.iloc[:, 1:]
        if not gathered.row_names:
            gathered.is_text = np.asarray(
                [not pd.api.types.is_numeric_dtype(dtype) for dtype in body.dtypes], dtype=bool
            )
        gathered.row_names += chunk.iloc[:, 0].tolist()
        numbers = body.loc[:, ~gathered.is_text]
        broken = [column for column, dtype in numbers.dtypes.items() if not pd.api.types.is_numeric_dtype(dtype)]
        if broken:
            raise ValueError(f"text among the counts in {len(broken):,} columns")
        values = numbers.to_numpy()
        gathered.n_entries += values.size
        faults = find_faults(values.ravel())
        if faults and not gathered.faults:
            gathered.guess = guess_transformation(sparse.csr_matrix(np.nan_to_num(values)))
        gathered.faults.update(faults)
        if not gathered.faults:
            gathered.counts.append(sparse.csr_matrix(values.astype(np.uint32)))
            gathered.texts.append(body.loc[:, gathered.is_text])
    return gathered


def _layout(path: Path) -> tuple[str, str, list[str]]:
    """(separator, word in the corner, names of the columns). As R writes it, the header can lack the corner."""
    with _open_text(path) as file:
        header = file.readline(LONGEST_LINE).rstrip("\r\n").removeprefix("\ufeff")
        second = file.readline(LONGEST_LINE).rstrip("\r\n")
    separator = max(",\t;", key=header.count)
    if separator not in header or not second:
        raise ValueError("no header with separated names, or no rows")
    names, first_row = (next(csv.reader([line], delimiter=separator)) for line in (header, second))
    if len(first_row) == len(names) + 1:
        return separator, "", names
    if len(first_row) != len(names):
        raise ValueError(f"{len(names):,} names in the header, {len(first_row):,} values in the first row")
    return separator, names[0].strip().lower(), names[1:]


def _chunks(path: Path, separator: str, n_columns: int) -> Iterator[pd.DataFrame]:
    """Blocks of rows: column 0 the names as text, then the values."""
    yield from pd.read_csv(
        path,
        sep=separator,
        header=None,
        skiprows=1,
        names=range(n_columns + 1),
        index_col=False,
        converters={0: str},  # a gene called NA or nan keeps its name
        chunksize=max(1, VALUES_TOGETHER // max(1, n_columns)),
        low_memory=False,
        encoding="utf-8",
    )


def _rows_are_genes(corner: str, rows: list[str], columns: list[str]) -> bool | None:
    if corner in _GENE_CORNERS or corner in _CELL_CORNERS:
        return corner in _GENE_CORNERS
    return is_transposed(rows, columns)


def _open_text(path: Path) -> TextIO:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return open(path, encoding="utf-8", newline="")
