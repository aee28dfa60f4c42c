"""How far a reading is: written by the child, read by whoever waits for it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ldvae_core import durable

Step = Literal["opening", "reading", "turning", "checking"]
Report = Callable[[Step, int, int], None]
FILE = "progress.json"
SECONDS = 0.3  # between two writes
SHARES: dict[Step, tuple[float, float]] = {  # of the whole time, from and to
    "opening": (0.0, 0.02),
    "reading": (0.02, 0.9),
    "turning": (0.5, 0.9),
    "checking": (0.9, 1.0),
}
WORDS: dict[Step, str] = {
    "opening": "looking at the file",
    "reading": "reading counts",
    "turning": "sorting counts by cell",
    "checking": "checking what was read",
}


@dataclass(frozen=True)
class ReadingProgress:
    """step and what it is called; share of the whole, 0 to 1; seconds since the beginning."""

    step: Step
    share: float
    seconds: float

    @property
    def words(self) -> str:
        """The step, for people."""
        return WORDS[self.step]

    @property
    def seconds_left(self) -> float | None:
        """From the time taken so far; None at the beginning."""
        if self.share < 0.05 or self.seconds < 1:
            return None
        return self.seconds * (1 - self.share) / self.share


def silent(_step: Step, _done: int, _of: int) -> None:
    """A Report that nobody reads."""


class Course:
    """Makes of what a Report is told how far the whole is; that never goes back."""

    def __init__(self) -> None:
        self._began, self._share = time.monotonic(), 0.0

    def at(self, step: Step, done: int, of: int) -> ReadingProgress:
        """When `done` of `of` parts of a step are done."""
        first, last = SHARES[step]
        self._share = max(self._share, first + (last - first) * min(1.0, done / max(of, 1)))
        return ReadingProgress(step, self._share, time.monotonic() - self._began)


class ProgressFile:
    """A Report that goes into a file of `folder`, at most every SECONDS."""

    def __init__(self, folder: Path) -> None:
        self._path, self._course, self._next = folder / FILE, Course(), 0.0

    def __call__(self, step: Step, done: int, of: int) -> None:
        """Say that `done` of `of` parts of a step are done."""
        progress = self._course.at(step, done, of)
        now = time.monotonic()
        if now >= self._next:
            self._next = now + SECONDS
            content = {"step": step, "share": round(progress.share, 4), "seconds": round(progress.seconds, 2)}
            beside = self._path.with_suffix(".part")
            beside.write_text(json.dumps(content), encoding="utf-8")
            durable.rename(beside, self._path)

    def remove(self) -> None:
        """The reading is over."""
        self._path.unlink(missing_ok=True)


def read_progress(folder: Path) -> ReadingProgress | None:
    """What the child in `folder` last said; None while it has said nothing, or is just saying something."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return ReadingProgress(content["step"], float(content["share"]), float(content["seconds"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
