"""A batch effect is told from composition: within types, and over all factors together."""

import numpy as np
import pandas as pd
import pytest

from ldvae_core.analysis.batch_effect import batch_effect, batch_sentence
from ldvae_core.analysis.technical import technical_table

SEEDS = range(5)


def two_batches(seed, *, unequal, shift, n=3000, n_factors=10):
    """Three types at places of their own; batches of unequal composition; every factor shifted a little by batch."""
    rng = np.random.default_rng(seed)
    batch = rng.integers(0, 2, n)
    shares = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]] if unequal else [[1 / 3] * 3] * 2)
    kind = np.array([rng.choice(3, p=shares[each]) for each in batch])
    z = rng.normal(size=(n, n_factors)) + 4.0 * np.eye(n_factors)[kind]
    z += shift * batch[:, None] * rng.choice([-1, 1], n_factors)
    z = (z / z.std(axis=0)).astype(np.float32)
    return z, pd.Series(np.where(batch, "B", "A"), name="batch"), pd.Series(np.array(["x", "y", "z"])[kind])


@pytest.mark.parametrize("seed", SEEDS)
def test_composition_alone_is_no_batch_effect(seed):
    """A batch that holds mostly one type follows its factors, and no factor is flagged, nor all together."""
    z, batch, kinds = two_batches(seed, unequal=True, shift=0.0)
    table = technical_table(z, np.full(len(z), 100.0), batches={"batch": batch}, types=kinds)
    assert table["batch"].max() > 0.5
    assert not table["technical"].any()
    assert table["batch_within"].max() < 0.1
    effect = batch_effect(z, batch, kinds)
    assert effect.auc < 0.6
    assert batch_sentence(effect, by_type=True) == ""


@pytest.mark.parametrize("unequal", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_batch_effect_spread_over_factors_is_found(seed, unequal):
    """Half a standard deviation on each of ten: no factor has it alone, together they tell batches apart."""
    z, batch, kinds = two_batches(seed, unequal=unequal, shift=0.5)
    table = technical_table(z, np.full(len(z), 100.0), batches={"batch": batch}, types=kinds)
    assert table["batch_within"].max() < 0.5
    effect = batch_effect(z, batch, kinds)
    assert effect.auc == pytest.approx(0.87, abs=0.03)
    assert f"the other levels of batch among cells of one type: AUC {effect.auc:.2f}." in batch_sentence(
        effect, by_type=True
    )


def test_a_factor_that_is_the_batch_within_types_is_flagged():
    """By itself, with both figures."""
    z, batch, kinds = two_batches(0, unequal=True, shift=0.0)
    z[:, 9] += 3.0 * (batch == "B")
    table = technical_table(z, np.full(len(z), 100.0), batches={"batch": batch}, types=kinds)
    assert table.index[table["technical"]].tolist() == [9]
    assert ", within types 0.7" in table.reason[9]


@pytest.mark.parametrize("seed", SEEDS)
def test_many_small_batches_that_mean_nothing_are_not_told(seed):
    """The best of forty levels of thirty cells, with twenty factors to choose from."""
    rng = np.random.default_rng(seed)
    z, batch = rng.normal(size=(1200, 20)), pd.Series(np.arange(1200) % 40, name="lane")
    assert not batch_effect(z, batch, None).told


def test_batches_of_one_type_each_cannot_be_told_from_types():
    """No type has cells of two batches: nothing is said."""
    z, _, kinds = two_batches(0, unequal=False, shift=0.0)
    assert batch_effect(z, kinds.rename("batch"), kinds) is None
    assert technical_table(z, np.full(len(z), 9.0), batches={"batch": kinds}, types=kinds)["batch_within"].isna().all()
