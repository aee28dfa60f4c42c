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
    """Join a table of text (see cell_table) by whatever column names the most cells; cell ids before annotations.

    Cells without a row have missing values. Raises CountsError: no column names any cell, a name stands in several
    rows, or there is nothing to join.
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
    """The column of the table, and what it names, by which the most cells have a row. Raises CountsError: none."""
    if table.empty:
        raise CountsError(f"{title} has no rows.", NAMES_REMEDY)
    ids = pd.Index(matrix.cell_ids)
    by_level = {str(name): levels_of(matrix.annotations[name]) for name in _naming_columns(matrix.annotations)}
    best: Match | None = None
    repeated: dict[str, list[str]] = {}
    for key in table.columns:
        names = table[key].to_numpy(dtype=object)
        filled = np.flatnonzero(names != "")
        own = pd.Index(names[filled])
        if not own.is_unique:
            twice = own[own.duplicated()].unique()
            if twice.isin(ids).any() or any(twice.isin(levels).any() for levels in by_level.values()):
                repeated[key] = twice.tolist()
            continue
        for by, cells in ((None, ids), *by_level.items()):
            found = own.get_indexer(pd.Index(cells))
            row_of = np.where(found >= 0, filled[found] if len(filled) else -1, -1)
            match = Match(key, by, row_of)
            if match.n_cells > (0 if best is None else best.n_cells):
                best = match
    if best is not None:
        return best
    if repeated:
        key, twice = next(iter(repeated.items()))
        stand = "name stands" if len(twice) == 1 else "names stand"
        raise CountsError(
            f"In the column {key} of {title}, {len(twice):,} {stand} in several rows: {listing(twice)}.",
            "Keep one row for each cell or sample.",
        )
    raise CountsError(
        f"No column of {title} names these cells or samples: its first row has {listing(table.iloc[0], 6)}; "
        f"cells are called {listing(matrix.cell_ids[:2])}.",
        NAMES_REMEDY,
    )


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
