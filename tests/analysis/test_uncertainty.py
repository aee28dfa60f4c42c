"""Standard errors and shrinkage, calibrated on simulated counts."""

import numpy as np
import pytest
from scipy.special import softmax

from ldvae_core.analysis import uncertainty
from ldvae_core.analysis.uncertainty import INTERVAL_90, loading_standard_errors, moment_variance, shrink_loadings
from ldvae_core.model.packed import packed


def fit_one_gene_at_a_time(planted, design):
    """Negative binomial regression of every gene on the cells' factors, the totals of the cells being known."""
    total = np.exp(planted.z @ planted.loadings.T + planted.intercept).sum(axis=1)
    offset, x, theta = (
        np.log(planted.library_size / total)[:, None],
        planted.counts.toarray().astype(float),
        planted.theta,
    )
    weights = np.zeros((x.shape[1], design.shape[1]))
    weights += np.log((x.sum(axis=0) + 0.1) / np.exp(offset).sum())[:, None] * np.linalg.pinv(design).sum(axis=1)
    for _ in range(25):
        mean = np.exp(np.clip(design @ weights.T + offset, -30, 15))
        information = np.einsum("ng,ni,nj->gij", mean * theta / (mean + theta), design, design, optimize=True)
        score = ((x - mean) * theta / (mean + theta)).T @ design
        step = np.linalg.solve(information + 1e-6 * np.eye(design.shape[1]), score[..., None])[..., 0]
        weights += np.clip(step, -1, 1)
    return weights


@pytest.fixture(scope="module")
def fitted(planted):
    """Loadings fitted to the planted counts, and their standard errors."""
    weights = fit_one_gene_at_a_time(planted, np.column_stack([np.ones(len(planted.z)), planted.z]))
    arguments = (planted.z, weights[:, 1:], weights[:, 0], planted.theta, planted.library_size)
    return weights[:, 1:], loading_standard_errors(*arguments)


def test_raw_intervals_cover_the_truth(planted, fitted):
    """90% intervals of the fitted loadings contain 85 to 95% of the planted ones."""
    loadings, error = fitted
    covered = np.abs(loadings - planted.loadings) < INTERVAL_90 * error
    assert 0.85 < covered.mean() < 0.95


def test_shrunken_intervals_cover_the_truth_and_are_closer_to_it(planted, fitted):
    """Shrinkage keeps 85 to 95% coverage and brings loadings nearer to the planted ones."""
    shrunken = shrink_loadings(*fitted)
    covered = np.abs(shrunken.mean - planted.loadings) < INTERVAL_90 * shrunken.sd
    assert 0.85 < covered.mean() < 0.95
    assert ((shrunken.mean - planted.loadings) ** 2).mean() < 0.9 * ((fitted[0] - planted.loadings) ** 2).mean()


def test_usage_intervals_cover_the_truth(planted_usage):
    """For usages the interval is that of a loading against the gene's mean over archetypes."""
    weights = fit_one_gene_at_a_time(planted_usage, planted_usage.z)
    arguments = (planted_usage.z, weights, np.zeros(len(weights)), planted_usage.theta, planted_usage.library_size)
    error = loading_standard_errors(*arguments, usage=True)
    gaps = [values - values.mean(axis=1, keepdims=True) for values in (weights, planted_usage.loadings)]
    assert 0.85 < (np.abs(gaps[0] - gaps[1]) < INTERVAL_90 * error).mean() < 0.95


def test_standard_errors_are_the_inverse_information(planted):
    """One gene written out: sum over cells of w [1, z][1, z]', inverted, the root of the diagonal."""
    fraction = softmax(planted.z @ planted.loadings.T + planted.intercept, axis=1)
    mean, theta = planted.library_size * fraction[:, 7], planted.theta[7]
    design = np.column_stack([np.ones(len(mean)), planted.z])
    information = (design * (mean * theta / (mean + theta))[:, None]).T @ design
    expected = np.sqrt(np.diag(np.linalg.inv(information)))[1:]
    ours = loading_standard_errors(planted.z, *planted[2:6])
    np.testing.assert_allclose(ours[7], expected, rtol=1e-6)


def test_usage_errors_are_those_of_the_contrast(planted_usage):
    """One gene written out: the covariance of its archetype levels, as that of levels minus their mean."""
    z, theta = planted_usage.z, planted_usage.theta[7]
    fraction = softmax(z @ planted_usage.loadings.T + planted_usage.intercept, axis=1)
    mean = planted_usage.library_size * fraction[:, 7]
    levels = np.linalg.inv((z * (mean * theta / (mean + theta))[:, None]).T @ z)
    contrast = np.eye(4) - 1 / 4
    ours = loading_standard_errors(z, *planted_usage[2:6], usage=True)
    np.testing.assert_allclose(ours[7], np.sqrt(np.diag(contrast @ levels @ contrast)), rtol=1e-6)


def test_many_cells_are_sampled_and_scaled(planted, monkeypatch):
    """Summing over a sample of the cells and scaling up gives nearly the same errors."""
    whole = loading_standard_errors(planted.z, *planted[2:6])
    monkeypatch.setattr(uncertainty, "MAX_CELLS", 10_000)
    many = [np.tile(values, 20) if values.ndim == 1 else np.tile(values, (20, 1)) for values in (planted.z, planted[5])]
    sampled = loading_standard_errors(many[0], *planted[2:5], many[1])
    np.testing.assert_allclose(sampled * np.sqrt(20), whole, rtol=0.1)


def test_a_factor_that_does_not_vary_is_not_known(planted):
    """Its loadings get a huge error, hence shrink to nothing; the other factors keep theirs."""
    z = planted.z.copy()
    z[:, 1] = 0.3
    error = loading_standard_errors(z, *planted[2:6])
    shrunken = shrink_loadings(planted.loadings, error)
    assert (error[:, 1] > 10).all()
    assert np.abs(shrunken.mean[:, 1]).max() < 0.05
    assert error[:, [0, 2, 3]].max() < 1


def test_a_noisy_gene_shrinks_and_a_known_one_stays():
    """Two genes with the same loading: the rare, noisy one goes to nearly 0, the well-measured one keeps its place."""
    rng = np.random.default_rng(0)
    loading, error = np.append(rng.normal(0, 0.1, 400), [2.0, 2.0]), np.append(np.full(400, 0.1), [0.05, 1.5])
    mean = shrink_loadings(loading[:, None], error[:, None]).mean.ravel()
    assert mean[-2] == pytest.approx(2.0, abs=0.05)
    assert mean[-1] < 0.3


def test_a_position_known_badly_tells_less_of_a_loading(planted, fitted):
    """w / (1 + w W_g S W_g') for w, cell by cell: by plain loops for one gene; without covariance nothing changes."""
    loadings, _ = fitted
    random = np.random.default_rng(0)
    roots = 0.2 * random.standard_normal((len(planted.z), *loadings.shape[1:], loadings.shape[1]))
    covariance = roots @ roots.transpose(0, 2, 1)
    arguments = (planted.z, loadings, planted.intercept, planted.theta, planted.library_size)
    wide = loading_standard_errors(*arguments, covariance=packed(covariance))
    assert (wide >= loading_standard_errors(*arguments)).all()
    nothing = loading_standard_errors(*arguments, covariance=np.zeros_like(packed(covariance)))
    assert np.allclose(nothing, loading_standard_errors(*arguments))
    gene, information = 3, np.zeros((loadings.shape[1] + 1,) * 2)
    fractions = softmax(planted.z @ loadings.T + planted.intercept, axis=1)[:, gene]
    for cell, mean in enumerate(planted.library_size * fractions):
        weight = mean * planted.theta[gene] / (mean + planted.theta[gene])
        weight /= 1 + weight * loadings[gene] @ covariance[cell] @ loadings[gene]
        row = np.append(1, planted.z[cell])
        information += weight * np.outer(row, row)
    assert np.allclose(wide[gene], np.sqrt(np.diag(np.linalg.inv(information))[1:]))


@pytest.mark.parametrize("skewed", [False, True])
def test_moment_variance_is_that_of_other_cells(skewed):
    """Of half the second moments, as over many samples of as many cells; larger for skewed programs."""
    random = np.random.default_rng(1)
    draw = (lambda: random.exponential(1.0, (400, 2)) - 1) if skewed else (lambda: random.standard_normal((400, 2)))
    halves = np.array([z.T @ z / (2 * len(z)) for z in (draw() for _ in range(2000))])
    found = np.mean([moment_variance(draw()) for _ in range(200)], axis=0)
    assert np.allclose(found, halves.var(axis=0), rtol=0.15)
    covariance = np.zeros((400, 3))
    z = draw()
    assert np.array_equal(moment_variance(z, covariance), moment_variance(z))


def test_pure_noise_shrinks_to_nothing():
    """When observed loadings vary no more than their errors say, nothing is left."""
    noise = np.random.default_rng(0).normal(0, 0.2, (1000, 10))
    shrunken = shrink_loadings(noise, np.full(noise.shape, 0.2))
    assert np.abs(shrunken.mean).mean() < 0.05 * np.abs(noise).mean()


def test_loadings_that_are_not_numbers_shrink_to_zero():
    """A gene whose loading or error is not finite cannot be ranked."""
    loading, error = np.array([[1.0], [np.nan], [2.0], [1.0]]), np.array([[0.1], [0.1], [np.inf], [0.1]])
    shrunken = shrink_loadings(loading, error)
    assert np.isfinite(shrunken.mean).all()
    assert shrunken.mean[[1, 2], 0].tolist() == [0.0, 0.0]


def test_shapes_that_differ_are_a_mistake_of_the_caller():
    """Loadings and errors belong together entry by entry."""
    with pytest.raises(ValueError, match=r"^loadings \(3, 2\) and standard errors \(3, 1\) differ in shape$"):
        shrink_loadings(np.zeros((3, 2)), np.ones((3, 1)))
