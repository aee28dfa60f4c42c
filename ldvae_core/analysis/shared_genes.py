"""Factors of runs on different genes, brought to those that all model: only there can programs be compared."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.matching import BY_GENE

FEWEST_SHARED = 100  # genes; of fewer, factors agree by chance


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
    known = (name for name in BY_GENE if getattr(factors, name) is not None)
    taken: dict[str, Any] = {name: np.asarray(getattr(factors, name))[rows] for name in known}
    return replace(factors, **taken)
