"""A matrix as it lies in a file, gone through piece by piece: never whole in memory, never trusted."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from scipy import sparse

from ldvae_core.data.blocks import ENTRIES
from ldvae_core.data.damage import damage_in
from ldvae_core.data.gate import is_numeric
from ldvae_core.durable import ArrayFile
from ldvae_core.errors import CountsError

DENSE_BYTES = 32_000_000  # of a dense matrix read together
LARGEST_STRIPE_BYTES = 256_000_000  # of whole rows that must be read together because of how they are stored
GUESS_ROWS = 200
TOTALLED = 2_000_000  # values that tell which side holds genes
SPARSE: dict[str, Literal["rows", "columns"]] = {
    "csr": "rows", "csr_matrix": "rows", "csc": "columns", "csc_matrix": "columns",
}  # fmt: skip
DAMAGED_REMEDY = "The file is damaged, or was not written by a common tool. Write or download it again."

Axis = Literal["rows", "columns"]


class Entries(NamedTuple):
    """Some entries of a matrix, wherever they stand: three arrays of one length."""

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray


class Stored(Protocol):
    """A matrix of n_rows x n_columns with n_entries stored values.

    order: "rows" when blocks() gives consecutive rows as CSR (k, n_columns); "columns" when it gives consecutive
    columns as CSR (k, n_rows); "any" when it gives Entries. Values are of any number type, and of any kind. Every
    walk raises CountsError where what is stored is no matrix.
    """

    @property
    def n_rows(self) -> int:
        """Lines from top to bottom."""

    @property
    def n_columns(self) -> int:
        """Lines from left to right."""

    @property
    def n_entries(self) -> int:
        """Stored values."""

    @property
    def order(self) -> Literal["rows", "columns", "any"]:
        """In which blocks come."""

    def blocks(self) -> Iterator[sparse.csr_matrix | Entries]:
        """All of it."""

    def values(self) -> Iterator[np.ndarray]:
        """The values alone."""


class SequentialReader:
    """One array on disk, read from its beginning in pieces of any length; each piece of storage is unpacked once."""

    def __init__(self, array: Any, *, together: int = ENTRIES) -> None:
        piece = (getattr(array, "shards", None) or array.chunks or (1,))[0]
        self._array, self._length = array, array.shape[0]
        self._step = max(1, together // piece) * piece
        self._next = 0
        self._waiting = array[:0]

    def take(self, n: int) -> np.ndarray:
        """The next n values, which must be there."""
        pieces = [self._waiting[:n]]
        missing = n - len(pieces[0])
        self._waiting = self._waiting[n:]
        while missing > 0:
            read = _read(self._array, slice(self._next, self._next + self._step))
            self._next += len(read)
            if not len(read):
                raise CountsError("A part of the matrix ends too early.", DAMAGED_REMEDY)
            pieces.append(read[:missing])
            self._waiting = read[missing:]
            missing -= len(pieces[-1])
        pieces = [piece for piece in pieces if len(piece)] or pieces[:1]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def rest(self) -> Iterator[np.ndarray]:
        """All that was not taken yet."""
        while self._next < self._length:
            read = _read(self._array, slice(self._next, self._next + self._step))
            self._next += max(1, len(read))
            yield read


@dataclass(frozen=True, eq=False)
class SparseStored:
    """Three arrays (data, indices, indptr) of an h5py or zarr group. where: for messages."""

    parts: Any
    where: str
    n_rows: int
    n_columns: int
    order: Axis

    @property
    def n_entries(self) -> int:
        """Stored values."""
        return int(self.parts["data"].shape[0])

    def blocks(self) -> Iterator[sparse.csr_matrix]:
        """Consecutive lines; starts that fall and indices outside are found before scipy sees them."""
        starts = self._starts()
        n_lines, n_minor = len(starts) - 1, self.n_columns if self.order == "rows" else self.n_rows
        small = np.int32 if n_minor < 2**31 else np.int64
        data, indices = SequentialReader(self.parts["data"]), SequentialReader(self.parts["indices"])
        line = 0
        while line < n_lines:
            stop = int(np.searchsorted(starts, starts[line] + ENTRIES, side="right")) - 1
            stop = min(max(stop, line + 1), n_lines)
            n = int(starts[stop] - starts[line])
            values, places = data.take(n), indices.take(n)
            if n and (int(places.min()) < 0 or int(places.max()) >= n_minor):
                raise CountsError(
                    f"{self.where} has an index outside the matrix ({int(places.max()):,} of {n_minor:,}).",
                    DAMAGED_REMEDY,
                )
            shape = (stop - line, n_minor)
            pointers = (starts[line : stop + 1] - starts[line]).astype(small)
            yield sparse.csr_matrix((values, places.astype(small, copy=False), pointers), shape=shape)
            line = stop

    def values(self) -> Iterator[np.ndarray]:
        """The stored values alone."""
        yield from SequentialReader(self.parts["data"]).rest()

    def _starts(self) -> np.ndarray:
        starts = _read(self.parts["indptr"], slice(None)).astype(np.int64)
        if not len(starts) or starts[0] != 0 or starts[-1] != self.n_entries or (np.diff(starts) < 0).any():
            raise CountsError(f"The row starts of {self.where} are out of order.", DAMAGED_REMEDY)
        return starts


@dataclass(frozen=True, eq=False)
class DenseStored:
    """A two-dimensional array of h5py or zarr."""

    array: Any
    n_rows: int
    n_columns: int

    @property
    def n_entries(self) -> int:
        """All values, zeros too."""
        return self.n_rows * self.n_columns

    @property
    def order(self) -> Literal["rows", "any"]:
        """By rows, unless the pieces of storage are so tall that whole rows of them do not fit in memory."""
        tall, _ = self._piece()
        return "rows" if tall * self._row_bytes <= LARGEST_STRIPE_BYTES else "any"

    def blocks(self) -> Iterator[sparse.csr_matrix | Entries]:
        """Row blocks of whole storage pieces, or the pieces themselves."""
        for rows, columns in self._patches():
            dense = _read(self.array, (rows, columns))
            if self.order == "rows":
                yield sparse.csr_matrix(dense)
            else:
                found = sparse.coo_matrix(dense)
                yield Entries(found.row + rows.start, found.col + columns.start, found.data)

    def values(self) -> Iterator[np.ndarray]:
        """All values, zeros too."""
        for rows, columns in self._patches():
            yield _read(self.array, (rows, columns)).ravel()

    @property
    def _row_bytes(self) -> int:
        return max(1, self.n_columns * int(self.array.dtype.itemsize))

    def _piece(self) -> tuple[int, int]:
        tall, wide = getattr(self.array, "shards", None) or self.array.chunks or (1, self.n_columns)
        return min(tall, max(self.n_rows, 1)), min(wide, max(self.n_columns, 1))

    def _patches(self) -> Iterator[tuple[slice, slice]]:
        tall, wide = self._piece()
        if self.order == "rows":
            wide = max(1, self.n_columns)
            tall = max(tall, DENSE_BYTES // self._row_bytes // tall * tall)
        for top in range(0, self.n_rows, tall):
            for left in range(0, self.n_columns, wide):
                yield slice(top, min(top + tall, self.n_rows)), slice(left, min(left + wide, self.n_columns))


@dataclass(frozen=True, eq=False)
class SpilledStored:
    """Rows that were written beside while a text was read: data.npy, indices.npy and indptr.npy in a folder."""

    folder: Path
    n_rows: int
    n_columns: int
    order: Literal["rows"] = "rows"

    @property
    def n_entries(self) -> int:
        """All values, zeros too."""
        return self.n_rows * self.n_columns

    def blocks(self) -> Iterator[sparse.csr_matrix]:
        """Consecutive rows."""
        data, indices, starts = self._parts()
        row = 0
        while row < self.n_rows:
            stop = int(np.searchsorted(starts, starts[row] + ENTRIES, side="right")) - 1
            stop = min(max(stop, row + 1), self.n_rows)
            piece = slice(int(starts[row]), int(starts[stop]))
            parts = (data[piece], indices[piece], starts[row : stop + 1] - starts[row])
            yield sparse.csr_matrix(parts, shape=(stop - row, self.n_columns))
            row = stop

    def values(self) -> Iterator[np.ndarray]:
        """The values that are not zero."""
        data, _, _ = self._parts()
        yield from (data[start : start + ENTRIES] for start in range(0, len(data), ENTRIES))

    def _parts(self) -> tuple[ArrayFile, ArrayFile, np.ndarray]:
        data, indices, starts = (ArrayFile(self.folder / f"{name}.npy") for name in ("data", "indices", "indptr"))
        return data, indices, starts[:]


def stored_matrix(element: Any, where: str) -> Stored:
    """Recognise a sparse group or a dense array. Raises CountsError when it is neither, or its parts do not fit."""
    if is_numeric(element, n_dimensions=2):
        return DenseStored(element, int(element.shape[0]), int(element.shape[1]))
    order = SPARSE.get(as_text(element.attrs.get("encoding-type", element.attrs.get("h5sparse_format", ""))))
    shape = np.asarray(element.attrs.get("shape", element.attrs.get("h5sparse_shape", ())))
    if order is None or shape.shape != (2,) or shape.dtype.kind not in "iuf" or not hasattr(element, "keys"):
        raise CountsError(f"{where} is not a matrix that can be read (dense, CSR or CSC).", DAMAGED_REMEDY)
    return sparse_matrix(element, where, n_rows=int(shape[0]), n_columns=int(shape[1]), order=order)


def sparse_matrix(parts: Any, where: str, *, n_rows: int, n_columns: int, order: Axis) -> SparseStored:
    """A sparse group whose parts have fitting lengths and types; their content is checked when it is read."""
    for part, kinds in (("data", "buif"), ("indices", "iu"), ("indptr", "iu")):
        if part not in parts or not is_numeric(parts[part], n_dimensions=1) or parts[part].dtype.kind not in kinds:
            raise CountsError(
                f"{where} is a sparse matrix whose part '{part}' is missing or malformed.", DAMAGED_REMEDY
            )
    n_values, n_indices, n_starts = (parts[part].shape[0] for part in ("data", "indices", "indptr"))
    n_lines = n_rows if order == "rows" else n_columns
    if n_values != n_indices or n_starts != n_lines + 1 or min(n_rows, n_columns) < 0:
        raise CountsError(
            f"The parts of {where} do not fit: {n_values:,} values, {n_indices:,} indices, {n_starts:,} row starts "
            f"for {n_rows:,} x {n_columns:,}.",
            DAMAGED_REMEDY,
        )
    return SparseStored(parts, where, n_rows, n_columns, order)


def first_cells(stored: Stored, cells_in: Axis) -> sparse.csr_matrix:
    """The first cells, whole, for a guess at what was done to the values: (at most GUESS_ROWS, n_genes) float64."""
    if stored.order == cells_in:
        first = next(iter(stored.blocks()), sparse.csr_matrix((0, 1)))
        assert not isinstance(first, Entries)
        return first[:GUESS_ROWS].astype(np.float64)
    n_cells, n_genes = (stored.n_rows, stored.n_columns) if cells_in == "rows" else (stored.n_columns, stored.n_rows)
    found, done = [], 0
    for block in stored.blocks():
        if isinstance(block, Entries):
            rows, columns, values = block
        else:
            piece = block.tocoo()
            rows, columns, values = piece.row.astype(np.int64) + done, piece.col, piece.data
            rows, columns = (rows, columns) if stored.order == "rows" else (columns, rows)
            done += block.shape[0]
        cells, genes = (rows, columns) if cells_in == "rows" else (columns, rows)
        kept = cells < GUESS_ROWS
        found.append((values[kept].astype(np.float64), cells[kept], genes[kept]))
    values, cells, genes = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return sparse.csr_matrix((values, (cells, genes)), shape=(min(n_cells, GUESS_ROWS), n_genes))


def first_totals(stored: Stored) -> tuple[np.ndarray, np.ndarray]:
    """Totals of the first rows and columns: (rows looked at,), (columns looked at,); values that are no number count 0.

    Of one side all lines are there, of the other those of about TOTALLED values; where the values come in no order, all
    lines of both sides, from the first values.
    """
    totals = np.zeros(stored.n_rows), np.zeros(stored.n_columns)
    done = seen = 0
    for block in stored.blocks():
        if isinstance(block, Entries):
            places, values = (block.rows, block.columns), block.values
        else:
            piece = block.tocoo()
            lines = (piece.row.astype(np.int64) + done, piece.col)
            places, values = lines if stored.order == "rows" else lines[::-1], piece.data
            done += block.shape[0]
        known = np.nan_to_num(values.astype(np.float64))
        for total, place in zip(totals, places, strict=True):
            total += np.bincount(place, known, minlength=len(total))
        seen += len(values)
        if seen >= TOTALLED:
            break
    rows, columns = totals
    if stored.order == "any":
        return rows, columns
    return (rows[:done], columns) if stored.order == "rows" else (rows, columns[:done])


def _read(array: Any, piece: Any) -> np.ndarray:
    """A piece of an array of h5py or zarr, in a type that scipy's sparse matrices can hold."""
    with damage_in("A part of the matrix"):
        values = np.asarray(array[piece])
    if values.dtype.kind == "f" and values.dtype.itemsize < 4:  # half precision
        return values.astype(np.float32)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def as_text(value: object) -> str:
    """Text of an attribute or an entry, whatever it was written as."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
