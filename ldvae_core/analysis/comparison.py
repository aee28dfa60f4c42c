"""Comparing runs: a table of matched factors, angles between subspaces, the covariance of a representation."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.linalg import subspace_angles

from ldvae_core.analysis.chunks import column_moments
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.matching import REPLICATES, cosines, match_programs, stability, unit_columns
from ldvae_core.analysis.programs import End, top_genes
from ldvae_core.data.chunks import cell_chunks


class CovarianceView(NamedTuple):
    """Fig. S3 corrected: shares belong to components, which are mixtures of factors, never to single factors."""

    correlation: np.ndarray  # (n_factors, n_factors) of centred, scaled Z
    eigenvalue_share: np.ndarray  # (n_factors,), descending, sums to 1; the last is 0 for usages
    components: np.ndarray  # (n_factors, n_factors), one component per column


def matching_table(a: Factors, b: Factors, others: Sequence[Factors] = (), *, n_genes: int = 4) -> pd.DataFrame:
    """Which factor of run b is which of run a, one row per factor of a in its order.

    others: further runs on the same genes. Columns: factor, partner (from 0; missing where b has no factor left),
    match (in the information metric of matching.py), raw_cosine (absolute, of the loadings as they are), same_sign,
    active, found (active in both and match >= REPLICATES), median_match (over b and the others), replicates (active and
    median_match >= REPLICATES), genes, partner_genes: the n_genes strongest of the positive end, and of the partner's
    end that goes with it, joined by ", ". Raises ValueError when genes differ.
    """
    matching = match_programs(a, b)
    partner = np.full(a.n_factors, -1)
    match, raw, same = np.full(a.n_factors, np.nan), np.full(a.n_factors, np.nan), np.ones(a.n_factors, bool)
    rows, columns = matching.pairs.T
    partner[rows], match[rows], same[rows] = columns, matching.match, matching.same_sign
    raw[rows] = np.abs(cosines(a.loadings, b.loadings)[rows, columns])
    median = stability([a, b, *others])
    active = np.asarray(a.active, bool)
    both = np.array([active[k] and j >= 0 and bool(b.active[j]) for k, j in enumerate(partner)], bool)
    ends: list[End] = ["positive" if keeps else "negative" for keeps in same]
    return pd.DataFrame(
        {
            "factor": np.arange(a.n_factors),
            "partner": pd.array([int(j) if j >= 0 else None for j in partner], dtype="Int64"),
            "match": match,
            "raw_cosine": raw,
            "same_sign": same,
            "active": active,
            "found": both & (np.nan_to_num(match) >= REPLICATES),
            "median_match": median,
            "replicates": active & (np.nan_to_num(median) >= REPLICATES),
            "genes": [_strongest(a, k, "positive", n_genes) for k in range(a.n_factors)],
            "partner_genes": [_strongest(b, j, ends[k], n_genes) if j >= 0 else "" for k, j in enumerate(partner)],
        }
    )


def principal_angles(loadings_a: np.ndarray, loadings_b: np.ndarray) -> np.ndarray:
    """Angles between the subspaces two runs' centred loadings span: (min(n_factors),) radians, smallest first.

    Small angles with a poor match of factors mean a rotation, not noise. Raises ValueError when genes differ.
    """
    if len(loadings_a) != len(loadings_b):
        raise ValueError(f"{len(loadings_a)} and {len(loadings_b)} genes: match the genes of both runs first")
    return subspace_angles(unit_columns(loadings_a), unit_columns(loadings_b))[::-1]


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
