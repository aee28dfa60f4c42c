"""`train`: one run in a folder, from its settings to its results, that can be interrupted and resumed."""

import contextlib
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from ldvae_core.commands.sources import opened_counts, source_of
from ldvae_core.data.chosen_cells import FILE
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.gmt import read_own_gmt
from ldvae_core.data.guide import Guide
from ldvae_core.errors import LdvaeError, RunError
from ldvae_core.runs.recipe import settings_of
from ldvae_core.runs.settings import RunSettings

INTERRUPTED = 130


class Asked:
    """What the person at the keyboard wants of the run in work: "go" or "pause"."""

    def __init__(self) -> None:
        self.answer: Literal["go", "pause"] = "go"

    def listen(self) -> "Asked":
        """The first Ctrl-C or SIGTERM asks for a pause at the next safe point, a second one ends at once."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)
        return self

    def _ask(self, number: int, frame: object) -> None:
        if self.answer == "pause":
            sys.exit(INTERRUPTED)
        self.answer = "pause"


def train_new(data: str, out: Path, options: Mapping[str, Any], guide: Path | None = None) -> dict[str, Any]:
    """Make the run folder `out`, train in it, return the summary. Exits with 130 when interrupted.

    guide: a file of gene sets, each of which informs a factor. Raises LdvaeError when the settings, the sets, the data
    or the folder cannot be used; no folder is left behind then.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out} exists already.", "Give --out a new folder, so that nothing is lost.")
    sets = None if guide is None else Guide.of(read_own_gmt(guide, guide.name))
    settings_of(_with_whole_paths(options), name=out.name, data_source=source_of(data), guide=sets).write(out)
    with nothing_half_done(out):
        return _train(out, data, resume=False)


def _with_whole_paths(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """A list of cells is found again from wherever the run is resumed."""
    cells = str(options.get("cells") or "")
    if not cells.startswith(FILE):
        return options
    return {**options, "cells": FILE + str(Path(cells.removeprefix(FILE)).resolve())}


def train_on(folder: Path, data: str | None) -> dict[str, Any]:
    """Go on with an interrupted run, on the data it began with unless another place is named; returns the summary."""
    if not (folder / "run.json").exists():
        raise RunError(f"{folder} is not a run: it has no run.json.", "Give the folder that --out named.")
    if (folder / "metrics.json").exists():
        raise RunError(f"The run {folder} is finished already.", "Export it, or train a new one with --out.")
    return _train(folder, data or RunSettings.read(folder).data_source, resume=True)


@contextlib.contextmanager
def nothing_half_done(folder: Path) -> Any:
    """Remove a run folder that was refused before it had learned anything."""
    try:
        yield
    except LdvaeError:
        if not (folder / "history.parquet").exists():
            shutil.rmtree(folder, ignore_errors=True)
        raise


def run_to_end(
    folder: Path, open_counts: Callable[[], CountMatrix], asked: Asked, *, resume: bool, title: str = ""
) -> dict[str, Any] | None:
    """Train the run that folder/run.json describes, with progress on stderr; its summary, None when interrupted."""
    from ldvae_core.runs.execute import execute

    summary = execute(
        folder,
        open_counts=open_counts,
        should_stop=lambda: asked.answer,
        resume=resume,
        on_progress=say_progress(title),
    )
    sys.stderr.write("\n")
    return None if asked.answer == "pause" and "test_elbo" not in summary else summary


def say_progress(title: str = "") -> Callable[[Any], None]:
    """One line on stderr, rewritten in a terminal, once every few seconds elsewhere."""
    last = -10.0

    def say(progress: Any) -> None:
        nonlocal last
        terminal = sys.stderr.isatty()
        if time.monotonic() - last < (0.5 if terminal else 5.0):
            return
        last = time.monotonic()
        unit = "epoch" if progress.cells_per_second else "step"
        parts = [f"{title}{': ' if title else ''}{unit} {progress.epoch} of {progress.n_epochs}"]
        if progress.seconds_left == progress.seconds_left:  # NaN while unknown
            parts.append(f"{progress.seconds_left:.0f} s left")
        if progress.cells_per_second:  # baselines do not go through the cells in minibatches
            parts.append(f"{progress.cells_per_second:,.0f} cells/s")
        line = ", ".join(parts)
        sys.stderr.write(f"\r{line}\x1b[K" if terminal else f"{line}\n")
        sys.stderr.flush()

    return say


def _train(folder: Path, data: str, *, resume: bool) -> dict[str, Any]:
    asked = Asked().listen()
    reading = RunSettings.read(folder).reading
    with contextlib.ExitStack() as stack:
        summary = run_to_end(folder, lambda: stack.enter_context(opened_counts(data, reading)), asked, resume=resume)
    if summary is None:
        sys.stderr.write(f"interrupted; go on with: python -m ldvae_core train --resume {folder}\n")
        sys.exit(INTERRUPTED)
    return summary
