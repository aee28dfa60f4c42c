"""Highly variable genes as in Seurat version 3: variance of counts beyond what the mean predicts."""

import warnings

import numpy as np

from ldvae_core.data.histogram import GeneHistogram
from ldvae_core.errors import SettingsError

SPANS = (0.3, 0.5, 0.75, 1.0)  # share of genes in each local fit; wider ones serve where few genes carry counts


def normalised_variance(histogram: GeneHistogram) -> np.ndarray:
    """Variance of clipped, standardised counts, float64 (n_genes,): above 1, more variable than genes of that mean.

    histogram: of the raw counts of at least 3 cells. The expected standard deviation of a gene comes from a local
    quadratic fit of log10 variance on log10 mean; standardised counts are clipped at sqrt(n_cells). Genes without
    variance get 0. Source: Stuart et al. 2019, Cell 177:1888, methods. Raises SettingsError when no fit succeeds.
    """
    n_cells = histogram.n_cells
    counts = histogram.counts.astype(np.float64)
    mean = histogram.sums(counts) / n_cells
    variance = np.maximum((histogram.sums(counts**2) - n_cells * mean**2) / (n_cells - 1), 0.0)
    varies = variance > 0
    deviation = np.ones(histogram.n_genes)
    deviation[varies] = np.sqrt(10.0 ** _trend(np.log10(mean[varies]), np.log10(variance[varies])))
    clipped = np.minimum(counts, (deviation * np.sqrt(n_cells) + mean)[histogram.genes])
    total, squares = histogram.sums(clipped), histogram.sums(clipped**2)
    normalised = (n_cells * mean**2 + squares - 2 * total * mean) / ((n_cells - 1) * deviation**2)
    return np.where(varies, normalised, 0.0)


def rank_genes(variances: list[np.ndarray], wanted: int) -> np.ndarray:
    """Genes from most to least variable over batches: int (n_genes,).

    variances: one array (n_genes,) a batch. A gene is placed by the median of its ranks in the batches where it is
    among the first `wanted`; between equals, by the number of those batches; genes never among them come last.
    """
    ranks = np.stack([np.argsort(np.argsort(-variance, kind="stable"), kind="stable") for variance in variances])
    ranks = np.where(ranks < wanted, ranks.astype(np.float64), np.nan)
    times = np.isfinite(ranks).sum(axis=0)
    median = np.full(ranks.shape[1], np.inf)
    median[times > 0] = np.nanmedian(ranks[:, times > 0], axis=0)
    return np.lexsort((-times, median))


def _trend(log_mean: np.ndarray, log_variance: np.ndarray) -> np.ndarray:
    """Local quadratic regression of log variance on log mean, with the narrowest span that can be fitted."""
    if len(log_mean) == 0:
        return log_variance
    from skmisc.loess import loess  # here, not above: gene selection by variance works without it

    for span in SPANS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fit = loess(log_mean, log_variance, span=span, degree=2)
                fit.fit()
            values = np.asarray(fit.outputs.fitted_values)
        except ValueError:  # near-singular neighbourhoods: few cells, many genes with the same mean
            continue
        if np.isfinite(values).all():
            return values
    raise SettingsError(
        "The trend of variance with mean could not be fitted: too few cells, or too many genes with the same mean.",
        "Choose gene selection 'variance'.",
    )
