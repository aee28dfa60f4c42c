"""The number of threads is found by a probe, remembered, and never changes a run."""

import torch

from ldvae_core.training import threads
from ldvae_core.training.threads import choose_threads, remembered


def test_what_was_asked_for_is_taken(few_cells, trainer_for):
    """No probe: the number is set as given."""
    assert choose_threads(trainer_for(few_cells, n_epochs=1, threads=2), 2) == torch.get_num_threads() == 2


def test_the_compiled_engine_works_on_one_thread(few_cells, trainer_for, monkeypatch):
    """Its loops do not share out; nothing is probed."""
    monkeypatch.setattr(threads, "_probe", lambda trainer, cores: 1 / 0)
    assert choose_threads(trainer_for(few_cells, n_epochs=1), None) == 1


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
    threads._probe(probed, 2)
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
    monkeypatch.setattr(threads, "_probe", lambda trainer, cores: 2)
    assert choose_threads(trainer_for(few_cells, fast=False, n_epochs=1), None) == 2
    torch.set_num_threads(1)
