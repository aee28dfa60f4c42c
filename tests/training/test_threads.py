"""The number of threads is found by a probe, remembered, and never changes a run."""

import numpy as np
import pytest
import torch

from ldvae_core.model.ldvae import whole
from ldvae_core.training import threads
from ldvae_core.training.fused import RisingFactorials, fused_elbo
from ldvae_core.training.pieces import Pieces
from ldvae_core.training.score import likelihood_bounds, reconstruction_errors, represent
from ldvae_core.training.threads import choose_threads, remembered


def test_what_was_asked_for_is_taken(few_cells, trainer_for):
    """No probe: the number is taken as given, for pieces of minibatches; torch itself keeps to one thread."""
    assert choose_threads(trainer_for(few_cells, fast=False, n_epochs=1, threads=2), 2) == 2
    assert torch.get_num_threads() == 1


def test_the_compiled_engine_works_on_one_thread(few_cells, trainer_for, monkeypatch):
    """Its loops do not share out; nothing is probed."""
    monkeypatch.setattr(threads, "_probe", lambda trainer, engine, cores: 1 / 0)
    assert choose_threads(trainer_for(few_cells, n_epochs=1), None) == 1
    assert choose_threads(trainer_for(few_cells, n_epochs=1), 2) == 1


def test_the_probe_takes_the_fastest_and_is_asked_once(few_cells, trainer_for, monkeypatch):
    """Two threads are taken when a step with them takes half the time; the next run of the kind only looks it up."""
    monkeypatch.setattr(threads, "usable_cores", lambda: 4)
    clock = iter([0.0, 9.0, 10.0, 11.0, 0.0, 9.0, 10.0, 10.5, 0.0, 9.0, 10.0, 10.45])  # two steps with 1, 2, 4
    monkeypatch.setattr(threads.time, "perf_counter", lambda: next(clock))
    trainer = trainer_for(few_cells, fast=False, n_epochs=1, model={"n_hidden": 17})
    assert choose_threads(trainer, None) == 2
    assert remembered().exists()
    assert choose_threads(trainer, None) == 2  # the clock has run out: a second probe would fail
    torch.set_num_threads(1)


def test_the_probe_leaves_no_trace_in_a_run(few_cells, trainer_for, monkeypatch):
    """Weights, draws and order of cells after it are those of a run without it."""
    monkeypatch.setattr(threads, "usable_cores", lambda: 2)
    probed, plain = (trainer_for(few_cells, fast=False, n_epochs=2) for _ in range(2))
    threads._probe(probed, probed.engine, 2)
    torch.set_num_threads(1)
    for trainer in (probed, plain):
        trainer.train()
    assert probed.state.history[-1].train_elbo == plain.state.history[-1].train_elbo
    assert torch.equal(probed.model.decoder.loadings, plain.model.decoder.loadings)


def test_a_home_that_cannot_be_written_to_does_not_matter(few_cells, trainer_for, monkeypatch, tmp_path):
    """The probe is simply made again next time."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(threads, "usable_cores", lambda: 2)
    monkeypatch.setattr(threads, "_probe", lambda trainer, engine, cores: 2)
    assert choose_threads(trainer_for(few_cells, fast=False, n_epochs=1), None) == 2
    torch.set_num_threads(1)


KINDS = {
    "compiled": {},
    "batch norm": {"batch_norm": True},
    "poisson": {"likelihood": "poisson"},
    "zero-inflated": {"likelihood": "zinb"},
    "neural": {"decoder": "neural"},
    "latent library": {"library": "latent"},
    "logistic-normal": {"prior": "logistic_normal"},
}


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_the_number_of_threads_does_not_change_a_bit(few_cells, trainer_for, kind, fast):
    """Weights, history and what the model says of all cells afterwards."""
    found = []
    for asked in (1, 2, 3):
        trainer = trainer_for(few_cells, model=KINDS[kind], fast=fast, n_epochs=3)
        choose_threads(trainer, asked)
        trainer.train()
        after = represent(trainer.model, trainer.source)
        errors = reconstruction_errors(trainer.model, trainer.source, trainer.validation_cells, after.mean)
        bounds = likelihood_bounds(trainer.model, trainer.source, trainer.validation_cells, draws=3)
        found.append([*(value.numpy() for value in trainer.model.state_dict().values()), *after, errors, *bounds])
        found[-1].append(np.array([point.validation_elbo for point in trainer.state.history]))
    for other in found[1:]:
        assert all(np.array_equal(*pair) for pair in zip(found[0], other, strict=True))


def test_the_fused_path_in_pieces_has_the_gradients_of_the_whole(few_cells, trainer_for):
    """By autograd with tables, as where numba is missing: values and gradients of all cells at once."""
    trainer = trainer_for(few_cells, n_epochs=1, model={"batch_norm": True, "dropout": 0.0})
    rising = RisingFactorials(few_cells.counts.counts, trainer.train_cells)
    batch, pieces, found = trainer.source.minibatch(trainer.train_cells), Pieces(), []
    pieces.share_out(2)
    for in_pieces in (whole, pieces):
        trainer.model.train().zero_grad()
        terms = fused_elbo(trainer.model, batch, rising, torch.Generator().manual_seed(1), in_pieces=in_pieces)
        terms.loss(1.0).backward()
        found.append([terms.reconstruction_error.detach(), *(value.grad for value in trainer.model.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
