"""The compiled engine takes the plain path's steps: the same values, gradients, running statistics and runs."""

import sys

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.special import gammaln, softmax
from scipy.stats import nbinom

from ldvae_core.data.split import split_cells
from ldvae_core.model.config import Covariate, ModelConfig, TrainingConfig
from ldvae_core.training import cpu_engine, kernels
from ldvae_core.training.cpu_engine import CpuEngine
from ldvae_core.training.engine import TorchEngine, weight_decays
from ldvae_core.training.loop import Trainer

# A logit is a sum of a few products in single precision: of size 8 or less, it is off by some 32 units of 2**-23 at
# most, and that is the relative error of an expected count, whichever order a processor adds in.
SINGLE = 32 * 2**-23
MODELS = {
    "normal": {},
    "batch norm": {"batch_norm": True},
    "logistic-normal": {"prior": "logistic_normal"},
    "logistic-normal, batch norm": {"prior": "logistic_normal", "batch_norm": True},
    "no intercept": {"intercept": False},
    "no dropout": {"dropout": 0.0},
    "covariates": {"covariates": (Covariate("donor", ("a", "b", "c")), Covariate("lane", ("1", "2")))},
    "a number": {"covariates": (Covariate("donor", ("a", "b", "c")), Covariate("age", kind="number"))},
    "covariates, batch norm": {"batch_norm": True, "covariates": (Covariate("donor", tuple("abcde")),)},
}
HALF = 0.5  # a KL weight that is neither 0 nor 1


@pytest.fixture(params=[1.0, 0.15], ids=["many counts", "few counts"])
def both_engines(few_cells, request):
    """both_engines(model settings) gives trainers of the same start: compiled, and plain autograd.

    On cells with counts in nearly all genes, and in few: the compiled step takes other ways through them.
    """
    torch.set_num_threads(1)
    dense, random = few_cells.counts.counts.toarray(), np.random.default_rng(5)
    dense[:, 3:] *= random.random((300, 57)) < request.param
    counts = sparse.csr_matrix(dense)

    def build(settings: dict, **training) -> tuple[Trainer, Trainer]:
        trainers = []
        config = ModelConfig(60, n_factors=3, **settings)
        drawn = np.random.default_rng(3)
        levels = [np.eye(len(item.levels))[drawn.integers(0, len(item.levels), 300)] if item.levels
                  else drawn.normal(size=(300, 1)) for item in config.covariates]  # fmt: skip
        covariates = np.concatenate(levels, axis=1) if levels else np.zeros((300, 0))
        for fast in (True, False):
            trainer = Trainer(
                counts,
                np.asarray(counts.sum(axis=1)).ravel(),
                split_cells(300, seed=0),
                covariates,
                model_config=config,
                training_config=TrainingConfig(**training),
                device=torch.device("cpu"),
                fast=fast,
            )
            trainers.append(trainer)
        _shake(*(trainer.model for trainer in trainers))
        return trainers[0], trainers[1]

    return build


def _shake(*models) -> None:
    """Move every parameter by the same random amounts, so that none stands at zero."""
    for model in models:
        drawn = torch.Generator().manual_seed(9)
        with torch.no_grad():
            for value in model.parameters():
                if value.requires_grad:
                    value.add_(0.1 * torch.randn(value.shape, generator=drawn))


@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_the_compiled_gradient_is_autograds(both_engines, settings):
    """One minibatch of all training cells: error, KL, every parameter's gradient, and the running statistics."""
    compiled, plain = both_engines(settings)
    assert isinstance(compiled.engine, CpuEngine)
    assert isinstance(plain.engine, TorchEngine)
    error, kl = compiled.engine.gradients(compiled.train_cells, HALF)
    terms = plain.engine.terms(plain.source.minibatch(plain.train_cells))
    terms.loss(HALF).backward()
    assert error == pytest.approx(terms.reconstruction_error.mean().item(), rel=SINGLE)
    assert kl == pytest.approx(terms.kl_factors.mean().item(), rel=1e-5)
    assert plain.model.encoder.hidden.bias.grad.abs().max() < 1e-4  # batch norm takes it off: autograd finds rounding
    assert (compiled.engine.gradient["encoder.hidden.bias"] == 0).all()
    for name, value in plain.engine.parameters.items():
        tolerance = 1e-4 if name == "encoder.hidden.bias" else 1e-4 * value.grad.abs().max().item() + 1e-6
        assert torch.allclose(compiled.engine.gradient[name], value.grad, rtol=1e-4, atol=tolerance), name
    for (name, ours), theirs in zip(compiled.model.named_buffers(), plain.model.buffers(), strict=True):
        assert torch.allclose(ours.double(), theirs.double(), rtol=1e-5, atol=1e-6), name


def test_dropout_can_be_switched_off_for_a_step(both_engines):
    """Without it both engines take the step of a model that has none, and with it another one again."""
    taken = {}
    for settings, dropout in (({}, True), ({}, False), ({"dropout": 0.0}, True)):
        for trainer in both_engines(settings, n_epochs=1):
            cells = next(iter(trainer.engine.slices(trainer.train_cells, 64)))
            trainer.engine.step(cells, 1.0, 1e-2, dropout=dropout)
            fast = isinstance(trainer.engine, CpuEngine)
            taken[fast, not settings, dropout] = trainer.model.encoder.hidden.weight.detach().clone()
    for fast in (True, False):
        assert torch.equal(taken[fast, True, False], taken[fast, False, True])
        assert not torch.equal(taken[fast, True, False], taken[fast, True, True])


@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_the_compiled_evaluation_is_the_plain_one(both_engines, settings):
    """Validation error and KL in evaluation mode, from the same draws."""
    compiled, plain = both_engines(settings)
    cells = compiled.validation_cells
    assert compiled.evaluate(cells) == pytest.approx(plain.evaluate(cells), rel=SINGLE)


@pytest.mark.parametrize("settings", [MODELS["normal"], MODELS["logistic-normal, batch norm"]], ids=["plain", "both"])
def test_a_compiled_run_follows_the_plain_run(both_engines, settings):
    """Five epochs of Adam from the same start end at the same validation error and the same loadings."""
    compiled, plain = both_engines(settings, n_epochs=5, minibatch_size=64, learning_rate=7e-3)
    for trainer in (compiled, plain):
        trainer.train()
    ours, theirs = (trainer.state.history[-1].validation_reconstruction_error for trainer in (compiled, plain))
    assert ours == pytest.approx(theirs, rel=2e-4)
    loadings = [trainer.model.decoder.loadings.detach() for trainer in (compiled, plain)]
    assert torch.allclose(*loadings, atol=0.02)


@pytest.mark.parametrize("turn", [1, -1], ids=["to compiled", "to autograd"])
def test_either_engine_goes_on_where_the_other_stood(both_engines, turn):
    """The saved state of Adam is one for both: steps after the change equal steps without it."""
    after, before = both_engines({"dropout": 0.0}, n_epochs=4, minibatch_size=64)[::turn]
    cells = after.train_cells  # all of them: then the plain lgamma terms are the tabulated ones
    for _ in range(3):
        before.engine.step(next(iter(before.engine.slices(cells, len(cells)))), 1.0, 1e-2)
    after.restore(before.snapshot())
    for trainer in (after, before) * 3:
        trainer.engine.step(next(iter(trainer.engine.slices(cells, len(cells)))), 1.0, 1e-2)
    for name, value in before.engine.parameters.items():
        assert torch.allclose(after.engine.parameters[name], value, atol=2e-4), name


def test_without_numba_training_takes_autograd(few_cells, trainer_for, monkeypatch, caplog):
    """A machine without the compiler trains all the same, and the log says why it is slower."""
    monkeypatch.setitem(sys.modules, "ldvae_core.training.cpu_engine", None)
    trainer = trainer_for(few_cells, n_epochs=2)
    assert isinstance(trainer.engine, TorchEngine)
    assert "compiled training step is not available" in caplog.text
    assert trainer.train() == "go"


def test_huge_and_tiny_values_stay_finite(both_engines):
    """Loadings that push fractions to 0 and 1, and inverse dispersions at both bounds, give finite figures."""
    compiled, plain = both_engines({})
    for trainer in (compiled, plain):
        with torch.no_grad():
            trainer.model.decoder.loadings.mul_(100.0)
            trainer.model.log_theta.copy_(torch.linspace(-9.0, 12.0, 60))
    error, _ = compiled.engine.gradients(compiled.train_cells, 1.0)
    terms = plain.engine.terms(plain.source.minibatch(plain.train_cells))
    terms.loss().backward()
    assert error == pytest.approx(terms.reconstruction_error.mean().item(), rel=1e-5)
    theirs = plain.model.log_theta.grad
    assert torch.allclose(compiled.engine.gradient["log_theta"], theirs, rtol=1e-3, atol=1e-3 * theirs.abs().max())


@pytest.mark.parametrize("theta", [1e-3, 1.0, 1e4], ids=["overdispersed", "moderate", "nearly Poisson"])
@pytest.mark.parametrize(("n", "share"), [(120, 1.0), (1000, 0.2)], ids=["many counts", "few counts"])
def test_the_error_of_the_loops_is_scipys(theta, n, share):
    """All but R, of chosen cells in any order: small counts and large ones, products too long for one number."""
    rng = np.random.default_rng(0)
    drawn, cells = rng.integers(0, 7, (250, n)) * (rng.random((250, n)) < share), rng.permutation(250)[:200]
    x = sparse.csr_matrix(drawn.astype(np.int16))
    size, logits = x.sum(axis=1).A1.astype(np.float32), rng.standard_normal((200, n)).astype(np.float32)
    chosen, mean = x[cells].toarray().astype(float), size[cells, None] * softmax(logits, axis=1)
    rising = gammaln(chosen + theta) - gammaln(theta) - gammaln(chosen + 1)
    expected = rising - nbinom.logpmf(chosen, theta, theta / (theta + mean))
    others = (logits, np.full(n, np.log(theta), np.float32), *np.zeros((2, n), np.float32))
    if share == 1.0:
        error = kernels.reconstruct_many(drawn, cells, cells, size, *others)
    else:
        counts = (x.indptr.astype(np.int64), x.indices.astype(np.int32), x.data)
        error = kernels.reconstruct(*counts, cells, size, float(size.max()), *others)
    assert error == pytest.approx(expected.sum(), rel=1e-4)


def test_counts_too_large_to_hold_dense_are_made_dense_a_minibatch_at_a_time(both_engines, monkeypatch):
    """The same figures and gradients, bit for bit, with and without a dense copy of all counts."""
    held, _ = both_engines({})
    monkeypatch.setattr(cpu_engine, "MOST_DENSE_BYTES", 0)
    gathered, _ = both_engines({})
    assert gathered.engine._dense is None
    cells = held.train_cells[5:90]
    assert (held.engine.gradients(cells, HALF) == gathered.engine.gradients(cells, HALF)).all()
    assert held.evaluate(held.validation_cells) == gathered.evaluate(held.validation_cells)
    for name, value in held.engine.gradient.items():
        assert torch.equal(value, gathered.engine.gradient[name]), name


def test_logarithms_and_exponentials_of_the_loops_are_numpys():
    """log(1 + x) from 1e-9 to 1e9, and exp(x) from -87 to 0, to 3e-7 of the value."""
    x = np.concatenate([[0.0], np.geomspace(1e-9, 1e9, 20_001)]).astype(np.float32)
    inputs = np.empty((1, len(x)), np.float32)
    kernels.fill_inputs(x[None], np.zeros(1, int), inputs)
    assert inputs[0] == pytest.approx(np.log1p(x.astype(float)), rel=3e-7)
    row = np.linspace(-87, 0, 20_001, dtype=np.float32)
    powers = row.copy()
    assert kernels._exponentiate(powers, np.float32(0)) == pytest.approx(np.exp(row.astype(float)).sum(), rel=1e-5)
    assert powers == pytest.approx(np.exp(row.astype(float)), rel=3e-7)


def test_log_variances_stay_within_their_limits(both_engines):
    """Beyond -15 and 15 the posterior changes no more, and has no gradient."""
    compiled, plain = both_engines({})
    for trainer in (compiled, plain):
        with torch.no_grad():
            trainer.model.encoder.outputs.bias[3:] = torch.tensor([25.0, -25.0, 0.0])
            trainer.model.decoder.loadings.mul_(1e-4)
    error, kl = compiled.engine.gradients(compiled.train_cells, 1e-6)
    terms = plain.engine.terms(plain.source.minibatch(plain.train_cells))
    terms.loss(1e-6).backward()
    assert (error, kl) == pytest.approx((terms.reconstruction_error.mean().item(), terms.kl_factors.mean().item()))
    theirs = plain.model.encoder.outputs.bias.grad
    assert theirs[3:5].tolist() == [0.0, 0.0]
    assert torch.allclose(compiled.engine.gradient["encoder.outputs.bias"], theirs, rtol=1e-4, atol=1e-6)


def test_the_compiled_engine_says_when_the_loss_is_no_number(both_engines):
    """A parameter that is not a number gives figures that are not, so that the loop can go back."""
    compiled, _ = both_engines({})
    with torch.no_grad():
        compiled.model.decoder.loadings[0, 0] = torch.nan
    assert not np.isfinite(compiled.engine.gradients(compiled.train_cells, 1.0)).all()


def test_the_prior_of_the_weights_is_a_decay_that_fades_with_cells(both_engines):
    """1 / (cells x sd^2) on loadings and encoder weights, nothing else; none on batch norm's loadings, none at sd 0."""
    compiled, _ = both_engines({})
    decays = weight_decays(compiled.model, TrainingConfig(weight_decay=1e-6, weight_prior_sd=0.5), 200)
    assert decays["decoder.loadings"] == decays["encoder.hidden.weight"] == pytest.approx(1e-6 + 1 / (200 * 0.25))
    assert decays["decoder.intercept"] == decays["log_theta"] == decays["encoder.norm.weight"] == 1e-6
    assert set(weight_decays(compiled.model, TrainingConfig(weight_prior_sd=0), 200).values()) == {1e-6}
    normed, _ = both_engines({"batch_norm": True})
    assert weight_decays(normed.model, TrainingConfig(), 200)["decoder.loadings"] == 1e-6


@pytest.mark.parametrize("kept", [0.02, 0.2, 0.6, 1.0])
def test_few_and_many_counts_take_equal_steps(few_cells, kept):
    """From 2% to all of the counts, above and below where the loops change: autograd's gradient, and its evaluation."""
    torch.set_num_threads(1)
    counts = few_cells.counts.counts.copy()
    counts.data[np.random.default_rng(0).random(counts.nnz) > kept] = 0
    counts[:, 0] = 1
    counts.eliminate_zeros()
    size = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    config, training = ModelConfig(60, n_factors=3), TrainingConfig(n_epochs=1)
    shared = {"model_config": config, "training_config": training, "device": torch.device("cpu")}
    compiled, plain = (
        Trainer(counts.tocsr(), size, split_cells(300, seed=0), np.zeros((300, 0)), **shared, fast=fast)
        for fast in (True, False)
    )
    figures = compiled.engine.gradients(compiled.train_cells, HALF)
    terms = plain.engine.terms(plain.source.minibatch(plain.train_cells))
    terms.loss(HALF).backward()
    assert figures[0] == pytest.approx(terms.reconstruction_error.mean().item(), rel=SINGLE)
    for name in ("encoder.hidden.weight", "decoder.loadings", "log_theta"):
        theirs = plain.model.get_parameter(name).grad
        tolerance = 1e-4 * theirs.abs().max().item()
        assert torch.allclose(compiled.engine.gradient[name], theirs, rtol=1e-4, atol=tolerance), name
    assert compiled.evaluate(compiled.validation_cells) == pytest.approx(
        plain.evaluate(plain.validation_cells), rel=SINGLE
    )


def test_a_narrow_prior_keeps_loadings_small(few_cells, trainer_for):
    """The same run with a prior of sd 0.02 ends with loadings a third as large, in either engine."""
    sizes = {}
    for sd in (0.0, 0.02):
        for fast in (True, False):
            trainer = trainer_for(few_cells, fast=fast, n_epochs=30, weight_prior_sd=sd)
            trainer.train()
            sizes[sd, fast] = trainer.model.decoder.loadings.detach().std().item()
    assert sizes[0.02, True] < sizes[0.0, True] / 3
    assert sizes[0.02, True] == pytest.approx(sizes[0.02, False], rel=0.1)
