"""The gate before an HDF5 file: nothing in it may point elsewhere, unfold without bound, or go round in circles.

Read plainly, a crafted file can return bytes of other files (external links, external storage, virtual datasets) or
declare a terabyte in a kilobyte. So the low-level links are walked first, opening objects of this file only.
"""

import contextlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import h5py
import numpy as np

from ldvae_core.data.limits import expect, opening
from ldvae_core.data.regular import require_regular
from ldvae_core.errors import CountsError

MOST_UNFOLDING = 1_100  # declared over stored bytes; one deflate filter reaches at most 1,032
MOST_UNFOLDING_ZSTD = 33_000  # one block of 128 kB of equal bytes in four: a constant column is packed so
DEEPEST = 24  # groups within groups; real files have fewer than 8
MOST_OBJECTS = 5_000  # groups and datasets that could be read
MOST_UNREAD = 1_000_000  # entries of a group of which only a few are read
UNREAD = re.compile(r"(/mod/[^/]+)?/uns")  # AnnData's drawer for anything: only entries that end like these are read
READ_IN_UNS = (b"_colors", b"_categories")
SLACK_BYTES = 1_000_000  # small arrays of fill values are stored in no bytes at all
LARGEST_CHUNK_BYTES = 1 << 30
SAFE_COPY_REMEDY = (
    "Nothing was read from it. Open the file where it was made and write it again with "
    "adata.write_h5ad(..., compression='gzip'), then load that copy."
)


@dataclass(frozen=True)
class Filter:
    """How the pieces of a dataset may be packed. unfolding: bytes that one byte can become; 1 when it packs nothing."""

    name: str
    unfolding: int = 1
    plugin: bool = False  # comes with hdf5plugin, not with HDF5


FILTERS = {
    h5py.h5z.FILTER_DEFLATE: Filter("gzip", MOST_UNFOLDING),
    h5py.h5z.FILTER_SHUFFLE: Filter("shuffle"),
    h5py.h5z.FILTER_FLETCHER32: Filter("fletcher32"),
    h5py.h5z.FILTER_LZF: Filter("lzf", MOST_UNFOLDING),
    32015: Filter("zstd", MOST_UNFOLDING_ZSTD, plugin=True),
    32001: Filter("blosc", MOST_UNFOLDING_ZSTD, plugin=True),
    32026: Filter("blosc2", MOST_UNFOLDING_ZSTD, plugin=True),
    32004: Filter("lz4", MOST_UNFOLDING, plugin=True),
}


class SafeFile:
    """An HDF5 file opened for reading after all of it passed the gate; use as a context manager.

    Raises CountsError when it is no regular file, not HDF5, or names the first object that is not allowed.
    """

    def __init__(self, path: Path) -> None:
        require_regular(path)
        with opening():
            self.file, declared = _opened(path)
        expect(declared)

    def __enter__(self) -> h5py.File:
        return self.file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()


def _opened(path: Path) -> tuple[h5py.File, int]:
    """The file, once it passed, and the bytes that it declares."""
    try:
        file = h5py.File(path, "r")
    except (OSError, RuntimeError, ValueError):
        raise CountsError(
            f"{path.name} is not a readable HDF5 file: it is damaged, cut short, or of another kind.",
            "Copy or download it again.",
        ) from None
    try:
        return file, check_links(file, path.stat().st_size)
    except (OSError, RuntimeError, ValueError, KeyError):  # HDF5's own words name its inner parts
        file.close()
        raise CountsError(
            f"{path.name} is damaged: its own list of contents cannot be followed.", "Copy or download it again."
        ) from None
    except BaseException:
        file.close()
        raise


class _Walk:
    """What was met on the way through a file."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.seen: set[int] = set()
        self.n_objects = self.declared = 0
        self.unfolding = MOST_UNFOLDING
        self.plugin = False

    def add_dataset(self, dataset: h5py.h5d.DatasetID, where: str) -> None:
        filters = check_filters(dataset, where)
        self.plugin |= any(one.plugin for one in filters)
        self.unfolding = max(self.unfolding, *(one.unfolding for one in filters), 1)
        self.declared += check_size(dataset, where, self.size, unfolding_of(filters))


def check_links(file: h5py.File, size: int) -> int:
    """Walk by hard links only all that could be read; the bytes that it declares.

    size: bytes of the file. Allowed: at most MOST_OBJECTS objects, DEEPEST levels, each group reached once; datasets
    as check_filters and check_size say, and all together declaring no more than the file can unfold to. In the "uns" of
    AnnData only entries that end as READ_IN_UNS are looked at, because nothing else there is ever read. Raises
    CountsError naming the first object that is not allowed. Loads hdf5plugin when an allowed dataset needs it.
    """
    walk = _Walk(size)
    root = h5py.h5g.open(file.id, b"/")
    groups = [(root, "", 0, False)]
    walk.seen.add(h5py.h5o.get_info(root).addr)
    _try_attributes(root, "", size)
    while groups:
        group, path, depth, unread = groups.pop()
        if depth >= DEEPEST:
            _refuse(f"{path} lies more than {DEEPEST} levels deep.")
        names = _names_read(group, path, unread=unread)
        anndata = b"obs" in names and b"var" in names
        walk.n_objects += len(names)
        if walk.n_objects > MOST_OBJECTS:
            _refuse(f"The file holds more than {MOST_OBJECTS:,} objects (counted up to {path or '/'}).")
        for name in names:
            where = f"{path}/{name.decode('utf-8', 'replace')}"
            child = _hard_child(group, name, where)
            address = h5py.h5o.get_info(child).addr
            _try_attributes(child, where, size)
            if isinstance(child, h5py.h5g.GroupID):
                if address in walk.seen:
                    _refuse(f"{where} is reached by more than one path, so the file goes round in a circle.")
                groups.append((child, where, depth + 1, anndata and UNREAD.fullmatch(where) is not None))
            elif isinstance(child, h5py.h5d.DatasetID) and address not in walk.seen:
                walk.add_dataset(child, where)
            walk.seen.add(address)
    if walk.declared > walk.unfolding * size + SLACK_BYTES:
        _refuse(f"The file of {size:,} bytes declares {walk.declared:,} bytes of content.")
    if walk.plugin:
        import hdf5plugin  # noqa: F401  # here, not above: registers its filters, only where one is needed
    return walk.declared


def _names_read(group: h5py.h5g.GroupID, path: str, *, unread: bool) -> list[bytes]:
    """The names in a group that could be read. Raises CountsError when they are too many to look at."""
    most = MOST_UNREAD if unread else MOST_OBJECTS
    if group.get_num_objs() > most:
        _refuse(f"{path or 'The file'} holds more than {most:,} objects.")
    return [name for name in group if not unread or name.endswith(READ_IN_UNS)]


def _hard_child(group: h5py.h5g.GroupID, name: bytes, where: str) -> Any:
    if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
        _refuse(f"{where} is a link to another place or file, which is not followed.")
    return h5py.h5o.open(group, name)


def _try_attributes(owner: Any, where: str, size: int) -> None:
    """Read each once: damaged ones can be followed for ever, and only the time for opening is short.

    Those that cannot be read are passed over, as most are never asked for. Raises CountsError: larger than the file.
    """
    for position in range(h5py.h5a.get_num_attrs(owner)):
        with contextlib.suppress(OSError, RuntimeError, TypeError, ValueError, KeyError):
            attribute = h5py.h5a.open(owner, index=position)
            if attribute.get_storage_size() > size:
                _refuse(f"{where or 'The file'} has an attribute that is larger than the file.")
            attribute.read(np.empty(attribute.shape, dtype=attribute.dtype))


def check_filters(dataset: h5py.h5d.DatasetID, where: str) -> list[Filter]:
    """How a dataset is packed. Raises CountsError: its values stand elsewhere, an unknown filter, packed twice."""
    plan = dataset.get_create_plist()
    if plan.get_layout() == h5py.h5d.VIRTUAL:
        _refuse(f"{where} is a virtual dataset, which takes its values from elsewhere.")
    if plan.get_external_count() > 0:
        _refuse(f"{where} keeps its values in another file.")
    codes = [plan.get_filter(position)[0] for position in range(plan.get_nfilters())]
    unknown = [code for code in codes if code not in FILTERS]
    if unknown:
        known = ", ".join(one.name for one in FILTERS.values())
        _refuse(f"{where} is packed with filter {unknown[0]}; those that can be read are {known}.")
    filters = [FILTERS[code] for code in codes]
    if sum(one.unfolding > 1 for one in filters) > 1:
        _refuse(f"{where} is compressed more than once.")
    return filters


def check_size(dataset: h5py.h5d.DatasetID, where: str, size: int, unfolding: int) -> int:
    """Bytes that a dataset declares. Raises CountsError when they are more than its stored bytes can unfold to."""
    plan = dataset.get_create_plist()
    item: int = dataset.get_type().get_size()
    declared = item * math.prod(dataset.shape or (0,))
    stored = dataset.get_storage_size()
    if stored > size or declared > unfolding * min(stored, size) + SLACK_BYTES:
        _refuse(f"{where} declares {declared:,} bytes, but {stored:,} are stored in a file of {size:,} bytes.")
    if plan.get_layout() == h5py.h5d.CHUNKED and item * math.prod(plan.get_chunk()) > LARGEST_CHUNK_BYTES:
        _refuse(f"{where} is stored in pieces larger than {LARGEST_CHUNK_BYTES:,} bytes.")
    return declared


def unfolding_of(filters: Sequence[Filter]) -> int:
    """Bytes that one stored byte can become; without any packing as many as with gzip, for missing pieces."""
    return max([MOST_UNFOLDING, *(one.unfolding for one in filters)])


def referenced_dataset(file: h5py.File, reference: object) -> h5py.Dataset:
    """What a reference in an attribute points at, in this file, checked like what is reached by links.

    Raises CountsError: no reference (a path would be followed through links), no dataset, or one that is not allowed.
    """
    target = file[reference] if isinstance(reference, h5py.Reference) and reference else None
    if not isinstance(target, h5py.Dataset):
        _refuse("An attribute that should point at a dataset does not.")
    check_size(target.id, "A dataset", file.id.get_filesize(), unfolding_of(check_filters(target.id, "A dataset")))
    return target


def is_numeric(dataset: object, *, n_dimensions: int) -> bool:
    """Whether this is a dataset of plain numbers with so many dimensions."""
    shape, dtype = getattr(dataset, "shape", None), getattr(dataset, "dtype", None)
    return shape is not None and len(shape) == n_dimensions and np.dtype(dtype).kind in "buif"


def _refuse(problem: str) -> NoReturn:
    raise CountsError(f"The file was refused for safety. {problem}", SAFE_COPY_REMEDY)
