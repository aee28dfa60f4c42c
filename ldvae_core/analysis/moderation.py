"""Variances of few samples, moderated: each gene's is drawn towards what genes of its abundance have.

Empirical Bayes of Smyth (2004), as limma publishes it: a gene's variance follows s0^2 times an inverse chi-square with
d0 degrees of freedom, where s0 may depend on abundance through a natural cubic spline (limma-trend; Law et al., 2014).
"""

from typing import NamedTuple

import numpy as np
from scipy.special import digamma, polygamma
from scipy.stats import chi2, f, false_discovery_control

SMALLEST = 1e-5  # of the median variance: smaller ones are accidents that a logarithm would make too much of
FEWEST_FOR_A_TREND = 10  # genes


class Prior(NamedTuple):
    """What the variances of all genes have in common."""

    variance: np.ndarray  # (n_genes,) s0^2
    df: float  # d0; inf: all genes have the variance of their abundance


def fit_prior(variance: np.ndarray, df: float | np.ndarray, abundance: np.ndarray | None = None) -> Prior:
    """Fit s0^2 and d0 to variances (n_genes,); abundance: (n_genes,), None for no trend.

    df: degrees of freedom of each, one number or (n_genes,). Without genes, d0 is 0.
    """
    found = np.asarray(variance, np.float64)
    if not len(found):
        return Prior(found, 0.0)
    middle = float(np.median(found)) or float(found.max()) or 1.0
    log_variance = np.log(np.maximum(found, SMALLEST * middle))
    level = log_variance - digamma(df / 2) + np.log(df / 2)
    design = np.ones((len(level), 1))
    if abundance is not None and len(level) >= FEWEST_FOR_A_TREND:
        design = natural_spline(np.asarray(abundance, np.float64))
    coefficients, _, rank, _ = np.linalg.lstsq(design, level, rcond=None)
    fitted = design @ coefficients
    by_chance = np.mean(polygamma(1, np.asarray(df) / 2))
    beyond = float(((level - fitted) ** 2).sum() / max(len(level) - rank, 1) - by_chance)
    if beyond <= 0:
        return Prior(np.exp(fitted), float("inf"))
    d0 = 2 * inverse_trigamma(beyond)
    return Prior(np.exp(fitted + digamma(d0 / 2) - np.log(d0 / 2)), d0)


def squeeze(
    variance: np.ndarray, df: float | np.ndarray, prior: Prior, among: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Moderated variances and their degrees of freedom, never more than all genes have together; each (n_genes,).

    A gene that varies more than the prior can explain is moderated less: its prior degrees of freedom are d0 times the
    chance, by false discovery rate among the genes `among` (mask; None: all), that it belongs to the prior (robust
    empirical Bayes of Phipson et al. 2016). So a gene whose molecules lie in few cells is not lent the calm of others.
    """
    most = np.broadcast_to(df, variance.shape).sum()
    share = _belonging(variance, df, prior, np.ones(len(variance), bool) if among is None else among)
    lent = np.minimum(prior.df, most) * share
    whole = np.isinf(prior.df) & (share == 1)
    moderated = np.where(whole, prior.variance, (df * variance + lent * prior.variance) / (df + lent))
    return moderated, np.where(whole, most, np.minimum(df + lent, most))


def _belonging(variance: np.ndarray, df: float | np.ndarray, prior: Prior, among: np.ndarray) -> np.ndarray:
    """(n_genes,) 0 to 1; 1 for genes that are not among the compared ones, and without a prior."""
    share = np.ones(len(variance))
    df = np.broadcast_to(df, variance.shape)[among]
    if prior.df > 0 and among.any():
        ratio = np.divide(variance, prior.variance, out=np.zeros(len(variance)), where=prior.variance > 0)[among]
        tail = chi2.sf(df * ratio, df) if np.isinf(prior.df) else f.sf(ratio, df, prior.df)
        share[among] = false_discovery_control(tail)
    return share


def natural_spline(x: np.ndarray) -> np.ndarray:
    """A basis of natural cubic splines in x, straight beyond its range: (n, 1 to 4), more the more values x has."""
    n = len(np.unique(x))
    n_knots = min(1 + (n >= 3) + (n >= 6) + (n >= 30), n)
    unit = (x - x.mean()) / (x.std() or 1.0)
    knots = np.quantile(unit, np.linspace(0, 1, n_knots)) if n_knots > 2 else np.zeros(0)
    columns = [np.ones(len(x)), unit][: max(n_knots, 1)]
    if n_knots > 2:
        bends = [_bend(unit, knot, knots[-1]) for knot in knots[:-1]]
        columns += [bend - bends[-1] for bend in bends[:-1]]
    return np.column_stack(columns)


def inverse_trigamma(value: float) -> float:
    """x with trigamma(x) = value, by Newton's method on 1 / trigamma, which is nearly straight."""
    if value > 1e7:
        return float(1 / np.sqrt(value))
    if value < 1e-6:
        return 1 / value
    x = 0.5 + 1 / value
    for _ in range(50):
        now = float(polygamma(1, x))
        step = now * (1 - now / value) / float(polygamma(2, x))
        x += step
        if -step / x < 1e-10:
            break
    return x


def _bend(x: np.ndarray, knot: float, last: float) -> np.ndarray:
    return (np.maximum(x - knot, 0) ** 3 - np.maximum(x - last, 0) ** 3) / max(last - knot, 1e-12)
