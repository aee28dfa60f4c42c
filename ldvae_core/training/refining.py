"""What follows the training: loadings refitted and every cell refined, or in words why not."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ldvae_core.model.budget import plan_within
from ldvae_core.model.ldvae import LDVAE
from ldvae_core.model.refinable import unrefinable
from ldvae_core.training.minibatches import MinibatchSource
from ldvae_core.training.refine import Refined, refine
from ldvae_core.training.refit import Refit, refit, refittable

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
    plan = plan_within(cells_trained, source.n_cells, len(train))
    if plan is None:
        return Outcome(model, None, None, "so many cells would take longer than the training itself")
    fitted, share = None, 0.0
    if refittable(model) and plan.rounds:
        share = plan.refit_share
        fitted = refit(
            model, source, counts, train, validation, rounds=plan.rounds, go_on=lambda done: go_on(share * done)
        )
        if fitted is None:
            return Outcome(model, None, None, STOPPED)
        model = fitted.model
    everyone, so_far = np.arange(source.n_cells), share
    refined = refine(
        model, source, everyone, most_steps=plan.steps, go_on=lambda done: go_on(so_far + (1 - so_far) * done)
    )
    if refined is None:
        return Outcome(model, None, fitted, STOPPED)
    return Outcome(model, refined, fitted, "")
