"""How a text table is written: its encoding, the lines before its header, what separates its fields."""

import codecs
import csv
import gzip
from pathlib import Path
from typing import NamedTuple, TextIO

LONGEST_LINE = 50_000_000  # characters; enough for millions of columns
SEPARATORS = ",\t;"
SPACES = " "  # one or more of them
LOOKED_AT = 100_000  # bytes that tell the encoding
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class Form(NamedTuple):
    """How a text is written. n_before: lines before the header. separator: where the file says it, else ""."""

    encoding: str
    n_before: int
    separator: str


def form_of(path: Path) -> Form:
    """The encoding, by its first bytes and by what the beginning can be read as; and the lines before the header."""
    encoding = encoding_of(path)
    before, declared, last = 0, "", ""
    with open_table(path, encoding) as file:
        while line := file.readline(LONGEST_LINE):
            if line.strip() and not line.startswith("#") and not line.lower().startswith("sep="):
                break
            before += 1
            declared = line[4:5] if line.lower().startswith("sep=") else declared
            last = line
    headed = last.startswith("#") and any(last.count(mark) == line.count(mark) > 0 for mark in SEPARATORS)
    return Form(encoding, before - headed, declared)  # a header may begin with "#": it has as many fields as the rows


def encoding_of(path: Path) -> str:
    """By a mark, by the zeros that two-byte letters leave, by what the beginning can be read as; else latin-1."""
    with gzip.open(path, "rb") if path.name.lower().endswith(".gz") else open(path, "rb") as file:
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


def layout_of_table(path: Path, form: Form) -> tuple[str, str, list[str]]:
    """(separator, word in the corner, names of the columns). As R writes it, the header can lack the corner."""
    with open_table(path, form.encoding) as file:
        for _ in range(form.n_before):
            file.readline(LONGEST_LINE)
        header = file.readline(LONGEST_LINE).rstrip("\r\n")
        second = file.readline(LONGEST_LINE).rstrip("\r\n")
    separator = form.separator or max(SEPARATORS, key=header.count)
    if separator not in header and SPACES in header.strip():
        separator = SPACES
    if separator not in header or not second:
        raise ValueError("no header with separated names, or no rows")
    spaced = separator == SPACES
    lines = [line.strip() if spaced else line for line in (header, second)]
    names, first_row = (next(csv.reader([line], delimiter=separator, skipinitialspace=spaced)) for line in lines)
    while len(names) > 2 and not names[-1].strip() and not "".join(first_row[len(names) - 1 :]).strip():
        names = names[:-1]  # separators at the end of every line, the header's too
    if len(first_row) == len(names) + 1 and first_row[-1].strip():  # else a separator at the end of every row
        return separator, "", names
    first_row = first_row[: len(names)] if not any(map(str.strip, first_row[len(names) :])) else first_row
    if len(first_row) != len(names):
        raise ValueError(f"{len(names):,} names in the header, {len(first_row):,} values in the first row")
    return separator, names[0].lstrip("#").strip().lower(), names[1:]


def open_table(path: Path, encoding: str) -> TextIO:
    """The table as text."""
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return open(path, encoding=encoding, newline="")
