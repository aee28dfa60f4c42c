"""A GPU is taken only where it works, and what fails on it is said in words."""

import types

import numpy as np
import pytest
import torch

from ldvae_core.errors import DeviceLostError, LdvaeError, RunError, SettingsError
from ldvae_core.training.checkpoint import read_checkpoint, write_checkpoint
from ldvae_core.training.devices import choose_device, device_faults_in_words, found_devices
from ldvae_core.training.reports import Reports

CPU = torch.device("cpu")


@pytest.fixture
def apple(monkeypatch):
    """A machine with an Apple GPU."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def old_card(monkeypatch):
    """An NVIDIA GPU that PyTorch sees and has no code for."""
    words = "CUDA error: no kernel image is available for execution on the device\nCUDA kernel errors might be"

    def refuse(*given, **named):
        raise RuntimeError(words)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla K80")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: types.SimpleNamespace(total_memory=2**33))
    monkeypatch.setattr(torch, "Generator", refuse)


@pytest.fixture
def two_epochs(few_cells, trainer_for, tmp_path):
    """The path of a checkpoint after two epochs of four."""

    def keep(trainer):
        if trainer.state.epochs_done == 2:
            write_checkpoint(tmp_path / "checkpoint.npz", trainer.snapshot())

    trainer_for(few_cells, n_epochs=4).train(Reports(on_checkpoint=keep))
    return tmp_path / "checkpoint.npz"


def test_an_apple_gpu_is_neither_offered_nor_taken(apple):
    """Double precision and random bits of full range fail there: auto means the processor, and the reason is said."""
    found = found_devices()
    assert [device["name"] for device in found["devices"]] == ["cpu"]
    assert found["best"] == "cpu"
    assert "lack double precision" in found["reason"]
    assert choose_device("auto") == CPU
    with pytest.raises(SettingsError, match="Training does not run on Apple GPUs: they lack double precision"):
        choose_device("mps")


def test_a_gpu_is_tried_before_it_is_chosen(old_card):
    """A card older than this build of PyTorch supports is there by name only: auto takes the processor and says why."""
    found = found_devices()
    assert found["best"] == "cpu"
    assert [device["name"] for device in found["devices"]] == ["cpu"]
    assert (
        "cannot compute on it (CUDA error: no kernel image is available for execution on the device)."
        in (found["reason"])
    )
    with pytest.raises(SettingsError, match="There is a GPU, but PyTorch cannot compute on it"):
        choose_device("cuda")


@pytest.mark.parametrize("says", ["its device", "nothing"])
def test_a_checkpoint_of_another_kind_of_device_is_taken_up(few_cells, trainer_for, two_epochs, says):
    """Its generator's state has another size: the draws begin anew, the same ones every time, and it is said."""
    weights = []
    for _ in range(2):
        snapshot = read_checkpoint(two_epochs, CPU)
        snapshot["noise"] = torch.zeros(16, dtype=torch.uint8)  # as CUDA's
        snapshot["device"] = "cuda"
        if says == "nothing":
            del snapshot["device"]
        trainer = trainer_for(few_cells, n_epochs=4)
        trainer.restore(snapshot)
        trainer.train()
        assert trainer.state.epochs_done == 4
        (notice,) = trainer.state.notices
        assert notice.startswith("Training went on after epoch 2 on another kind of device (cpu)")
        weights.append(trainer.model.decoder.loadings.detach().clone())
    assert torch.equal(*weights)


def test_a_checkpoint_made_before_devices_were_kept_goes_on_as_if_unbroken(few_cells, trainer_for, two_epochs):
    """Without the device, halvings and notices that older versions did not write, no bit differs."""
    unbroken = trainer_for(few_cells, n_epochs=4)
    unbroken.train()
    snapshot = read_checkpoint(two_epochs, CPU)
    del snapshot["device"], snapshot["state"]["halvings"], snapshot["state"]["notices"]
    resumed = trainer_for(few_cells, n_epochs=4)
    resumed.restore(snapshot)
    resumed.train()
    assert torch.equal(resumed.model.decoder.loadings, unbroken.model.decoder.loadings)
    assert resumed.state.notices == []


def test_a_truncated_checkpoint_is_refused_in_words(two_epochs):
    """A disk that ran full leaves half a file."""
    two_epochs.write_bytes(two_epochs.read_bytes()[:-3000])
    with pytest.raises(RunError, match=r"The checkpoint checkpoint\.npz cannot be read"):
        read_checkpoint(two_epochs, CPU)


def with_room_for(trainer, cells: int):
    """The trainer on a device whose memory is full with more cells in a minibatch."""
    step = trainer.engine.step

    def limited(chosen, *given, **named):
        if len(getattr(chosen, "indices", chosen)) > cells:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return step(chosen, *given, **named)

    trainer.engine.step = limited
    return trainer


def test_a_full_gpu_makes_minibatches_smaller(few_cells, trainer_for):
    """The epoch is done again with half as many cells, and the run is that of the size it ended with."""
    trainer, small = trainer_for(few_cells, n_epochs=3), trainer_for(few_cells, n_epochs=3, minibatch_size=32)
    with_room_for(trainer, 40).train()
    small.train()
    assert (trainer.minibatch_size, trainer.state.epochs_done) == (32, 3)
    assert trainer.state.notices[-1] == (
        "The memory of the GPU was too small for minibatches of 64 cells: training went on with 32."
    )
    curves = [[point.train_elbo for point in each.state.history] for each in (trainer, small)]
    assert curves[0] == curves[1]


def test_a_gpu_too_small_for_three_halvings_is_refused_in_words(few_cells, trainer_for):
    """With the processor as the way out."""
    trainer = with_room_for(trainer_for(few_cells, n_epochs=3), 10)
    with pytest.raises(LdvaeError, match=r"even with minibatches of 16 cells\. Choose the processor"):
        trainer.train()


def test_a_smaller_minibatch_survives_a_loss_that_is_not_a_number(few_cells, trainer_for):
    """Both go back to the start of the epoch; neither undoes the other."""
    trainer = with_room_for(trainer_for(few_cells, n_epochs=2), 70)
    step, calls = trainer.engine.step, iter(range(100))
    trainer.engine.step = lambda *given, **named: step(*given, **named) * (np.nan if next(calls) == 2 else 1.0)
    trainer.train()
    assert (trainer.state.halvings, trainer.state.rollbacks, trainer.state.epochs_done) == (1, 1, 2)


@pytest.mark.parametrize(("fault", "kind", "words"), [
    (torch.OutOfMemoryError("CUDA out of memory."), LdvaeError, "The memory of the GPU is too small for this run"),
    (torch.AcceleratorError("unspecified launch failure"), DeviceLostError, r"\(unspecified launch failure\)\. Resume"),
    (RuntimeError("CUDA error: device-side assert triggered\nCompile with"), DeviceLostError, "assert triggered"),
    (RuntimeError("shapes do not fit"), RuntimeError, "^shapes do not fit$"),
], ids=["memory", "accelerator", "in words", "a mistake of ours"])  # fmt: skip
def test_faults_of_a_gpu_are_told_from_mistakes(fault, kind, words):
    """What people can act on is said; a program's own fault stays loud."""
    with pytest.raises(kind, match=words), device_faults_in_words():
        raise fault
