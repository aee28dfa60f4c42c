"""Two groups of cells compared with the sample as the unit: cells of one donor are no independent observations.

Three or four samples say little about a gene's variance; that of genes of the same abundance says more. Variances are
therefore moderated as limma's are, so that none is small by accident and few samples have power.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ldvae_core.analysis.effects import PER, PRIOR, gene_columns
from ldvae_core.analysis.factor_effects import auc
from ldvae_core.analysis.moderation import Prior, fit_prior, squeeze
from ldvae_core.analysis.sums import Leading, Sums
from ldvae_core.errors import SettingsError

FEWEST_CELLS = 10  # of a sample in a group: fewer say little about the sample
FEWEST_SAMPLES = 2  # per group
MOLECULES_A_SAMPLE = 10  # of a gene: with fewer, its log share is mostly chance
MOST_NAMED = 5  # samples in a sentence
REMEDY = "Choose cells as the unit (their p values are then too optimistic), or load data with more samples."


class Design(NamedTuple):
    """Which samples stand for each group. Samples with fewer than 10 cells in a group are left out of it."""

    paired: bool  # the same samples in both groups, compared within themselves
    first: np.ndarray  # codes of samples
    second: np.ndarray  # the same ones, in the same order, when paired
    n_left_out: int  # samples with cells in a group that do not count for it
    n_samples: int  # in all, those that count for nothing included

    @property
    def n(self) -> tuple[int, int]:
        """Samples of the first and of the second group."""
        return len(self.first), len(self.second)

    def groups(
        self, codes: np.ndarray, n_samples: int, first: np.ndarray, second: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """group * n_samples + sample of every cell that counts, -1 for the others; and both groups without those."""
        kept = np.zeros((2, n_samples + 1), bool)  # the last entry answers for cells without a sample
        kept[0, self.first] = kept[1, self.second] = True
        first, second = first & kept[0, codes], second & kept[1, codes]
        return np.where(first, codes, np.where(second, n_samples + codes, -1)), first, second

    def folds(self, codes: np.ndarray, n_samples: int, second: np.ndarray, *, most: int) -> np.ndarray:
        """Folds (n_cells,) that leave whole samples out, at least one of each group; a pair stays together."""
        n_folds = min(most, *self.n)
        fold = np.zeros((2, n_samples + 1), np.int64)
        for group, used in enumerate((self.first, self.second)):
            fold[group, used] = np.arange(len(used)) % n_folds
        return np.where(second, fold[1, codes], fold[0, codes])


def design_samples(
    codes: np.ndarray, samples: list[str], first: np.ndarray, second: np.ndarray, names: tuple[str, str]
) -> Design:
    """Choose the samples of both groups, and whether they are compared in pairs.

    codes: (n_cells,) positions in `samples`, -1 where not known; first, second: (n_cells,) bool. Paired when at least
    two samples, and half of the larger group's, have enough cells in both groups: the others are then left out.
    Raises SettingsError when a group has fewer than two samples of at least 10 cells, naming them.
    """
    cells = np.array([np.bincount(codes[group & (codes >= 0)], minlength=len(samples)) for group in (first, second)])
    enough = cells >= FEWEST_CELLS
    n, both = enough.sum(axis=1), np.flatnonzero(enough.all(axis=0))
    if n.min() < FEWEST_SAMPLES:
        found = [f"{name} has {_listed(samples, each)}" for name, each in zip(names, enough, strict=True)]
        raise SettingsError(
            f"The sample is the unit here, and {' and '.join(found)} with at least {FEWEST_CELLS} cells; "
            f"{FEWEST_SAMPLES} are needed in each group.",
            REMEDY,
        )
    paired = len(both) >= FEWEST_SAMPLES and bool(2 * len(both) >= n.max())
    used = [both, both] if paired else [np.flatnonzero(each) for each in enough]
    left_out = int((cells > 0).any(axis=0).sum()) - len(np.union1d(*used))
    return Design(paired, used[0], used[1], left_out, len(samples))


def sample_gene_effects(
    sums: Sums, design: Design, gene_names: np.ndarray, leading: Leading | None = None
) -> pd.DataFrame:
    """The table of effects.gene_effects from the summed counts of each sample in each group.

    sums: of groups numbered group * n_samples + sample. A sample's value is the log of its share of molecules, half a
    molecule of an average sample added. Values are compared by a t test with one variance for both groups, or of the
    differences within samples when paired; the variances are moderated (analysis/moderation.py). A gene is
    tested that has MOLECULES_A_SAMPLE in as many samples as the smaller group has, whichever these are.
    """
    n_samples = len(sums.n_cells) // 2
    rows = np.concatenate([design.first, n_samples + design.second])
    library, total = sums.library[rows, None], sums.total[rows]
    added = PRIOR / library.mean()
    values = np.log2(total / library + added)
    tested = (total >= MOLECULES_A_SAMPLE).sum(axis=0) >= min(design.n)
    effect, variance, unit, df = difference_of_samples(values, design)
    abundance = values.mean(axis=0)
    prior = _prior_of(variance, df, abundance, tested)
    half_width, statistic, log10_p = _moderated(effect, variance, unit, df, prior, tested)
    without = log10_p if leading is None else _log10_p_without(values, total, library, added, rows, leading,
                                                               design, prior, tested)  # fmt: skip
    edges = [0, len(design.first)]
    cells, expressing = sums.n_cells[rows], sums.expressing[rows]
    return gene_columns(
        gene_names,
        means=np.array([part.mean(axis=0) for part in np.split(total / library, edges[1:])]) * PER,
        shares=np.add.reduceat(expressing, edges) / np.add.reduceat(cells, edges)[:, None],
        effect=effect,
        half_width=half_width,
        statistic=statistic,
        log10_p=log10_p,
        log10_p_without=without,
    )


def difference_of_samples(values: np.ndarray, design: Design) -> tuple[np.ndarray, np.ndarray, float, int]:
    """Difference of means (n_genes,), variance of one observation (n_genes,), what of it is that of the difference, df.

    values: (samples of the first group, then those of the second, n_genes).
    """
    first, second = values[: len(design.first)], values[len(design.first) :]
    if design.paired:
        gaps = first - second
        return gaps.mean(axis=0), gaps.var(axis=0, ddof=1), 1 / len(gaps), len(gaps) - 1
    df = len(values) - 2
    squares = sum(((group - group.mean(axis=0)) ** 2).sum(axis=0) for group in (first, second))
    return first.mean(axis=0) - second.mean(axis=0), squares / df, 1 / len(first) + 1 / len(second), df


def _prior_of(variance: np.ndarray, df: int, abundance: np.ndarray, tested: np.ndarray) -> Prior:
    """The prior of the tested genes; the others take that of the tested ones nearest in abundance."""
    prior = fit_prior(variance[tested], df, abundance[tested])
    if not tested.any():
        return Prior(np.where(variance > 0, variance, 1.0), 0.0)
    order = np.argsort(abundance[tested])
    return Prior(np.interp(abundance, abundance[tested][order], prior.variance[order]), prior.df)


def _moderated(
    effect: np.ndarray, variance: np.ndarray, unit: float, df: int, prior: Prior, tested: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Half-width of the 90% interval, statistic, and log10 of p (NaN where not tested), each (n_genes,)."""
    moderated, df_together = squeeze(variance, df, prior, tested)
    error = np.sqrt(moderated * unit)
    statistic = np.divide(effect, error, out=np.zeros(len(effect)), where=error > 0)
    log10_p = np.minimum((np.log(2) + stats.t.logsf(np.abs(statistic), df_together)) / np.log(10), 0.0)
    return stats.t.ppf(0.95, df_together) * error, statistic, np.where(tested, log10_p, np.nan)


def _log10_p_without(
    values: np.ndarray,
    total: np.ndarray,
    library: np.ndarray,
    added: float,
    rows: np.ndarray,
    leading: Leading,
    design: Design,
    prior: Prior,
    tested: np.ndarray,
) -> np.ndarray:
    """The largest log10 p, gene by gene, when one sample loses the cell that leads it; 0 where the sign turns."""
    sign = np.sign(difference_of_samples(values, design)[0])
    largest = np.full(values.shape[1], -np.inf)
    for sample, row in enumerate(rows.tolist()):
        for x, s in ((leading.top, leading.top_library), (leading.deepest, leading.deepest_library)):
            left = np.maximum(library[sample] - s[row], 1.0)
            changed = values.copy()
            changed[sample] = np.log2((total[sample] - x[row]) / left + added)
            effect, variance, unit, df = difference_of_samples(changed, design)
            log10_p = _moderated(effect, variance, unit, df, prior, tested)[2]
            largest = np.fmax(largest, np.where(np.sign(effect) == sign, log10_p, 0.0))
    return largest


def sample_factor_effects(
    representation: np.ndarray, scale: np.ndarray, group: np.ndarray, n_samples: int, design: Design
) -> np.ndarray:
    """difference (in sd of the factor over all cells), half-width of its 90% interval, p and AUC: (4, n_factors).

    Each from the samples' means. group: (n_cells,) group * n_samples + sample, -1 for other cells.
    """
    chosen = group >= 0
    n = np.maximum(np.bincount(group[chosen], minlength=2 * n_samples), 1)
    rows = [design.first, n_samples + design.second]
    found = []
    for factor in range(representation.shape[1]):
        column = np.asarray(representation[:, factor])[chosen]
        mean = np.bincount(group[chosen], column, minlength=2 * n_samples) / n / (scale[factor] or 1.0)
        a, b = mean[rows[0]], mean[rows[1]]
        effect, error, df = (float(part[0]) for part in t_parts(a[:, None], b[:, None], paired=design.paired))
        p = 2 * stats.t.sf(abs(effect) / error, df) if error > 0 else 1.0
        found.append((effect, stats.t.ppf(0.95, df) * error, p, auc(a, b)))
    return np.array(found).reshape(-1, 4).T


def t_parts(first: np.ndarray, second: np.ndarray, *, paired: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Difference of means, its standard error and degrees of freedom, each (m,), of (n, m) and (k, m) values."""
    if paired:
        gaps = first - second
        n = len(gaps)
        return gaps.mean(axis=0), gaps.std(axis=0, ddof=1) / np.sqrt(n), np.full(gaps.shape[1], n - 1.0)
    parts = [group.var(axis=0, ddof=1) / len(group) for group in (first, second)]
    variance = parts[0] + parts[1]
    below = sum(part**2 / (len(group) - 1) for part, group in zip(parts, (first, second), strict=True))
    least = float(min(len(first), len(second)) - 1)
    df = np.divide(variance**2, below, out=np.full(len(variance), least), where=below > 0)
    return first.mean(axis=0) - second.mean(axis=0), np.sqrt(variance), df


def _listed(samples: list[str], chosen: np.ndarray) -> str:
    """'no sample', '1 sample (d1)', '7 samples (d1, d2, ...)'."""
    names = [samples[code] for code in np.flatnonzero(chosen)]
    if not names:
        return "no sample"
    said = ", ".join(names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
    return f"{len(names)} sample{'s' * (len(names) > 1)} ({said})"
