"""Baselines learn from training cells only, and predict fractions."""

import numpy as np
import pytest
from scipy import sparse

from ldvae_core.analysis.matching import match_factors
from ldvae_core.data.synthetic import plant_programs
from ldvae_core.errors import SettingsError
from ldvae_core.model.baselines import fit_baseline
from ldvae_core.model.mean_fraction import mean_fraction


@pytest.fixture(scope="module")
def counts() -> sparse.csr_matrix:
    """Three hundred cells of 50 genes with 3 programs."""
    return plant_programs(n_cells=300, n_genes=50, n_factors=3, seed=3).counts.counts


METHODS = ["pca", "nmf", "gene_mean"]


@pytest.mark.parametrize("method", METHODS)
def test_fractions_of_cells_are_positive_and_sum_to_one(counts, method):
    """Whatever the method makes of a cell, its genes share its molecules."""
    fitted = fit_baseline(method, counts[:200], n_factors=3)
    fraction = fitted.fractions(fitted.represent(counts))
    assert fraction.shape == (300, 50)
    assert fraction.min() > 0
    np.testing.assert_allclose(fraction.sum(axis=1), 1.0)


@pytest.mark.parametrize("method", METHODS)
def test_a_cell_is_placed_by_itself(counts, method):
    """Held-out cells are transformed one by one: neither their neighbours nor their number matter."""
    fitted = fit_baseline(method, counts[:200], n_factors=3)
    together, alone = fitted.represent(counts[200:]), fitted.represent(counts[200:201])
    np.testing.assert_allclose(together[:1], alone, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_baseline(counts, method):
    """Bit by bit, on the same machine."""
    first, again = (fit_baseline(method, counts, n_factors=3, seed=4).represent(counts) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_pca_is_that_of_the_log_normalised_counts(counts):
    """The same axes, up to sign, as a singular value decomposition of the centred dense values."""
    fitted = fit_baseline("pca", counts, n_factors=3)
    dense = counts.toarray() / counts.toarray().sum(axis=1, keepdims=True)
    values = np.log1p(dense * np.median(counts.toarray().sum(axis=1)))
    _, _, axes = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    ours = fitted.loadings / np.linalg.norm(fitted.loadings, axis=0)
    np.testing.assert_allclose(np.abs(axes[:3] @ ours), np.eye(3), atol=1e-6)
    np.testing.assert_allclose(fitted.represent(counts).std(axis=0, ddof=1), 1.0, rtol=1e-5)


def test_pca_predicts_what_its_components_reconstruct(counts):
    """The values of rank 3 taken back from log1p, never below a tenth of the gene's mean, as shares of a cell."""
    fitted, dense = fit_baseline("pca", counts, n_factors=3), counts.toarray()
    scale = np.median(dense.sum(axis=1))
    values = np.log1p(dense / dense.sum(axis=1, keepdims=True) * scale)
    left, size, axes = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    molecules = np.expm1(values.mean(axis=0) + left[:, :3] * size[:3] @ axes[:3])
    expected = np.maximum(molecules / scale, 0.1 * dense.sum(axis=0) / dense.sum())
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.fractions(fitted.represent(counts)), expected, rtol=1e-4)


def test_nmf_finds_the_programs_that_mix():
    """Counts made of three programs that share few genes: each is found, and so are the cells' usages."""
    random = np.random.default_rng(0)
    programs, usage = random.dirichlet(np.full(60, 0.1), 3), random.dirichlet(np.full(3, 0.3), 500)
    counts = sparse.csr_matrix(random.poisson(3000 * usage @ programs))
    fitted = fit_baseline("nmf", counts, n_factors=3)
    matching = match_factors(np.exp(fitted.loadings), programs.T)
    assert matching.match.min() > 0.99
    found = fitted.represent(counts)[:, matching.pairs[:, 0]]
    assert np.abs(found - usage[:, matching.pairs[:, 1]]).mean() < 0.05


def test_usages_are_shares_of_molecules(counts):
    """They do not depend on how NMF happens to split size between programs and cells."""
    fitted = fit_baseline("nmf", counts, n_factors=3)
    before = fitted.represent(counts)
    fitted.model.components_ = fitted.model.components_ * np.array([[1.0], [10.0], [100.0]])
    np.testing.assert_allclose(fitted.represent(counts), before, atol=0.02)


def test_nmf_stops_when_told(counts):
    """Asked to stop after its second round, it keeps what two rounds have taught it."""
    rounds = []
    fitted = fit_baseline("nmf", counts, n_factors=3, on_round=lambda done, of: rounds.append(done) or done < 2)
    assert rounds == [1, 2]
    assert np.isfinite(fitted.loadings).all()


def test_more_components_than_the_genes_allow_are_left_empty():
    """Ten cells of which all are alike: components beyond the first carry nothing, and no fraction is lost."""
    counts = sparse.csr_matrix(np.outer(np.arange(1, 11), [4, 3, 2, 1, 5]))
    fitted = fit_baseline("pca", counts, n_factors=3)
    assert np.isfinite(fitted.fractions(fitted.represent(counts))).all()


def test_the_gene_means_are_shares_of_all_molecules(counts):
    """Not means of the cells' shares; a gene unseen in training counts as half a molecule."""
    fraction = mean_fraction(sparse.csr_matrix([[9, 1, 0], [90, 0, 0]]))
    assert fraction.tolist() == pytest.approx([99 / 100.5, 1 / 100.5, 0.5 / 100.5])


def test_fewer_cells_than_factors_are_refused(counts):
    """In words, before anything is fitted."""
    with pytest.raises(SettingsError, match="12 factors need more training cells than that; there are 9"):
        fit_baseline("pca", counts[:9], n_factors=12)
