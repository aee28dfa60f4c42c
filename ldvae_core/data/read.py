"""Read counts from a file that is not trusted: a limited child process opens it, never this one."""

import json
from collections.abc import Callable
from pathlib import Path

from ldvae_core import durable
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.folder import load_counts
from ldvae_core.data.formats import format_of
from ldvae_core.data.limited import run_limited
from ldvae_core.data.progress import ReadingProgress, read_progress
from ldvae_core.data.reading_options import NOTHING_SAID, ReadingOptions
from ldvae_core.data.sizes import size_of
from ldvae_core.errors import CountsError

MEMORY = 2 << 30  # bytes; what a reading holds does not grow with the counts, only with names and annotations
TIMEOUT_BASE_S = 60.0
TIMEOUT_S_PER_BYTE = 1e-6  # a second a megabyte; about 20 times what a common .h5ad takes
CHILD = "ldvae_core.data.reading_process"


def read_counts(
    source: Path,
    into: Path,
    *,
    options: ReadingOptions = NOTHING_SAID,
    memory_limit_bytes: int = MEMORY,
    timeout_s: float | None = None,
    on_progress: Callable[[ReadingProgress], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> CountMatrix:
    """Read `source` (see formats.FORMATS) into the folder `into` and open that: counts checked, names unique.

    memory_limit_bytes: for the child beyond its libraries, whatever the size of the file. timeout_s: seconds of wall
    clock; None grows with the file. on_progress: told some times a second. should_stop: asked as often. Raises
    CountsError: missing or unreadable file, refused for safety, no raw counts, an option that means nothing here, too
    large, too slow, stopped, or a reader that died. On any failure `into` is as it was before, and nothing is left.
    """
    source = source.expanduser()
    if not source.exists():
        raise CountsError(f"{source.name} does not exist.", "Check the path.")
    if not source.is_file() and not source.is_dir():
        raise CountsError(f"{source.name} is neither a file nor a folder.", "Choose a data file.")
    format_of(source)
    seconds = TIMEOUT_BASE_S + TIMEOUT_S_PER_BYTE * size_of(source) if timeout_s is None else timeout_s

    def fill(part: Path) -> None:
        def look() -> bool:
            progress = read_progress(part) if on_progress is not None else None
            if progress is not None and on_progress is not None:
                on_progress(progress)
            return not should_stop()

        run_limited(
            CHILD,
            [str(source.resolve()), str(part.resolve()), json.dumps(options.to_dict())],
            name=source.name,
            memory_bytes=memory_limit_bytes,
            seconds=seconds,
            smaller="Load a smaller part of the cells, or save the matrix in sparse form.",
            error=CountsError,
            look=look,
        )

    durable.write_folder(into, fill)
    return load_counts(into)
