"""Refined positions: the mathematics against autograd and scipy, and that no step ever makes a cell worse."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from ldvae_core.model.ldvae import LDVAE
from ldvae_core.model.packed import packed, unpacked
from ldvae_core.model.refinable import unrefinable
from ldvae_core.training import refine as refining
from ldvae_core.training.minibatches import MinibatchSource
from ldvae_core.training.refine import (
    Decoder,
    block_of,
    climb,
    gradient,
    laplace,
    log_library_of,
    means_at,
    objective,
    precision,
    refine,
    slopes,
)
from tests.model.conftest import build, cells, seeded  # noqa: F401  (fixtures)

MODELS = {
    "negative binomial": {},
    "Poisson": {"likelihood": "poisson"},
    "batch norm": {"batch_norm": True},
    "no intercept": {"intercept": False},
    "corrected": {"covariates": True, "dispersion": "gene_level"},
    "latent library": {"library": "latent"},
    "logistic-normal": {"prior": "logistic_normal"},
}


@pytest.fixture(params=MODELS)
def problem(request, build, cells):  # noqa: F811
    """A model in evaluation mode, its cells, and both as refine() sees them."""
    model = build(**MODELS[request.param]).eval().requires_grad_(False)
    batch = cells if model.config.covariates else cells._replace(covariates=cells.covariates[:, :0])
    decoder = Decoder.of(model)
    return model, batch, decoder, block_of(decoder, batch, log_library_of(model, batch).detach())


def heights(model: LDVAE, batch, v: torch.Tensor) -> torch.Tensor:
    """log p(x | v) + log p(v), by the model's own plain formulas."""
    log_library = log_library_of(model, batch).detach()
    return model.log_likelihood(model.factors_of(v), batch, log_library) - 0.5 * v.square().sum(dim=1)


def some_v(n_cells: int = 40, *, scale: float = 1.0, seed: int = 3) -> torch.Tensor:
    return scale * torch.randn(n_cells, 3, generator=seeded(seed), dtype=torch.float64)


def test_the_objective_is_the_models_own(problem):
    """Up to what depends on no position."""
    model, batch, decoder, block = problem
    places = [some_v(), some_v(seed=4)]
    ours = [objective(block, means_at(decoder, block, v), v) for v in places]
    plain = [heights(model, batch, v) for v in places]
    assert torch.allclose(ours[0] - ours[1], plain[0] - plain[1], atol=1e-9)


def test_gradient_and_hessian_are_autograds(problem):
    """The Hessian only where positions are z themselves: for a prior that transforms it is Gauss and Newton's."""
    model, batch, decoder, block = problem
    v = some_v().requires_grad_()
    (expected,) = torch.autograd.grad(heights(model, batch, v).sum(), v)
    found = slopes(block, means_at(decoder, block, v.detach()))
    assert torch.allclose(gradient(decoder, found, v.detach()), expected, atol=1e-9)
    if decoder.is_usage:
        return
    precisions = precision(decoder, found.fraction, found.curvature, v.detach())
    for cell in (0, 7):
        one = type(batch)(*(part[cell : cell + 1] for part in batch))

        def height(at, one=one):
            return heights(model, one, at[None])[0]

        hessian = torch.autograd.functional.hessian(height, v.detach()[cell])
        assert torch.allclose(precisions[cell], -hessian, atol=1e-8)


def test_information_is_the_mean_hessian_over_counts(build, cells):  # noqa: F811
    """Fisher's: the expectation of -Hessian where the counts follow the model with R of mean 0."""
    model = build(likelihood="poisson").eval()
    batch = cells._replace(covariates=cells.covariates[:, :0])
    decoder = Decoder.of(model)
    block = block_of(decoder, batch, log_library_of(model, batch))
    means = means_at(decoder, block, some_v())
    found, at_the_mean = slopes(block, means), slopes(block._replace(counts=means.plain), means)
    assert torch.allclose(found.information, at_the_mean.curvature)


@pytest.mark.parametrize("seed", range(12))
def test_the_objective_never_falls(seed):
    """Random problems, half of them far from the data and not concave there, whatever the number of steps."""
    random = np.random.default_rng(seed)
    n_genes, n_factors = int(random.integers(3, 30)), int(random.integers(1, 6))
    normal = lambda *shape: torch.from_numpy(random.standard_normal(shape))  # noqa: E731
    loadings, log_theta = (1 if seed % 2 else 3) * normal(n_genes, n_factors), 3 * normal(n_genes)
    decoder = Decoder(loadings - loadings.mean(0), normal(n_genes), normal(n_genes, 0), log_theta, None, seed % 4 == 3)
    counts = torch.from_numpy(random.negative_binomial(0.2, 0.02, (50, n_genes))).double()
    size = (20 if seed % 2 else 1) * counts.sum(1).clamp(min=1)  # a latent library may be wrong by as much
    batch = refining.Minibatch(counts, size, counts.new_zeros(50, 0))
    block = block_of(decoder, batch, batch.library_size.log())
    start = (2 if seed % 2 else 1) * normal(50, n_factors)
    before = objective(block, means_at(decoder, block, start), start)
    hessian = precision(decoder, *slopes(block, means_at(decoder, block, start))[0::2], start)
    if seed % 2 and not decoder.is_usage:
        assert (torch.linalg.eigvalsh(hessian)[:, 0] < 0).any()  # the case at hand
    for steps in (1, 2, 5, 30):
        climbed = climb(decoder, block, start, most_steps=steps)
        after = objective(block, means_at(decoder, block, climbed.v), climbed.v)
        assert (after >= before - 1e-9).all()
        assert torch.allclose(after - before, climbed.rise, atol=1e-8)
        assert torch.allclose(climbed.means.plain, means_at(decoder, block, climbed.v).plain)
        before, start_rise = before, climbed.rise
    assert (start_rise >= 0).all()


def test_the_top_is_scipys(problem):
    """No start of scipy's finds a higher place near by, nor does it lie elsewhere."""
    model, batch, decoder, block = problem
    climbed = climb(decoder, block, torch.zeros(40, 3, dtype=torch.float64), most_steps=100)
    for cell in range(0, 40, 8):
        one = type(batch)(*(part[cell : cell + 1] for part in batch))

        def depth(v, one=one):
            at = torch.tensor(v, requires_grad=True)
            value = -heights(model, one, at[None])[0]
            return value.item(), torch.autograd.grad(value, at)[0].numpy()

        best = minimize(depth, climbed.v[cell].numpy(), jac=True, method="BFGS", options={"gtol": 1e-8})
        assert depth(climbed.v[cell].numpy())[0] - best.fun < 2e-3
        assert np.abs(best.x - climbed.v[cell].numpy()).max() < 0.07


def test_covariances_are_inverse_hessians_and_survive_packing(problem):
    """Of the information at the top; symmetric, positive definite, below the prior's where z is not transformed."""
    _, _, decoder, block = problem
    climbed = climb(decoder, block, torch.zeros(40, 3, dtype=torch.float64))
    found = slopes(block, climbed.means)
    covariance = laplace(decoder, found, climbed.v)
    inverse = torch.linalg.inv(precision(decoder, found.fraction, found.information, climbed.v))
    assert torch.allclose(covariance, inverse)
    values = torch.linalg.eigvalsh(covariance)
    assert (values > 0).all()
    assert (values <= 1 + 1e-9).all()
    assert np.allclose(unpacked(packed(covariance.numpy()), 3), covariance.numpy())


@pytest.fixture
def trained(few_cells, trainer_for):
    """A trainer after five epochs."""
    trainer = trainer_for(few_cells, n_epochs=5)
    trainer.train()
    return trainer


def test_threads_and_block_sizes_change_nothing_that_matters(trained, monkeypatch):
    """Bit for bit over the number of threads; to rounding over how many cells are dense at a time."""
    everyone = np.arange(trained.source.n_cells)
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(refine(trained.model, trained.source, everyone))
    torch.set_num_threads(1)
    assert np.array_equal(found[0].values, found[1].values)
    assert np.array_equal(found[0].covariance, found[1].covariance)
    monkeypatch.setattr(refining, "BLOCK_ENTRIES", 700)
    assert np.allclose(refine(trained.model, trained.source, everyone).values, found[0].values, atol=1e-4)


def test_refining_lowers_the_error_and_can_be_stopped(trained):
    """It leaves the model as it was."""
    everyone = np.arange(trained.source.n_cells)
    before = {name: value.clone() for name, value in trained.model.state_dict().items()}
    refined = refine(trained.model, trained.source, everyone)
    assert refined.gained > 0
    assert 1 <= refined.steps < 8
    assert all(torch.equal(before[name], value) for name, value in trained.model.state_dict().items())
    assert refine(trained.model, trained.source, everyone, go_on=lambda done: False) is None


def test_what_cannot_be_refined_says_so(build):  # noqa: F811
    """In words for people; the others are refined."""
    assert "neural" in unrefinable(build(decoder="neural").config)
    assert "zero inflation" in unrefinable(build(likelihood="zinb").config)
    assert unrefinable(build(prior="logistic_normal", likelihood="poisson", library="latent").config) == ""


def test_a_cell_without_counts_of_its_program_stays_at_the_prior():
    """One cell with a single molecule: its position is within the prior."""
    counts = csr_matrix(np.array([[1, 0, 0]]))
    source = MinibatchSource(counts, np.ones(1), np.zeros((1, 0)), torch.device("cpu"))
    batch = source.minibatch(np.arange(1))
    zeros = torch.zeros(3, dtype=torch.float64)
    loadings = torch.tensor([[1.0], [0.0], [-1.0]], dtype=torch.float64)
    decoder = Decoder(loadings, zeros, torch.zeros(3, 0, dtype=torch.float64), zeros, None, is_usage=False)
    climbed = climb(decoder, block_of(decoder, batch, zeros[:1]), zeros[:1, None])
    assert 0 < climbed.v.item() < 1
