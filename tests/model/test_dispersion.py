"""Inverse dispersions: maximum likelihood, and one per level of a covariate."""

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.stats import nbinom

from ldvae_core.model import dispersion
from ldvae_core.model.config import Covariate, ModelConfig
from ldvae_core.model.dispersion import fit_inverse_dispersion
from ldvae_core.model.ldvae import LDVAE, StartValues
from ldvae_core.model.likelihood import log_negative_binomial
from tests.model.conftest import N_GENES, seeded

THETA = np.array([0.05, 0.4, 2.0, 30.0, 1e9])


def drawn(n_cells: int = 800) -> tuple[np.ndarray, np.ndarray]:
    """Counts and the means that they were drawn from."""
    random = np.random.default_rng(1)
    mean = random.uniform(0.5, 20, (n_cells, len(THETA)))
    return random.poisson(mean * random.gamma(THETA, 1 / THETA, mean.shape)), mean


def test_inverse_dispersions_are_those_of_the_highest_likelihood():
    """As scipy's own search over scipy's own likelihood finds them, gene by gene; Poisson counts reach the bound."""
    counts, mean = drawn()
    found = fit_inverse_dispersion(sparse.csr_matrix(counts), lambda cells: mean[cells])
    for gene in range(4):

        def cost(log_theta: float, gene: int = gene) -> float:
            theta = np.exp(log_theta)
            return -nbinom.logpmf(counts[:, gene], theta, theta / (theta + mean[:, gene])).sum()

        best = minimize_scalar(cost, bounds=(-6.9, 9.2), method="bounded", options={"xatol": 1e-9})
        assert found[gene] == pytest.approx(np.exp(best.x), rel=1e-4)
    assert found[4] > 200


def test_inverse_dispersions_stay_in_bounds_for_counts_that_have_none():
    """A gene without counts, one with a single big one, one that never varies: all finite, all within [1e-3, 1e4]."""
    counts = np.zeros((50, 3))
    counts[0, 1], counts[:, 2] = 1000, 5
    mean = np.tile([0.01, 20.0, 5.0], (50, 1))
    found = fit_inverse_dispersion(sparse.csr_matrix(counts), lambda cells: mean[cells])
    assert found.min() >= 1e-3 * (1 - 1e-12)
    assert found[2] == found.max() == pytest.approx(1e4)


def test_slope_and_curvature_are_those_of_scipys_likelihood():
    """In log theta, by differences, at values of theta that are not the best."""
    counts, mean = drawn(200)
    x, cells, log_theta, step = sparse.csr_matrix(counts), np.arange(200), np.log([0.2, 0.1, 5.0, 5.0, 50.0]), 1e-3
    expected = lambda chosen: mean[chosen]  # noqa: E731
    ours = dispersion._derivatives(np.exp(log_theta), x, cells, expected, dispersion._histogram(x))
    thetas = [np.exp(log_theta + by) for by in (-step, 0.0, step)]
    low, at, high = (nbinom.logpmf(counts, theta, theta / (theta + mean)).sum(axis=0) for theta in thetas)
    np.testing.assert_allclose(ours[0], (high - low) / (2 * step), rtol=1e-4)
    np.testing.assert_allclose(ours[1], (high - 2 * at + low) / step**2, rtol=1e-3)


def test_newtons_steps_are_few(monkeypatch):
    """Each is a pass over all cells: the curvature is right, and no bisection has to stand in for it."""
    counts, mean = drawn()
    passes, derivatives = [], dispersion._derivatives
    monkeypatch.setattr(dispersion, "_derivatives", lambda *given: passes.append(1) or derivatives(*given))
    fit_inverse_dispersion(sparse.csr_matrix(counts[:, :4]), lambda cells: mean[cells, :4])
    assert len(passes) <= 6


def test_pieces_of_cells_give_the_same_inverse_dispersions(monkeypatch):
    """How many cells are dense at a time changes nothing."""
    counts, mean = drawn(100)
    whole = fit_inverse_dispersion(sparse.csr_matrix(counts), lambda cells: mean[cells])
    monkeypatch.setattr("ldvae_core.model.dispersion.ENTRIES", 35)
    parts = fit_inverse_dispersion(sparse.csr_matrix(counts), lambda cells: mean[cells])
    np.testing.assert_allclose(parts, whole, rtol=1e-8)


@pytest.fixture
def levelled() -> LDVAE:
    """A model with an inverse dispersion per gene and donor."""
    config = ModelConfig(N_GENES, n_factors=3, covariates=(Covariate("donor", ("a", "b")),), dispersion="gene_level")
    model = LDVAE(config, StartValues(torch.zeros(N_GENES), torch.ones(N_GENES), (3.0, 0.1)), seeded()).double()
    with torch.no_grad():
        model.dispersion_levels.copy_(torch.randn(N_GENES, 2, generator=seeded(2)))
        model.decoder.covariate_loadings.copy_(torch.randn(N_GENES, 2, generator=seeded(3)))
    return model.eval()


def test_each_level_has_its_own_inverse_dispersion(levelled, cells):
    """A cell's likelihood is that of its donor's theta: the gene's, plus an effect centred over donors."""
    z = torch.zeros(40, 3).double()
    effect = levelled.dispersion_levels - levelled.dispersion_levels.mean(dim=1, keepdim=True)
    log_theta = (levelled.log_theta[:, None] + effect).T[cells.covariates.argmax(dim=1)]  # (cells, genes)
    log_mean = levelled.decoder(z, cells.covariates).log_softmax(dim=1) + cells.library_size.log()[:, None]
    expected = log_negative_binomial(cells.counts, log_mean, log_theta).sum(dim=1)
    assert torch.allclose(levelled.log_likelihood(z, cells, cells.library_size.log()), expected)
    assert torch.allclose(levelled.bounded_log_theta(), levelled.log_theta)


def test_the_gradient_reaches_every_level(levelled, cells):
    """And sums to zero over the levels of a covariate, because the effects are centred."""
    levelled.elbo(cells, seeded()).loss().backward()
    gradient = levelled.dispersion_levels.grad
    assert gradient.abs().min() > 0
    assert gradient.sum(dim=1).abs().max() < 1e-10
