"""Small planted truths: counts drawn from a known linear model, so that every table has a known answer."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ldvae_core.analysis.factors import Factors, build_factors
from ldvae_core.data.split import split_cells


class PlantedModel(NamedTuple):
    """Counts and the model that they were drawn from."""

    counts: sparse.csr_matrix
    z: np.ndarray
    loadings: np.ndarray
    intercept: np.ndarray
    theta: np.ndarray
    library_size: np.ndarray
    labels: np.ndarray


def plant_model(*, n_cells=1200, n_genes=150, n_factors=4, usage=False, seed=0, depth=1500.0) -> PlantedModel:
    """Each type of cell is high on one factor, and each factor moves genes of its own."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, n_factors, n_cells)
    z = rng.normal(0, 0.4, (n_cells, n_factors)) + 2.0 * np.eye(n_factors)[kind] * rng.uniform(0.5, 1.5, (n_cells, 1))
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    if usage:
        z = np.exp(1.5 * z)
        z /= z.sum(axis=1, keepdims=True)
    loadings = rng.normal(0, 0.05, (n_genes, n_factors))
    for k in range(n_factors):
        loadings[k * 10 : k * 10 + 10, k] += rng.choice([-1, 1], 10) * rng.uniform(0.5, 1.0, 10)
    intercept, theta = rng.normal(0, 1, n_genes), rng.uniform(1, 20, n_genes)
    library_size = depth * rng.lognormal(0, 0.3, n_cells)
    fraction = np.exp(z @ loadings.T + intercept)
    mean = library_size[:, None] * fraction / fraction.sum(axis=1, keepdims=True)
    counts = sparse.csr_matrix(rng.negative_binomial(theta, theta / (theta + mean)).astype(np.uint16))
    labels = np.array([f"type {k}" for k in kind], object)
    return PlantedModel(counts, z, loadings, intercept, theta, library_size, labels)


def build_shown(planted: PlantedModel, **changes) -> Factors:
    """build_factors on the truth itself, with a posterior of standard deviation 0.3."""
    usage = bool(np.allclose(planted.z.sum(axis=1), 1))
    settings = {
        "representation": planted.z,
        "posterior_variance": None if usage else np.full(planted.z.shape, 0.09),
        "loadings": planted.loadings,
        "intercept": planted.intercept,
        "inverse_dispersion": planted.theta,
        "counts": planted.counts,
        "library_size": planted.library_size,
        "split": split_cells(len(planted.z), seed=0),
        "prior": "logistic_normal" if usage else "normal",
        "axes": "readable",
        "gene_names": np.array([f"Gene{g}" for g in range(len(planted.loadings))]),
    }
    return build_factors(**settings | changes)


@pytest.fixture(scope="session")
def plant() -> Callable[..., PlantedModel]:
    """Draws another planted model: n_cells, n_genes, n_factors, usage, seed, depth."""
    return plant_model


@pytest.fixture(scope="session")
def factors_of() -> Callable[..., Factors]:
    """Builds the factors of a planted model, any argument of build_factors changed."""
    return build_shown


@pytest.fixture(scope="session")
def planted() -> PlantedModel:
    return plant_model()


@pytest.fixture(scope="session")
def planted_usage() -> PlantedModel:
    return plant_model(usage=True)


@pytest.fixture(scope="session")
def factors(planted) -> Factors:
    return build_shown(planted)


@pytest.fixture(scope="session")
def usage_factors(planted_usage) -> Factors:
    return build_shown(planted_usage)


@pytest.fixture
def labels(planted) -> pd.Series:
    return pd.Series(planted.labels).astype("category")
