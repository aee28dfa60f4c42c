"""Cells out of a matrix stored by gene, without holding it: entries are sorted into files of some cells each."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import sparse

from ldvae_core.data.stored import Entries

ENTRIES_OF_BUCKET = 8_000_000
MOST_BUCKETS = 400  # files open at once
HELD = 64_000_000  # bytes of entries that wait to be written
ENTRY = np.dtype([("cell", "<u4"), ("gene", "<u4"), ("count", "<u4")])


class Buckets:
    """Takes entries in any order, gives them back cell by cell. folder: empty, for files of 12 bytes an entry."""

    def __init__(self, folder: Path, *, n_cells: int, n_genes: int, n_entries: int) -> None:
        self._folder, self._n_cells, self._n_genes = folder, n_cells, n_genes
        wanted = min(MOST_BUCKETS, max(1, -(-n_entries // ENTRIES_OF_BUCKET)), max(1, n_cells))
        self._width = -(-max(1, n_cells) // wanted)  # cells of a bucket
        self._waiting: dict[int, list[np.ndarray]] = {}
        self._held = 0

    def add(self, cells: np.ndarray, genes: np.ndarray, counts: np.ndarray) -> None:
        """Entries as three arrays; those of one cell and gene are added up in the end."""
        entries = np.empty(len(cells), ENTRY)
        entries["cell"], entries["gene"], entries["count"] = cells, genes, counts
        if self._width >= self._n_cells:
            self._put(0, entries)
            return
        bucket = (entries["cell"] // self._width).astype(np.uint16)
        order = np.argsort(bucket, kind="stable")  # radix sort for 16 bits
        entries, bucket = entries[order], bucket[order]
        bounds = np.flatnonzero(np.diff(bucket)) + 1
        for piece in np.split(np.arange(len(bucket)), bounds) if len(bucket) else ():
            self._put(int(bucket[piece[0]]), entries[piece[0] : piece[-1] + 1])

    def rows(self) -> Iterator[sparse.csr_matrix]:
        """All cells in order, some at a time: CSR (k, n_genes), uint32; cells without entries too."""
        self._write()
        for bucket, first in enumerate(range(0, self._n_cells, self._width)):
            last = min(first + self._width, self._n_cells)
            path = self._path(bucket)
            if not path.exists():
                yield _empty(last - first, self._n_genes)
                continue
            yield from self._rows_of(path, first, last)
            path.unlink()

    def _rows_of(self, path: Path, first: int, last: int) -> Iterator[sparse.csr_matrix]:
        """The cells of one file; where a few cells hold most entries, in several passes over it."""
        n_entries = path.stat().st_size // ENTRY.itemsize
        parts = min(last - first, -(-n_entries // (4 * ENTRIES_OF_BUCKET)))
        step = -(-(last - first) // parts)
        for start in range(first, last, step):
            stop = min(start + step, last)
            if parts == 1:
                chosen = np.fromfile(path, ENTRY)
            else:
                at_once = range(0, n_entries, ENTRIES_OF_BUCKET)
                pieces = (np.fromfile(path, ENTRY, ENTRIES_OF_BUCKET, offset=at * ENTRY.itemsize) for at in at_once)
                chosen = np.concatenate([piece[(piece["cell"] >= start) & (piece["cell"] < stop)] for piece in pieces])
            parts_of_matrix = (chosen["count"], (chosen["cell"] - start, chosen["gene"]))
            yield sparse.csr_matrix(sparse.coo_matrix(parts_of_matrix, shape=(stop - start, self._n_genes)))

    def _put(self, bucket: int, entries: np.ndarray) -> None:
        self._waiting.setdefault(bucket, []).append(entries)
        self._held += entries.nbytes
        if self._held > HELD:
            self._write()

    def _write(self) -> None:
        for bucket, pieces in self._waiting.items():
            with open(self._path(bucket), "ab") as file:
                for piece in pieces:
                    file.write(piece.tobytes())
        self._waiting, self._held = {}, 0

    def _path(self, bucket: int) -> Path:
        return self._folder / f"{bucket}.entries"


def _empty(n_rows: int, n_columns: int) -> sparse.csr_matrix:
    parts = (np.zeros(0, np.uint32), np.zeros(0, np.int32), np.zeros(n_rows + 1, np.int32))
    return sparse.csr_matrix(parts, shape=(n_rows, n_columns))


def entries_of(block: sparse.csr_matrix | Entries, first_line: int, order: str) -> Entries:
    """The entries of a block with their places in the whole matrix."""
    if isinstance(block, Entries):
        return block
    lines = np.repeat(np.arange(first_line, first_line + block.shape[0]), np.diff(block.indptr))
    return Entries(lines, block.indices, block.data) if order == "rows" else Entries(block.indices, lines, block.data)
