"""Readable axes: varimax finds the axes cells lie on, and changes no prediction."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import ortho_group

from ldvae_core.analysis.rotation import axis_variance, gene_sparse, varimax, varimax_criterion


def spiky_cells(n_cells=3000, n_factors=5, seed=0):
    """Most cells near 0 on each factor, a few far out: programs that are on in some cells."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.2, (n_cells, n_factors)) + 2.0 * (rng.random((n_cells, n_factors)) < 0.1)


def test_the_rotation_is_orthogonal():
    """R'R = I, so that Z @ R and W @ R give the logits of Z and W, and the prior stays N(0, I)."""
    rotation = varimax(spiky_cells())
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(5), atol=1e-12)


def test_axes_are_found_again_from_any_rotation():
    """Where training happened to put the axes does not matter: the same axes come back, up to sign and order."""
    cells = spiky_cells()
    turned = cells @ ortho_group.rvs(5, random_state=1)
    overlap = np.abs(np.corrcoef(cells.T, (turned @ varimax(turned)).T)[:5, 5:])
    assert overlap.max(axis=1).min() > 0.99


def test_varimax_is_not_beaten_by_random_rotations():
    """The criterion at the rotation found is the highest of many tried."""
    cells = spiky_cells(n_cells=500)
    cells = cells - cells.mean(axis=0)
    others = [varimax_criterion(cells @ ortho_group.rvs(5, random_state=seed)) for seed in range(50)]
    assert varimax_criterion(cells @ varimax(cells)) > max(others)


def test_varimax_is_not_beaten_by_any_small_turn():
    """Where programs go together, other criteria end elsewhere; here no turn of two axes raises varimax's."""
    together = np.eye(5) + 0.5 * np.eye(5, k=1)
    cells = spiky_cells() @ together @ ortho_group.rvs(5, random_state=1)
    rotated = (cells - cells.mean(axis=0)) @ varimax(cells)
    best = varimax_criterion(rotated)
    for a, b in combinations(range(5), 2):
        for angle in (-0.01, 0.01):
            turned, turn = rotated.copy(), [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            turned[:, [a, b]] = rotated[:, [a, b]] @ turn
            assert varimax_criterion(turned) < best, (a, b)


def test_dead_factors_are_not_mixed_into_live_ones():
    """A factor that hardly varies stays an axis of its own."""
    cells = spiky_cells()
    cells[:, 2] *= 1e-3
    rotated = cells @ varimax(cells)
    assert np.sort(rotated.std(axis=0))[0] < 2e-3


def test_a_single_factor_has_nothing_to_rotate():
    """With one factor the rotation is 1."""
    assert varimax(np.ones((10, 1))).tolist() == [[1.0]]


def test_factors_that_do_not_vary_leave_a_valid_rotation():
    """Constant positions, a run that learned nothing, still give an orthogonal matrix."""
    rotation = varimax(np.ones((60, 3)))
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)


def test_sparse_loadings_decide_where_cells_form_a_cloud():
    """Normal factors single out no axes; the few genes of each program do."""
    rng = np.random.default_rng(3)
    cells = rng.standard_normal((3000, 6))
    genes = rng.standard_normal((400, 6)) * (rng.random((400, 6)) < 0.15)
    turn = ortho_group.rvs(6, random_state=2)
    rotation = varimax(cells @ turn, genes @ turn)
    overlap = np.abs(np.corrcoef(genes.T, (genes @ turn @ rotation).T)[:6, 6:])
    assert overlap.max(axis=1).min() > 0.95


def test_cells_decide_where_they_single_out_axes():
    """Loadings that say nothing (a normal cloud of genes) do not move the axes that the cells show."""
    cells, rng = spiky_cells(), np.random.default_rng(4)
    rotation = varimax(cells, rng.standard_normal((400, 5)))
    overlap = np.abs(np.corrcoef(cells.T, (cells @ rotation).T)[:5, 5:])
    assert overlap.max(axis=1).min() > 0.98


@pytest.mark.parametrize("who", ["cells", "genes"])
def test_the_axes_own_error_is_what_other_samples_show(who):
    """Forty samples of the same population: the angles between the axes found spread as axis_variance says of one."""
    rng = np.random.default_rng(4)
    turns, told = [], []
    for _ in range(40):
        z = rng.laplace(size=(600, 3)) if who == "cells" else rng.standard_normal((600, 3))
        w = rng.laplace(size=(400, 3)) * (rng.random((400, 3)) < 0.3)
        rotation = varimax(z, w, n_starts=1)
        rotation = rotation[:, np.abs(rotation).argmax(axis=1)]  # in the order and with the signs of the truth
        rotation *= np.sign(np.diag(rotation))
        turns.append((rotation - rotation.T)[np.triu_indices(3, 1)] / 2)
        told.append(axis_variance(z @ rotation, w @ rotation)[np.triu_indices(3, 1)])
    seen = np.sqrt((np.array(turns) ** 2).mean())
    assert np.sqrt(np.mean(told)) == pytest.approx(seen, rel=0.35)


def test_errors_of_readable_loadings_tell_how_well_the_axes_are_known(planted, factors, factors_of):
    """Beside the error on axes that are given, the turning of two axes brings each the other's loadings."""
    z, loadings = factors.representation, factors.loadings
    given = factors_of(planted, representation=z, loadings=loadings, axes="as_trained")
    turning = axis_variance(z, loadings)
    assert turning.max() > 1e-5
    np.testing.assert_allclose(factors.loadings_se**2, given.loadings_se**2 + loadings**2 @ turning, rtol=1e-3)
    spread = given.loadings_shrunken_sd**2 + given.loadings_shrunken**2 @ turning
    np.testing.assert_allclose(factors.loadings_shrunken_sd**2, spread, rtol=1e-2)


def test_axes_that_nothing_decides_have_a_random_angle():
    """Two columns of one normal cloud, in cells and genes alike, or dead ones; one that stands out is known well."""
    rng = np.random.default_rng(5)
    z = np.column_stack([rng.standard_normal((4000, 2)), rng.laplace(size=4000) ** 3 / 10])
    variance = axis_variance(z, z[:500])
    assert variance[0, 1] > 0.02
    assert variance[0, 2] < 0.003
    assert (np.diag(variance) == 0).all()
    dead = axis_variance(np.zeros((50, 2)), np.zeros((40, 2)))
    assert dead[0, 1] == pytest.approx((np.pi / 4) ** 2 / 3)  # of an angle anywhere within 45 degrees


def clustered_cells(seed, n_factors=10, n_genes=400):
    """Cells in tight groups, each of which uses all programs in its own mixture; programs of a tenth of the genes."""
    rng = np.random.default_rng(seed)
    mixtures = 3 * ortho_group.rvs(n_factors, random_state=seed + 100)
    cells = mixtures[rng.integers(0, n_factors, 3000)] + rng.normal(0, 0.15, (3000, n_factors))
    loadings = rng.normal(0, 1, (n_genes, n_factors)) * (rng.random((n_genes, n_factors)) < 0.1)
    return cells, loadings + rng.normal(0, 0.02, loadings.shape), ortho_group.rvs(n_factors, random_state=seed)


def recovered(planted, found):
    """Mean over planted programs of the largest |cosine| with a found one."""
    unit = [values / np.linalg.norm(values, axis=0) for values in (planted, found)]
    return np.abs(unit[0].T @ unit[1]).max(axis=1).mean()


def test_gene_sparse_axes_are_the_sparse_programs_of_clustered_cells():
    """In every one of eight data sets; axes that follow cells follow the groups: worse by more than two errors."""
    sparse, cellwise = [], []
    for seed in range(8):
        cells, loadings, turn = clustered_cells(seed)
        cells, turned = cells @ turn, loadings @ turn
        sparse.append(recovered(loadings, turned @ gene_sparse(turned)))
        cellwise.append(recovered(loadings, turned @ varimax(cells, turned)))
    gain = np.subtract(sparse, cellwise)
    assert min(sparse) > 0.95
    assert gain.mean() > 2 * gain.std(ddof=1) / np.sqrt(len(gain))


def test_gene_sparse_axes_change_no_prediction(planted, factors_of):
    """Positions and loadings turn together; every gene is sparser than on other axes."""
    sparse, trained = (factors_of(planted, axes=axes) for axes in ("gene_sparse", "as_trained"))
    np.testing.assert_allclose(
        sparse.representation @ sparse.loadings.T, trained.representation @ trained.loadings.T, atol=1e-4
    )
    assert varimax_criterion(sparse.loadings) >= varimax_criterion(trained.loadings)
    assert (sparse.axes, sparse.trained_as.tolist()) == ("gene_sparse", [-1] * 4)
