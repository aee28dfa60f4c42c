"""From a path to an opened file: the format is told, folders inside are found, and several samples become choices."""

import importlib
import re
from dataclasses import replace
from pathlib import Path

from ldvae_core.data.damage import damage_in
from ldvae_core.data.folders import inner_folders
from ldvae_core.data.formats import FORMATS, Format, folder_format, format_of, suffixes
from ldvae_core.data.opened import Candidate, Opened, Opener, Opening
from ldvae_core.data.regular import is_gzipped, is_zipped, require_regular
from ldvae_core.errors import CountsError

MOST_FILES = 100  # of one folder that are opened
RAW = re.compile(r"(^|[_-])raw[_-]|molecule_info|peak_bc_matrix", re.IGNORECASE)


def open_source(source: Path, opening: Opening) -> Opened:
    """Open a file or folder by its format. Raises CountsError: of no known format, unsafe, damaged."""
    if not source.is_dir() or source.name.lower().endswith(".zarr"):
        return _open(source, opening)
    inside = inner_folders(source)
    if len(inside) == 1:
        (folder,) = inside.values()
        if folder_format(folder) is None and (files := readable_files(folder)):
            return _open_files(files, opening, inside=source.name)
        opened = _open(folder, opening)
        if folder == source:
            return opened
        inner = folder.relative_to(source).as_posix()
        return Opened(opened.candidates, (f"Read from the folder {inner} inside {source.name}.", *opened.notices))
    found: list[Candidate] = []
    refusals: list[CountsError] = []
    for name, folder in inside.items():
        try:
            found += [_within(candidate, name) for candidate in _open(folder, opening).candidates]
        except CountsError as refusal:  # one of several samples must not refuse the others
            refusals.append(refusal)
    if not found:
        raise refusals[0]
    return Opened(tuple(found))


def readable_files(folder: Path) -> list[Path]:
    """Files and zarr folders right inside that are data sets by their endings; texts only where there is nothing else.

    Of what Cell Ranger wrote, the cells: not all barcodes, nor the single molecules.
    """
    named = [path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "__MACOSX"))]
    files = [path for path in named if not path.is_symlink() and _can_be_read(path)]
    filtered = [path for path in files if "filtered" in path.name.lower()]
    if filtered:
        files = [path for path in files if not RAW.search(path.name)]
    texts = [path for path in files if format_of(path).name == "Text table"]
    files = [path for path in files if path not in texts] or texts
    return files[:MOST_FILES]


def _can_be_read(path: Path) -> bool:
    if path.is_dir():
        return path.name.lower().endswith(".zarr")
    return path.is_file() and path.name.lower().endswith(suffixes())


def _open_files(files: list[Path], opening: Opening, *, inside: str) -> Opened:
    """The data sets of several files, each a group of its own; those that cannot be read are passed over."""
    found: list[tuple[Path, Opened]] = []
    refusals: list[CountsError] = []
    for path in files:
        try:
            found.append((path, _open(path, opening)))
        except CountsError as refusal:  # a note beside the data must not refuse it
            refusals.append(refusal)
    if not found:
        raise refusals[0]
    if len(found) == 1:
        ((path, opened),) = found
        return Opened(opened.candidates, (f"Read from the file {path.name} inside {inside}.", *opened.notices))
    return Opened(tuple(_within(one, _bare(path.name)) for path, opened in found for one in opened.candidates))


def _bare(name: str) -> str:
    """A file's name without the endings that tell its format."""
    ending = max((one for one in (*suffixes(), ".zarr") if name.lower().endswith(one)), key=len, default="")
    return name[: len(name) - len(ending)] or name


def opener_of(source: Path) -> Opener:
    """What opens a file or folder. Raises CountsError when it is of no known format."""
    fitting = _format(source)
    module = fitting.module if "." in fitting.module else f"ldvae_core.data.{fitting.module}"
    opener: Opener = getattr(importlib.import_module(module), fitting.opener)
    return opener


def _format(source: Path) -> Format:
    """By its name; but whether HDF5 is packed, and what is a .zip under another name, the first bytes tell."""
    fitting = format_of(source)
    if source.is_file() and fitting.opener != "open_archive":
        require_regular(source)
        if is_zipped(source):
            return next(one for one in FORMATS if one.opener == "open_archive")
    if source.is_file() and fitting.opener in ("open_hdf5", "open_packed_file"):
        require_regular(source)
        opener = "open_packed_file" if is_gzipped(source) else "open_hdf5"
        return next(one for one in FORMATS if one.opener == opener)
    return fitting


def _open(source: Path, opening: Opening) -> Opened:
    with damage_in(source.name):
        return opener_of(source)(source, opening)


def _within(candidate: Candidate, name: str) -> Candidate:
    return replace(candidate, group=f"{name}/{candidate.group}" if candidate.group else name)
