"""How a text table is written: its encoding, the lines before its header, what separates its fields."""

import codecs
import csv
import gzip
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, TextIO

from ldvae_core.data.regular import is_gzipped

LONGEST_LINE = 50_000_000  # characters; enough for millions of columns
SEPARATORS = ",\t;"
SPACES = " "  # one or more of them
OTHERS = "|" + SPACES  # only where none of the separators is there
MOST_TITLES = 10  # lines above the header
LINES_FOR_DECIMALS = 20
SHORTENED = 20_000  # characters of these lines: a line can have millions of fields
DECLARED = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
COMMA = re.compile(r"-?\d+,\d+(e[+-]?\d+)?", re.IGNORECASE)
THOUSANDS = re.compile(r"\d{1,3}([,.'’ ]\d{3})+")
LOOKED_AT = 100_000  # bytes that tell the encoding
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class Form(NamedTuple):
    """How a text is written. n_before: lines before the header. separator: where the file says it, else ""."""

    encoding: str
    n_before: int
    separator: str


class Header(NamedTuple):
    """corner: the word above the names of the rows, "" without one. columns: names of the others. decimal: . or ,"""

    separator: str
    decimal: str
    corner: str
    columns: list[str]


def form_of(path: Path) -> Form:
    """The encoding, by its first bytes and by what the beginning can be read as; and the lines before the header."""
    encoding = encoding_of(path)
    before, declared, last = 0, "", ""
    with open_table(path, encoding) as file:
        while line := file.readline(LONGEST_LINE):
            said = DECLARED.match(line)
            if line.strip() and not line.startswith("#") and said is None:
                break
            before += 1
            declared = said[1] if said else declared
            last = line
        following = [line, *(file.readline(LONGEST_LINE) for _ in range(MOST_TITLES))]
    headed = last.startswith("#") and any(last.count(mark) == line.count(mark) > 0 for mark in SEPARATORS)
    if headed:  # a header may begin with "#": it has as many fields as the rows
        return Form(encoding, before - 1, declared)
    return Form(encoding, before + _titles(following, declared), declared)


def _titles(lines: list[str], declared: str) -> int:
    """How many of the first lines say something of the table instead of naming its columns: far fewer fields."""
    fields = [max(_filled(line, mark) for mark in (declared or SEPARATORS + OTHERS)) for line in lines]
    widest = max(fields)
    return next((n for n, count in enumerate(fields) if 2 * count > widest), 0) if widest > 3 else 0


def _filled(line: str, mark: str) -> int:
    return sum(bool(field.strip()) for field in line.split(mark))


def encoding_of(path: Path) -> str:
    """By a mark, by the zeros that two-byte letters leave, by what the beginning can be read as; else latin-1."""
    with gzip.open(path, "rb") if is_gzipped(path) else open(path, "rb") as file:
        start = file.read(LOOKED_AT)
    marked = next((name for mark, name in MARKS.items() if start.startswith(mark)), None)
    if marked is not None:
        return marked
    for name, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[0::2])):
        if len(zeros) > 8 and zeros.count(0) > 0.5 * len(zeros):
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)  # which forgives a letter cut at the end
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def header_of(path: Path, form: Form) -> Header:
    """What the first lines say. As R writes it, the header can lack the corner. Raises ValueError: no table."""
    with open_table(path, form.encoding) as file:
        for _ in range(form.n_before):
            file.readline(LONGEST_LINE)
        header = file.readline(LONGEST_LINE).rstrip("\r\n")
        lines = (file.readline(LONGEST_LINE) for _ in range(2 * LINES_FOR_DECIMALS))
        rows = [line.rstrip("\r\n") for line in lines if line.strip("\r\n")]  # every second is empty after CR CR LF
    separator = form.separator or _separator(header, rows[0] if rows else "")
    if separator not in header.strip() or not rows or not rows[0]:
        raise ValueError("no header with separated names, or no rows")
    names, first_row = _split(header, separator), _split(rows[0], separator)
    decimal = _decimal(_split(row[:SHORTENED], separator) for row in rows)
    while len(names) > 2 and not names[-1].strip() and not "".join(first_row[len(names) - 1 :]).strip():
        names = names[:-1]  # separators at the end of every line, the header's too
    if len(first_row) == len(names) + 1 and first_row[-1].strip():  # else a separator at the end of every row
        return Header(separator, decimal, "", names)
    first_row = first_row[: len(names)] if not any(map(str.strip, first_row[len(names) :])) else first_row
    if len(first_row) != len(names):
        raise ValueError(f"{len(names):,} names in the header, {len(first_row):,} values in the first row")
    return Header(separator, decimal, names[0].lstrip("#").strip().lower(), names[1:])


def _separator(header: str, row: str) -> str:
    """The mark that parts the header and the row below into as many fields; else the one that comes most often."""

    def fit(mark: str) -> tuple[bool, int]:
        try:
            n, n_below = len(_split(header, mark)), len(_split(row, mark))
        except csv.Error:  # a header of thousands of names is one field too long where the mark is not in it
            return False, 1
        return n > 1 and n_below - n in (0, 1), n

    best = max(SEPARATORS, key=fit)
    others = (mark for mark in OTHERS if mark in header.strip() and (fit(mark)[0] or best not in header))
    return best if fit(best)[0] else next(others, best)


def _split(line: str, separator: str) -> list[str]:
    spaced = separator == SPACES
    return next(csv.reader([line.strip() if spaced else line], delimiter=separator, skipinitialspace=spaced), [""])


def _decimal(rows: Iterable[list[str]]) -> str:
    """A comma where numbers hold one that parts no thousands."""
    commas = [value for row in rows for value in row[1:] if COMMA.fullmatch(value.strip())]
    return "," if any(not THOUSANDS.fullmatch(value.strip()) for value in commas) else "."


def open_table(path: Path, encoding: str) -> TextIO:
    """The table as text."""
    if is_gzipped(path):
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return open(path, encoding=encoding, newline="")
