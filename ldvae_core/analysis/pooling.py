"""Loadings of one program pooled over samples: inverse-variance weights, random effects, heterogeneity of every gene.

Sample s says y_gs with standard error e_gs of gene g. Were all samples alike, 1 / e^2 would be the weights and
Q = sum w (y - mean)^2 a chi-square of k - 1 degrees of freedom. What Q exceeds these by is the variance tau^2 between
samples (DerSimonian and Laird 1986), and the pooled loading is the mean with weights 1 / (e^2 + tau^2). Because tau^2
of few samples is hardly known, intervals are Hartung and Knapp's (2001): Student's t of k - 1 degrees of freedom times
an error from how far the samples lie from the pooled value; but never narrower than the normal ones of the weights,
which is where samples agree by chance. Loadings are per standard deviation of the program in their own sample.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm, t

from ldvae_core.analysis.samples import Program, Sample

LEVEL = 0.9  # of the intervals
COLUMNS = ("gene", "loading", "se", "low", "high", "n_samples", "tau", "i2", "heterogeneity_p")


def pooled_loadings(program: Program, samples: Sequence[Sample]) -> pd.DataFrame:
    """One row a gene that two of the samples model, largest absolute pooled loading first; columns COLUMNS.

    loading: in natural logs per standard deviation, in the direction of the program's first sample; tau: between
    samples; i2: the share of the spread that is between them, 0 to 1; heterogeneity_p: chance of so large a Q of equal
    samples.
    """
    genes = list(dict.fromkeys(gene for s in program.samples for gene in samples[s].factors.gene_names.tolist()))
    place = {gene: number for number, gene in enumerate(genes)}
    value, error = np.full((2, len(genes), len(program.samples)), np.nan)
    for column, (s, k, sign) in enumerate(zip(program.samples, program.factors, program.signs, strict=True)):
        factors = samples[s].factors
        rows = [place[gene] for gene in factors.gene_names.tolist()]
        value[rows, column] = sign * np.asarray(factors.loadings[:, k], np.float64)
        error[rows, column] = np.asarray(factors.loadings_se[:, k], np.float64)
    known = np.isfinite(value) & np.isfinite(error) & (error > 0)
    enough = known.sum(axis=1) >= 2
    table = random_effects(np.where(known, value, np.nan)[enough], np.where(known, error, np.nan)[enough])
    table.insert(0, "gene", np.array(genes, dtype=object)[enough])
    order = np.argsort(-np.abs(table["loading"].to_numpy()), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def random_effects(value: np.ndarray, error: np.ndarray) -> pd.DataFrame:
    """Pool every row; value, error (n_genes, n_samples), NaN where a sample does not know the gene, two known a row.

    Columns COLUMNS but gene. Source: see the head of this file.
    """
    known = np.isfinite(value)
    y, count = np.where(known, value, 0.0), known.sum(axis=1)
    weight = np.where(known, 1.0 / np.where(known, error, 1.0) ** 2, 0.0)
    total = weight.sum(axis=1)
    q = (weight * (y - _mean(y, weight)[:, None]) ** 2).sum(axis=1)
    scale = total - (weight**2).sum(axis=1) / total
    tau2 = np.maximum(q - (count - 1), 0.0) / scale
    weight = np.where(known, 1.0 / (np.where(known, error, 1.0) ** 2 + tau2[:, None]), 0.0)
    pooled, total = _mean(y, weight), weight.sum(axis=1)
    spread = (weight * (y - pooled[:, None]) ** 2).sum(axis=1) / (count - 1)
    se = np.sqrt(np.maximum(spread, 1.0) / total)
    half = t.ppf((1 + LEVEL) / 2, count - 1) * np.sqrt(spread / total)
    half = np.maximum(half, norm.ppf((1 + LEVEL) / 2) / np.sqrt(total))
    return pd.DataFrame(
        {
            "loading": pooled,
            "se": se,
            "low": pooled - half,
            "high": pooled + half,
            "n_samples": count,
            "tau": np.sqrt(tau2),
            "i2": np.divide(np.maximum(q - (count - 1), 0.0), q, out=np.zeros_like(q), where=q > 0),
            "heterogeneity_p": chi2.sf(q, count - 1),
        }
    )


def _mean(y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted mean of every row, (n_genes,)."""
    found: np.ndarray = (weight * y).sum(axis=1) / weight.sum(axis=1)
    return found
