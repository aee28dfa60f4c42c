"""One .h5ad, written in one step and a piece at a time: the parts that are as large as the data are never whole."""

import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from anndata.io import write_elem
from scipy import sparse

from ldvae_core.analysis.sums import ReportShare, ignore_share
from ldvae_core.data.blocks import row_blocks
from ldvae_core.data.chunks import cell_chunks
from ldvae_core.durable import release_mapped_pages, rename
from ldvae_core.errors import RunError

PIECE = 1 << 18  # numbers of a stored piece, 1 MB in four bytes each
CACHE_BYTES = 16 << 20  # pieces that are not full yet
PACKED = {"compression": "gzip"}
PARTS = ("layers", "obsm", "varm", "obsp", "varp")


@contextmanager
def new_h5ad(path: Path) -> Iterator[h5py.File]:
    """An empty AnnData file to fill, put in the place of `path` when the block ends well.

    Raises RunError when the disk or the folder refuses; an existing file then stays, and nothing else is left.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex[:12]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(temporary, "w", rdcc_nbytes=CACHE_BYTES) as file:
            file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
            for part in PARTS:
                write_elem(file, part, {})
            yield file
        rename(temporary, path)
    except OSError as fault:
        raise RunError(
            f"{path.name} cannot be written ({_reason(fault)}).",
            "Make room on the disk, or choose another folder; a file of that name must not be open elsewhere.",
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def write_counts(file: h5py.File, counts: sparse.csr_matrix, *, report: ReportShare = ignore_share) -> None:
    """layers["counts"] as int32, int64 where a count is beyond, and the same stored numbers once more as X."""
    layer = file["layers"].create_group("counts")
    largest = max((int(block.data.max(initial=0)) for _, block in row_blocks(counts)), default=0)
    dtype = np.int32 if largest <= np.iinfo(np.int32).max else np.int64
    data, indices = (_numbers(layer, "data", dtype, counts.nnz), _numbers(layer, "indices", np.int32, counts.nnz))
    layer.create_dataset("indptr", data=counts.indptr, **PACKED)
    for rows, block in row_blocks(counts):
        entries = slice(int(counts.indptr[rows.start]), int(counts.indptr[rows.stop]))
        data[entries], indices[entries] = block.data.astype(dtype), block.indices
        report(rows.stop / counts.shape[0])
    matrix = file.create_group("X")
    for group in (layer, matrix):
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": counts.shape})
    for name in ("data", "indices", "indptr"):
        matrix[name] = layer[name]


def write_array(group: h5py.Group, name: str, values: np.ndarray) -> None:
    """Numbers (rows, columns), which may be mapped from disk, a piece of the rows at a time."""
    packed = {**PACKED, "chunks": _piece(values.shape)} if values.size else {}
    stored = group.create_dataset(name, shape=values.shape, dtype=values.dtype, **packed)
    stored.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    for rows in cell_chunks(*values.shape) if values.size else ():
        stored[rows] = np.asarray(values[rows])
    release_mapped_pages()


def write_slots(file: h5py.File, part: str, values: Mapping[str, Any]) -> None:
    """Small parts, whole."""
    for name, value in values.items():
        write_elem(file[part], name, value, dataset_kwargs=PACKED if np.size(value) else {})


def _numbers(group: h5py.Group, name: str, dtype: type, length: int) -> h5py.Dataset:
    packed = {**PACKED, "shuffle": True, "chunks": (min(PIECE, length),)} if length else {}
    return group.create_dataset(name, shape=(length,), dtype=dtype, **packed)


def _piece(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (min(shape[0], max(1, PIECE // shape[1])), shape[1])


def _reason(fault: OSError) -> str:
    """Why, in the system's words; HDF5 hides them among its own."""
    hidden = re.search(r"error message = '([^']+)'", str(fault))
    return fault.strerror if fault.errno and not hidden else hidden[1] if hidden else os.strerror(fault.errno or 5)
