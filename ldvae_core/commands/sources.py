"""What DATA and RUN may be on the command line: a path, `demo`, or an id of the workspace."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.demo import DEMO_RUN, load_demo
from ldvae_core.data.progress import ReadingProgress
from ldvae_core.data.reading_options import NOTHING_SAID, Reading, ReadingOptions
from ldvae_core.errors import RunError, SettingsError
from ldvae_core.runs.additions import Additions
from ldvae_core.runs.gene_set_results import GeneSetResults
from ldvae_core.runs.opened import OpenRun, open_run_folder, with_additions
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import DEMO, Workspace, listed_ids
from ldvae_core.workspace.scratch import scratch_folder


def opened_run(run: str) -> OpenRun:
    """RUN: a run folder, else the id of a run of the workspace, `demo` among them; with what people added to it.

    Raises RunError when there is none, or it has no results.
    """
    folder = Path(run).expanduser()
    if run != DEMO and folder.is_dir():
        return with_additions(open_run_folder(folder), Additions.beside(folder))
    store = RunStore(Workspace.default())
    return with_additions(store.open(run), store.additions(run))


def folder_of(run: str) -> Path:
    """Where the results of RUN lie, which opened_run has opened."""
    folder = Path(run).expanduser()
    if run == DEMO:
        return DEMO_RUN
    return folder if folder.is_dir() else Workspace.default().runs / run


def own_sets_of(run: str) -> GeneSetResults:
    """Gene sets and enrichment results kept with RUN. Raises RunError when there is no such run."""
    folder = Path(run).expanduser()
    if run != DEMO and folder.is_dir():
        return GeneSetResults(Additions.beside(folder))
    return GeneSetResults(RunStore(Workspace.default()).additions(run))


def source_of(data: str) -> str:
    """DATA as run.json keeps it: "demo", a data set's id, or a whole path. Raises RunError when there is no such thing.

    A file or folder of that name comes before a data set of that id.
    """
    if data == DEMO:
        return DEMO
    if Path(data).expanduser().exists():
        return str(Path(data).expanduser().resolve())
    if data in listed_ids(Workspace.default().datasets):
        return data
    raise RunError(f"There is no file or folder {data}.", "Check the path.")


@contextlib.contextmanager
def opened_counts(data: str, reading: ReadingOptions = NOTHING_SAID) -> Iterator[CountMatrix]:
    """The counts of DATA; a file is read in a safe process, into a folder that lives as long as they are used.

    How far the reading is goes to stderr. Raises RunError when there is no such thing, CountsError when it is refused,
    SettingsError when `reading` is said of what was read already.
    """
    from ldvae_core.data import read  # looked up when it is called, so that tests can read in this process

    source = source_of(data)
    if Path(source).is_absolute():
        with scratch_folder() as folder, _said_on_stderr() as say:
            yield read.read_counts(Path(source), folder / "counts", options=reading, on_progress=say)
        return
    if reading:
        raise SettingsError(f"'{data}' was read already: how to read it cannot be said any more.", "Give its file.")
    yield load_demo() if source == DEMO else Datasets(Workspace.default()).open(source)


def reading_of(counts: CountMatrix) -> Reading:
    """How counts were read; for those of older data sets and the demo, what can still be told."""
    if counts.reading is not None:
        return counts.reading
    sentence = f"{counts.n_cells:,} cells x {counts.n_genes:,} genes; counts from {counts.counts_from}; "
    n = counts.annotations.shape[1]
    return Reading("index", "index", "columns", f"{sentence}{n:,} annotation{'' if n == 1 else 's'}.")


@contextlib.contextmanager
def _said_on_stderr() -> Iterator[Callable[[ReadingProgress], None]]:
    """A line on stderr, rewritten in a terminal, every few seconds elsewhere; short readings say nothing."""
    last, said = time.monotonic(), False

    def say(progress: ReadingProgress) -> None:
        nonlocal last, said
        terminal = sys.stderr.isatty()
        if progress.step == "opening" or time.monotonic() - last < (0.5 if terminal else 5.0):
            return  # most refusals come while it is opened
        last, said = time.monotonic(), True
        left = progress.seconds_left
        line = f"{progress.words}: {progress.share:.0%}" + ("" if left is None else f", {left:,.0f} s left")
        sys.stderr.write(f"\r{line}\x1b[K" if terminal else f"{line}\n")
        sys.stderr.flush()

    try:
        yield say
    finally:
        if said and sys.stderr.isatty():
            sys.stderr.write("\n")
