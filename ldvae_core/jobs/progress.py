"""How far a piece of work is: one small file, written now and then by whoever works, read by every page."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ldvae_core import durable
from ldvae_core.errors import RunError


@dataclass(frozen=True)
class Progress:
    """Where the work stands; zeros before the first report."""

    stage: str = ""  # the kind's own word for what it is doing
    done: float = 0.0  # of total, in the kind's own unit
    total: float = 0.0  # 0 while it is not known
    seconds: float = 0.0  # of work, pauses left out
    seconds_left: float = math.nan  # NaN while unknown
    more: Mapping[str, Any] = field(default_factory=dict)  # what only this kind tells

    @property
    def share(self) -> float:
        """Of the work done, 0 to 1."""
        return min(max(self.done / self.total, 0.0), 1.0) if self.total > 0 else 0.0


def write_progress(path: Path, progress: Progress) -> None:
    """Replace the file in one step. Raises OSError when the disk refuses or the folder is gone."""
    plain = {name: getattr(progress, name) for name in ("stage", "done", "total", "seconds", "seconds_left")}
    durable.write_json(path, {**progress.more, **plain})


def read_progress(path: Path) -> Progress:
    """What write_progress wrote, with a stand-in for everything missing or strange. Never raises.

    Files of trainings from before there were other kinds say step and n_steps for done and total.
    """
    values = read_object(path)
    left = number(values.get("seconds_left"))
    return Progress(
        stage=str(values.get("stage") or ""),
        done=number(values.get("done", values.get("step"))) or 0.0,
        total=number(values.get("total", values.get("n_steps"))) or 0.0,
        seconds=number(values.get("seconds")) or 0.0,
        seconds_left=math.nan if left is None else left,
        more={name: value for name, value in values.items() if name not in Progress.__dataclass_fields__},
    )


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object, {} when there is none to be had."""
    try:
        values = durable.read_json(path)
    except (RunError, OSError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def number(value: object) -> float | None:
    """A finite or infinite number as float; None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
