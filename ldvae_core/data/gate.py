"""The gate before an HDF5 file: nothing in it may point elsewhere, unfold without bound, or go round in circles.

Read plainly, a crafted file can return bytes of other files (external links, external storage, virtual datasets) or
declare a terabyte in a kilobyte. So the low-level links are walked first, opening objects of this file only.
"""

import math
from pathlib import Path
from types import TracebackType

import h5py
import numpy as np

from ldvae_core.errors import CountsError

DEEPEST = 24  # groups within groups; real files have fewer than 8
MOST_OBJECTS = 5_000  # groups and datasets
MOST_UNFOLDING = 1_100  # declared over stored bytes; one deflate filter reaches at most 1,032
SLACK_BYTES = 1_000_000  # small arrays of fill values are stored in no bytes at all
LARGEST_CHUNK_BYTES = 1 << 30
FILTERS = {
    h5py.h5z.FILTER_DEFLATE: "gzip",
    h5py.h5z.FILTER_SHUFFLE: "shuffle",
    h5py.h5z.FILTER_FLETCHER32: "fletcher32",
    h5py.h5z.FILTER_LZF: "lzf",
}
UNFOLDING_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_LZF}
SAFE_COPY_REMEDY = (
    "Nothing was read from it. Open the file where it was made and write it again with "
    "adata.write_h5ad(..., compression='gzip'), then load that copy."
)


class SafeFile:
    """An HDF5 file opened for reading after all of it passed the gate; use as a context manager.

    Raises CountsError when the file is not HDF5, or names the first object that is not allowed.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.file = h5py.File(path, "r")
        except OSError:
            raise CountsError(
                f"{path.name} is not a readable HDF5 file: it is damaged, cut short, or of another kind.",
                "Copy or download it again.",
            ) from None
        try:
            check_links(self.file, path.stat().st_size)
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> h5py.File:
        return self.file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()


def check_links(file: h5py.File, size: int) -> None:
    """Walk every object by hard links only. Raises CountsError naming the first that is not allowed.

    size: bytes of the file. Allowed: at most MOST_OBJECTS objects, DEEPEST levels, each group reached once; datasets
    as check_dataset says, all of them together declaring at most MOST_UNFOLDING times the file's size.
    """
    root = h5py.h5g.open(file.id, b"/")
    groups = [(root, "", 0)]
    seen = {h5py.h5o.get_info(root).addr}
    n_objects, declared = 0, 0
    while groups:
        group, path, depth = groups.pop()
        n_objects += group.get_num_objs()
        if n_objects > MOST_OBJECTS:
            _refuse(f"The file holds more than {MOST_OBJECTS:,} objects (counted up to {path or '/'}).")
        if depth >= DEEPEST:
            _refuse(f"{path} lies more than {DEEPEST} levels deep.")
        for name in list(group):
            where = f"{path}/{name.decode('utf-8', 'replace')}"
            if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
                _refuse(f"{where} is a link to another place or file, which is not followed.")
            child = h5py.h5o.open(group, name)
            address = h5py.h5o.get_info(child).addr
            if isinstance(child, h5py.h5g.GroupID):
                if address in seen:
                    _refuse(f"{where} is reached by more than one path, so the file goes round in a circle.")
                groups.append((child, where, depth + 1))
            elif isinstance(child, h5py.h5d.DatasetID) and address not in seen:
                declared += check_dataset(child, where, size)
            seen.add(address)
    if declared > MOST_UNFOLDING * size + SLACK_BYTES:
        _refuse(f"The file of {size:,} bytes declares {declared:,} bytes of content.")


def check_dataset(dataset: h5py.h5d.DatasetID, where: str, size: int) -> int:
    """Bytes that a dataset declares. Raises CountsError when they stand elsewhere or unfold too far."""
    plan = dataset.get_create_plist()
    if plan.get_layout() == h5py.h5d.VIRTUAL:
        _refuse(f"{where} is a virtual dataset, which takes its values from elsewhere.")
    if plan.get_external_count() > 0:
        _refuse(f"{where} keeps its values in another file.")
    filters = [plan.get_filter(position)[0] for position in range(plan.get_nfilters())]
    unknown = [code for code in filters if code not in FILTERS]
    if unknown:
        _refuse(
            f"{where} is packed with filter {unknown[0]}; those that can be read are {', '.join(FILTERS.values())}."
        )
    if sum(code in UNFOLDING_FILTERS for code in filters) > 1:
        _refuse(f"{where} is compressed more than once.")
    item: int = dataset.get_type().get_size()
    declared = item * math.prod(dataset.shape or (0,))
    stored = dataset.get_storage_size()
    if stored > size or declared > MOST_UNFOLDING * min(stored, size) + SLACK_BYTES:
        _refuse(f"{where} declares {declared:,} bytes, but {stored:,} are stored in a file of {size:,} bytes.")
    if plan.get_layout() == h5py.h5d.CHUNKED and item * math.prod(plan.get_chunk()) > LARGEST_CHUNK_BYTES:
        _refuse(f"{where} is stored in pieces larger than {LARGEST_CHUNK_BYTES:,} bytes.")
    return declared


def is_numeric(dataset: object, *, n_dimensions: int) -> bool:
    """Whether this is a dataset of plain numbers with so many dimensions."""
    shape, dtype = getattr(dataset, "shape", None), getattr(dataset, "dtype", None)
    return shape is not None and len(shape) == n_dimensions and np.dtype(dtype).kind in "buif"


def _refuse(problem: str) -> None:
    raise CountsError(f"The file was refused for safety. {problem}", SAFE_COPY_REMEDY)
