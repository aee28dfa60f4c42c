"""From a path to an opened file: the format is told, folders inside are found, and several samples become choices."""

import importlib
from dataclasses import replace
from pathlib import Path

from ldvae_core.data.damage import damage_in
from ldvae_core.data.folders import inner_folders
from ldvae_core.data.formats import format_of
from ldvae_core.data.opened import Candidate, Opened, Opener, Opening
from ldvae_core.errors import CountsError


def open_source(source: Path, opening: Opening) -> Opened:
    """Open a file or folder by its format. Raises CountsError: of no known format, unsafe, damaged."""
    if not source.is_dir() or source.name.lower().endswith(".zarr"):
        return _open(source, opening)
    inside = inner_folders(source)
    if len(inside) == 1:
        (folder,) = inside.values()
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


def opener_of(source: Path) -> Opener:
    """What opens a file or folder. Raises CountsError when it is of no known format."""
    fitting = format_of(source)
    module = fitting.module if "." in fitting.module else f"ldvae_core.data.{fitting.module}"
    opener: Opener = getattr(importlib.import_module(module), fitting.opener)
    return opener


def _open(source: Path, opening: Opening) -> Opened:
    with damage_in(source.name):
        return opener_of(source)(source, opening)


def _within(candidate: Candidate, name: str) -> Candidate:
    return replace(candidate, group=f"{name}/{candidate.group}" if candidate.group else name)
