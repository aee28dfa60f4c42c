"""Links and pipes in folders that tests make, where the system allows them."""

import os
from pathlib import Path

import pytest


def make_link(place: Path, target: Path) -> None:
    """A symbolic link at `place`; the test is skipped where this account may make none."""
    try:
        place.symlink_to(target)
    except OSError:
        pytest.skip("this account may not make links (Windows: needs the developer mode)")


def make_pipe(place: Path) -> None:
    """A named pipe, which is no file; none on Windows, which has them elsewhere."""
    if hasattr(os, "mkfifo"):
        os.mkfifo(place)
