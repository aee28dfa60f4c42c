"""What follows the training: loadings refitted and every cell refined, or in words why not."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ldvae_core.model.ldvae import LDVAE
from ldvae_core.model.refinable import unrefinable
from ldvae_core.training.minibatches import MinibatchSource
from ldvae_core.training.refine import MOST_STEPS, Refined, refine
from ldvae_core.training.refit import MOST_CELLS, MOST_ROUNDS, Refit, refit, refittable

PASSES = ((MOST_STEPS, 24), (2, 17), (1, 12))  # steps of a cell, and the passes of training that cost as much time at
# most: measured on one core 9 to 24 for all steps; of 3.6 nats gained, one step gains 3.3 and two 3.55 (Kang blood)
ROUND_PASSES = 40  # that a round of refitting costs a training cell
FREE = 100_000  # passes of a cell, some seconds at most, that are always granted
STOPPED = "it was stopped"


class Outcome(NamedTuple):
    """The model to save, and where its cells are."""

    model: LDVAE
    refined: Refined | None  # of all cells; None: they stay where the encoder puts them
    refit: Refit | None
    why_not: str  # in words, where cells or loadings stay as they were; "" where nothing does

    def figures(self) -> dict[str, object]:
        """For metrics.json."""
        return {
            "positions": "encoder" if self.refined is None else "refined",
            "not_refined": self.why_not,
            "refit_rounds": 0 if self.refit is None else self.refit.rounds,
            "refit_dispersions": self.refit is not None and self.refit.dispersions,
        }


def refined_model(
    model: LDVAE,
    source: MinibatchSource,
    counts: sparse.csr_matrix,
    *,
    train: np.ndarray,
    validation: np.ndarray,
    cells_trained: int,
    go_on: Callable[[float], bool] = lambda done: True,
) -> Outcome:
    """Refit and refine within the time that the training took, counted in its own work: cells_trained, over all epochs.

    go_on: told the share done a few times a second; False leaves everything as it was.
    """
    if why_not := unrefinable(model.config):
        return Outcome(model, None, None, why_not)
    budget = max(cells_trained, FREE)
    affordable = [(steps, passes * source.n_cells) for steps, passes in PASSES if passes * source.n_cells <= budget]
    if not affordable:
        return Outcome(model, None, None, "so many cells would take longer than the training itself")
    most_steps, cost = affordable[0]
    budget -= cost
    rounds = min(MOST_ROUNDS, budget // (ROUND_PASSES * min(len(train), MOST_CELLS)))
    fitted, share = None, 0.0
    if refittable(model) and rounds:
        share = 0.7
        fitted = refit(model, source, counts, train, validation, rounds=rounds, go_on=lambda done: go_on(share * done))
        if fitted is None:
            return Outcome(model, None, None, STOPPED)
        model = fitted.model
    everyone, so_far = np.arange(source.n_cells), share
    refined = refine(
        model, source, everyone, most_steps=most_steps, go_on=lambda done: go_on(so_far + (1 - so_far) * done)
    )
    if refined is None:
        return Outcome(model, None, fitted, STOPPED)
    return Outcome(model, refined, fitted, "")
