"""What follows the training, counted in its own work: passes of a cell through it. No torch: pages estimate, too."""

from typing import NamedTuple

from ldvae_core.model.config import ModelConfig
from ldvae_core.model.families import LIKELIHOODS
from ldvae_core.model.priors import PRIORS

ALL_STEPS = 12  # of refining a cell, at most
PASSES = ((ALL_STEPS, 24), (2, 17), (1, 12))  # steps of a cell, and the passes of training that cost as much time at
# most: measured on one core 9 to 24 for all steps; of 3.6 nats gained, one step gains 3.3 and two 3.55 (Kang blood)
ROUND_PASSES = 40  # that a round of refitting costs a training cell
FREE = 100_000  # passes of a cell, some seconds at most, that are always granted
MOST_ROUNDS = 3  # of refitting; later ones gain below 0.05 nats
MOST_SEARCHED = 30_000  # cells that a search for the number of programs looks at, a seeded sample
MOST_CELLS = 20_000  # that are refitted to; above, a seeded sample of the training cells
# Seconds of analysing on one core, measured: for every run (null model, bounds), and for every value (cells x genes).
ANALYSING, ANALYSING_A_VALUE = 2.5, 0.2e-6
MEASURED_AT, SLOWEST = 150e6, 5.0  # values a second that the training had then; how much slower a busy machine may be


SEARCHES = 10  # trainings of a search for the number of programs
SEARCH_CELLS, SEARCH_PASSES = 64_000, 40  # cells that each goes through; further passes of every cell, about


class AfterTraining(NamedTuple):
    """Seconds, roughly."""

    refining: float
    analysing: float


class Plan(NamedTuple):
    """What there is time for. steps: of every cell, at most; rounds: of refitting. Both in passes of a cell."""

    steps: int
    rounds: int
    refining: int
    refitting: int

    @property
    def refit_share(self) -> float:
        """Of the time of both, that of refitting."""
        return self.refitting / (self.refitting + self.refining)


def plan_within(cells_trained: int, n_cells: int, n_train: int) -> Plan | None:
    """As many steps, then as many rounds, as take no longer than the training; None: not even one step of all cells."""
    budget = max(cells_trained, FREE)
    affordable = [(steps, passes * n_cells) for steps, passes in PASSES if passes * n_cells <= budget]
    if not affordable:
        return None
    steps, refining = affordable[0]
    a_round = ROUND_PASSES * min(n_train, MOST_CELLS)
    rounds = int(min(MOST_ROUNDS, (budget - refining) // a_round))
    return Plan(steps, rounds, refining, rounds * a_round)


def seconds_searching(*, n_cells: int, cells_per_second: float) -> float:
    """About how long a search for the number of programs takes; cells_per_second: of training."""
    return SEARCHES * (SEARCH_CELLS + SEARCH_PASSES * min(n_cells, MOST_SEARCHED)) / cells_per_second


def seconds_after_training(
    model: ModelConfig, *, n_cells: int, n_train: int, n_genes: int, cells_trained: int, cells_per_second: float
) -> AfterTraining:
    """What is still to come when a training of so many cells, over all epochs, at this speed, has ended.

    cells_per_second: > 0, or NaN while it is unknown; what follows is then unknown too.
    """
    slower = min(max(MEASURED_AT / (cells_per_second * n_genes), 1.0), SLOWEST)
    analysing = slower * (ANALYSING + ANALYSING_A_VALUE * n_cells * n_genes)
    prior, likelihood = PRIORS[model.prior], LIKELIHOODS[model.likelihood]
    plan = plan_within(cells_trained, n_cells, n_train)
    is_refined = model.decoder == "linear" and not likelihood.is_zero_inflated
    if plan is None or not is_refined:
        return AfterTraining(0.0, analysing)
    passes = plan.refining + (plan.refitting if prior.is_standard else 0)
    return AfterTraining(passes / cells_per_second, analysing)
