"""Programs of several samples: shared ones are joined, private ones stay alone, pooled loadings hold the truth."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import chi2

from ldvae_core.analysis.pooling import pooled_loadings, random_effects
from ldvae_core.analysis.samples import Sample, match_samples
from ldvae_core.errors import SettingsError

N_GENES, N_SHARED, N_SAMPLES = 300, 3, 5


def a_sample(name, loadings, *, error=0.05, genes=None, deviance=None):
    """A sample's factors as far as matching looks at them."""
    names = np.array([f"Gene{g}" for g in range(len(loadings))]) if genes is None else genes
    k = loadings.shape[1]
    factors = SimpleNamespace(
        gene_names=names, loadings=loadings, loadings_shrunken=loadings, loadings_se=np.full(loadings.shape, error),
        active=np.ones(k, bool), n_factors=k, n_genes=len(names),
        explained_deviance=np.full(k, 0.02) if deviance is None else deviance,
    )  # fmt: skip
    return Sample(name, factors, np.ones(len(names)))


@pytest.fixture
def planted():
    """Samples with three shared programs and one of their own each, in any order and sign; and the shared truth."""
    rng = np.random.default_rng(0)

    def program():
        return np.where(rng.random(N_GENES) < 0.1, rng.normal(0, 0.8, N_GENES), 0.0)

    shared = np.column_stack([program() for _ in range(N_SHARED)])
    samples = []
    for number in range(N_SAMPLES):
        own = np.column_stack([shared, program()]) + 0.05 * rng.standard_normal((N_GENES, N_SHARED + 1))
        own = own * rng.choice([-1, 1], N_SHARED + 1)
        samples.append(a_sample(f"donor {number}", own[:, rng.permutation(N_SHARED + 1)]))
    return samples, shared


def test_shared_programs_are_joined_and_private_ones_stay_alone(planted):
    """Whatever their order and sign."""
    samples, _ = planted
    found = match_samples(samples)
    assert [program.samples for program in found.shared] == [tuple(range(N_SAMPLES))] * N_SHARED
    assert sorted(program.samples for program in found.private) == [(s,) for s in range(N_SAMPLES)]
    assert min(program.match for program in found.shared) > 0.9


def test_a_sample_matches_itself_by_one_at_most(planted):
    """Whatever its cosines round to."""
    for sample in planted[0]:
        assert all(0.999 < program.match <= 1 for program in match_samples([sample, sample]).shared)


def test_a_program_of_some_samples_is_shared_by_these(planted):
    """The others are not forced in."""
    samples, _ = planted
    first = match_samples(samples).shared[0]
    without = samples[2].factors.loadings.copy()
    without[:, first.factors[2]] = np.random.default_rng(5).normal(0, 0.3, N_GENES)
    changed = [*samples[:2], a_sample("donor 2", without), *samples[3:]]
    assert (0, 1, 3, 4) in [program.samples for program in match_samples(changed).shared]


def test_programs_that_explain_next_to_nothing_take_no_part(planted):
    """They are counted, not listed as private."""
    samples, _ = planted
    deviance = np.array([0.02, 0.0001, 0.02, 0.02])
    found = match_samples([a_sample("weak", samples[0].factors.loadings, deviance=deviance), *samples[1:]])
    assert found.weak == (1, 0, 0, 0, 0)
    everyone = [*found.shared, *found.private]
    assert (0, 1) not in [pair for each in everyone for pair in zip(each.samples, each.factors, strict=True)]


def test_genes_are_matched_by_name_in_any_order(planted):
    """Also where samples model some genes that others do not."""
    samples, _ = planted
    order = np.random.default_rng(1).permutation(N_GENES)[:250]
    turned = a_sample("turned", samples[0].factors.loadings[order], genes=samples[0].factors.gene_names[order])
    found, before = match_samples([turned, *samples[1:]]), match_samples(samples)
    assert [each.factors for each in found.shared] == [each.factors for each in before.shared]


def test_samples_without_genes_in_common_are_refused(planted):
    """And one sample alone."""
    samples, _ = planted
    other = a_sample("other", samples[0].factors.loadings, genes=np.array([f"Other{g}" for g in range(N_GENES)]))
    with pytest.raises(SettingsError, match="Only 0 genes"):
        match_samples([samples[0], other])
    with pytest.raises(SettingsError, match="two samples"):
        match_samples(samples[:1])


def test_pooled_intervals_hold_the_truth_and_are_narrower_than_one_samples(planted):
    """90% intervals of three programs over 300 genes, in the direction of the first sample."""
    samples, shared = planted
    inside, narrower = [], []
    for program in match_samples(samples).shared:
        table = pooled_loadings(program, samples).set_index("gene").loc[samples[0].factors.gene_names]
        truth = shared[:, np.abs(shared.T @ table["loading"].to_numpy()).argmax()]
        truth = truth * np.sign(truth @ table["loading"].to_numpy())
        inside.append((table["low"] <= truth) & (truth <= table["high"]))
        narrower.append(table["se"].median() < 0.05)
        first = samples[program.samples[0]].factors.loadings[:, program.factors[0]]
        assert first @ table["loading"] > 0
    assert 0.85 < np.mean(inside) < 0.97
    assert all(narrower)


def test_random_effects_are_those_of_the_textbook():
    """One gene by hand: DerSimonian and Laird's tau^2, and Hartung and Knapp's standard error."""
    y, e = np.array([[0.1, 0.5, 0.9, np.nan]]), np.array([[0.1, 0.1, 0.2, np.nan]])
    row = random_effects(y, e).iloc[0]
    w = 1 / e[0, :3] ** 2
    q = (w * (y[0, :3] - (w @ y[0, :3]) / w.sum()) ** 2).sum()
    tau2 = (q - 2) / (w.sum() - (w**2).sum() / w.sum())
    v = 1 / (e[0, :3] ** 2 + tau2)
    mean = v @ y[0, :3] / v.sum()
    se = np.sqrt(max((v * (y[0, :3] - mean) ** 2).sum() / 2, 1) / v.sum())
    expected = {"loading": mean, "se": se, "tau": np.sqrt(tau2), "i2": (q - 2) / q, "n_samples": 3,
                "heterogeneity_p": chi2.sf(q, 2)}  # fmt: skip
    assert {name: row[name] for name in expected} == pytest.approx(expected)
