"""Files that are packed once more: unpacked into a folder of the reading, never further than their size allows."""

import bz2
import gzip
import lzma
import re
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from ldvae_core.data.damage import OF_THE_DISK
from ldvae_core.data.limits import expect
from ldvae_core.data.opened import Opened, Opening
from ldvae_core.data.regular import require_regular
from ldvae_core.errors import CountsError

UNPACKED = 60  # bytes of content that a stored byte may become; counts in text become 3 to 20
SLACK = 50_000_000  # bytes
MOST_MEMBERS = 20_000
MOST_PACKED = 100  # archives and packed files in one
CHUNK = 1 << 20
OF_ARCHIVES = (
    tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error, lzma.LZMAError, RuntimeError, ValueError,
    struct.error,
)  # fmt: skip
PACKINGS: dict[bytes, Callable[..., object]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
REMEDY = "Unpack it yourself, look at what it holds, and load the file or folder inside."


def open_packed_file(path: Path, opening: Opening) -> Opened:
    """A file with .gz at its end. Raises CountsError: no gzip, or it unpacks to far more than it holds."""
    from ldvae_core.data.opening import open_source

    require_regular(path)
    target = unpacking_folder(opening) / re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)
    room = _Room(path, opening.scratch)
    try:
        with gzip.open(path, "rb") as packed:
            room.copy(cast(IO[bytes], packed), target)
    except (EOFError, OSError, zlib.error) as fault:
        if isinstance(fault, OSError) and fault.errno in OF_THE_DISK:
            raise
        raise CountsError(f"{path.name} is not a whole gzip file.", "Copy or download it again.") from None
    return open_source(target, opening)


def open_archive(path: Path, opening: Opening) -> Opened:
    """A .zip or .tar of one data set, or of several in folders of their own. Links and devices in it are left out.

    Raises CountsError: no archive, it unpacks to far more than it holds, or nothing in it can be read.
    """
    from ldvae_core.data.formats import format_of
    from ldvae_core.data.opening import open_source

    require_regular(path)
    root = unpacking_folder(opening) / _plain_stem(path.name)
    root.mkdir()
    room = _Room(path, opening.scratch)
    try:
        for name, stream in _members(path):
            target = root.joinpath(*name.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                room.copy(stream, target)
    except OF_ARCHIVES as fault:
        if isinstance(fault, OSError) and fault.errno in OF_THE_DISK:
            raise
        raise CountsError(f"{path.name} is not a whole archive, or is locked with a password.", REMEDY) from None
    files = [file for file in root.rglob("*") if file.is_file()]
    if not files:
        raise CountsError(f"{path.name} holds no files.", REMEDY)
    if len(files) == 1:
        format_of(files[0])
        return open_source(files[0], opening)
    zarr = [folder for folder in root.rglob("*.zarr") if folder.is_dir()]
    return open_source(zarr[0] if zarr else root, opening)


def unpacking_folder(opening: Opening) -> Path:
    """A new folder for what a file holds. Raises CountsError when there are MOST_PACKED already."""
    n = sum(path.name.startswith("unpacked") for path in opening.scratch.iterdir())
    if n >= MOST_PACKED:
        raise CountsError(f"More than {MOST_PACKED} packed files lie in one another.", REMEDY)
    return opening.folder(f"unpacked{n}")


class _Room:
    """How much may still be written."""

    def __init__(self, path: Path, scratch: Path) -> None:
        self._name = path.name
        self._left = _most_unpacked(path)
        self._free = shutil.disk_usage(scratch).free // 2  # what is read of it needs as much
        expect(self._left)

    def copy(self, stream: IO[bytes], target: Path) -> None:
        """Write a stream. Raises CountsError when it is too long."""
        with open(target, "xb") as file:
            while chunk := stream.read(CHUNK):
                self._left -= len(chunk)
                self._free -= len(chunk)
                if self._left < 0:
                    raise _bomb(self._name)
                if self._free < 0:
                    raise CountsError(
                        f"The disk where data sets are kept has no room to unpack {self._name}.",
                        "Make room, then try again.",
                    )
                file.write(chunk)


class _Counted:
    """What a .tar unpacks to, also where it is passed over. Raises CountsError when that is far more than its size."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self._stream, self._name, self._left = stream, path.name, _most_unpacked(path)

    def read(self, n: int) -> bytes:
        chunk = self._stream.read(n)
        self._left -= len(chunk)
        if self._left < 0:
            raise _bomb(self._name)
        return chunk


def _most_unpacked(path: Path) -> int:
    return UNPACKED * path.stat().st_size + SLACK


def _bomb(name: str) -> CountsError:
    return CountsError(f"{name} unpacks to far more than its size.", REMEDY)


def _unpacked(path: Path) -> IO[bytes]:
    with open(path, "rb") as file:
        start = file.read(6)
    opener = next((opener for mark, opener in PACKINGS.items() if start.startswith(mark)), open)
    return cast(IO[bytes], opener(path, "rb"))


def _members(path: Path) -> Iterator[tuple[PurePosixPath, IO[bytes]]]:
    """Regular files of an archive with names that stay inside it; not the shadows that a Mac adds."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist()[: MOST_MEMBERS + 1]:
                _count(path, len(archive.infolist()))
                name = _plain(info.filename)
                if name is not None and not info.is_dir() and not _is_link(info):
                    with archive.open(info) as stream:
                        yield name, stream
        return
    with _unpacked(path) as stream, tarfile.open(fileobj=cast(IO[bytes], _Counted(stream, path)), mode="r|") as tar:
        for n, member in enumerate(tar):
            _count(path, n)
            name = _plain(member.name)
            content = tar.extractfile(member) if member.isreg() and name is not None else None
            if content is not None and name is not None:
                yield name, content


def _plain(name: str) -> PurePosixPath | None:
    """The path of a member, None for one that leads out of the archive or is hidden."""
    path = PurePosixPath(name.replace("\\", "/"))
    parts = [part for part in path.parts if part != "."]
    odd = path.is_absolute() or any(part == ".." or ":" in part or "\0" in part or len(part) > 200 for part in parts)
    if odd or not parts or any(part.startswith((".", "__MACOSX")) and not part.startswith(".z") for part in parts):
        return None
    return PurePosixPath(*parts)


def _is_link(info: zipfile.ZipInfo) -> bool:
    return (info.external_attr >> 28) == 0o12


def _count(path: Path, n: int) -> None:
    if n > MOST_MEMBERS:
        raise CountsError(f"{path.name} holds more than {MOST_MEMBERS:,} files.", REMEDY)


def _plain_stem(name: str) -> str:
    for ending in (".tar.gz", ".tgz", ".tar", ".zip"):
        if name.lower().endswith(ending):
            return name[: -len(ending)] or "archive"
    return name
