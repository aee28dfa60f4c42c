"""GMT files of gene sets: one set a line. Those of people's own are not trusted: a limited child reads them first."""

import gzip
import hashlib
import io
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ldvae_core.data.limited import run_limited
from ldvae_core.data.names import listing
from ldvae_core.data.regular import require_regular
from ldvae_core.errors import CountsError, SettingsError

LARGEST_FILE, LARGEST_TEXT = 20 << 20, 80 << 20  # bytes, as uploaded and unpacked; all of MSigDB has 30 MB
MOST_LINES, MOST_SETS, LONGEST_LINE = 200_000, 50_000, 1 << 20  # of a file; of a file; bytes
MOST_GENES, MOST_MEMBERS, MOST_DISTINCT = 5_000, 5_000_000, 200_000  # of a set; of all sets together, with repeats
LONGEST_SET_NAME = 200  # characters
MOST_NAMED_LINES = 5
MEMORY_BYTES, SECONDS = 1 << 30, 30.0
CHILD = "ldvae_core.data.gmt_process"
REMEDY = "A GMT file has one set a line: name, description, gene, gene, ..., separated by tabs."
FEWER = "Keep the sets you need."


@dataclass(frozen=True, eq=False)
class GeneSets:
    """Named sets of gene symbols or Ensembl ids, as written in their file."""

    title: str
    sets: Mapping[str, tuple[str, ...]]
    notices: tuple[str, ...] = ()  # what was left out, a sentence each
    translated: bool = False  # from human to mouse genes

    @cached_property
    def digest(self) -> str:
        """16 hex digits that change with any name or gene."""
        text = "\n".join("\t".join((name, *genes)) for name, genes in self.sets.items())
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_own_gmt(source: Path, title: str) -> GeneSets:
    """A file of people's own, plain or gzipped: read by a limited child, never by this process.

    Raises SettingsError as read_gmt, and when there is no such file, or the child was too slow, too large or died.
    """
    _require_small(source, title)
    with tempfile.TemporaryDirectory(prefix="gene-sets-") as folder:
        checked = Path(folder, "checked.gmt.gz")
        reply = run_limited(
            CHILD,
            [str(source.resolve()), str(checked), title],
            name=title,
            memory_bytes=MEMORY_BYTES,
            seconds=SECONDS,
            smaller=FEWER,
            error=SettingsError,
        )
        found = read_gmt(checked.read_bytes(), title)
    return GeneSets(title, found.sets, tuple(map(str, reply["notices"])))


def read_own_bytes(content: bytes, title: str) -> GeneSets:
    """The same for a file that was uploaded. Raises SettingsError likewise."""
    with tempfile.TemporaryDirectory(prefix="gene-sets-") as folder:
        source = Path(folder, "uploaded.gmt")
        source.write_bytes(content)
        return read_own_gmt(source, title)


def read_gmt(content: bytes, title: str) -> GeneSets:
    """Read a GMT file that is trusted, or in a child; gzipped or not. Lines that are no sets are left out and named.

    Raises SettingsError when it is too large, unpacks to too much, is no text, or holds no set or too many.
    """
    sets: dict[str, tuple[str, ...]] = {}
    bad, first = Counter[str](), dict[str, list[int]]()
    genes_known: dict[str, str] = {}  # each name once in memory, however many sets it is in
    n_members = 0
    for number, line in _lines(content, title):
        name, genes, fault = _set_of(line, sets)
        if fault:
            bad[fault] += 1
            if bad[fault] <= MOST_NAMED_LINES:
                first.setdefault(fault, []).append(number)
            continue
        sets[name] = tuple([genes_known.setdefault(gene, gene) for gene in genes])
        n_members += len(genes)
        if len(sets) > MOST_SETS:
            raise SettingsError(f"{title} holds more than {MOST_SETS:,} sets.", "Split it into several files.")
        if n_members > MOST_MEMBERS or len(genes_known) > MOST_DISTINCT:
            raise SettingsError(
                f"{title} is too large: more than {MOST_MEMBERS:,} genes in all sets together, or {MOST_DISTINCT:,} "
                "different ones.",
                FEWER,
            )
    notices = tuple(_left_out(fault, first[fault], n_lines) for fault, n_lines in bad.items())
    if not sets:
        raise SettingsError([f"{title} holds no gene set.", *notices], REMEDY)
    return GeneSets(title, sets, notices)


def write_gmt(found: GeneSets) -> bytes:
    """The sets as a gzipped GMT file that read_gmt reads."""
    lines = ("\t".join((name, "", *genes)) for name, genes in found.sets.items())
    return gzip.compress("\n".join(lines).encode(), mtime=0)


def _set_of(line: str, sets: Mapping[str, object]) -> tuple[str, tuple[str, ...], str]:
    """Name, genes in their order and each once, and what is wrong with the line ("" when nothing is)."""
    name, *rest = line.rstrip("\r\n").split("\t", MOST_GENES * 3)
    name = " ".join(name.split())
    genes = tuple(dict.fromkeys(gene.strip().partition(",")[0] for gene in rest[1:] if gene.strip()))
    if not name or len(name) > LONGEST_SET_NAME or not name.isprintable():
        return name, genes, f"no name, or one longer than {LONGEST_SET_NAME} characters"
    if not genes:
        return name, genes, "fewer than three columns"
    if len(genes) > MOST_GENES:
        return name, genes, f"more than {MOST_GENES:,} genes"
    if any(len(gene) > LONGEST_SET_NAME or not gene.isprintable() for gene in genes):
        return name, genes, "a gene name that cannot be one"
    return name, genes, "a name that stands above already" if name in sets else ""


def _left_out(fault: str, first: list[int], n_lines: int) -> str:
    more = f" and {n_lines - len(first):,} more" if n_lines > len(first) else ""
    places = listing((f"{number:,}" for number in first), MOST_NAMED_LINES)
    return f"{n_lines:,} line{'s were' if n_lines > 1 else ' was'} left out ({fault}): {places}{more}."


def _lines(content: bytes, title: str) -> Iterator[tuple[int, str]]:
    """Number and text of the lines that are not empty. Raises SettingsError: no text, or more than it can be.

    Unpacked line by line and only as far as the limits, so that a small file cannot fill the memory.
    """
    _refuse_large(len(content), title)
    packed = content[:2] == b"\x1f\x8b"
    start = number = 0
    with gzip.open(io.BytesIO(content)) if packed else io.BytesIO(content) as file:
        while line := _next_line(file, title):
            number += 1
            if start + len(line) > LARGEST_TEXT:
                raise SettingsError(f"{title} unpacks to more than {LARGEST_TEXT >> 20} MB.", FEWER)
            if number > MOST_LINES or len(line) > LONGEST_LINE:
                what = (
                    f"more than {MOST_LINES:,} lines" if number > MOST_LINES else "a line of more than a million bytes"
                )
                raise SettingsError(f"{title} holds {what}: it is no file of gene sets.", REMEDY)
            text = _decoded(line, start, title)
            start += len(line)
            if text.strip():
                yield number, text


def _next_line(file: io.BufferedIOBase, title: str) -> bytes:
    try:
        return file.readline(LONGEST_LINE + 1)
    except (OSError, EOFError, zlib.error):
        raise SettingsError(f"{title} is a damaged gzip file.", "Compress it again, or load it as text.") from None


def _decoded(line: bytes, start: int, title: str) -> str:
    try:
        text = line.decode("utf-8" if start else "utf-8-sig")
    except UnicodeDecodeError as fault:
        raise SettingsError(f"{title} is not text (byte {start + fault.start:,} is not UTF-8).", REMEDY) from None
    if "\0" in text:
        raise SettingsError(f"{title} is not text.", REMEDY)
    return text


def _require_small(source: Path, title: str) -> None:
    try:
        require_regular(source)
    except CountsError as refusal:
        raise SettingsError(refusal.problems, refusal.remedy) from None
    _refuse_large(source.stat().st_size, title)


def _refuse_large(n_bytes: int, title: str) -> None:
    if n_bytes > LARGEST_FILE:
        raise SettingsError(f"{title} has {n_bytes / 2**20:.0f} MB; at most {LARGEST_FILE >> 20} MB are read.", FEWER)
