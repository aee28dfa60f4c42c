"""A matrix.mtx gone through in pieces: text of one entry a line, gzipped or not."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ldvae_core.data.blocks import ENTRIES
from ldvae_core.data.gate import MOST_UNFOLDING
from ldvae_core.data.limits import expect
from ldvae_core.data.regular import is_gzipped
from ldvae_core.data.stored import DAMAGED_REMEDY, Entries
from ldvae_core.data.text_files import open_text
from ldvae_core.errors import CountsError

SHORTEST_ENTRY = 6  # characters of a line: row, column, count, two spaces and the line's end
LONGEST_LINE = 10_000
DENSE_REMEDY = (
    "Write the matrix in sparse form: in R with writeMM of a dgCMatrix, in Python with mmwrite of a coo_matrix."
)
BYTES_OF_ENTRY = 20  # as text and as what is written of it
NUMBERS = ("integer", "real", "float", "double", "unsigned-integer")  # "float" as STARsolo writes it


@dataclass(frozen=True)
class MatrixMarket:
    """An opened file; its header has been compared with its size. Entries come in the order of the file."""

    path: Path
    n_rows: int
    n_columns: int
    n_entries: int
    n_before: int  # lines before the entries
    order: Literal["any"] = "any"

    def blocks(self) -> Iterator[Entries]:
        """All entries. Raises CountsError: text that is no entry, places outside the matrix, too few or too many."""
        seen = 0
        for table in self._tables():
            rows, columns = table[0].to_numpy() - 1, table[1].to_numpy() - 1
            if len(table) and not (
                rows.min() >= 0 and rows.max() < self.n_rows and columns.min() >= 0 and columns.max() < self.n_columns
            ):
                raise CountsError(f"{self.path.name} has an entry outside the matrix.", DAMAGED_REMEDY)
            seen += len(table)
            if seen > self.n_entries:
                said = f"{self.path.name} holds more entries than its header says ({self.n_entries:,})."
                raise CountsError(said, DAMAGED_REMEDY)
            yield Entries(rows, columns, table[2].to_numpy())
        if seen < self.n_entries:
            raise CountsError(
                f"{self.path.name} holds {seen:,} entries, but its header says {self.n_entries:,}.", DAMAGED_REMEDY
            )

    def values(self) -> Iterator[np.ndarray]:
        """The values alone."""
        for block in self.blocks():
            yield block.values

    def _tables(self) -> Iterator[pd.DataFrame]:
        if self.n_entries == 0:
            return
        try:
            yield from pd.read_csv(
                self.path,
                sep=r"\s+",
                header=None,
                names=range(3),
                usecols=range(3),
                skiprows=self.n_before,
                dtype={0: np.int64, 1: np.int64, 2: np.float64},
                chunksize=ENTRIES // 2,
                comment="%",
                compression="gzip" if is_gzipped(self.path) else None,
                engine="c",
            )
        except (ValueError, OverflowError, OSError, EOFError, zlib.error) as fault:
            detail = (str(fault).splitlines() or [""])[0][:100]
            raise CountsError(f"{self.path.name} cannot be read ({detail}).", DAMAGED_REMEDY) from None


def open_matrix_market(path: Path) -> MatrixMarket:
    """Raises CountsError: no header, not sparse, no numbers, or more entries declared than the file can hold."""
    stored = path.stat().st_size
    size = stored * (MOST_UNFOLDING if is_gzipped(path) else 1)
    try:
        with open_text(path) as file:
            banner, n_before = file.readline(LONGEST_LINE).lower().split(), 2
            line = file.readline(LONGEST_LINE)
            while line.startswith("%") or (line and not line.strip()):
                line, n_before = file.readline(LONGEST_LINE), n_before + 1
        if banner[2:3] == ["array"]:
            raise CountsError(f"{path.name} is a dense Matrix Market file.", DENSE_REMEDY)
        n_rows, n_columns, n_entries = (int(word) for word in line.split())
    except (ValueError, EOFError, OSError, zlib.error):
        raise CountsError(f"{path.name} has no readable Matrix Market header.", DAMAGED_REMEDY) from None
    if banner[:3] != ["%%matrixmarket", "matrix", "coordinate"] or min(n_rows, n_columns, n_entries) < 0:
        raise CountsError(f"{path.name} is not a sparse Matrix Market file.", DAMAGED_REMEDY)
    if banner[3:4] and banner[3] not in NUMBERS:
        raise CountsError(
            f"{path.name} holds no numbers (its header says '{banner[3]}').", "Write the counts themselves into it."
        )
    if banner[4:5] and banner[4] != "general":
        raise CountsError(f"{path.name} holds one half of a matrix (its header says '{banner[4]}').", DAMAGED_REMEDY)
    if n_entries * SHORTEST_ENTRY > size:
        raise CountsError(f"{path.name} declares {n_entries:,} entries, more than it can hold.", DAMAGED_REMEDY)
    expect(n_entries * BYTES_OF_ENTRY + stored)
    return MatrixMarket(path, n_rows, n_columns, n_entries, n_before)
