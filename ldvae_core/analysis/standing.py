"""Which of several runs predicts unseen cells best, and whether that is more than chance over the cells.

Cells differ far more than models do: a run's own standard error says nothing of its lead. Runs share their test cells,
so the lead is taken cell by cell, and its error is that of the mean difference.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import norm

from ldvae_core.analysis.metrics import mean_and_error

LEVEL = 0.05  # chance of calling any one run worse where all are equal, over all that are compared
Verdict = Literal["worse", "level", "unknown"]


@dataclass(frozen=True, eq=False)
class Loss:
    """A figure of a run on the test cells, turned so that lower is better: nats per cell."""

    mean: float
    error: float  # standard error of the mean over cells; NaN where not known
    cells: np.ndarray | None = None  # the same figure of every test cell, in the order of all runs compared


@dataclass(frozen=True)
class Lead:
    """By how many nats per cell one run is behind another, with its standard error over cells.

    Without the figures of single cells the error is not known; it then lies between the two given, because a difference
    varies at least by how much its parts' errors differ, and at most by their sum.
    """

    mean: float
    error: float  # at most
    least_error: float  # at least; equal to `error` where the cells are known

    @property
    def is_paired(self) -> bool:
        """Whether it was taken cell by cell."""
        return self.error == self.least_error

    def verdict(self, n_compared: int = 1) -> Verdict:
        """Whether the run is worse for sure, level within error, or that cannot be told; of so many others."""
        far = certainty(n_compared)
        if self.mean > far * self.error:
            return "worse"
        return "level" if self.mean <= far * self.least_error else "unknown"


@dataclass(frozen=True)
class Standing:
    """Runs in order, the best first; how far the others are behind it."""

    best: str
    leads: dict[str, Lead]  # by run, the next best first, without the best one

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """Of every run but the best."""
        return {name: lead.verdict(len(self.leads)) for name, lead in self.leads.items()}

    @property
    def is_sure(self) -> bool:
        """Whether the best run is better than each other one."""
        return bool(self.leads) and all(verdict == "worse" for verdict in self.verdicts.values())


def certainty(n_compared: int) -> float:
    """How many standard errors a lead must have to be sure, of so many that are compared (Bonferroni)."""
    return float(norm.isf(LEVEL / 2 / max(n_compared, 1)))


def lead_over(behind: Loss, ahead: Loss) -> Lead:
    """How far a run is behind another one, mean and error over the test cells."""
    if behind.cells is not None and ahead.cells is not None and len(behind.cells) == len(ahead.cells):
        mean, error = mean_and_error(np.asarray(behind.cells, np.float64) - ahead.cells)
        return Lead(mean, error, error) if math.isfinite(error) else Lead(mean, math.inf, 0.0)
    most, least = behind.error + ahead.error, abs(behind.error - ahead.error)
    known = math.isfinite(most)
    return Lead(behind.mean - ahead.mean, most if known else math.inf, least if known else 0.0)


def standing_of(losses: Mapping[str, Loss]) -> Standing | None:
    """The order of runs, by name; None without two that have the figure."""
    known = {name: loss for name, loss in losses.items() if math.isfinite(loss.mean)}
    if len(known) < 2:
        return None
    best, *others = sorted(known, key=lambda name: known[name].mean)
    return Standing(best, {name: lead_over(known[name], known[best]) for name in others})


def mean_loss(losses: list[Loss]) -> Loss:
    """Of runs that differ in their seed only: their mean, cell by cell where all cells are known."""
    cells = [loss.cells for loss in losses]
    mean = float(np.mean([loss.mean for loss in losses]))
    if any(values is None for values in cells) or len({len(values) for values in cells if values is not None}) > 1:
        return Loss(mean, float(np.mean([loss.error for loss in losses])))
    together = np.mean([np.asarray(values, np.float64) for values in cells], axis=0)
    return Loss(*mean_and_error(together), together)
