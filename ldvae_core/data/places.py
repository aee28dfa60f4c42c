"""Where counts can stand in a file, read piece by piece; none is trusted, the first that holds counts is taken."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import sparse

from ldvae_core.data.faults import RAW_COUNTS_REMEDY, fault_sentences, find_faults, guess_transformation
from ldvae_core.data.gate import is_numeric
from ldvae_core.errors import CountsError

BLOCK = 1_000_000  # sparse values read together
BLOCK_BYTES = 32_000_000  # of a dense matrix read together
GUESS_ROWS = 50
SPARSE: dict[str, Literal["csr", "csc"]] = {"csr": "csr", "csr_matrix": "csr", "csc": "csc", "csc_matrix": "csc"}
DAMAGED_REMEDY = "The file is damaged, or was not written by a common tool. Write or download it again."


@dataclass(frozen=True)
class Place:
    """A matrix in a file. element: an h5py group (sparse) or dataset (dense); n_rows x n_columns as stored."""

    where: str
    element: Any
    n_rows: int
    n_columns: int
    layout: Literal["csr", "csc", "dense"]

    @property
    def n_entries(self) -> int:
        """Stored values: the non-zero ones of a sparse matrix, all of a dense one."""
        return self.n_rows * self.n_columns if self.layout == "dense" else self.element["data"].shape[0]


def find_place(element: Any, where: str) -> Place:
    """Recognise a sparse group or a dense dataset. Raises CountsError when it is neither, or its parts do not fit."""
    if is_numeric(element, n_dimensions=2):
        return Place(where, element, element.shape[0], element.shape[1], "dense")
    layout = SPARSE.get(_text(element.attrs.get("encoding-type", element.attrs.get("h5sparse_format", ""))))
    shape = element.attrs.get("shape", element.attrs.get("h5sparse_shape", ()))
    if layout is None or np.shape(shape) != (2,) or not hasattr(element, "keys"):
        raise CountsError(f"{where} is not a matrix that can be read (dense, CSR or CSC).", DAMAGED_REMEDY)
    return sparse_place(element, where, n_rows=int(shape[0]), n_columns=int(shape[1]), layout=layout)


def sparse_place(element: Any, where: str, *, n_rows: int, n_columns: int, layout: Literal["csr", "csc"]) -> Place:
    """A sparse group whose parts have fitting lengths and types; their content is checked when it is read."""
    for part, kinds in (("data", "buif"), ("indices", "iu"), ("indptr", "iu")):
        if (
            part not in element
            or not is_numeric(element[part], n_dimensions=1)
            or element[part].dtype.kind not in kinds
        ):
            raise CountsError(
                f"{where} is a sparse matrix whose part '{part}' is missing or malformed.", DAMAGED_REMEDY
            )
    n_values, n_indices, n_pointers = (element[part].shape[0] for part in ("data", "indices", "indptr"))
    n_major = n_rows if layout == "csr" else n_columns
    if n_values != n_indices or n_pointers != n_major + 1 or min(n_rows, n_columns) < 0:
        raise CountsError(
            f"The parts of {where} do not fit: {n_values:,} values, {n_indices:,} indices, {n_pointers:,} row starts "
            f"for {n_rows:,} x {n_columns:,}.",
            DAMAGED_REMEDY,
        )
    return Place(where, element, n_rows, n_columns, layout)


def take_counts(places: Sequence[Place]) -> tuple[sparse.csr_matrix, Place, list[str]]:
    """The first place that holds whole numbers >= 0: (counts uint32 as stored, the place, notices).

    Raises CountsError when none does, with the faults of the first place, or when the chosen one is damaged.
    """
    for position, place in enumerate(places):
        counts = load(place)
        if counts is not None:
            passed = ", ".join(other.where for other in places[:position])
            notices = [f"Counts were taken from {place.where}: {passed} holds no raw counts."] if passed else []
            return counts, place, notices
    first = places[0]
    sentences = fault_sentences(count_faults(first), n_entries=first.n_entries, where=first.where)
    guess = guess_transformation(_first_rows(first))
    looked = f"No raw counts were found in: {', '.join(place.where for place in places)}." if len(places) > 1 else ""
    raise CountsError([*sentences, *filter(None, (guess, looked))], RAW_COUNTS_REMEDY)


def count_faults(place: Place) -> Counter[str]:
    """Kinds of entries that cannot be molecules, over the whole place."""
    faults: Counter[str] = Counter()
    for values in _value_blocks(place):
        faults.update(find_faults(values))
    return faults


def load(place: Place) -> sparse.csr_matrix | None:
    """The matrix as CSR of uint32, rows and columns as stored; None as soon as an entry is no whole number >= 0.

    Raises CountsError when row starts fall, or an index lies outside the matrix: checked before scipy sees them.
    """
    if place.layout == "dense":
        return _load_dense(place)
    n_values = place.n_entries
    data = np.empty(n_values, dtype=np.uint32)
    start = 0
    for values in _value_blocks(place):
        if find_faults(values):
            return None
        data[start : start + len(values)] = values
        start += len(values)
    indices, pointers = _positions(place)
    parts, shape = (data, indices, pointers), (place.n_rows, place.n_columns)
    if place.layout == "csr":
        return sparse.csr_matrix(parts, shape=shape)
    return sparse.csc_matrix(parts, shape=shape).tocsr()


def _load_dense(place: Place) -> sparse.csr_matrix | None:
    blocks = [sparse.csr_matrix(np.zeros((0, place.n_columns), np.uint32))]
    for block in _dense_blocks(place):
        if find_faults(block.ravel()):
            return None
        blocks.append(sparse.csr_matrix(block.astype(np.uint32)))
    return sparse.csr_matrix(sparse.vstack(blocks, format="csr"))


def _positions(place: Place) -> tuple[np.ndarray, np.ndarray]:
    """(indices, row starts) of a sparse place, once it is sure that they stay inside the matrix."""
    n_values, n_minor = place.n_entries, place.n_columns if place.layout == "csr" else place.n_rows
    pointers = place.element["indptr"][:].astype(np.int64)
    if pointers[0] != 0 or pointers[-1] != n_values or (np.diff(pointers) < 0).any():
        raise CountsError(f"The row starts of {place.where} are out of order.", DAMAGED_REMEDY)
    small = max(n_values, place.n_rows, place.n_columns) < 2**31
    indices = np.empty(n_values, dtype=np.int32 if small else np.int64)
    for start in range(0, n_values, BLOCK):
        piece = slice(start, start + BLOCK)
        found = place.element["indices"][piece]
        if int(found.min()) < 0 or int(found.max()) >= n_minor:
            raise CountsError(
                f"{place.where} has an index outside the matrix ({int(found.max()):,} of {n_minor:,}).", DAMAGED_REMEDY
            )
        indices[piece] = found
    return indices, pointers.astype(indices.dtype)


def _value_blocks(place: Place) -> Iterator[np.ndarray]:
    if place.layout == "dense":
        yield from (block.ravel() for block in _dense_blocks(place))
    else:
        data = place.element["data"]
        yield from (data[start : start + BLOCK] for start in range(0, data.shape[0], BLOCK))


def _dense_blocks(place: Place) -> Iterator[np.ndarray]:
    """Row blocks of a dense matrix, in whole storage pieces where these are not too tall."""
    row_bytes = max(1, place.n_columns * place.element.dtype.itemsize)
    rows = max(1, BLOCK_BYTES // row_bytes)
    piece = (place.element.chunks or (1,))[0]
    rows = rows // piece * piece if rows > piece else rows
    for start in range(0, place.n_rows, rows):
        yield place.element[start : start + rows]


def _first_rows(place: Place) -> sparse.csr_matrix:
    """Some rows for a guess at what was done to the values; never raises for damaged parts."""
    if place.layout == "dense":
        return sparse.csr_matrix(np.asarray(place.element[:GUESS_ROWS], dtype=np.float64))
    starts = place.element["indptr"][: GUESS_ROWS + 1].astype(np.int64)
    lengths = np.diff(starts)
    if place.layout == "csc" or (lengths < 0).any() or starts[-1] > min(place.n_entries, BLOCK):
        starts, lengths = np.asarray([0, 0]), np.zeros(1, dtype=np.int64)
    values = np.asarray(place.element["data"][: int(starts[-1])], dtype=np.float64)
    columns = np.concatenate([np.arange(length) for length in lengths]) if len(lengths) else np.zeros(0, dtype=np.int64)
    width = int(lengths.max(initial=1))
    return sparse.csr_matrix((values, columns, starts), shape=(len(lengths), max(width, 1)))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
