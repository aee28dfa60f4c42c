"""How far a run is, over all its stages: one bar, one time left."""

import math

import pytest

from ldvae_core.jobs.progress import Progress
from ldvae_core.model.budget import AfterTraining, seconds_after_training
from ldvae_core.model.config import ModelConfig
from ldvae_core.runs import under_way
from ldvae_core.runs.cards import read_training_progress
from ldvae_core.runs.under_way import Speed, UnderWay


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when the test says so."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(under_way.time, "monotonic", lambda: Clock.now)
    return Clock


@pytest.fixture
def run(tmp_path, clock):
    """A run that has trained for 10 of 20 seconds; 6 seconds of refining and 4 of analysing will follow."""
    running = UnderWay(tmp_path / "progress.json")
    clock.now += 10
    running.training(Progress("training", 500, 1000, 10.0, 10.0, {"epoch": 5, "n_epochs": 10}), AfterTraining(6, 4))
    return running


def test_time_left_is_that_of_all_stages(run, tmp_path):
    """Half the training leaves 10 s of it, and 10 s of what follows: a third is done."""
    told = read_training_progress(tmp_path)
    assert (told.seconds_left, told.epoch) == (20.0, 5)
    assert told.share == pytest.approx(1 / 3)


def test_the_bar_never_goes_back(run, clock, tmp_path):
    """Also where a stage turns out to take longer."""
    clock.now += 10
    run.begin("refining")
    shares = [read_training_progress(tmp_path).share]
    for done in (0.2, 0.5, 0.9):
        clock.now += 5
        run.reached("refining", done)
        shares.append(read_training_progress(tmp_path).share)
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(20 / 30)


def test_a_slow_stage_slows_down_what_is_expected_of_the_rest(run, clock, tmp_path):
    """Half of the refining in twice its time: the other half, and the analysing, take twice as long as well."""
    clock.now += 10
    run.begin("refining")
    clock.now += 6
    run.reached("refining", 0.5)
    assert read_training_progress(tmp_path).seconds_left == pytest.approx(6 + 8, abs=1)


def test_the_first_steps_of_a_process_are_no_measure():
    """They are compiled: 8 seconds for one step say nothing of the other 999."""
    speed = Speed()
    assert math.isnan(speed.of(1, 8.0))
    assert speed.of(101, 9.0) == 100.0


def test_an_unknown_speed_leaves_bar_and_time_unknown(tmp_path, clock):
    """The page then says what it expects by earlier runs."""
    running = UnderWay(tmp_path / "progress.json")
    clock.now += 8
    nan = math.nan
    running.training(Progress("training", 1, 1000, 8.0, nan, {"epoch": 1, "n_epochs": 10}), AfterTraining(nan, nan))
    told = read_training_progress(tmp_path)
    assert (told.share, told.epoch) == (0.0, 1)
    assert math.isnan(told.seconds_left)


def test_what_follows_a_training_is_counted_in_its_own_speed():
    """Twice as fast a machine refines in half the time; a neural decoder is not refined at all."""
    size = {"n_cells": 10_000, "n_train": 8_000, "n_genes": 1_000, "cells_trained": 800_000}
    slow, fast = (seconds_after_training(ModelConfig(), **size, cells_per_second=speed) for speed in (5e4, 1e5))
    assert slow.refining == pytest.approx(2 * fast.refining)
    assert seconds_after_training(ModelConfig(decoder="neural"), **size, cells_per_second=1e5).refining == 0
    assert fast.analysing > 0
    assert math.isfinite(sum(slow))
