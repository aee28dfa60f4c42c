"""How large what was chosen is, as far as it can be read: limits grow with that, never with what lies beside it."""

import os
import stat
from pathlib import Path

DEEPEST = 5  # folders within folders that are looked into for a matrix
MOST_FOLDERS = 2_000
TEXTS = tuple(f"{ending}{packed}" for ending in (".mtx", ".tsv", ".csv", ".txt") for packed in ("", ".gz"))


def size_of(source: Path) -> int:
    """Bytes of the regular files that reading `source` can open, without following a link inside it.

    Of a .zarr folder all; of another one the most that any single folder in it holds of matrices and their names, since
    one data set is read: the reads, raw data and reports beside it in an outs/ of Cell Ranger do not count.
    """
    if not source.is_dir():
        return source.stat().st_size
    if source.name.lower().endswith(".zarr"):
        return sum(_bytes_in(Path(here), files) for here, _, files in os.walk(source))
    largest = 0
    for n_folders, (here, folders, files) in enumerate(os.walk(source), start=1):
        if n_folders >= MOST_FOLDERS or len(Path(here).relative_to(source).parts) >= DEEPEST:
            folders.clear()
        largest = max(largest, _bytes_in(Path(here), [name for name in files if name.lower().endswith(TEXTS)]))
    return largest


def _bytes_in(folder: Path, names: list[str]) -> int:
    total = 0
    for name in names:
        try:
            found = (folder / name).lstat()
        except OSError:  # gone just now
            continue
        total += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return total
