"""Files that people put into the workspace's data folder: listed by id, and never reached by a path from outside."""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ldvae_core.data.formats import folder_format, suffixes
from ldvae_core.errors import RunError
from ldvae_core.workspace.folders import checked_inside, make_id

MOST_LISTED = 1_000
DEEPEST = 4  # folders
MOST_PARTS = 200_000  # files of one .zarr folder


@dataclass(frozen=True)
class DataFile:
    """A file, or a folder that is one data set (10x, .zarr), in the data folder."""

    file_id: str
    name: str  # path below the data folder, with forward slashes
    kind: Literal["file", "folder"]
    size_bytes: int  # of a file; 0 for a folder, whose sum would take long


def list_data_folder(root: Path) -> list[DataFile]:
    """What can be loaded from the data folder, by name, at most MOST_LISTED; no links, devices or hidden names."""
    found = []
    for entry, relative in _walk(root, "", DEEPEST):
        is_folder = entry.is_dir(follow_symlinks=False)
        size = 0 if is_folder else entry.stat(follow_symlinks=False).st_size
        name = relative.encode("utf-8", "replace").decode()
        found.append(DataFile(make_id(name, relative_key(relative)), name, "folder" if is_folder else "file", size))
        if len(found) == MOST_LISTED:
            break
    return sorted(found, key=lambda file: file.name.lower())


def find_data_file(root: Path, file_id: str) -> Path:
    """The path of a listed id, checked again: a plain file or folder below `root`, with nothing but such inside.

    Raises RunError when the id is not listed, naming what is, or when links or devices are found.
    """
    for _entry, relative in _walk(root, "", DEEPEST):
        name = relative.encode("utf-8", "replace").decode()
        if make_id(name, relative_key(relative)) == file_id:
            path = checked_inside(root, relative)
            if path.is_dir():
                _require_plain_parts(path)
            return path
    known = ", ".join(file.name for file in list_data_folder(root)[:20])
    raise RunError(f"There is no data file {str(file_id)[:80]!r}.", f"In the data folder: {known or 'nothing'}.")


def relative_key(relative: str) -> str:
    """What an id is made from: the path below the data folder, whatever bytes its name is made of."""
    return os.fsencode(relative).hex()


def _walk(root: Path, below: str, depth: int) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Loadable entries below root/below, links never followed."""
    try:
        with os.scandir(os.path.join(os.path.realpath(root), below)) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        relative = f"{below}/{entry.name}" if below else entry.name
        if entry.is_file(follow_symlinks=False) and entry.name.lower().endswith(suffixes()):
            yield entry, relative
        elif entry.is_dir(follow_symlinks=False):
            if _is_data_set(entry):
                yield entry, relative
            elif depth > 1:
                yield from _walk(root, relative, depth - 1)


def _is_data_set(folder: os.DirEntry[str]) -> bool:
    """Whether the folder as a whole is one data set."""
    if folder.name.lower().endswith(".zarr"):
        return True
    with contextlib.suppress(OSError):
        return folder_format(Path(folder.path)) is not None
    return False


def _require_plain_parts(folder: Path) -> None:
    """Raise RunError when anything inside is not a plain file or folder."""
    seen = 0
    for parent, folders, files in os.walk(folder, followlinks=False):
        for name in (*folders, *files):
            mode, seen = os.lstat(os.path.join(parent, name)).st_mode, seen + 1
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise RunError(
                    f"{folder.name} holds a link or device ({name[:80]!r}).", "Put the files themselves there."
                )
            if seen > MOST_PARTS:
                raise RunError(f"{folder.name} holds more than {MOST_PARTS:,} files.", "Save it as one .h5ad file.")
