"""How much genes and factors differ between two groups of cells, where every cell counts as one observation.

A gene's share of a group is its summed counts over the group's summed library sizes. Its variance is the robust one of
a ratio, sum of (x - share * library)^2, so that no distribution of the counts is assumed; the terms of that square are
summed over all cells in one pass. Half a molecule at the share of both groups together is added to each group: a gene
that one of them lacks gets a finite fold change with a wide interval.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import log_ndtr

from ldvae_core.analysis.uncertainty import INTERVAL_90
from ldvae_core.data.chunks import ENTRIES

PER = 10_000  # molecules: the unit of mean_first and mean_second
PRIOR = 0.5  # molecules, at the pooled share
SORTERS = 4  # threads: sorting leaves the interpreter free


ReportShare = Callable[[float], None]  # is called with the share of the work done, 0 to 1, now and then


def ignore_share(share: float) -> None:
    """Nobody asks how far it is."""


class Sums(NamedTuple):
    """What is summed over the cells of each group. s is a cell's library size, x its counts of a gene."""

    n_cells: np.ndarray  # (n_groups,)
    library: np.ndarray  # (n_groups,) of s
    library_squares: np.ndarray  # (n_groups,) of s * s
    total: np.ndarray  # (n_groups, n_genes) of x
    squares: np.ndarray  # (n_groups, n_genes) of x * x
    products: np.ndarray  # (n_groups, n_genes) of x * s
    expressing: np.ndarray  # (n_groups, n_genes) cells with x > 0


def group_sums(
    counts: sparse.csr_matrix,
    library_size: np.ndarray,
    group: np.ndarray,
    n_groups: int,
    *,
    report: ReportShare = ignore_share,
) -> Sums:
    """One pass over the counts of the chosen cells. report: called with the share of it that is done, 0 to 1.

    counts: (n_cells, n_genes) CSR without stored zeros; library_size: (n_cells,); group: (n_cells,) from 0 to
    n_groups - 1, -1 for cells that are not chosen.
    """
    n_genes = counts.shape[1]
    tables = np.zeros((4, n_groups * n_genes))
    pieces = _pieces(counts.indptr)
    for done, cells in enumerate(pieces):
        report(done / len(pieces))
        code = group[cells]
        if not (code >= 0).any():
            continue
        entries = slice(counts.indptr[cells.start], counts.indptr[cells.stop])
        n = np.diff(counts.indptr[cells.start : cells.stop + 1])
        x, place = counts.data[entries].astype(np.float64), np.repeat(code * n_genes, n) + counts.indices[entries]
        size = np.repeat(library_size[cells], n)
        if (code < 0).any():
            kept = np.repeat(code >= 0, n)
            x, place, size = x[kept], place[kept], size[kept]
        for table, weights in zip(tables, (x, x * x, x * size, None), strict=True):
            table += np.bincount(place, weights, minlength=n_groups * n_genes)
    chosen = group >= 0
    code, size = group[chosen], np.asarray(library_size, np.float64)[chosen]
    scalars = (np.bincount(code, weights, minlength=n_groups).astype(np.float64) for weights in (None, size, size**2))
    return Sums(*scalars, *tables.reshape(4, n_groups, n_genes))


def gene_effects(sums: Sums, gene_names: np.ndarray) -> pd.DataFrame:
    """The first of two groups against the second, gene by gene, in the order of the genes.

    Columns: gene; mean_first, mean_second: molecules per 10,000; share_first, share_second: of cells with counts;
    log2_fold_change, low, high: with its 90% interval; statistic: score test of equal shares, robust, standard normal
    if they are; p; q (Benjamini-Hochberg over all genes); log10_q, exact where q is too small for a number.
    """
    pooled = sums.total.sum(axis=0) / sums.library.sum()
    prior_library = np.divide(PRIOR, pooled, out=np.full(len(pooled), np.inf), where=pooled > 0)
    with np.errstate(invalid="ignore"):
        share = (sums.total + PRIOR) / (sums.library[:, None] + prior_library)
        variance = (_spread(sums, share) + PRIOR) / (sums.total + PRIOR) ** 2  # of the log share
        log_ratio = np.log(share[0] / share[1])
    nowhere = pooled == 0
    effect = np.where(nowhere, 0.0, log_ratio) / np.log(2)
    error = np.sqrt(variance.sum(axis=0)) / np.log(2)
    statistic = _score(sums, pooled)
    log10_p = (np.log(2) + log_ndtr(-np.abs(statistic))) / np.log(10)
    means = sums.total / sums.library[:, None] * PER
    return gene_columns(gene_names, sums, means, effect, INTERVAL_90 * error, statistic, np.minimum(log10_p, 0.0))


def gene_columns(
    gene_names: np.ndarray,
    sums: Sums,
    means: np.ndarray,
    effect: np.ndarray,
    half_width: np.ndarray,
    statistic: np.ndarray,
    log10_p: np.ndarray,
) -> pd.DataFrame:
    """The table of gene_effects from its parts, each (n_genes,), means and the sums of two groups (2, n_genes)."""
    shares = sums.expressing / sums.n_cells[:, None]
    q = log10_q_values(log10_p)
    return pd.DataFrame(
        {
            "gene": np.asarray(gene_names).astype(object),
            "mean_first": means[0],
            "mean_second": means[1],
            "share_first": shares[0],
            "share_second": shares[1],
            "log2_fold_change": effect,
            "low": effect - half_width,
            "high": effect + half_width,
            "statistic": statistic,
            "p": 10.0**log10_p,
            "q": 10.0**q,
            "log10_q": q,
        }
    )


def log10_q_values(log10_p: np.ndarray) -> np.ndarray:
    """log10 of the q values of log10 p values: the false discovery rate at which each would be a finding."""
    order, n = np.argsort(log10_p, kind="stable"), len(log10_p)
    adjusted = log10_p[order] + np.log10(n / np.arange(1, n + 1)) if n else log10_p
    q = np.empty(n)
    q[order] = np.minimum(np.minimum.accumulate(adjusted[::-1])[::-1], 0.0)
    return q


def sure_effect(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The end of an interval that lies nearer to 0, with its sign; 0 where the interval holds 0 or is not known."""
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    return np.where(low > 0, low, np.where(high < 0, high, 0.0))


def factor_effects(
    representation: np.ndarray,
    scale: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    report: ReportShare = ignore_share,
) -> np.ndarray:
    """difference, its standard error (both in sd of the factor over all cells) and AUC: (3, n_factors).

    representation: (n_cells, n_factors); scale: (n_factors,); first, second: (n_cells,) bool. The AUC is the chance
    that a cell of the first group lies higher than one of the second, ties counting half, over all pairs of cells.
    report: called with the share that is done, 0 to 1.
    """
    unit = np.where(scale > 0, scale, 1.0)

    def one(factor: int) -> tuple[float, float, float]:
        column = np.asarray(representation[:, factor])
        a, b = column[first], column[second]
        means = [float(part.mean(dtype=np.float64)) for part in (a, b)]
        errors = [float(part.var(dtype=np.float64)) / max(len(part) - 1, 1) for part in (a, b)]
        return (means[0] - means[1]) / unit[factor], float(np.sqrt(sum(errors))) / unit[factor], auc(a, b)

    found, n_factors = [], representation.shape[1]
    with ThreadPoolExecutor(SORTERS) as pool:
        for row in pool.map(one, range(n_factors)):
            found.append(row)
            report(len(found) / n_factors)
    return np.array(found).reshape(-1, 3).T


def auc(first: np.ndarray, second: np.ndarray) -> float:
    """Chance that a value of the first group exceeds one of the second, ties counting half; NaN when one is empty."""
    if not len(first) or not len(second):
        return float("nan")
    few, many = sorted((np.sort(first), np.sort(second)), key=len)
    below = np.searchsorted(many, few, "left")
    tied = many[np.minimum(below, len(many) - 1)] == few
    ties = int((np.searchsorted(many, few[tied], "right") - below[tied]).sum())
    chance = (int(below.sum()) + ties / 2) / (len(few) * len(many))
    return chance if len(first) <= len(second) else 1.0 - chance


def _spread(sums: Sums, share: np.ndarray) -> np.ndarray:
    """Sum over a group's cells of (x - share * s)^2, unbiased for small groups: (2, n_genes)."""
    squares = sums.squares - 2 * share * sums.products + share**2 * sums.library_squares[:, None]
    return np.maximum(squares, 0.0) * (sums.n_cells / np.maximum(sums.n_cells - 1, 1))[:, None]


def _score(sums: Sums, pooled: np.ndarray) -> np.ndarray:
    """The first group's counts beyond the pooled share, in standard errors under equal shares; 0 without counts."""
    weight = sums.library[::-1] / sums.library.sum()  # what the estimated pooled share takes off each group's noise
    variance = (weight[:, None] ** 2 * _spread(sums, np.broadcast_to(pooled, sums.total.shape))).sum(axis=0)
    beyond = sums.total[0] - pooled * sums.library[0]
    return np.divide(beyond, np.sqrt(variance), out=np.zeros(len(pooled)), where=variance > 0)


def _pieces(indptr: np.ndarray) -> list[slice]:
    """Consecutive slices of cells with about ENTRIES stored counts each."""
    n_cells = len(indptr) - 1
    cuts = np.searchsorted(indptr, np.arange(ENTRIES, int(indptr[-1]), ENTRIES))
    edges = np.unique(np.concatenate([[0], cuts, [n_cells]])).astype(int)
    return [slice(a, b) for a, b in pairwise(edges)]
