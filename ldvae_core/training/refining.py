"""What follows the training: loadings refitted and every cell refined, or in words why not."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ldvae_core.model.budget import refit_share, rounds_within
from ldvae_core.model.ldvae import LDVAE
from ldvae_core.training.minibatches import MinibatchSource
from ldvae_core.training.refine import Refined, refine, unrefinable
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
    if why_not := unrefinable(model):
        return Outcome(model, None, None, why_not)
    rounds = rounds_within(cells_trained, source.n_cells, len(train))
    if rounds is None:
        return Outcome(model, None, None, "so many cells would take longer than the training itself")
    fitted, share = None, 0.0
    if refittable(model) and rounds:
        share = refit_share(rounds, source.n_cells, len(train))
        fitted = refit(model, source, counts, train, validation, rounds=rounds, go_on=lambda done: go_on(share * done))
        if fitted is None:
            return Outcome(model, None, None, STOPPED)
        model = fitted.model
    refined = refine(model, source, np.arange(source.n_cells), go_on=lambda done: go_on(share + (1 - share) * done))
    if refined is None:
        return Outcome(model, None, fitted, STOPPED)
    return Outcome(model, refined, fitted, "")
