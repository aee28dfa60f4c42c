"""What the server holds of the files it reads: arrays are mapped, and what was read of them stays till it is let go."""

import contextlib
import ctypes
import functools
import os
import threading
import time
from pathlib import Path

from ldvae_core.durable import release_mapped_pages

MOST_MAPPED = 600_000_000  # bytes; with what a run of two million cells needs of its own, below 1.5 GB in all
EVERY = 0.02  # seconds: a pass over the counts maps some 50 MB in that time
SIZES = Path("/proc/self/statm")  # in pages: everything, resident, of which files
MMAP_THRESHOLD, ARENA_MAX = -3, -8  # what glibc's malloc.h calls these settings
LARGE_BLOCK, HEAPS = 4 << 20, 2  # bytes; smaller arrays are made and freed too often
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096  # bytes


@functools.cache
def watch_memory() -> None:
    """From the first call on, let go of mapped files whenever they take much room, and of large arrays once done with.

    Where /proc is missing: nothing.
    """
    if SIZES.exists():
        _return_large_arrays()
        threading.Thread(target=_watch, name="memory", daemon=True).start()


def mapped() -> int:
    """Bytes of files that this process holds in memory, its own libraries among them."""
    return int(SIZES.read_text(encoding="ascii").split()[2]) * PAGE


def _return_large_arrays() -> None:
    """Have the C library give large blocks back when they are freed; by itself it keeps ever larger ones for later.

    Measured with two million cells: 400 MB of freed arrays were kept so, in a heap for every thread of the pages.
    """
    with contextlib.suppress(AttributeError, OSError):  # another C library than glibc
        library = ctypes.CDLL(None)
        library.mallopt(MMAP_THRESHOLD, LARGE_BLOCK)
        library.mallopt(ARENA_MAX, HEAPS)


def _watch() -> None:
    while True:
        time.sleep(EVERY)
        if mapped() > MOST_MAPPED:
            release_mapped_pages()
