"""The likelihood of held-out counts, judged by scipy."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import softmax
from scipy.stats import nbinom, poisson

from ldvae_core.analysis import chunks
from ldvae_core.analysis.metrics import reconstruction_error
from ldvae_core.errors import CountsError


def expected(planted):
    fraction = softmax(planted.z @ planted.loadings.T + planted.intercept, axis=1)
    return planted.library_size[:, None] * fraction


def test_reconstruction_error_agrees_with_scipys_negative_binomial(planted):
    """All constants are included: the error of a cell is minus the sum of scipy's log probabilities."""
    theta, mean = planted.theta, expected(planted)
    theirs = -nbinom.logpmf(planted.counts.toarray(), theta, theta / (theta + mean)).sum(axis=1)
    ours = reconstruction_error(*planted[:6])
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)


def test_poisson_reconstruction_error_agrees_with_scipy(planted):
    """A Poisson model has no inverse dispersion; its error is minus the sum of scipy's log probabilities."""
    theirs = -poisson.logpmf(planted.counts.toarray(), expected(planted)).sum(axis=1)
    ours = reconstruction_error(*planted[:4], None, planted.library_size, likelihood="poisson")
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)


@pytest.mark.parametrize("theta", [1e-3, 1.0, 1e4], ids=["overdispersed", "moderate", "nearly Poisson"])
def test_extreme_dispersions_stay_exact(planted, theta):
    """Both ends of the allowed range of theta agree with scipy to 1e-8."""
    thetas, mean = np.full(planted.theta.shape, theta), expected(planted)
    theirs = -nbinom.logpmf(planted.counts.toarray(), theta, theta / (theta + mean)).sum(axis=1)
    ours = reconstruction_error(*planted[:4], thetas, planted.library_size)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)


def test_library_size_is_the_cells_counts_unless_given(planted):
    """A stranger with counts and loadings alone needs no further number."""
    size = np.asarray(planted.counts.sum(axis=1), float).ravel()
    given = reconstruction_error(*planted[:5], size)
    assert reconstruction_error(*planted[:5]).tolist() == given.tolist()


def test_the_error_does_not_depend_on_how_cells_are_cut_into_pieces(planted, monkeypatch):
    """Memory stays bounded by walking over cells in pieces, which must not show."""
    whole = reconstruction_error(*planted[:6])
    monkeypatch.setattr(chunks.cell_chunks, "__kwdefaults__", {"entries": 1000})
    np.testing.assert_allclose(reconstruction_error(*planted[:6]), whole, rtol=1e-12)


def test_cells_without_counts_are_refused():
    """An empty cell has no library size, so no likelihood: the message says how many and what to do."""
    counts = sparse.csr_matrix(np.array([[0, 0], [1, 2], [0, 0]], np.uint16))
    message = r"^2 of 3 cells have no counts over the modelled genes\. Drop these cells first\.$"
    with pytest.raises(CountsError, match=message):
        reconstruction_error(counts, np.zeros((3, 1)), np.zeros((2, 1)), np.zeros(2), np.ones(2))


def test_huge_logits_do_not_overflow(planted):
    """Softmax is taken in log space: a logit of 2,000 gives a finite error."""
    error = reconstruction_error(planted.counts, planted.z * 500, *planted[2:6])
    assert np.isfinite(error).all()
