"""Annotations from a table: joined to cells by their ids, or to samples by the levels of an annotation."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ldvae_core import durable
from ldvae_core.data.annotations import label_columns, tidy_annotations
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.levels import levels_of
from ldvae_core.data.names import listing
from ldvae_core.data.text_files import numbers_of
from ldvae_core.errors import CountsError

MISSING = ("", "na", "n/a", "nan", "null")  # in any case
COMMON = re.compile(r"[+-]?(0|[1-9]\d{0,2})(\.\d+)?|true|false|yes|no", re.IGNORECASE)  # values of many columns
MOSTLY = 0.5  # of the values of a column, or of the cells
MOST_LEVELS = 1_000  # of an annotation of whole numbers that can name samples
NAMES_REMEDY = "One column of the table must hold the cell ids, or the values of an annotation such as the sample."


class Match(NamedTuple):
    """How rows find their cells. key: column of the table; by: annotation whose levels it names, None for cell ids."""

    key: str
    by: str | None
    row_of: np.ndarray  # (n_cells,), -1 for cells without a row

    @property
    def n_cells(self) -> int:
        """How many cells have a row."""
        return int((self.row_of >= 0).sum())


class Joined(NamedTuple):
    """Annotations with those of the table after them, and a sentence for everything that people should know."""

    annotations: pd.DataFrame
    notices: tuple[str, ...]


def join_table(matrix: CountMatrix, table: pd.DataFrame, title: str) -> Joined:
    """Join a table of text (see cell_table) by the column that best_match finds.

    Cells without a row have missing values. Raises CountsError as best_match does, and when there is nothing to join.
    """
    match = best_match(matrix, table, title)
    columns = [name for name in table.columns if name != match.key]
    if not columns:
        raise CountsError(f"{title} has no column beside {match.key}: there is nothing to add.", NAMES_REMEDY)
    typed = pd.DataFrame({name: _typed(table[name]) for name in columns})
    gone = match.row_of < 0
    added = typed.iloc[np.where(gone, 0, match.row_of)].reset_index(drop=True)
    if gone.any():
        added = added.mask(pd.Series(gone))
    both = pd.concat([matrix.annotations.reset_index(drop=True), added], axis=1)
    annotations, notices = tidy_annotations(both, matrix.cell_ids)
    new = [str(name) for name in annotations.columns[matrix.annotations.shape[1] :]]
    return Joined(annotations, (*_said(match, table, title, new), *notices))


def best_match(matrix: CountMatrix, table: pd.DataFrame, title: str) -> Match:
    """The column of the table by which rows find their cells, and what it names.

    Cell ids come first, then the annotation that is called as the column is, then others whose levels it has; of
    several, the one that tells the most cells apart. Small numbers and yes or no are values of many columns: they name
    only the annotation that is called as their column, or cells in a first column that is called as none. Raises
    CountsError: no column names anything, or the one that does has a name in several rows.
    """
    if table.empty:
        raise CountsError(f"{title} has no rows.", NAMES_REMEDY)
    cells_of: dict[str | None, pd.Index] = {None: pd.Index(matrix.cell_ids)}
    cells_of |= {by: pd.Index(levels_of(matrix.annotations[by])) for by in _naming_columns(matrix.annotations)}
    sizes_of = {by: cells.value_counts(sort=False) for by, cells in cells_of.items()}
    called = {str(name).casefold() for name in matrix.annotations}
    best: tuple[tuple[float, ...], str, str | None] | None = None
    for place, key in enumerate(table.columns):
        rows = pd.Index(table[key].to_numpy(dtype=object))
        own = rows[rows != ""].unique()
        common = all(COMMON.fullmatch(name) for name in own if name.lower() not in MISSING)
        leads = place == 0 and key.casefold() not in called
        for by, sizes in sizes_of.items():
            alike = by is not None and by.casefold() == key.casefold()
            if common and not alike and not (by is None and leads):
                continue
            order = _fit(own, sizes, rank=int(alike) if common or by is not None else 2)
            if order is not None and (best is None or order > best[0]):
                best = order, key, by
    if best is None:
        raise CountsError(
            f"No column of {title} names these cells or samples: its first row has {listing(table.iloc[0], 6)}; "
            f"cells are called {listing(matrix.cell_ids[:2])}.",
            NAMES_REMEDY,
        )
    _, key, by = best
    return Match(key, by, _row_of(table, key, cells_of[by], title))


def _fit(own: pd.Index, sizes: pd.Series, *, rank: int) -> tuple[float, ...] | None:
    """How well the different values of a column name cells or levels; the larger, the better. None: not at all.

    sizes: how many cells are called each. rank: 2 for cell ids, which lose it where few are named.
    """
    named = sizes[sizes.index.isin(own)]
    mostly = len(named) >= MOSTLY * len(own) or (rank == 2 and len(named) >= MOSTLY * len(sizes))
    if named.empty:
        return None
    return 0 if rank == 2 and not mostly else rank, mostly, len(sizes), int(named.sum())


def _row_of(table: pd.DataFrame, key: str, cells: pd.Index, title: str) -> np.ndarray:
    """The row of each cell, -1 for none. Raises CountsError: a name stands in several rows."""
    names = table[key].to_numpy(dtype=object)
    filled = np.flatnonzero(names != "")
    own = pd.Index(names[filled])
    if not own.is_unique:
        twice = own[own.duplicated()].unique()
        stand = "name stands" if len(twice) == 1 else "names stand"
        raise CountsError(
            f"In the column {key} of {title}, {len(twice):,} {stand} in several rows: {listing(twice)}.",
            "Keep one row for each cell or sample, or take this column out if another one names them.",
        )
    found = own.get_indexer(cells)
    return np.where(found >= 0, filled[found], -1)


def write_joined(source: Path, folder: Path, joined: Joined) -> None:
    """Make `folder` the data set of `source` with these annotations. Counts and names are the same files on disk.

    Raises RunError when the source is damaged; nothing is left then.
    """

    def fill(part: Path) -> None:
        durable.link_files(source, part)
        durable.write_table(part / "annotations.parquet", joined.annotations.reset_index(drop=True))
        about = durable.read_json(source / "about.json")
        about["notices"] = [*about["notices"], *joined.notices]
        durable.write_json(part / "about.json", about)

    durable.write_folder(folder, fill)


def _naming_columns(annotations: pd.DataFrame) -> list[str]:
    """Annotations whose levels can name samples: labels, and few whole numbers."""
    labels = set(label_columns(annotations))
    return [
        str(name) for name, column in annotations.items()
        if name in labels or (pd.api.types.is_integer_dtype(column.dtype) and column.nunique() <= MOST_LEVELS)
    ]  # fmt: skip


def _typed(column: pd.Series) -> pd.Series:
    """Numbers where all are; else text. What begins with 0 and a digit is a name, not a number."""
    filled = column.mask(column.str.lower().isin(MISSING), "")
    if any(re.match(r"[+-]?0\d", text) for text in filled.unique()):
        return filled.mask(filled == "").astype(object)
    return numbers_of(filled)


def _said(match: Match, table: pd.DataFrame, title: str, new: list[str]) -> list[str]:
    n_cells = len(match.row_of)
    by = "cell ids" if match.by is None else f"the annotation {match.by}"
    said = [
        f"Joined from {title}: {listing(new, 12)}. Its column {match.key} names {by}; {match.n_cells:,} of {n_cells:,} "
        "cells have a row" + (", the others have missing values." if match.n_cells < n_cells else ".")
    ]
    used = np.zeros(len(table), bool)
    used[match.row_of[match.row_of >= 0]] = True
    if not used.all():
        unused = table[match.key].to_numpy(dtype=object)[~used]
        said.append(f"{len(unused):,} of {len(table):,} rows of {title} match no cell: {listing(unused)}.")
    return said
