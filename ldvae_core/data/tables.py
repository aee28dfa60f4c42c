"""Raw counts out of a text table: cells x genes or genes x cells, comma, tab or semicolon, gzipped or not."""

import codecs
import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TextIO

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
SEPARATORS = ",\t;"
LOOKED_AT = 100_000  # bytes that tell the encoding
NO_COUNTS = {  # names of columns that say something of a cell or a gene, though they hold numbers
    *("length", "chr", "start", "end", "strand", "leiden", "louvain", "cluster", "clusters", "seurat_clusters"),
    *("doublet", "fov", "cell_id", "ncount_rna", "nfeature_rna", "percent.mt", "n_counts", "n_genes", "total_counts"),
    *("n_genes_by_counts", "pct_counts_mt", "batch", "sample", "donor"),
}
SUMMARY = re.compile(  # rows that counting programs add below the genes
    "__(no_feature|ambiguous|too_low_aqual|not_aligned|alignment_not_unique)|N_(unmapped|multimapping|noFeature|ambiguous)"
)
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+$")
TABLE_REMEDY = "Write a table with names of genes along one side, names of cells along the other, raw counts between."
_GENE_CORNERS = {"gene", "genes", "gene_name", "gene_id", "gene_symbol", "symbol", "geneid", "genename"}
_CELL_CORNERS = {"cell", "cells", "cell_id", "cellid", "cell_name", "barcode", "barcodes"}


class _Form(NamedTuple):
    """How a text is written. n_before: lines before the header. separator: where the file says it, else ""."""

    encoding: str
    n_before: int
    separator: str


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
        form = _form(path)
        separator, corner, columns = _layout(path, form)
        gathered = _gather(_chunks(path, form, separator, len(columns)), columns)
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
    notices = [f"Read as a table whose {side}{sure}."]
    about = columns[gathered.is_text]
    unknown = [name for name in about.tolist() if name.strip().lower() not in NO_COUNTS]
    if turned and unknown:
        names = listing(unknown)
        raise CountsError(f"Columns of {path.name} hold text among the counts: {names}.", TABLE_REMEDY)
    if len(about):
        taken = "left out" if turned else "taken as annotations of the cells"
        notices.append(f"Columns that hold no counts were {taken}: {listing(about)}.")
    counts = sparse.csr_matrix(sparse.vstack(gathered.counts, format="csr"))
    annotations = pd.concat(gathered.texts, ignore_index=True).set_axis(about, axis=1)
    rows = gathered.row_names
    if corner == "fov" and "cell_ID" in annotations and not turned:  # cells are numbered within a field of view
        rows = [f"{view}_{cell}" for view, cell in zip(rows, annotations["cell_ID"], strict=True)]
    genes = np.asarray(rows if turned else numbers, dtype=object)
    summary = np.asarray([SUMMARY.fullmatch(str(name)) is not None for name in genes], dtype=bool)
    if summary.any():
        notices.append(f"{'Rows' if turned else 'Columns'} that sum up reads were left out: {listing(genes[summary])}.")
    by_cell = sparse.csr_matrix(counts.T if turned else counts)
    return make_count_matrix(
        by_cell[:, ~summary] if summary.any() else by_cell,
        cell_ids=numbers if turned else rows,
        gene_names=genes[~summary],
        annotations=None if turned else annotations,
        counts_from="table",
        notices=notices,
    )


def _gather(chunks: Iterator[pd.DataFrame], columns: list[str]) -> _Gathered:
    """Row blocks, column by column number or text as the first block shows; values are checked as they come."""
    gathered = _Gathered()
    for chunk in chunks:
        body = chunk.iloc[:, 1:]
        _refuse_thousands(body, chunk.iloc[:, 0], columns)
        if not gathered.row_names:
            about = [name.strip().lower() in NO_COUNTS for name in columns]
            gathered.is_text = np.asarray([not _is_number(dtype) for dtype in body.dtypes], dtype=bool) | about
        gathered.row_names += chunk.iloc[:, 0].tolist()
        numbers = body.loc[:, ~gathered.is_text]
        broken = [column for column, dtype in numbers.dtypes.items() if not _is_number(dtype)]
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


def _form(path: Path) -> _Form:
    """The encoding, by its first bytes and by what the beginning can be read as; and the lines before the header."""
    with gzip.open(path, "rb") if path.name.lower().endswith(".gz") else open(path, "rb") as file:
        start = file.read(LOOKED_AT)
    encoding = next((name for mark, name in MARKS.items() if start.startswith(mark)), None)
    if encoding is None:
        encoding = "utf-8"
        try:
            codecs.getincrementaldecoder(encoding)().decode(start)  # which forgives a letter cut at the end
        except UnicodeDecodeError:
            encoding = "latin-1"
    before, declared, last = 0, "", ""
    with _open_text(path, encoding) as file:
        while line := file.readline(LONGEST_LINE):
            if line.strip() and not line.startswith("#") and not line.lower().startswith("sep="):
                break
            before += 1
            declared = line[4:5] if line.lower().startswith("sep=") else declared
            last = line
    headed = last.startswith("#") and any(last.count(mark) == line.count(mark) > 0 for mark in SEPARATORS)
    return _Form(encoding, before - headed, declared)  # a header may begin with "#": it has as many fields as the rows


def _layout(path: Path, form: _Form) -> tuple[str, str, list[str]]:
    """(separator, word in the corner, names of the columns). As R writes it, the header can lack the corner."""
    with _open_text(path, form.encoding) as file:
        for _ in range(form.n_before):
            file.readline(LONGEST_LINE)
        header = file.readline(LONGEST_LINE).rstrip("\r\n")
        second = file.readline(LONGEST_LINE).rstrip("\r\n")
    separator = form.separator or max(SEPARATORS, key=header.count)
    if separator not in header or not second:
        raise ValueError("no header with separated names, or no rows")
    names, first_row = (next(csv.reader([line], delimiter=separator)) for line in (header, second))
    while len(names) > 2 and not names[-1].strip() and not "".join(first_row[len(names) - 1 :]).strip():
        names = names[:-1]  # separators at the end of every line, the header's too
    if len(first_row) == len(names) + 1 and first_row[-1].strip():  # else a separator at the end of every row
        return separator, "", names
    first_row = first_row[: len(names)] if not any(map(str.strip, first_row[len(names) :])) else first_row
    if len(first_row) != len(names):
        raise ValueError(f"{len(names):,} names in the header, {len(first_row):,} values in the first row")
    return separator, names[0].lstrip("#").strip().lower(), names[1:]


def _chunks(path: Path, form: _Form, separator: str, n_columns: int) -> Iterator[pd.DataFrame]:
    """Blocks of rows: column 0 the names as text, then the values."""
    yield from pd.read_csv(
        path,
        sep=separator,
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


def _rows_are_genes(corner: str, rows: list[str], columns: list[str]) -> bool | None:
    if corner in _GENE_CORNERS or corner in _CELL_CORNERS:
        return corner in _GENE_CORNERS
    return is_transposed(rows, columns)


def _open_text(path: Path, encoding: str) -> TextIO:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return open(path, encoding=encoding, newline="")
