"""The training loop: minibatches in, a trained model and its history out. It reports, and can be told to stop.

It never prints, draws or writes: `on_report` gets every measured point and answers how to go on.
"""

import contextlib
import copy
import logging
import math
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from ldvae_core.answer import Answer
from ldvae_core.data.split import TRAIN, VALIDATION
from ldvae_core.errors import LdvaeError, SettingsError
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.model.ldvae import LDVAE
from ldvae_core.training.devices import out_of_memory
from ldvae_core.training.engine import make_engine
from ldvae_core.training.fused import RisingFactorials
from ldvae_core.training.initial_values import start_values
from ldvae_core.training.minibatches import MinibatchSource
from ldvae_core.training.reports import HistoryPoint, Progress, Reports, TrainingState
from ldvae_core.training.schedule import has_dropout, kl_weight, learning_rate
from ldvae_core.training.standardise import refresh_norms, standardise

log = logging.getLogger(__name__)

EVALUATION_SIZE = 512  # cells scored at a time
LONG_EPOCH = 1000  # steps: longer epochs report in between, so that the curves move
SECONDS_BETWEEN_TICKS = 0.5
MOST_VALIDATION_CELLS = 10_000  # enough for a standard error of well under 0.1%
MOST_HALVINGS = 3  # of the minibatch, before a GPU is called too small for the run
MOST_STANDARD_CELLS = 50_000  # to measure the mean and covariance of z: their error is then below 1%
# each generator is a stream of its own of the run's seed
NOISE_SEED, SHUFFLE_SEED, INITIAL_SEED, VALIDATION_SEED, STANDARD_SEED = 1, 2, 3, 4, 5


class Trainer:
    """One run in memory: model, optimiser, generators and minibatches.

    counts (n_cells, n_genes) CSR; library_size (n_cells,) > 0; split (n_cells,) of data/split.py; covariates
    (n_cells, levels) one-hot. Raises SettingsError when the split leaves too few cells.
    """

    def __init__(
        self,
        counts: Any,
        library_size: np.ndarray,
        split: np.ndarray,
        covariates: np.ndarray,
        *,
        model_config: ModelConfig,
        training_config: TrainingConfig,
        device: torch.device,
        fast: bool = True,
    ) -> None:
        self.config, self.device = training_config, device
        self.train_cells = np.flatnonzero(split == TRAIN)
        self.validation_cells = np.flatnonzero(split == VALIDATION)
        if len(self.train_cells) < 2 or len(self.validation_cells) < 1:
            raise SettingsError("The split leaves fewer than 2 cells to train on or none to validate with.")
        self.validation_cells = sample_of(
            self.validation_cells, MOST_VALIDATION_CELLS, self._numpy_generator(VALIDATION_SEED)
        )
        self.state = TrainingState()
        self._whole_minibatch = training_config.minibatch_for(len(self.train_cells), on_gpu=device.type != "cpu")
        self.n_epochs = training_config.epochs_for(len(self.train_cells))
        start = start_values(counts, library_size, self.train_cells)
        self.model = LDVAE(model_config, start, self._torch_generator(INITIAL_SEED, "cpu")).to(device)
        self.source = MinibatchSource(counts, library_size, covariates, device)
        self.noise = self._torch_generator(NOISE_SEED, device)
        self.shuffle = self._numpy_generator(SHUFFLE_SEED)
        tables: dict[str, RisingFactorials | None] = {"rising": None, "rising_validation": None}
        if fast and model_config.is_fusable:
            tables["rising"] = RisingFactorials(counts, self.train_cells).to(device)
            if device.type == "cpu":
                tables["rising_validation"] = RisingFactorials(counts, self.validation_cells)
        self.engine = make_engine(
            self.model, self.source, training_config, self.noise, n_train=len(self.train_cells), **tables
        )
        self._ticked = time.monotonic()
        self.best_weights = copy.deepcopy(self.model.state_dict())

    @property
    def minibatch_size(self) -> int:
        """Cells in a minibatch: as chosen for the device, less where its memory was too small."""
        return max(2, self._whole_minibatch >> self.state.halvings)

    @property
    def rate(self) -> float:
        """The learning rate at the top of the schedule."""
        return self.config.rate_for(self.minibatch_size, self.n_epochs * self.steps_per_epoch)

    @property
    def steps_per_epoch(self) -> int:
        """Minibatches of an epoch; a last one of a single cell is left out, because batch norm needs two."""
        full, rest = divmod(len(self.train_cells), self.minibatch_size)
        return full + (rest > 1)

    def train(self, reports: Reports | None = None) -> Answer:
        """Train to the end, or until told otherwise; returns how it ended ("go" = all epochs or early stop).

        At the end the best weights are in place and batch norm's statistics are those of all training cells; paused or
        cancelled, the trainer stands at the end of the last whole epoch. Raises LdvaeError when the loss stays
        non-finite after three halvings of the rate, or the memory of a GPU too small after three of the minibatch.
        """
        reports = reports or Reports()
        answer: Answer = "go"
        while self.state.epochs_done < self.n_epochs and answer == "go" and not self._has_converged():
            good = self.snapshot()
            answer = self._epoch_or_smaller(reports, good)
            if answer in ("pause", "cancel"):
                self.restore(good)  # a begun epoch is done again, from the same draws
                return answer
            if not self._is_finite():
                self._roll_back(good)
                continue
            reports.on_checkpoint(self)
        if self.state.best_epoch:
            self.model.load_state_dict(self.best_weights)
        self._finish()
        return answer

    def _epoch_or_smaller(self, reports: Reports, good: dict[str, Any]) -> Answer:
        """The next epoch; done again from `good` with half the minibatch while the memory of a GPU is too small."""
        while True:
            with contextlib.suppress(torch.OutOfMemoryError):
                return self._epoch(reports)
            self._halve(good)  # here nothing holds the tensors of the failed step any longer

    def _epoch(self, reports: Reports) -> Answer:
        """One pass over the training cells; a point of history at its end (and inside long ones)."""
        state, n_steps = self.state, self.steps_per_epoch * self.n_epochs
        rate_at_top = self.rate
        first_step, began = state.epochs_done * self.steps_per_epoch, time.monotonic()
        answer: Answer = "go"
        sums, since = 0.0, 0
        report_every = self.steps_per_epoch if self.steps_per_epoch <= LONG_EPOCH else LONG_EPOCH // 2
        for position, cells in enumerate(self._minibatches()):
            step = first_step + position
            weight = kl_weight(step, n_steps, self.config.kl_warmup)
            rate = state.rate_factor * learning_rate(step, n_steps, rate_at_top)
            sums = sums + self.engine.step(cells, weight, rate, dropout=has_dropout(step, n_steps))
            since += 1
            now = time.monotonic()
            if now - self._ticked > SECONDS_BETWEEN_TICKS:
                self._ticked = now
                answer = reports.on_tick(
                    self._progress(step + 1, n_steps, state.seconds + now - began, weight), self.model
                )
                if answer in ("cancel", "pause"):
                    return answer
            is_last = position + 1 == self.steps_per_epoch or answer == "stop"
            if is_last or since == report_every:
                mean = (sums / since).tolist()
                seconds = state.seconds + time.monotonic() - began
                epoch = (step + 1) / self.steps_per_epoch
                state.history.append(self._point(epoch, step + 1, mean, weight, rate, seconds, validate=is_last))
                sums, since = 0.0, 0
                reports.on_point(state.history, self.model)
            if is_last:
                break
        state.epochs_done += 1
        state.seconds += time.monotonic() - began
        return answer

    def _minibatches(self) -> Iterable[Any]:
        order = self.shuffle.permutation(self.train_cells)
        order = order[: self.steps_per_epoch * self.minibatch_size]
        return self.engine.slices(order, self.minibatch_size)

    def _point(
        self, epoch: float, step: int, train: list[float], weight: float, rate: float, seconds: float, *, validate: bool
    ) -> HistoryPoint:
        error, kl = self.evaluate(self.validation_cells) if validate else (math.nan, math.nan)
        elbo = -(error + kl)
        warm = weight >= 1.0 or self.config.kl_warmup >= 1.0
        if validate and warm and elbo > self.state.best_elbo:
            self.state.best_elbo, self.state.best_epoch = elbo, round(epoch + 0.499)
            self.best_weights = copy.deepcopy(self.model.state_dict())
        return HistoryPoint(epoch, step, train[0], train[1], -sum(train), error, kl, elbo, weight, rate, seconds)

    def evaluate(self, cells: np.ndarray) -> tuple[float, float]:
        """Mean reconstruction error and KL of `cells` in evaluation mode, nats per cell, one fixed draw of z a cell."""
        generator = self._torch_generator(VALIDATION_SEED, self.device)  # the same draws every time: a smooth curve
        return self.engine.evaluate(cells, EVALUATION_SIZE >> self.state.halvings, generator)

    def _finish(self) -> None:
        """Batch norm's statistics of all training cells, and z in the units of its prior."""
        size = max(EVALUATION_SIZE >> self.state.halvings, self.minibatch_size)
        generator = self._torch_generator(VALIDATION_SEED, self.device)
        refresh_norms(self.model, self.source.in_order(self.train_cells, size), generator)
        cells = sample_of(self.train_cells, MOST_STANDARD_CELLS, self._numpy_generator(STANDARD_SEED))
        standardise(self.model, self.source.in_order(cells, size))

    def snapshot(self) -> dict[str, Any]:
        """Everything needed to go on from here, as a nested dictionary of tensors and plain values."""
        return {
            "model": copy.deepcopy(self.model.state_dict()),
            "best": self.best_weights,
            "optimizer": self.engine.state(),
            "device": self.device.type,
            "noise": self.noise.get_state(),
            "shuffle": copy.deepcopy(self.shuffle.bit_generator.state),
            "state": self.state.to_dict(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back (or forward) to a snapshot; of another kind of device, the weights are kept and the draws begin anew.

        A generator's state is of one kind of device only.
        """
        self.model.load_state_dict(snapshot["model"])
        self.best_weights = snapshot["best"]
        self.engine.load_state(snapshot["optimizer"])
        self.shuffle.bit_generator.state = snapshot["shuffle"]
        values = dict(snapshot["state"])
        values["history"] = [HistoryPoint(**point) for point in values["history"]]
        values["notices"] = list(values.get("notices", ()))  # older checkpoints have none
        self.state = TrainingState(**values)
        made_on = snapshot.get("device", self.device.type)  # older checkpoints do not say
        if made_on == self.device.type and snapshot["noise"].shape == self.noise.get_state().shape:
            self.noise.set_state(snapshot["noise"])
            return
        self.noise.manual_seed(self._seed(NOISE_SEED, self.state.epochs_done))
        self._notice(
            f"Training went on after epoch {self.state.epochs_done} on another kind of device ({self.device.type}): "
            "from there the random draws are not those of an uninterrupted run."
        )

    def _roll_back(self, good: dict[str, Any]) -> None:
        rollbacks, factor = self.state.rollbacks + 1, self.state.rate_factor / 2
        if rollbacks > 3:
            raise LdvaeError(
                "Training broke down four times: the loss was no longer a number, even at an eighth of the rate.",
                "Try a smaller learning rate, and look for cells with extreme counts on the Data page.",
            )
        log.warning(
            "The loss was not finite in epoch %d; back to its start with half the rate.", self.state.epochs_done
        )
        self.restore(good)
        self.state.rollbacks, self.state.rate_factor = rollbacks, factor

    def _halve(self, good: dict[str, Any]) -> None:
        size, halvings = self.minibatch_size, self.state.halvings + 1
        self.restore(good)
        if halvings > MOST_HALVINGS:
            raise out_of_memory(size)
        self.state.halvings = halvings
        self.source.release()
        torch.cuda.empty_cache()
        self._notice(
            f"The memory of the GPU was too small for minibatches of {size:,} cells: training went on with "
            f"{self.minibatch_size:,}."
        )
        good["state"] = self.state.to_dict()  # going back to it a second time keeps the smaller minibatch

    def _notice(self, words: str) -> None:
        log.warning(words)
        self.state.notices.append(words)

    def _is_finite(self) -> bool:
        last = self.state.history[-1]
        return math.isfinite(last.train_elbo) and math.isfinite(last.validation_elbo)

    def _has_converged(self) -> bool:
        """No better validation ELBO for `patience` of the run, counted from where the KL weight has reached 1."""
        waited = self.state.epochs_done - self.state.best_epoch
        return self.state.best_epoch > 0 and waited > max(2, math.ceil(self.config.patience * self.n_epochs))

    def _progress(self, step: int, n_steps: int, seconds: float, weight: float) -> Progress:
        return Progress(
            epoch=(step - 1) // self.steps_per_epoch + 1,
            n_epochs=self.n_epochs,
            step=step,
            n_steps=n_steps,
            seconds=seconds,
            seconds_left=seconds / step * (n_steps - step),
            cells_per_second=step * self.minibatch_size / max(seconds, 1e-9),
            kl_weight=weight,
        )

    def _torch_generator(self, stream: int, device: torch.device | str) -> torch.Generator:
        return torch.Generator(device=device).manual_seed(self._seed(stream))

    def _seed(self, *streams: int) -> int:
        return int(np.random.SeedSequence([self.config.seed, *streams]).generate_state(1, np.uint64)[0]) % 2**63

    def _numpy_generator(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.config.seed, stream])


def sample_of(cells: np.ndarray, limit: int, generator: np.random.Generator) -> np.ndarray:
    """At most `limit` of the cells, in ascending order."""
    return cells if len(cells) <= limit else np.sort(generator.choice(cells, limit, replace=False))
