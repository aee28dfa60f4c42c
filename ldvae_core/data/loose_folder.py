"""A folder with a sparse matrix in text whose names lie in files called as their author liked.

Which file names what is told by how many lines it has, then by the words in its name.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd

from ldvae_core.data.matrix_market import open_matrix_market
from ldvae_core.data.naming import EXPRESSIONS, OTHER_KINDS
from ldvae_core.data.opened import Candidate, Opened, Opening, Side
from ldvae_core.data.regular import require_regular
from ldvae_core.data.stored import DAMAGED_REMEDY
from ldvae_core.data.text_files import fields_of
from ldvae_core.errors import CountsError

MATRICES = (".mtx", ".mtx.gz")
TEXTS = tuple(f"{ending}{packed}" for ending in (".tsv", ".csv", ".txt") for packed in ("", ".gz"))
PREFERRED = ("matrix", "counts", "spliced", "unique")  # of several matrices of the same cells; then by name
PARTS = ("spliced", "unspliced", "ambiguous", "mature", "nascent", "spanning")
MOST_TEXTS = 50
_CELLS = re.compile(r"barcode|cell|\bobs\b|col(umn)?names|metadata", re.IGNORECASE)
_GENES = re.compile(r"gene|feature|symbol|\bvar\b|rownames|transcript", re.IGNORECASE)
_GIVEN = re.compile(r"gene[_ ]?(name|symbol)s?|symbols?|names?", re.IGNORECASE)


def open_loose(folder: Path, _opening: Opening) -> Opened:
    """Every matrix of a folder that has names of both its sides. Raises CountsError: there is none."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    texts = [path for path in paths if path.name.lower().endswith(TEXTS)][:MOST_TEXTS]
    matrices = sorted((path for path in paths if path.name.lower().endswith(MATRICES)), key=_preference)
    for path in (*matrices, *texts):
        require_regular(path, folder)
    contents = {path: rows for path in texts if (rows := _rows(path))}
    found, refusals = [], []
    for matrix in matrices:
        try:
            found.append(_candidate(matrix, contents))
        except CountsError as refusal:
            refusals.append(refusal)
    if not found:
        raise refusals[0] if refusals else CountsError(f"{folder.name} holds no matrix.", DAMAGED_REMEDY)
    return Opened(_grouped(found))


def _preference(path: Path) -> tuple[int, str]:
    name = path.name.lower()
    words = [place for place, word in enumerate(PREFERRED) if word in name and f"un{word}" not in name]
    return min(words, default=len(PREFERRED)), name


def _candidate(matrix: Path, contents: dict[Path, list[list[str]]]) -> tuple[Candidate, tuple[Path, Path]]:
    stored = open_matrix_market(matrix)
    sides = {}
    for cells_in, n_cells, n_genes in (
        ("columns", stored.n_columns, stored.n_rows),
        ("rows", stored.n_rows, stored.n_columns),
    ):
        cells, genes = _best(matrix, contents, n_cells, _CELLS), _best(matrix, contents, n_genes, _GENES)
        if cells is not None and genes is not None and cells != genes:
            sides[cells_in] = cells, genes, n_cells, n_genes
    if not sides:
        raise CountsError(
            f"No files beside {matrix.name} name its {stored.n_rows:,} rows and {stored.n_columns:,} columns.",
            "Put the files of barcodes and of features, of the same run, into the folder of the matrix.",
        )
    cells_in = "columns" if "columns" in sides else "rows"
    cells, genes, n_cells, n_genes = sides[cells_in]
    cell_side = cache(lambda: _side(cells, contents[cells], n_cells, of_genes=False))
    gene_side = cache(lambda: _side(genes, contents[genes], n_genes, of_genes=True))
    if cells_in == "columns":
        return Candidate(matrix.name, stored, gene_side, cell_side, "rows", certain=True), (cells, genes)
    return Candidate(matrix.name, stored, cell_side, gene_side, "columns", certain=True), (cells, genes)


def _best(matrix: Path, contents: dict[Path, list[list[str]]], length: int, words: re.Pattern[str]) -> Path | None:
    """The file called so that has a line for each, or one more; between several, that called most like the matrix."""
    fitting = [path for path, rows in contents.items() if len(rows) in (length, length + 1) and words.search(path.name)]
    own = _stem(matrix)
    alike = {path: _n_alike(path.name, matrix.name) + _n_alike(_stem(path)[::-1], own[::-1]) for path in fitting}
    return max(fitting, key=lambda path: (alike[path], path.name.endswith(".gz")), default=None)


def _n_alike(one: str, other: str) -> int:
    """Letters that both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


def _side(path: Path, rows: list[list[str]], length: int, *, of_genes: bool) -> Side:
    """The names in a file, and what else its columns say. A line more than there are names is a header."""
    header = rows[0] if len(rows) == length + 1 else []
    rows = rows[1:] if header else rows
    width = max(map(len, rows), default=1)
    header = ["", *header] if len(header) == width - 1 else header  # as R writes it
    columns = [[row[n] if n < len(row) else "" for row in rows] for n in range(width)]
    if width > 1 and columns[0] == [str(n + 1) for n in range(length)]:  # the number of the line, as R writes it
        columns, header = columns[1:], header[1:]
    names = columns[0]
    table = pd.DataFrame(index=pd.Index(names, dtype=object))
    if not of_genes:
        for title, column in zip(header[1:], columns[1:], strict=False):
            table[title] = column
        return Side(table, path.name)
    kinds = [n for n, column in enumerate(columns) if n and _are_kinds(column)]
    if kinds:
        table["feature_types"] = columns[kinds[0]]
    called = [n for n, title in enumerate(header) if _GIVEN.fullmatch(title)]
    symbols = next((n for n in called if n < len(columns)), 1 if len(columns) > 1 and 1 not in kinds else 0)
    if symbols:
        table["gene_ids"] = names
        table.index = pd.Index([name or key for name, key in zip(columns[symbols], names, strict=True)], dtype=object)
    return Side(table, path.name)


def _are_kinds(column: Iterable[str]) -> bool:
    distinct = {text.lower() for text in column if text}
    return bool(distinct) and all(text in EXPRESSIONS or OTHER_KINDS.search(text) for text in distinct)


def _grouped(found: list[tuple[Candidate, tuple[Path, Path]]]) -> tuple[Candidate, ...]:
    """Matrices of the same names, and the parts that velocity tells apart, are one data set; others are samples."""
    sets = list(dict.fromkeys(files for _, files in found))
    if len(sets) == 1 or all(_stem(Path(one.where)).lower() in PARTS for one, _ in found):
        return tuple(candidate for candidate, _ in found)
    return tuple(
        replace(one, group=re.sub(r"(?i)[._-]*(counts?|matrix)?\.mtx(\.gz)?$", "", one.where) or one.where)
        for one, _ in found
    )


def _rows(path: Path) -> list[list[str]]:
    """The fields of a text, separated by what is found most often in its first line; [] when it is none."""
    try:
        return fields_of(path)
    except CountsError:
        return []
