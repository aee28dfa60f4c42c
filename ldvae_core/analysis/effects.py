"""How much genes differ between two groups of cells, where every cell counts as one observation.

A gene's share of a group is its summed counts over the group's summed library sizes. Its variance over the cells is the
jackknife's, which no distribution has to be assumed for: each cell's residual is taken from the share of the other
cells (HC3 of MacKinnon and White, 1985), so that a single deep cell cannot hide in a share that it makes itself.

A small group without counts has no spread to see. Therefore no variance is smaller than the negative binomial one at
the share of both groups together, with the gene's dispersion within groups; and a group that lies low is judged by that
distribution's lower tail, which is short, where a normal tail would let no small group ever lie low. Half a molecule at
the pooled share is added to each group for the fold change, so that it is finite.
"""

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import log_ndtr, ndtri_exp

from ldvae_core.analysis.numbers import SMALLEST
from ldvae_core.analysis.sums import Leading, Sums, leave_out_weight
from ldvae_core.analysis.uncertainty import INTERVAL_90

PER = 10_000  # molecules: the unit of mean_first and mean_second
PRIOR = 0.5  # molecules, at the pooled share
FEWEST_MOLECULES = 10  # of a gene in both groups together: fewer cannot tell groups apart, and are not tested
FOUND = 0.05  # false discovery rate up to which a gene is said to differ
NEARLY_POISSON = 1e6  # times the mean, of the negative binomial's size


def gene_effects(sums: Sums, gene_names: np.ndarray, leading: Leading | None = None) -> pd.DataFrame:
    """The first of two groups against the second, gene by gene, in the order of the genes.

    Columns: gene; mean_first, mean_second: molecules per 10,000; share_first, share_second: of cells with counts;
    log2_fold_change, low, high: with its 90% interval; statistic: of equal shares, standard normal if they are; p; q
    (Benjamini-Hochberg over the tested genes), both NaN for genes with fewer than FEWEST_MOLECULES; log10_q;
    carried_by_one_cell: it would be no finding without a single one of its cells (False where leading is None).
    """
    parts = sums.by_gene()
    pooled = sums.total.sum(axis=0) / sums.library.sum()
    prior_library = np.divide(PRIOR, pooled, out=np.full(len(pooled), np.inf), where=pooled > 0)
    with np.errstate(invalid="ignore"):
        share = (sums.total + PRIOR) / (parts.library + prior_library)
        spread = np.maximum(_spread(parts, share), _expected_spread(parts, share, _dispersion(parts)))
        variance = (spread + PRIOR) / (sums.total + PRIOR) ** 2  # of the log share
        log_ratio = np.log(share[0] / share[1])
    effect = np.where(pooled > 0, log_ratio, 0.0) / np.log(2)
    half_width = INTERVAL_90 * np.sqrt(np.where(pooled > 0, variance.sum(axis=0), 0.0)) / np.log(2)
    statistic = _statistic(parts)
    tested = sums.total.sum(axis=0) >= FEWEST_MOLECULES
    log10_p = np.where(tested, _log10_p(statistic), np.nan)
    without = log10_p if leading is None else _log10_p(_least_statistic(parts, leading, statistic))
    return gene_columns(
        gene_names, means=sums.total / parts.library * PER, shares=sums.expressing / parts.n_cells, effect=effect,
        half_width=half_width, statistic=statistic, log10_p=log10_p, log10_p_without=without,
    )  # fmt: skip


def gene_columns(
    gene_names: np.ndarray,
    *,
    means: np.ndarray,
    shares: np.ndarray,
    effect: np.ndarray,
    half_width: np.ndarray,
    statistic: np.ndarray,
    log10_p: np.ndarray,
    log10_p_without: np.ndarray,
) -> pd.DataFrame:
    """The table of gene_effects from its parts, each (n_genes,), means and shares of two groups (2, n_genes).

    log10_p: NaN where not tested; log10_p_without: the largest without any one cell. p and q below 1e-300 become that.
    """
    table = pd.DataFrame(
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
        }
    )
    return with_q_values(table.assign(log10_p=log10_p, log10_p_without=log10_p_without))


def with_q_values(table: pd.DataFrame) -> pd.DataFrame:
    """Add p, q, log10_q and carried_by_one_cell from log10_p, whose NaN is not tested, and log10_p_without."""
    log10_p = table["log10_p"].to_numpy(np.float64)
    tested = np.isfinite(log10_p)
    q, without = np.full((2, len(table)), np.nan)
    q[tested] = log10_q_values(log10_p[tested])
    without[tested] = log10_q_values(table["log10_p_without"].to_numpy(np.float64)[tested])
    bar = np.log10(FOUND)
    return table.assign(
        p=10.0 ** np.maximum(log10_p, SMALLEST),
        q=10.0 ** np.maximum(q, SMALLEST),
        log10_q=q,
        carried_by_one_cell=tested & (q < bar) & (without >= bar),
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


def _statistic(sums: Sums) -> np.ndarray:
    """Difference of the shares in standard errors, (n_genes,); 0 without counts. sums: by_gene() of two groups."""
    pooled = _pooled(sums)
    floor = _expected_spread(sums, pooled, _dispersion(sums))
    variance = np.maximum(_spread(sums, sums.total / sums.library), floor)
    variance = np.minimum(variance, _variance_of_lower_tail(sums.total, pooled * sums.library, floor))
    of_share = (variance / sums.library**2).sum(axis=0)
    gap = sums.total[0] / sums.library[0] - sums.total[1] / sums.library[1]
    return np.divide(gap, np.sqrt(of_share), out=np.zeros(len(gap)), where=(pooled > 0) & (of_share > 0))


def _variance_of_lower_tail(total: np.ndarray, expected: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """The variance with which a normal tail below total is that of the negative binomial; inf where total is not low.

    All (2, n_genes); the negative binomial has the given mean and variance.
    """
    low = total < expected
    mean = np.where(low, expected, 1.0)
    size = mean**2 / np.maximum(np.where(low, variance, 2.0) - mean, mean / NEARLY_POISSON)
    log_tail = stats.nbinom.logcdf(np.where(low, np.floor(total), 0), size, size / (size + mean))
    z = -ndtri_exp(log_tail)
    return np.divide((expected - total) ** 2, z**2, out=np.full(z.shape, np.inf), where=low & (z > 0))


def _pooled(sums: Sums) -> np.ndarray:
    """Share of both groups together, (n_genes,)."""
    return sums.total.sum(axis=0) / sums.library.sum(axis=0)


def _spread(sums: Sums, share: np.ndarray) -> np.ndarray:
    """Sum over a group's cells of w * (x - share * s)^2: (2, n_genes)."""
    squares = sums.squares - 2 * share * sums.products + share**2 * sums.library_squares
    return np.maximum(squares, 0.0)


def _dispersion(sums: Sums) -> np.ndarray:
    """Of the negative binomial within both groups, by moments: 0 where counts spread as Poisson: (n_genes,)."""
    share = sums.total / sums.library
    beyond = (_spread(sums, share) - share * sums.library).sum(axis=0)
    unit = (share**2 * sums.depth).sum(axis=0)
    return np.maximum(np.divide(beyond, unit, out=np.zeros(len(unit)), where=unit > 0), 0.0)


def _expected_spread(sums: Sums, share: np.ndarray, dispersion: np.ndarray) -> np.ndarray:
    """Variance of a group's negative binomial total at these shares: (2, n_genes)."""
    return share * sums.library + dispersion * share**2 * sums.depth


def _least_statistic(sums: Sums, leading: Leading, statistic: np.ndarray) -> np.ndarray:
    """The statistic that lies nearest to 0, or beyond it (then 0), when one of the leading cells is left out."""
    least = np.abs(statistic)
    for group in (0, 1):
        for x, s in (leading[:2], leading[2:]):
            own = _one_cell(x, s, sums.library)
            only = Sums(*(np.where(np.arange(2)[:, None] == group, part, 0.0) for part in own))
            without = _statistic(sums.without(only))
            least = np.minimum(least, np.maximum(without * np.sign(statistic), 0.0))
    return least


def _one_cell(x: np.ndarray, s: np.ndarray, library: np.ndarray) -> Sums:
    """The sums of a single cell in each group and for each gene; s is 0 where there is none to leave out."""
    w = leave_out_weight(s, library)
    return Sums((s > 0).astype(float), s, s**2, w * s**2, x, w * x**2, w * x * s, (x > 0).astype(float))


def _log10_p(statistic: np.ndarray) -> np.ndarray:
    """Two-sided, of a standard normal."""
    return np.minimum((np.log(2) + log_ndtr(-np.abs(statistic))) / np.log(10), 0.0)
