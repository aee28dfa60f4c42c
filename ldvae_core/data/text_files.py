"""Small text files beside a matrix: rows of fields, whatever their encoding and quotes."""

import csv
import gzip
import itertools
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pandas as pd

from ldvae_core.data.regular import is_gzipped
from ldvae_core.data.stored import DAMAGED_REMEDY
from ldvae_core.data.table_form import encoding_of
from ldvae_core.errors import CountsError

MOST_ROWS = 20_000_000
MOST_FIELDS = 30
UNPACKED, SLACK = 60, 50_000_000  # characters of a packed byte, and some more; barcodes and genes become 3 to 10


def open_text(path: Path, encoding: str = "utf-8-sig") -> TextIO:
    """The file as text, unpacked where it is packed, without a byte order mark."""
    if is_gzipped(path):
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return open(path, encoding=encoding, newline="")


def rows_of(path: Path, *, keep_empty: bool = False) -> list[list[str]]:
    """The first three tab-separated fields of rows that are not empty, without the quotes that R puts around words.

    Raises CountsError when it is no such text.
    """
    return _rows(path, "\t", keep_empty=keep_empty, most=3)


def fields_of(path: Path) -> list[list[str]]:
    """All fields of rows that are not empty, separated by the mark that comes most often in the first of them.

    Raises CountsError when it is no text.
    """
    return _rows(path, "", keep_empty=False, most=MOST_FIELDS)


def _rows(path: Path, separator: str, *, keep_empty: bool, most: int) -> list[list[str]]:
    try:
        with open_text(path, encoding_of(path)) as file:
            lines = _bounded(file, path)
            first = next(lines, "")
            mark = separator or max("\t,; ", key=first.strip().count)
            reader = csv.reader(itertools.chain([first], lines), delimiter=mark, quoting=csv.QUOTE_NONE)
            some = itertools.islice(reader, MOST_ROWS + 1)
            rows = [[_unquoted(word) for word in row[:most]] or [""] for row in some if row or keep_empty]
    except (UnicodeDecodeError, csv.Error, EOFError, OSError, zlib.error) as fault:
        raise CountsError(f"{path.name} is not a readable text table ({fault}).", DAMAGED_REMEDY) from None
    if len(rows) > MOST_ROWS:
        raise CountsError(f"{path.name} has more than {MOST_ROWS:,} lines.", DAMAGED_REMEDY)
    return rows


def _bounded(file: TextIO, path: Path) -> Iterator[str]:
    """Its lines. Raises CountsError when they are far more than the size of the file."""
    left = UNPACKED * path.stat().st_size + SLACK
    for line in file:
        left -= len(line)
        if left < 0:
            raise CountsError(f"{path.name} unpacks to far more than its size.", DAMAGED_REMEDY)
        yield line


def table_of(path: Path) -> pd.DataFrame:
    """A comma-separated table with a header, every field as text. Raises CountsError when it is none."""
    try:
        with open_text(path, encoding_of(path)) as file:
            return pd.read_csv(file, dtype=str, keep_default_na=False)
    except (ValueError, EOFError, OSError, zlib.error) as fault:
        raise CountsError(f"{path.name} is not a readable text table ({fault}).", DAMAGED_REMEDY) from None


def numbers_of(column: pd.Series) -> pd.Series:
    """The column as numbers where all of it are; an empty field is missing."""
    filled = column.mask(column == "")
    numbers = pd.to_numeric(filled, errors="coerce")
    return numbers if numbers.notna().equals(filled.notna()) else filled


def _unquoted(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] == '"' else word
