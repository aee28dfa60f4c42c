"""Comparing runs: matched factors, angles between subspaces, and the covariance of a representation."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.linalg import subspace_angles
from scipy.optimize import linear_sum_assignment

from ldvae_core.analysis.chunks import column_moments
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import End, top_genes
from ldvae_core.data.chunks import cell_chunks

REPLICATES = 0.8  # absolute cosine of loadings from which two factors are called the same program


class Matching(NamedTuple):
    """Which factor of one run is which of the other, blind to sign and order."""

    pairs: np.ndarray  # (n_matched, 2): factor of a, factor of b, ordered by a
    match: np.ndarray  # (n_matched,): absolute cosine of their loadings, 0 to 1
    same_sign: np.ndarray  # (n_matched,) bool


class CovarianceView(NamedTuple):
    """Fig. S3 corrected: shares belong to components, which are mixtures of factors, never to single factors."""

    correlation: np.ndarray  # (n_factors, n_factors) of centred, scaled Z
    eigenvalue_share: np.ndarray  # (n_factors,), descending, sums to 1; the last is 0 for usages
    components: np.ndarray  # (n_factors, n_factors), one component per column


def match_factors(loadings_a: np.ndarray, loadings_b: np.ndarray) -> Matching:
    """Pair the factors of two runs so that the summed |cosine| of their centred loadings is largest (Hungarian).

    loadings_a, loadings_b: (n_genes, n_factors_a), (n_genes, n_factors_b), the same genes in the same order; a cosine
    does not see the factors' scales. The smaller run's factors are all matched. Raises ValueError when genes differ.
    """
    cosine = cosines(loadings_a, loadings_b)
    a, b = linear_sum_assignment(-np.abs(cosine))
    return Matching(np.column_stack([a, b]), np.abs(cosine[a, b]), cosine[a, b] >= 0)


def cosines(loadings_a: np.ndarray, loadings_b: np.ndarray) -> np.ndarray:
    """Cosine of the centred loadings of every factor of a with every one of b: (n_factors_a, n_factors_b), -1 to 1.

    loadings_a, loadings_b: as in match_factors. Raises ValueError when genes differ.
    """
    _require_same_genes(loadings_a, loadings_b)
    return _unit_columns(loadings_a).T @ _unit_columns(loadings_b)


def matching_table(a: Factors, b: Factors, others: Sequence[Factors] = (), *, n_genes: int = 4) -> pd.DataFrame:
    """Which factor of run b is which of run a, one row per factor of a in its order.

    others: further runs on the same genes. Columns: factor, partner (from 0; missing where b has no factor left),
    match (absolute cosine), same_sign, active, found (active in both and match >= REPLICATES), median_match (over b
    and the others), replicates (active and median_match >= REPLICATES), genes, partner_genes: the n_genes strongest of
    the positive end, and of the partner's end that goes with it, joined by ", ". Raises ValueError when genes differ.
    """
    matching = match_factors(a.loadings, b.loadings)
    partner = np.full(a.n_factors, -1)
    match, same = np.full(a.n_factors, np.nan), np.ones(a.n_factors, bool)
    rows = matching.pairs[:, 0]
    partner[rows], match[rows], same[rows] = matching.pairs[:, 1], matching.match, matching.same_sign
    median = stability([a.loadings, b.loadings, *(other.loadings for other in others)])
    active = np.asarray(a.active, bool)
    both = np.array([active[k] and j >= 0 and bool(b.active[j]) for k, j in enumerate(partner)], bool)
    ends: list[End] = ["positive" if keeps else "negative" for keeps in same]
    return pd.DataFrame(
        {
            "factor": np.arange(a.n_factors),
            "partner": pd.array([int(j) if j >= 0 else None for j in partner], dtype="Int64"),
            "match": match,
            "same_sign": same,
            "active": active,
            "found": both & (np.nan_to_num(match) >= REPLICATES),
            "median_match": median,
            "replicates": active & (np.nan_to_num(median) >= REPLICATES),
            "genes": [_strongest(a, k, "positive", n_genes) for k in range(a.n_factors)],
            "partner_genes": [_strongest(b, j, ends[k], n_genes) if j >= 0 else "" for k, j in enumerate(partner)],
        }
    )


def stability(loadings: Sequence[np.ndarray]) -> np.ndarray:
    """Median match of each factor of the first run with its partners in the others: (n_factors,), NaN if unmatched."""
    first, *others = loadings
    found = np.full((len(others), first.shape[1]), np.nan)
    for row, other in enumerate(others):
        matching = match_factors(first, other)
        found[row, matching.pairs[:, 0]] = matching.match
    matched = [column[~np.isnan(column)] for column in found.T]
    return np.array([np.median(column) if len(column) else np.nan for column in matched])


def principal_angles(loadings_a: np.ndarray, loadings_b: np.ndarray) -> np.ndarray:
    """Angles between the subspaces two runs' centred loadings span: (min(n_factors),) radians, smallest first.

    Small angles with a poor match of factors mean a rotation, not noise. Raises ValueError when genes differ.
    """
    _require_same_genes(loadings_a, loadings_b)
    return subspace_angles(_unit_columns(loadings_a), _unit_columns(loadings_b))[::-1]


def covariance_view(representation: np.ndarray) -> CovarianceView:
    """Correlation of the factors over cells and its eigenvalue spectrum.

    representation: (n_cells, n_factors). A factor that does not vary correlates with nothing. Source: Fig. S3, with the
    correction of docs/model.md, "Covariance of the factors".
    """
    mean, sd, _ = column_moments(representation)
    products = np.zeros((len(mean), len(mean)))
    for cells in cell_chunks(*representation.shape):
        scaled = (np.asarray(representation[cells], np.float64) - mean) / np.where(sd > 0, sd, np.inf)
        products += scaled.T @ scaled / len(representation)
    np.fill_diagonal(products, 1.0)
    values, vectors = np.linalg.eigh(products)
    values = np.maximum(values[::-1], 0.0)
    return CovarianceView(products, values / values.sum(), vectors[:, ::-1])


def _strongest(factors: Factors, factor: int, end: End, n: int) -> str:
    table = top_genes(factors, factor, n, end=end)
    return ", ".join(map(str, table["gene"]))


def _unit_columns(loadings: np.ndarray) -> np.ndarray:
    centred = np.asarray(loadings, np.float64) - np.mean(loadings, axis=0, dtype=np.float64)
    norm = np.linalg.norm(centred, axis=0)
    return centred / np.where(norm > 0, norm, 1.0)


def _require_same_genes(loadings_a: np.ndarray, loadings_b: np.ndarray) -> None:
    if len(loadings_a) != len(loadings_b):
        raise ValueError(f"{len(loadings_a)} and {len(loadings_b)} genes: match the genes of both runs first")
