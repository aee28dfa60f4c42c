"""Durable writing: the only code that puts files on disk that must survive a crash.

Every write goes to a temporary neighbour, is flushed to the disk, and is renamed over the target, so that a reader
(or a restart after a power cut) sees the old content or the new one, never a mixture. Nothing is pickled.

Windows refuses to rename or remove a file while any process has it open or mapped: what is refused is tried again for
PATIENCE_SECONDS, small arrays are never left mapped, and a folder that stays refused is deleted later.
"""

import contextlib
import json
import mmap
import os
import platform
import shutil
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd

from ldvae_core.errors import RunError

LARGE = 20_000_000  # bytes of an array whose pages are worth giving back
MAPPED_FROM = 4_000_000  # bytes; smaller arrays are read whole: a run has some thirty, and each map holds a descriptor
PATIENCE_SECONDS = 2.0  # for whoever has a file open that is to be replaced
DELETED = "deleted"  # a file in a folder that is to be removed, once nobody has its files open and its time is over
_MAPPED: "weakref.WeakSet[mmap.mmap]" = weakref.WeakSet()  # of read_array; only reading, so no page is ever dirty
_LOCK = threading.Lock()


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step. Raises OSError (disk full, no permission) with the old file intact."""
    _replace(path, lambda file: file.write(content))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON; not-a-number becomes null, because JSON has no word for it."""
    write_bytes(path, json.dumps(_without_nan(value), indent=1, ensure_ascii=False, allow_nan=False).encode())


def read_json(path: Path) -> Any:
    """Read what write_json wrote. Raises RunError when the file is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path.name} is missing from {path.parent.name}.", "The folder is incomplete.") from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as fault:
        raise RunError(f"{path.name} in {path.parent.name} cannot be read ({fault}).", "The file is damaged.") from None


def write_array(path: Path, array: np.ndarray) -> None:
    """Write one array as .npy; object arrays are refused (ValueError), because they would need pickle."""
    _replace(path, lambda file: np.save(_Plain(file), np.ascontiguousarray(array), allow_pickle=False))


class _Plain:
    """A file that takes bytes and no more: numpy writes past others, and then a full disk has no error number."""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write


class GrowingArray:
    """A one-dimensional .npy file written piece by piece; it can be read after close(), which flushes it to the disk.

    For files of a folder that write_folder makes: the file itself is not replaced in one step.
    """

    def __init__(self, path: Path, dtype: npt.DTypeLike) -> None:
        self.path, self.dtype, self.length = path, np.dtype(dtype), 0
        self._file = open(path, "w+b")  # noqa: SIM115  # closed by close()
        self._write_header()

    def append(self, values: np.ndarray) -> None:
        """Add values at the end, brought to the file's type. Raises OSError when the disk is full."""
        piece = np.ascontiguousarray(values, dtype=self.dtype)
        self._file.write(piece.data)
        self.length += len(piece)

    def widen(self, dtype: npt.DTypeLike, *, together: int = 1 << 20) -> None:
        """Keep what is written so far as a larger type from now on."""
        wider = GrowingArray(self.path.with_name(f"{self.path.name}.wider"), dtype)
        start = self._write_header()
        while len(read := self._file.read(together * self.dtype.itemsize)):
            wider.append(np.frombuffer(read, self.dtype))
        self._file.close()
        os.replace(wider.path, self.path)
        self._file, self.dtype, self.length = wider._file, wider.dtype, wider.length
        assert self._file.tell() == start + self.length * self.dtype.itemsize

    def close(self) -> None:
        """Write the length into the header and flush everything to the disk."""
        self._write_header()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Close and remove the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _write_header(self) -> int:
        """The header, which numpy pads so that it is as long for every length; returns where the values start."""
        self._file.seek(0)
        described = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (self.length,)}
        np.lib.format.write_array_header_1_0(self._file, described)
        return self._file.tell()


class ArrayFile:
    """A one-dimensional .npy file read piece by piece and never mapped: a limited process has no room for a map of it.

    Raises RunError when it is missing or no such file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with open(path, "rb") as file:
                np.lib.format.read_magic(file)
                shape, _, self._dtype = np.lib.format.read_array_header_1_0(file)
                self._start = file.tell()
        except FileNotFoundError:
            raise RunError(f"{path.name} is missing from {path.parent.name}.", "The folder is incomplete.") from None
        except ValueError as fault:
            raise RunError(f"{path.name} in {path.parent.name} cannot be read ({fault}).", "It is damaged.") from None
        self._length = int(shape[0])

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, piece: slice) -> np.ndarray:
        """Consecutive values, read now."""
        start, stop, _ = piece.indices(self._length)
        offset = self._start + start * self._dtype.itemsize
        return np.fromfile(self._path, self._dtype, max(0, stop - start), offset=offset)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write several arrays under their names as one .npz; none of objects, which would need pickle."""
    _replace(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]  # "allow_pickle" is no name of ours


def read_array(path: Path) -> np.ndarray:
    """One .npy array, read-only, memory-mapped from MAPPED_FROM bytes on. RunError when it is missing or damaged."""
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise RunError(f"{path.name} is missing from {path.parent.name}.", "The folder is incomplete.") from None
    except (ValueError, EOFError) as fault:
        raise RunError(f"{path.name} in {path.parent.name} cannot be read ({fault}).", "The file is damaged.") from None
    if array.nbytes < MAPPED_FROM:
        whole = np.array(array)
        whole.flags.writeable = False
        return whole
    if array.nbytes >= LARGE and isinstance(array.base, mmap.mmap):
        with _LOCK:
            _MAPPED.add(array.base)
    return array


def will_read(array: np.ndarray, pieces: Iterable[tuple[int, int]]) -> None:
    """Say which entries (from, to) of an array come next: a disk fetches many at once sooner than in turn.

    Without effect on arrays that are in memory, and where the system has no such advice.
    """
    if not isinstance(array, np.memmap) or not isinstance(array.base, mmap.mmap) or not hasattr(mmap, "MADV_WILLNEED"):
        return
    for start, stop in pieces:
        first, last = (array.offset + place * array.itemsize for place in (start, stop))
        aligned = first - first % mmap.PAGESIZE
        array.base.madvise(mmap.MADV_WILLNEED, aligned, last - aligned)


def release_mapped_pages() -> None:
    """Give the pages of every large mapped array back to the system, whose cache keeps them while there is room.

    They return, a few at a time, to whoever reads them next; nothing changes but what this process holds. Harmless at
    any moment, in any thread; without effect where the system has no such advice (Windows).
    """
    if not hasattr(mmap, "MADV_DONTNEED"):
        return
    with _LOCK:
        mapped = list(_MAPPED)
    for file in mapped:
        file.madvise(mmap.MADV_DONTNEED)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet, index included."""
    _replace(path, lambda file: table.to_parquet(file))


def read_table(path: Path) -> pd.DataFrame:
    """Read what write_table wrote. Raises RunError when the file is missing or damaged."""
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise RunError(f"{path.name} is missing from {path.parent.name}.", "The folder is incomplete.") from None
    except (OSError, ValueError) as fault:
        raise RunError(f"{path.name} in {path.parent.name} cannot be read ({fault}).", "The file is damaged.") from None


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make `folder` in one step: `fill` writes into a hidden neighbour, which is renamed when complete.

    An existing folder is replaced only after the new one is whole; on failure it is untouched and nothing is left.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary, replaced = _beside(folder, "part"), _beside(folder, "old")
    temporary.mkdir()
    try:
        fill(temporary)
        _sync_folder(temporary)
        if folder.exists():
            rename(folder, replaced)
        rename(temporary, folder)
    except BaseException:
        if replaced.exists() and not folder.exists():
            rename(replaced, folder)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
    _sync_folder(folder.parent)


def link_files(source: Path, target: Path) -> None:
    """Give every file below `source` a second name in the folder `target`; copy where the disk knows no such links.

    Files written by this module are never changed in place, so that neither folder ever changes the other.
    """
    for entry in source.iterdir():
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir():
            (target / entry.name).mkdir()
            link_files(entry, target / entry.name)
            continue
        try:
            os.link(entry, target / entry.name)
        except OSError:
            _replace(target / entry.name, partial(_copy, entry))


def _copy(source: Path, file: BinaryIO) -> None:
    with open(source, "rb") as whole:
        shutil.copyfileobj(whole, file)


def rename(source: Path, target: Path) -> None:
    """Rename over `target`, tried again for PATIENCE_SECONDS while it is refused. Raises OSError when it stays so."""
    _patiently(lambda: os.replace(source, target))


def remove_file(path: Path) -> None:
    """Remove a file, where there is one, with the same patience. Raises OSError when it stays refused."""
    _patiently(lambda: path.unlink(missing_ok=True))


def _patiently(work: Callable[[], None]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            work()
            return
        except PermissionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def delete_folder(folder: Path) -> None:
    """Remove a folder in one step; where its files are open (Windows), mark it, for is_deleted and sweep_deleted."""
    hidden = _beside(folder, "old")
    try:
        os.replace(folder, hidden)
    except PermissionError:
        write_bytes(folder / DELETED, b"")
        return
    shutil.rmtree(hidden, ignore_errors=True)


def is_deleted(folder: Path | os.DirEntry[str]) -> bool:
    """Whether the folder only waits to be removed."""
    return os.path.exists(os.path.join(folder, DELETED))


def kept_until(folder: Path) -> float:
    """Until when a deleted folder can be had back, in seconds since the epoch; 0 for one that cannot."""
    try:
        return float((folder / DELETED).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0.0


def sweep_deleted(parent: Path) -> None:
    """Remove the marked folders in `parent` whose time is over and whose files nobody has open any more."""
    for folder in parent.iterdir() if parent.exists() else ():
        if is_deleted(folder) and not kept_until(folder) > time.time():
            hidden = _beside(folder, "old")
            with contextlib.suppress(PermissionError):
                os.replace(folder, hidden)
            shutil.rmtree(hidden, ignore_errors=True)


def _beside(path: Path, ending: str) -> Path:
    """A hidden neighbour's name; short, for Windows allows 260 characters to a whole path."""
    return path.with_name(f".{uuid.uuid4().hex[:12]}.{ending}")


def _replace(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a temporary neighbour, flush it to the disk, and rename it over `path`."""
    temporary = _beside(path, "part")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename itself durable; a no-op where a folder cannot be opened (Windows)."""
    if platform.system() == "Windows":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, np.ndarray):
        return _without_nan(value.tolist())
    if isinstance(value, np.generic):
        return _without_nan(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
