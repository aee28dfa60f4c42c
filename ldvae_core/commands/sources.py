"""What DATA and RUN may be on the command line: a path, `demo`, or an id of the workspace."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.demo import DEMO_RUN, load_demo
from ldvae_core.errors import RunError
from ldvae_core.runs.additions import Additions
from ldvae_core.runs.gene_set_results import GeneSetResults
from ldvae_core.runs.opened import OpenRun, open_run_folder, with_additions
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import DEMO, Workspace, listed_ids


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
def opened_counts(data: str) -> Iterator[CountMatrix]:
    """The counts of DATA; a file is read in a safe process, into a folder that lives as long as they are used.

    Raises RunError when there is no such thing, CountsError when it is refused.
    """
    from ldvae_core.data.read import read_counts

    source = source_of(data)
    if source == DEMO:
        yield load_demo()
    elif not Path(source).is_absolute():
        yield Datasets(Workspace.default()).open(source)
    else:
        with tempfile.TemporaryDirectory(prefix="gene-programs-") as folder:
            yield read_counts(Path(source), Path(folder) / "counts")
