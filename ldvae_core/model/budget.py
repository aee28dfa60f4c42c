"""What follows the training, counted in its own work: passes of a cell through it. No torch: pages estimate, too."""

from typing import NamedTuple

from ldvae_core.model.config import ModelConfig
from ldvae_core.model.families import LIKELIHOODS
from ldvae_core.model.priors import PRIORS

REFINE_PASSES = 24  # passes of the training that refining a cell costs as much time as, measured on one core: 9 to 24
ROUND_PASSES = 40  # that a round of refitting costs a training cell
FREE = 100_000  # passes of a cell, some seconds at most, that are always granted
MOST_ROUNDS = 3  # of refitting; later ones gain below 0.05 nats
MOST_CELLS = 20_000  # that are refitted to; above, a seeded sample of the training cells
# Seconds of analysing on one core, measured: for every run (null model, bounds), and for every value (cells x genes).
ANALYSING, ANALYSING_A_VALUE = 2.5, 0.2e-6
MEASURED_AT, SLOWEST = 150e6, 5.0  # values a second that the training had then; how much slower a busy machine may be


class AfterTraining(NamedTuple):
    """Seconds, roughly."""

    refining: float
    analysing: float


def rounds_within(cells_trained: int, n_cells: int, n_train: int) -> int | None:
    """Rounds of refitting that refining leaves time for; None: refining itself would take longer than the training."""
    left = max(cells_trained, FREE) - REFINE_PASSES * n_cells
    return None if left < 0 else int(min(MOST_ROUNDS, left // (ROUND_PASSES * min(n_train, MOST_CELLS))))


def refit_share(rounds: int, n_cells: int, n_train: int) -> float:
    """Of the time of refitting and refining, that of refitting."""
    refitting = rounds * ROUND_PASSES * min(n_train, MOST_CELLS)
    return refitting / (refitting + REFINE_PASSES * n_cells)


def seconds_after_training(
    model: ModelConfig, *, n_cells: int, n_train: int, n_genes: int, cells_trained: int, cells_per_second: float
) -> AfterTraining:
    """What is still to come when a training of so many cells, over all epochs, at this speed, has ended.

    cells_per_second: > 0, or NaN while it is unknown; what follows is then unknown too.
    """
    slower = min(max(MEASURED_AT / (cells_per_second * n_genes), 1.0), SLOWEST)
    analysing = slower * (ANALYSING + ANALYSING_A_VALUE * n_cells * n_genes)
    prior, likelihood = PRIORS[model.prior], LIKELIHOODS[model.likelihood]
    rounds = rounds_within(cells_trained, n_cells, n_train)
    is_refined = model.decoder == "linear" and not likelihood.is_zero_inflated
    if rounds is None or not is_refined:
        return AfterTraining(0.0, analysing)
    passes = REFINE_PASSES * n_cells
    if prior.is_standard:
        passes += rounds * ROUND_PASSES * min(n_train, MOST_CELLS)
    return AfterTraining(passes / cells_per_second, analysing)
