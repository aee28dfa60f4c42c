"""What is said of a factor's distribution over groups: parsed back, and every median recomputed from the cells."""

import re

import numpy as np
import pandas as pd
import pytest

from ldvae_core.plots.distribution import binned_densities
from ldvae_core.plots.theme import three_digits
from pages.parts.cell_types.distributions import FEWEST_CELLS, distribution_finding

GROUP = r"(group \d)(?: \((level \d)\))?"
HIGHEST = re.compile(rf"is highest in {GROUP} \(median (\S+)\) and lowest in {GROUP} \((\S+)\)\.")
DIFFERS = re.compile(r"It differs most in (group \d): median (\S+) in (level \d), (\S+) in (level \d)\.")


@pytest.fixture(params=range(4))
def cells(request):
    """Positions of cells of five groups, one of them tiny and far out, and of two levels."""
    rng = np.random.default_rng(request.param)
    group = rng.choice(5, 900, p=[0.3, 0.3, 0.2, 0.19, 0.01])
    level = rng.integers(0, 2, 900)
    z = rng.normal(size=900) + rng.normal(size=5)[group] + (group == 4) * 20 + rng.normal(size=(5, 2))[group, level]
    return pd.DataFrame({"group": [f"group {k}" for k in group], "level": [f"level {k}" for k in level], "z": z})


def test_a_level_that_leads_everywhere_does(cells):
    """Said only where its median is the highest in every group that has enough cells at both levels."""
    for raised in (0, 9):
        moved = cells.assign(z=cells.z + raised * (cells.level == "level 1"))
        said = distribution_finding(tabled(moved, split=True), "Factor 1")
        sizes = moved.groupby(["group", "level"]).size()
        table = moved.groupby(["group", "level"])["z"].median()[sizes >= FEWEST_CELLS].unstack().dropna()
        leads = set(table.idxmax(axis=1))
        everywhere = f" In all {len(table)} groups its median is highest in {min(leads)}." if len(leads) == 1 else ""
        assert ("In all" in said) == bool(everywhere)
        assert everywhere in said
        assert raised == 0 or everywhere


def tabled(cells, *, split):
    groups, more = sorted(set(cells.group)), {}
    if split:
        more = {"split": cells.level.astype("category"), "levels": sorted(set(cells.level))}
    return binned_densities(cells.z.to_numpy(), cells.group.astype("category"), groups, **more)


@pytest.mark.parametrize("split", [False, True])
def test_the_groups_that_are_named_have_the_extreme_medians(cells, split):
    """Of those with enough cells, each at the level that is said."""
    by = ["group", "level"] if split else ["group"]
    medians = cells.groupby(by)["z"].median()[cells.groupby(by).size() >= FEWEST_CELLS]
    top, top_level, high, bottom, bottom_level, low = HIGHEST.search(
        distribution_finding(tabled(cells, split=split), "Factor 1")
    ).groups()
    first, last = ((top, top_level), (bottom, bottom_level)) if split else (top, bottom)
    assert (medians.idxmax(), medians.idxmin()) == (first, last)
    assert (high, low) == (three_digits(medians.max()), three_digits(medians.min()))


def test_the_group_that_differs_most_has_the_widest_gap(cells):
    """Among groups with enough cells at both levels, and both medians are those of its cells."""
    said = DIFFERS.search(distribution_finding(tabled(cells, split=True), "Factor 1"))
    found = cells.groupby(["group", "level"])["z"].median()[cells.groupby(["group", "level"]).size() >= FEWEST_CELLS]
    table = found.unstack().dropna()
    gap = (table.max(axis=1) - table.min(axis=1)).idxmax()
    row = table.loc[gap]
    assert said.groups() == (gap, three_digits(row.max()), row.idxmax(), three_digits(row.min()), row.idxmin())
