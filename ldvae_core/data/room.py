"""Whether the disk holds what a reading will write, asked before it writes anything."""

import shutil
from pathlib import Path

from ldvae_core.errors import CountsError

BYTES_OF_ENTRY = 10  # by cell 6 to 8, by gene 3
BYTES_WHILE_TURNING = 12  # of an entry in the files that it is sorted in
SLACK = 50_000_000


def require_room(folder: Path, *, n_entries: int, turning: bool) -> None:
    """Raise CountsError with the numbers when the disk of `folder` cannot take so many non-zero entries."""
    needed = n_entries * (BYTES_OF_ENTRY + (BYTES_WHILE_TURNING if turning else 0)) + SLACK
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise CountsError(
            f"Reading this file takes up to {needed / 1e9:,.1f} GB on the disk where data sets are kept; "
            f"{free / 1e9:,.1f} GB are free.",
            "Make room, or keep data sets on a larger disk (GENE_PROGRAM_EXPLORER_HOME).",
        )
