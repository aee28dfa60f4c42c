"""Training learns what is there, can be repeated and interrupted, and says how it goes."""

import numpy as np
import pytest
import torch

from ldvae_core.data.split import TEST
from ldvae_core.errors import LdvaeError, SettingsError
from ldvae_core.training.checkpoint import read_checkpoint, write_checkpoint
from ldvae_core.training.loop import SECONDS_BETWEEN_TICKS
from ldvae_core.training.reports import Reports
from ldvae_core.training.schedule import has_dropout, kl_weight, learning_rate
from ldvae_core.training.score import reconstruction_errors, represent


def same_weights(one, other) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_the_same_seed_gives_the_same_bits(few_cells, trainer_for):
    """Two runs of one seed agree in every bit; another seed differs."""
    models = []
    for seed in (4, 4, 5):
        trainer = trainer_for(few_cells, n_epochs=3, seed=seed)
        trainer.train()
        models.append(trainer.model)
    assert same_weights(models[0], models[1])
    assert not same_weights(models[0], models[2])


def test_a_run_resumed_from_its_checkpoint_ends_in_the_same_bits(few_cells, trainer_for, tmp_path):
    """Interrupted after epoch 2 of 5, written to disk, read back and finished: no bit differs from an unbroken run."""
    unbroken = trainer_for(few_cells, n_epochs=5)
    unbroken.train()

    def keep(trainer):
        if trainer.state.epochs_done == 2:
            write_checkpoint(tmp_path / "checkpoint.npz", trainer.snapshot())

    trainer_for(few_cells, n_epochs=5).train(Reports(on_checkpoint=keep))
    resumed = trainer_for(few_cells, n_epochs=5)
    resumed.restore(read_checkpoint(tmp_path / "checkpoint.npz", torch.device("cpu")))
    resumed.train()
    assert same_weights(resumed.model, unbroken.model)
    assert [point.step for point in resumed.state.history] == [point.step for point in unbroken.state.history]


@pytest.mark.parametrize("answer", ["stop", "pause", "cancel"])
def test_training_ends_when_it_is_told_to(few_cells, trainer_for, monkeypatch, answer):
    """At the next tick; stop closes the epoch with a validated point, pause and cancel drop what was begun."""
    monkeypatch.setattr("ldvae_core.training.loop.SECONDS_BETWEEN_TICKS", -1.0)
    trainer = trainer_for(few_cells, n_epochs=50)
    assert trainer.train(Reports(on_tick=lambda progress, model: answer)) == answer
    assert trainer.state.epochs_done == (1 if answer == "stop" else 0)
    assert len(trainer.state.history) == (1 if answer == "stop" else 0)


def test_ticks_come_though_epochs_are_short(few_cells, trainer_for, monkeypatch):
    """The time between ticks is counted over epochs, so that a run of short ones can be stopped too."""
    trainer, ticks = trainer_for(few_cells, n_epochs=12, patience=1.0), []
    step, now = trainer.engine.step, [trainer._ticked]

    def a_fifth_of_that_time(*args, **more):
        now[0] += SECONDS_BETWEEN_TICKS / 5
        return step(*args, **more)

    monkeypatch.setattr("ldvae_core.training.loop.time.monotonic", lambda: now[0])
    monkeypatch.setattr(trainer.engine, "step", a_fifth_of_that_time)
    trainer.train(Reports(lambda progress, model: ticks.append(progress.step) or "go"))
    assert trainer.steps_per_epoch < 5  # no tick would come if every epoch counted anew
    assert len(ticks) >= 12 * trainer.steps_per_epoch // 6


def test_a_loss_that_is_not_a_number_is_rolled_back_then_explained(few_cells, trainer_for, monkeypatch):
    """One bad step halves the rate and costs one epoch; four in a row end the run in words."""
    trainer = trainer_for(few_cells, n_epochs=3)
    good, calls = trainer.engine.step, iter(range(10_000))

    def poisoned(cells, kl_weight, rate, **more):
        return good(cells, kl_weight, rate if next(calls) else float("nan"), **more)  # ruins every weight, once

    monkeypatch.setattr(trainer.engine, "step", poisoned)
    trainer.train()
    assert (trainer.state.rollbacks, trainer.state.rate_factor, trainer.state.epochs_done) == (1, 0.5, 3)
    always = trainer_for(few_cells, n_epochs=3)
    monkeypatch.setattr(always.engine, "step", lambda cells, kl_weight, rate, dropout: np.full(2, np.nan))
    with pytest.raises(LdvaeError, match="Training broke down four times"):
        always.train()


def test_training_stops_when_nothing_improves(few_cells, trainer_for):
    """Patience is counted in epochs after the best one, and the best weights are kept."""
    trainer = trainer_for(few_cells, n_epochs=400, patience=0.02, learning_rate=0.05)
    trainer.train()
    assert trainer.state.epochs_done < 400
    assert trainer.state.best_elbo == max(
        point.validation_elbo for point in trainer.state.history if point.kl_weight == 1
    )


def test_the_curves_are_complete_and_in_nats_per_cell(few_cells, trainer_for):
    """One point an epoch; ELBO = -(error + KL) at weight 1, whatever the weight in training."""
    trainer = trainer_for(few_cells, n_epochs=4)
    trainer.train()
    assert [point.epoch for point in trainer.state.history] == [1, 2, 3, 4]
    for point in trainer.state.history:
        assert point.train_elbo == pytest.approx(-(point.train_reconstruction_error + point.train_kl))
        assert point.validation_elbo == pytest.approx(-(point.validation_reconstruction_error + point.validation_kl))


def test_long_epochs_report_in_between(planted, trainer_for, monkeypatch):
    """So that the curves of millions of cells move; only the end of an epoch is validated."""
    monkeypatch.setattr("ldvae_core.training.loop.LONG_EPOCH", 10)
    trainer = trainer_for(planted, n_epochs=1, minibatch_size=32)
    trainer.train()
    assert len(trainer.state.history) == 10
    assert trainer.state.history[0].epoch == pytest.approx(0.1)
    assert [np.isnan(point.validation_elbo) for point in trainer.state.history] == [True] * 9 + [False]


def test_the_fast_path_trains_to_the_same_model(few_cells, trainer_for):
    """Fast and plain path from the same seed stay together in what they predict of unseen cells."""
    errors = []
    for fast in (True, False):
        trainer = trainer_for(few_cells, n_epochs=20, fast=fast)
        trainer.train()
        z = represent(trainer.model, trainer.source).mean
        test = np.flatnonzero(split_of(trainer) == TEST)
        errors.append(reconstruction_errors(trainer.model, trainer.source, test, z).mean())
    assert errors[0] == pytest.approx(errors[1], rel=2e-3)


def split_of(trainer) -> np.ndarray:
    split = np.full(trainer.source.n_cells, TEST)
    split[trainer.train_cells], split[trainer.validation_cells] = 0, 1
    return split


def test_a_split_without_cells_is_refused(few_cells, trainer_for, monkeypatch):
    """Training needs two cells, validation one."""
    monkeypatch.setattr("tests.training.conftest.split_cells", lambda n, seed: np.full(n, 2, np.int8))
    with pytest.raises(SettingsError, match="The split leaves fewer than 2 cells to train on or none to validate with"):
        trainer_for(few_cells)


def test_the_kl_weight_rises_by_steps_and_reaches_one():
    """Linearly over the first third of the run; at once without warm-up."""
    assert [kl_weight(step, 30, 1 / 3) for step in (0, 4, 9, 29)] == pytest.approx([0.1, 0.5, 1.0, 1.0])
    assert kl_weight(0, 30, 0.0) == 1.0


def test_the_learning_rate_rises_briefly_and_falls_to_a_fiftieth():
    """One cycle whose top is the rate that was asked for."""
    rates = [learning_rate(step, 100, 0.01) for step in range(100)]
    assert max(rates) == rates[5] == pytest.approx(0.01)
    assert rates[-1] == pytest.approx(0.0002, rel=0.1)
    assert rates[0] < rates[4]


def test_dropout_ends_before_the_run_does(few_cells, trainer_for, monkeypatch):
    """The last tenth of the steps has none: the loadings settle on the positions that are shown."""
    assert [step for step in range(30) if not has_dropout(step, 30)] == [27, 28, 29]
    trainer, told = trainer_for(few_cells, n_epochs=10, patience=1.0), []
    step = trainer.engine.step
    monkeypatch.setattr(trainer.engine, "step", lambda *given, dropout: told.append(dropout) or step(*given))
    trainer.train()
    assert told == [True] * round(0.9 * len(told)) + [False] * round(0.1 * len(told))
