"""Factors of runs on different genes, brought to those that all model: only there can programs be compared."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ldvae_core.analysis.factors import Factors

FEWEST_SHARED = 100  # genes; of fewer, factors agree by chance
OF_GENES = (
    "gene_names", "loadings", "loadings_se", "loadings_shrunken", "loadings_shrunken_sd", "intercept",
    "inverse_dispersion",
)  # fmt: skip


def n_shared_genes(names: Sequence[np.ndarray]) -> int:
    """How many genes all lists of names have."""
    return len(set.intersection(*(set(own.tolist()) for own in names)))


def on_shared_genes(factors: Sequence[Factors]) -> tuple[Factors, ...]:
    """The same factors with the genes that all have, in the order of the first; as they are where these are all.

    For comparing loadings: figures of cells and of explained deviance stay those of all genes of a run.
    """
    first, *others = factors
    if all(np.array_equal(first.gene_names, other.gene_names) for other in others):
        return tuple(factors)
    shared = set.intersection(*(set(one.gene_names.tolist()) for one in factors))
    kept = [name for name in first.gene_names.tolist() if name in shared]
    return tuple(_taken(one, kept) for one in factors)


def _taken(factors: Factors, names: list[str]) -> Factors:
    place = {name: row for row, name in enumerate(factors.gene_names.tolist())}
    rows = np.array([place[name] for name in names], np.int64)
    deviance = None if factors.gene_deviance is None else factors.gene_deviance[rows]
    return replace(factors, **{name: getattr(factors, name)[rows] for name in OF_GENES}, gene_deviance=deviance)
