"""Which program of one model is which of another, measured as counts would tell them apart.

A program changes the log means of all genes at once, by W_g per unit. Counts of a cell tell such a change with the
information sum_g f_g (W_g - mean)^2, f_g the gene's share of the molecules and the mean weighted by f (a multinomial's
Fisher information). So loadings are centred with the weights f, weighted by the root of f, and two programs match by
the absolute cosine of what results. Shrunken loadings are taken. Raw cosines count all genes alike and drown in the
noise of rare ones: between halves of small data they find a third of the programs again that this finds.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from ldvae_core.analysis.factors import Factors

BY_GENE = ("loadings", "loadings_se", "loadings_shrunken", "loadings_shrunken_sd", "intercept", "inverse_dispersion",
           "gene_names", "gene_deviance")  # fmt: skip
REPLICATES = 0.8  # match from which two factors are called the same program


class Matching(NamedTuple):
    """Which factor of one run is which of the other, blind to sign and order."""

    pairs: np.ndarray  # (n_matched, 2): factor of a, factor of b, ordered by a
    match: np.ndarray  # (n_matched,): absolute cosine, 0 to 1
    same_sign: np.ndarray  # (n_matched,) bool


def program_cosines(a: Factors, b: Factors) -> np.ndarray:
    """How alike every factor of a is to every one of b: (n_factors_a, n_factors_b), -1 to 1, in the information metric.

    Shrunken loadings; each gene counts by its mean share of molecules in both. Raises ValueError when genes differ.
    """
    _require_same_genes(a.loadings_shrunken, b.loadings_shrunken)
    share = (a.molecule_share + b.molecule_share) / 2
    return cosines(a.loadings_shrunken, b.loadings_shrunken, share)


def match_programs(a: Factors, b: Factors) -> Matching:
    """Pair the factors of two runs so that the summed match is largest (Hungarian), as program_cosines measures it.

    The smaller run's factors are all matched. Raises ValueError when genes differ.
    """
    return paired(program_cosines(a, b))


def match_factors(loadings_a: np.ndarray, loadings_b: np.ndarray, share: np.ndarray | None = None) -> Matching:
    """As match_programs, from arrays alone: see cosines."""
    return paired(cosines(loadings_a, loadings_b, share))


def paired(cosine: np.ndarray) -> Matching:
    """One to one, with the largest sum of absolute values. cosine: (n_factors_a, n_factors_b)."""
    a, b = linear_sum_assignment(-np.abs(cosine))
    return Matching(np.column_stack([a, b]), np.abs(cosine[a, b]), cosine[a, b] >= 0)


def cosines(loadings_a: np.ndarray, loadings_b: np.ndarray, share: np.ndarray | None = None) -> np.ndarray:
    """Cosine of the centred loadings of every factor of a with every one of b: (n_factors_a, n_factors_b), -1 to 1.

    loadings_a, loadings_b: (n_genes, n_factors_a), (n_genes, n_factors_b), the same genes in the same order; a cosine
    does not see the factors' scales. share: (n_genes,) >= 0, mean expression of the genes in any unit; None counts all
    genes alike, the raw cosine. A factor without loadings is like none. Raises ValueError when genes differ.
    """
    _require_same_genes(loadings_a, loadings_b)
    return unit_columns(loadings_a, share).T @ unit_columns(loadings_b, share)


def stability(runs: Sequence[Factors]) -> np.ndarray:
    """Median match of each factor of the first run with its partners in the others: (n_factors,), NaN if unmatched."""
    first, *others = runs
    found = np.full((len(others), first.n_factors), np.nan)
    for row, other in enumerate(others):
        matching = match_programs(first, other)
        found[row, matching.pairs[:, 0]] = matching.match
    matched = [column[~np.isnan(column)] for column in found.T]
    return np.array([np.median(column) if len(column) else np.nan for column in matched])


def on_genes_of(factors: Factors, like: Factors) -> Factors | None:
    """The same factors with their genes in the order of `like`; None unless both have factors, of the same genes."""
    if not factors.n_factors or not like.n_factors or factors.n_genes != like.n_genes:
        return None
    if (np.sort(factors.gene_names) != np.sort(like.gene_names)).any():
        return None
    place = {name: position for position, name in enumerate(factors.gene_names.tolist())}
    order = np.array([place[name] for name in like.gene_names.tolist()])
    known = (name for name in BY_GENE if getattr(factors, name) is not None)
    return replace(factors, **{name: np.asarray(getattr(factors, name))[order] for name in known})


def unit_columns(loadings: np.ndarray, share: np.ndarray | None = None) -> np.ndarray:
    """Loadings centred and weighted as cosines measures them, every factor of length 1 (0 without loadings)."""
    weights = np.asarray(loadings, np.float64)
    counted = np.ones(len(weights)) if share is None else np.maximum(np.asarray(share, np.float64), 0.0)
    centred = weights - counted @ weights / max(counted.sum(), np.finfo(float).tiny)
    vectors = np.sqrt(counted)[:, None] * centred
    norm = np.linalg.norm(vectors, axis=0)
    return vectors / np.where(norm > 0, norm, 1.0)


def _require_same_genes(loadings_a: np.ndarray, loadings_b: np.ndarray) -> None:
    if len(loadings_a) != len(loadings_b):
        raise ValueError(f"{len(loadings_a)} and {len(loadings_b)} genes: match the genes of both runs first")
