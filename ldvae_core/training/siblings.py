"""Quick trainings of one model beside each other: which programs come back with another seed, and in other cells.

Few steps find the programs of a full training and fit less of the noise: measured in docs/certified.md. Positions are
refined, because an encoder that has seen so little places cells badly; loadings are not refitted, which made halves of
the cells agree less.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse

from ldvae_core.answer import Answer
from ldvae_core.data.split import TRAIN
from ldvae_core.model.config import REFERENCE_MINIBATCH, ModelConfig, TrainingConfig
from ldvae_core.model.ldvae import LDVAE
from ldvae_core.model.refinable import unrefinable
from ldvae_core.training.loop import Trainer
from ldvae_core.training.refine import refine
from ldvae_core.training.reports import Progress, Reports
from ldvae_core.training.score import covariate_effects, folded_decoder, refined_representation, represent
from ldvae_core.training.threads import choose_threads

QUICK_UPDATES, LEAST_EPOCHS = 500, 2
STEPS = 2  # of refining a cell
TRAINING_SHARE = 0.5  # of the time of all, roughly

Ask = Callable[[float], Answer]  # told the share done now and then, says how to go on


class Told(Exception):
    """A training was told to end."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


class Cells(NamedTuple):
    """What a training sees."""

    counts: sparse.csr_matrix  # (n_cells, n_genes)
    library_size: np.ndarray  # (n_cells,) > 0
    covariates: np.ndarray  # (n_cells, levels) float32, one-hot

    def of(self, chosen: np.ndarray) -> "Cells":
        """Some of them."""
        return Cells(self.counts[chosen], self.library_size[chosen], self.covariates[chosen])


class Quick(NamedTuple):
    """How a quick training is done: all settings but its cells."""

    model: ModelConfig  # completed for the data
    training: TrainingConfig
    device: torch.device


class Fitted(NamedTuple):
    """What a quick training came to, on the axes as trained."""

    mean: np.ndarray  # (n_cells, n_factors)
    variance: np.ndarray
    covariance: np.ndarray | None  # packed; None where positions are the encoder's
    loadings: np.ndarray  # (n_genes, n_factors), as trained
    intercept: np.ndarray
    theta: np.ndarray | None
    effects: np.ndarray | None  # (n_genes, levels)


def fit_quickly(cells: Cells, split: np.ndarray, quick: Quick, ask: Ask) -> Fitted:
    """Train, and refine positions. split: (n_cells,) of data/split.py. Raises Told."""
    n_train = int((split == TRAIN).sum())
    epochs = max(LEAST_EPOCHS, int(np.ceil(QUICK_UPDATES * REFERENCE_MINIBATCH / n_train)))
    trainer = Trainer(
        cells.counts,
        cells.library_size,
        split,
        cells.covariates,
        model_config=quick.model,
        training_config=TrainingConfig.from_dict({**quick.training.to_dict(), "n_epochs": epochs}),
        device=quick.device,
    )
    choose_threads(trainer, quick.training.threads)

    def tick(progress: Progress, model: LDVAE) -> Answer:
        return ask(TRAINING_SHARE * progress.step / progress.n_steps)

    if (answer := trainer.train(Reports(on_tick=tick))) != "go":
        raise Told(answer)
    model, source = trainer.model, trainer.source
    refined = None
    if not unrefinable(quick.model):
        answers: list[Answer] = ["go"]

        def go_on(done: float) -> bool:
            answers[0] = ask(TRAINING_SHARE + (1 - TRAINING_SHARE) * done / 2)
            return answers[0] == "go"

        refined = refine(model, source, np.arange(source.n_cells), most_steps=STEPS, go_on=go_on)
        if refined is None:
            raise Told(answers[0])
    posterior = represent(model, source) if refined is None else refined_representation(model, refined)
    theta = model.bounded_log_theta().detach().double().exp().cpu().numpy() if model.likelihood.has_dispersion else None
    return Fitted(
        posterior.mean,
        posterior.variance,
        None if refined is None else refined.covariance,
        *folded_decoder(model, posterior.mean, cells.covariates),
        theta,
        covariate_effects(model),
    )
