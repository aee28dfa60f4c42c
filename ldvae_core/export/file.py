"""One .h5ad, written in one step and a piece at a time: the parts that are as large as the data are never whole."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from anndata.io import write_elem
from scipy import sparse

from ldvae_core.analysis.sums import ReportShare, ignore_share
from ldvae_core.data.blocks import row_blocks
from ldvae_core.data.chunks import cell_chunks
from ldvae_core.durable import release_mapped_pages, rename
from ldvae_core.errors import RunError
from ldvae_core.export.disk import Disk

PIECE = 1 << 18  # numbers of a stored piece, 1 MB in four bytes each
CACHE_BYTES = 16 << 20  # pieces that are not full yet
PACKED = {"compression": "gzip"}
PARTS = ("layers", "obsm", "varm", "obsp", "varp")


class NewFile(NamedTuple):
    """A file that is being written."""

    file: h5py.File
    disk: Disk


@contextmanager
def new_h5ad(path: Path) -> Iterator[NewFile]:
    """An empty AnnData file to fill and the disk it lies on, put in the place of `path` when the block ends well.

    Raises RunError when the disk or the folder refuses; an existing file then stays, and nothing else is left.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex[:12]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(Disk(temporary)) as disk, h5py.File(disk, "w", rdcc_nbytes=CACHE_BYTES) as file:
            file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
            for part in PARTS:
                write_elem(file, part, {})
            yield NewFile(file, disk)
        rename(temporary, path)
    except OSError as fault:
        raise RunError(
            f"{path.name} cannot be written ({fault.strerror or fault}).",
            "Make room on the disk, or choose another folder; a file of that name must not be open elsewhere.",
        ) from None
    finally:
        with suppress(OSError):  # already said
            temporary.unlink(missing_ok=True)


def write_counts(new: NewFile, counts: sparse.csr_matrix, *, report: ReportShare = ignore_share) -> None:
    """layers["counts"] as int32, int64 where a count is beyond, and the same stored numbers once more as X."""
    file = new.file
    layer = file["layers"].create_group("counts")
    largest = max((int(block.data.max(initial=0)) for _, block in row_blocks(counts)), default=0)
    dtype = np.int32 if largest <= np.iinfo(np.int32).max else np.int64
    data, indices = (_numbers(layer, "data", dtype, counts.nnz), _numbers(layer, "indices", np.int32, counts.nnz))
    layer.create_dataset("indptr", data=counts.indptr, **PACKED)
    for rows, block in row_blocks(counts):
        entries = slice(int(counts.indptr[rows.start]), int(counts.indptr[rows.stop]))
        data[entries], indices[entries] = block.data.astype(dtype), block.indices
        new.disk.require()
        report(rows.stop / counts.shape[0])
    matrix = file.create_group("X")
    for group in (layer, matrix):
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": counts.shape})
    for name in ("data", "indices", "indptr"):
        matrix[name] = layer[name]


def write_positions(new: NewFile, name: str, values: np.ndarray) -> None:
    """obsm[name]: numbers (rows, columns), which may be mapped from disk, a piece of the rows at a time."""
    packed = {**PACKED, "chunks": _piece(values.shape)} if values.size else {}
    stored = new.file["obsm"].create_dataset(name, shape=values.shape, dtype=values.dtype, **packed)
    stored.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    for rows in cell_chunks(*values.shape) if values.size else ():
        stored[rows] = np.asarray(values[rows])
        new.disk.require()
    release_mapped_pages()


def write_loadings(new: NewFile, values: Mapping[str, np.ndarray]) -> None:
    """varm, whole, because it is small."""
    for name, value in values.items():
        write_elem(new.file["varm"], name, np.array(value), dataset_kwargs=PACKED if np.size(value) else {})


def _numbers(group: h5py.Group, name: str, dtype: type, length: int) -> h5py.Dataset:
    packed = {**PACKED, "shuffle": True, "chunks": (min(PIECE, length),)} if length else {}
    return group.create_dataset(name, shape=(length,), dtype=dtype, **packed)


def _piece(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (min(shape[0], max(1, PIECE // shape[1])), shape[1])
