"""Commands that train several runs in one folder: finished ones are not trained again, interrupted ones go on."""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ldvae_core.commands.sources import opened_counts
from ldvae_core.commands.training import INTERRUPTED, Asked, nothing_half_done, run_to_end
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.reading_options import ReadingOptions
from ldvae_core.errors import RunError
from ldvae_core.runs.settings import RunSettings


def require_same(folder: Path, wanted: RunSettings) -> None:
    """Whatever stands at `folder` must be the wanted run. Raises RunError."""
    if not folder.exists():
        return
    if not (folder / "run.json").exists():
        raise RunError(f"{folder} exists already, and is no run.", "Give --out a new folder, so that nothing is lost.")
    found = RunSettings.read(folder)
    if replace(found, name=wanted.name).to_dict() != wanted.to_dict():
        raise RunError(
            f"{folder} holds a run of other settings or other data.",
            "Repeat the command as it was to go on with it, or give --out a new folder.",
        )


def counts_for(data: str, reading: ReadingOptions, stack: contextlib.ExitStack) -> Callable[[], CountMatrix]:
    """Opens the data when the first run asks for it; read once."""
    opened: list[CountMatrix] = []

    def open_counts() -> CountMatrix:
        if not opened:
            opened.append(stack.enter_context(opened_counts(data, reading)))
        return opened[0]

    return open_counts


def train_one(
    folder: Path,
    settings: RunSettings,
    open_counts: Callable[[], CountMatrix],
    asked: Asked,
    title: str,
    *,
    before: Callable[[Path], None] = lambda folder: None,
) -> None:
    """Train one run, unless it is finished; exits with 130 when interrupted. before: told its folder first."""
    if (folder / "metrics.json").exists():
        sys.stderr.write(f"{title}: finished already\n")
        return
    if not folder.exists():
        settings.write(folder)
    before(folder)
    try:
        with nothing_half_done(folder):
            summary = run_to_end(folder, open_counts, asked, resume=True, title=title)
    finally:
        with contextlib.suppress(OSError):  # only when it is empty
            folder.parent.rmdir()
    if summary is None:
        sys.stderr.write("interrupted; the same command goes on with it\n")
        sys.exit(INTERRUPTED)
