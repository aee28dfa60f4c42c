"""How far a run is, over all its stages: one share of its time and one time left, in progress.json."""

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ldvae_core.jobs.progress import Progress, write_progress
from ldvae_core.model.budget import AfterTraining
from ldvae_core.runs.states import Stage

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 0.5
ENOUGH = 0.15  # of a stage, after which its own pace counts
AFTER_SEARCH = 0.7  # of the seconds of a search, roughly, that everything after it takes
FASTEST, SLOWEST = 0.5, 4.0  # seconds that one expected second may have taken


class Speed:
    """Steps a second since the first report: what a process does first, it also compiles."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def of(self, step: int, seconds: float) -> float:
        """Steps a second; NaN at the first report."""
        if self._first is None:
            self._first = (step, seconds)
        steps, passed = step - self._first[0], seconds - self._first[1]
        return steps / passed if passed > 0 and steps > 0 else math.nan


class UnderWay:
    """Writes where a run stands. before: seconds of work before this process took it up."""

    def __init__(self, path: Path, *, before: float = 0.0) -> None:
        self._path, self._began, self._before = path, time.monotonic(), before
        self._stage_began, self._told, self._share, self._pace = self._began, 0.0, 0.0, 1.0
        self._last = Progress()
        self._after = AfterTraining(0.0, 0.0)

    def searching(self, done: float) -> None:
        """A share of the search for the number of programs, 0 to 1, is done; the training is still to come."""
        now = time.monotonic()
        if now - self._told < SECONDS_BETWEEN and 0 < done < 1:
            return
        self._told = now
        whole = (now - self._stage_began) / done if done > 0 else math.nan
        self._write("searching", whole * (1 - done + AFTER_SEARCH))

    def training(self, told: Progress, after: AfterTraining) -> None:
        """told: where the training stands. after: what will follow it."""
        self._last, self._after = told, after
        self._write("training", told.seconds_left + sum(after))  # NaN while the speed is unknown

    def begin(self, stage: Stage) -> None:
        """A stage before or after the training begins."""
        self._stage_began, self._told = time.monotonic(), 0.0
        self.searching(0.0) if stage == "searching" else self.reached(stage, 0.0)

    def reached(self, stage: Stage, done: float) -> None:
        """A share of a stage after the training is done, 0 to 1; told at most twice a second."""
        now = time.monotonic()
        if now - self._told < SECONDS_BETWEEN and done > 0:
            return
        self._told = now
        expected = self._after.refining if stage == "refining" else self._after.analysing
        if done > ENOUGH and expected > 0:
            self._pace = min(max((now - self._stage_began) / (expected * done), FASTEST), SLOWEST)
        later = self._after.analysing if stage == "refining" else 0.0
        self._write(stage, self._pace * ((1 - done) * expected + later))

    def _write(self, stage: Stage, left: float) -> None:
        elapsed = self._before + time.monotonic() - self._began
        if not math.isnan(left):  # a bar never goes back
            self._share = max(self._share, elapsed / max(elapsed + left, 1e-9))
        more: Mapping[str, Any] = {**self._last.more, "whole_share": self._share}
        last = self._last
        try:
            write_progress(self._path, Progress(stage, last.done, last.total, last.seconds, left, more))
        except OSError:  # the next time says it anew
            log.warning("progress.json could not be written", exc_info=True)
