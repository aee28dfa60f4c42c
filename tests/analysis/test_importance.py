"""Explained deviance and activity: which factors matter."""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import nbinom, ortho_group

from ldvae_core.analysis.factors import load_factors, save_factors
from ldvae_core.analysis.importance import active_factors, gene_deviance, held_out_cells, marginal_kl
from ldvae_core.data.split import split_cells


@pytest.fixture(scope="session")
def arguments(planted):
    """What gene_deviance needs, from the planted truth."""
    values = {name: getattr(planted, name) for name in ("counts", "loadings", "intercept", "library_size")}
    split = split_cells(len(planted.z), seed=0)
    return values | {"representation": planted.z, "inverse_dispersion": planted.theta, "split": split}


def deviance(planted, cells, fraction):
    """Twice the log-likelihood a model loses to the saturated one, by scipy."""
    x, theta = planted.counts[cells].toarray().astype(float), planted.theta
    mean = planted.library_size[cells, None] * fraction
    own = nbinom.logpmf(x, theta, theta / (theta + mean)).sum()
    return 2 * (nbinom.logpmf(x, theta, theta / (theta + x)).sum() - own)


def test_explained_deviance_is_the_loss_of_a_silenced_factor(planted, arguments):
    """Setting z_k to its mean raises the test cells' deviance by this share of the gene-mean model's deviance."""
    cells = np.flatnonzero(arguments["split"] == 2)
    z, silenced = planted.z[cells], planted.z[cells].copy()
    silenced[:, 1] = planted.z[:, 1].mean()
    full, without = (
        deviance(planted, cells, softmax(v @ planted.loadings.T + planted.intercept, axis=1)) for v in (z, silenced)
    )
    totals = planted.counts[arguments["split"] == 0].toarray().sum(axis=0, dtype=float)
    null = deviance(planted, cells, np.tile(totals / totals.sum(), (len(cells), 1)))
    assert gene_deviance(**arguments).sum(axis=0)[1] == pytest.approx((without - full) / null, rel=1e-8)


def test_what_genes_carry_adds_up_to_what_the_factor_explains(planted, arguments, factors_of, tmp_path):
    """Gene by gene as scipy has it, kept with the factors; genes on which the factor has no hold carry next to none."""
    loadings = planted.loadings.copy()
    loadings[75:, 1] = 0
    carried = gene_deviance(**arguments | {"loadings": loadings})[:, 1]
    assert np.abs(carried[75:]).max() < 0.05 * carried.max()
    shown = factors_of(planted)
    np.testing.assert_allclose(shown.gene_deviance.sum(axis=0), shown.explained_deviance, rtol=1e-5)
    save_factors(shown, tmp_path / "factors")
    np.testing.assert_array_equal(load_factors(tmp_path / "factors").gene_deviance, shown.gene_deviance)


def test_each_gene_carries_the_deviance_that_it_loses(planted, arguments):
    """By scipy, for every gene of one factor."""
    cells = np.flatnonzero(arguments["split"] == 2)
    z, silenced = planted.z[cells], planted.z[cells].copy()
    silenced[:, 1] = planted.z[:, 1].mean()
    x, theta = planted.counts[cells].toarray().astype(float), planted.theta
    means = [planted.library_size[cells, None] * softmax(v @ planted.loadings.T + planted.intercept, axis=1)
             for v in (z, silenced)]  # fmt: skip
    full, without = (nbinom.logpmf(x, theta, theta / (theta + mean)).sum(axis=0) for mean in means)
    carried = gene_deviance(**arguments)[:, 1]
    np.testing.assert_allclose(carried / carried.sum(), (full - without) / (full - without).sum(), rtol=1e-7)


def test_a_silenced_usage_leaves_the_rest_summing_to_one(planted_usage, factors_of):
    """Removing an archetype hurts; a cell made of nothing else becomes the average of the others."""
    z = planted_usage.z.copy()
    z[:5] = np.eye(4)[0]
    shown = factors_of(planted_usage, representation=z)
    assert np.isfinite(shown.explained_deviance).all()
    assert (shown.explained_deviance > 0.01).all()


def test_a_factor_without_loadings_explains_nothing(planted, arguments):
    """Silencing it changes no expected count."""
    loadings = planted.loadings.copy()
    loadings[:, 2] = 0
    assert gene_deviance(**arguments | {"loadings": loadings}).sum(axis=0)[2] == pytest.approx(0, abs=1e-12)


def test_a_baselines_own_fractions_decide_what_its_factors_explain(planted, factors_of):
    """Whatever the loadings say, and however it is flipped: only factor 0 moves these fractions; and no errors."""

    def fractions(z: np.ndarray) -> np.ndarray:
        return softmax(-z[:, :1] @ planted.loadings[:, :1].T + planted.intercept, axis=1)

    settings = {"representation": -planted.z, "posterior_variance": None, "axes": "as_trained"}
    shown = factors_of(planted, fractions=fractions, **settings)
    assert shown.flipped.any()
    by_axis = shown.explained_deviance[np.argsort(shown.trained_as)]
    assert by_axis[0] > 0.01
    assert np.abs(by_axis[1:]).max() < 1e-12
    assert np.isnan(shown.loadings_se).all()
    np.testing.assert_array_equal(shown.loadings, shown.loadings_shrunken)


def test_factors_of_no_width_are_saved_and_read(planted, factors_of, tmp_path):
    """The gene-mean model has none: every array keeps its other axis."""
    none = factors_of(planted, representation=np.zeros((len(planted.z), 0)), loadings=np.zeros((150, 0)),
                      posterior_variance=None, fractions=lambda z: np.full((len(z), 150), 1 / 150))  # fmt: skip
    save_factors(none, tmp_path / "factors")
    read = load_factors(tmp_path / "factors")
    assert (read.n_factors, read.n_genes, read.n_cells) == (0, 150, len(planted.z))
    assert (read.scale.shape, read.explained_deviance.shape) == ((0,), (0,))


def test_test_cells_are_used_and_at_most_20000():
    """Nothing the model was trained on judges its factors; more than 20,000 cells tell nothing new."""
    split = np.repeat([0, 1, 2], [10, 5, 30_000])
    cells = held_out_cells(split, seed=1)
    assert len(cells) == len(set(cells)) == 20_000
    assert (split[cells] == 2).all()


@pytest.mark.parametrize(
    ("sd", "variance", "alive"),
    [(1.0, 0.1, True), (0.05, 0.99, False), (0.12, 0.99, False), (0.2, 0.9, True)],
    ids=["varies", "does not vary", "varies, but no information", "weak but real"],
)
def test_a_factor_is_dead_without_variance_or_information(sd, variance, alive):
    """Dead: the means vary by less than 0.01, or the average KL from the prior is below 0.01 nats."""
    mean = sd * np.random.default_rng(0).standard_normal((5000, 1))
    assert active_factors(mean, np.full(mean.shape, variance)).tolist() == [alive]


def test_marginal_kl_is_the_normal_formula():
    """KL(N(1, 0.5) || N(0, 1)) = (1 + 0.5 - 1 - log 0.5) / 2."""
    assert marginal_kl(np.ones((7, 1)), np.full((7, 1), 0.5))[0] == pytest.approx((0.5 + np.log(2)) / 2)


def test_a_usage_that_never_changes_is_dead():
    """Usages are judged by their variance against that of the prior."""
    usage = np.random.default_rng(0).dirichlet([1, 1, 1], 500)
    usage = np.column_stack([usage * 0.9, np.full(500, 0.1)])
    assert active_factors(usage, None, usage=True).tolist() == [True, True, True, False]


def test_dead_factors_stand_last(planted, factors_of):
    """A factor whose cells hardly vary is listed after the live ones, however large loadings make its share."""
    z, loadings = planted.z.copy(), planted.loadings.copy()
    z[:, 0], loadings[:, 0] = z[:, 0] * 0.05, loadings[:, 0] * 20
    shown = factors_of(planted, representation=z, loadings=loadings, axes="as_trained")
    assert shown.active.tolist() == [True, True, True, False]
    assert shown.trained_as[3] == 0
    assert shown.explained_deviance[3] > shown.explained_deviance[2]


def test_activity_is_judged_on_the_axes_shown(planted, factors_of):
    """Posterior variances turn with the axes: a factor without information is dead from whatever axes training left."""
    z = planted.z.copy()
    z[:, 0] *= 0.12  # varies enough, but says nothing: KL 0.007 nats
    turn = ortho_group.rvs(4, random_state=3)
    arguments = {"representation": z @ turn, "loadings": planted.loadings @ turn}
    shown = factors_of(planted, **arguments, posterior_variance=np.ones(z.shape))
    assert shown.active.tolist() == [True, True, True, False]
