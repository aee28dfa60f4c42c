"""One factor, no annotation, a hundred types, names as long as they come, usages: ordinary inputs on every page."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ldvae_core.data.synthetic import plant_programs
from tests.pages.conftest import PAGES

VIEWS = [
    *((file, {}) for file in PAGES),
    *(("factors.py", {"view": view}) for view in ("Gallery", "One factor")),
    *(("cell_types.py", {"view_types": view}) for view in ("Why do these differ?", "Distributions", "Design")),
]
LONG = "Interleukin-responsive intraepithelial <b>lymphocyte</b> $x$ of the small intestine " * 3


def named(values):
    return pd.DataFrame({"cell_type": pd.Categorical(values)})


@pytest.fixture
def one_factor():
    """300 cells with a single program."""
    return {"truth": plant_programs(n_cells=300, n_genes=60, n_factors=1, seed=2)}


@pytest.fixture
def no_annotation():
    """Cells that nobody has labelled."""
    return {"annotations": pd.DataFrame(index=range(300))}


@pytest.fixture
def a_hundred_types():
    """As many types as an annotation may have, six cells each."""
    truth = plant_programs(n_cells=600, n_genes=60, n_factors=4, seed=3)
    return {"truth": truth, "annotations": named([f"type {number % 100}" for number in range(600)])}


@pytest.fixture
def long_names(planted):
    """Types and genes of 200 characters that look like markup, alike in their beginnings."""
    genes = np.array([f"{LONG[:190]}{number:09d}" for number in range(planted.counts.n_genes)])
    kinds = [f"{LONG[:190]}{number % 3:09d}" for number in range(300)]
    return {"truth": replace(planted, counts=replace(planted.counts, gene_names=genes)), "annotations": named(kinds)}


@pytest.fixture
def usages():
    """A logistic-normal prior: positions are shares."""
    return {"prior": "logistic_normal"}


@pytest.fixture
def one_type():
    """An annotation that does not group anything."""
    return {"annotations": named(["all the same"] * 300)}


@pytest.mark.parametrize("kind", ["one_factor", "no_annotation", "a_hundred_types", "long_names", "usages", "one_type"])
@pytest.mark.parametrize(
    ("file", "address"), VIEWS, ids=lambda value: value if isinstance(value, str) else "-".join(value.values())
)
def test_every_view_stands(request, open_page, make_run, kind, file, address):
    """No page breaks, and what cannot be shown is said without the word error."""
    run_id = make_run(**request.getfixturevalue(kind))
    at = open_page(file, run=run_id, **address)
    assert not at.exception
    assert [box.value for box in at.error] == []
