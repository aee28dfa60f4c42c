"""Why do these differ? Two groups of cells compared: every factor, every gene, and the pair of factors that tells most.

All cells count, never a sample of them. With a column of samples the sample is the unit of every interval and p value;
without, the cell is, and cells of one sample being alike, p values are then too optimistic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse, stats

from ldvae_core.analysis.discriminant import N_FOLDS, Moments, by_group, folds, moments_of_parts
from ldvae_core.analysis.effects import (
    ReportShare,
    auc,
    factor_effects,
    gene_effects,
    group_sums,
    ignore_share,
    sure_effect,
)
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.findings import FOLLOWS, join
from ldvae_core.analysis.programs import top_genes
from ldvae_core.analysis.pseudobulk import Design, design_samples, sample_factor_effects, sample_gene_effects
from ldvae_core.analysis.separation import BestPair, best_pair
from ldvae_core.analysis.uncertainty import INTERVAL_90
from ldvae_core.errors import SettingsError

FEWEST_CELLS = N_FOLDS  # of a group
FOUND = 0.05  # false discovery rate up to which a gene is said to differ
REST = "all other cells"


@dataclass(frozen=True, eq=False)
class Difference:
    """The first of two groups of cells against the second."""

    names: tuple[str, str]
    n_cells: tuple[int, int]
    design: Design | None  # the samples, where they are the unit
    genes: pd.DataFrame  # as from effects.gene_effects; the gene whose fold change is surely largest first
    factors: pd.DataFrame  # factor (from 0), difference, low, high (sd), p, auc (of the units), auc_cells; best first
    best: BestPair | None  # the pair of factors that tells the groups apart best; None with one factor
    pair_auc: float  # of a line in that pair's plane, over cells left out when it was drawn; NaN without a pair

    @property
    def n_found(self) -> int:
        """Genes that differ at a false discovery rate of 5%."""
        return int((self.genes["q"] < FOUND).sum())


def compare_groups(
    factors: Factors,
    counts: sparse.csr_matrix,
    library_size: np.ndarray,
    first: np.ndarray,
    second: np.ndarray | None = None,
    *,
    samples: Sequence[str] | pd.Series | None = None,
    names: tuple[str, str] = ("these cells", REST),
    report: ReportShare = ignore_share,
) -> Difference:
    """Compare two groups of cells; second None: all cells that are not in the first.

    counts: (n_cells, n_genes) CSR of the modelled genes; library_size: (n_cells,); first, second: (n_cells,) bool;
    samples: (n_cells,) the donor or sample of each cell, missing where not known: such cells then count for nothing.
    report: called with the share of the work done, 0 to 1, now and then.
    Raises SettingsError: groups that share cells, have fewer than 5 cells or one name, fewer than two samples a group.
    """
    first = np.asarray(first, bool)
    second = ~first if second is None else np.asarray(second, bool)
    _refuse(first, second, names, factors.n_cells)
    size = np.asarray(library_size, np.float64)
    if samples is None:
        design, fold = None, None
        sums = group_sums(counts, size, np.where(first, 0, np.where(second, 1, -1)), 2, report=_part(report, 0.0, 0.4))
        genes = gene_effects(sums, factors.gene_names)
        table = _factor_table(factors, first, second, _part(report, 0.4, 0.8))
    else:
        codes, known = _coded(samples)
        design = design_samples(codes, known, first, second, names)
        group, first, second = design.groups(codes, len(known), first, second)
        sums = group_sums(counts, size, group, 2 * len(known), report=_part(report, 0.0, 0.4))
        genes = sample_gene_effects(sums, design, factors.gene_names)
        z, scale = factors.representation, factors.scale
        of_cells = factor_effects(z, scale, first, second, report=_part(report, 0.4, 0.8))[2]
        effect, half_width, p, chance = sample_factor_effects(z, scale, group, len(known), design)
        table = _sorted_factors(effect, half_width, p, chance, of_cells)
        fold = design.folds(codes, len(known), second, most=N_FOLDS)
    best, pair_auc = _apart(factors, first, second, names, fold)
    n_cells = (int(first.sum()), int(second.sum()))
    return Difference(names, n_cells, design, _sorted_genes(genes), table, best, pair_auc)


def sentence(difference: Difference, factors: Factors, *, n: int = 4) -> str:
    """What sets the groups apart, in words: the factor with its own genes, and the genes that differ most surely."""
    return f"{factors_sentence(difference, factors, n=n)} {genes_sentence(difference, n=n)}"


def factors_sentence(difference: Difference, factors: Factors, *, n: int = 4) -> str:
    """The factors on which the groups differ most, and the strongest genes of the end that one of them lies at.

    A second factor is told where it alone tells the groups apart too (AUC at least 0.75).
    """
    unit = "AUC" if difference.design is None else "AUC of sample means"
    said: list[str] = []
    for row in difference.factors.head(2).to_dict("records"):
        level, factor = max(row["auc"], 1 - row["auc"]), int(row["factor"])
        if said and not level >= FOLLOWS:
            break
        first_is_high = row["difference"] > 0
        told = 0 if first_is_high or not factors.are_usages else 1  # usages have one end worth telling: the high one
        high = first_is_high if told == 0 else not first_is_high
        own = top_genes(factors, factor, n, end="positive" if high else "negative").gene.tolist()
        end = f"{difference.names[told]} at its {'high' if high else 'low'} end"
        genes = f", whose strongest genes are {join(own)}" if own else ""
        said.append(f"{factors.label(factor)} ({unit} {_share(level)}): {end}{genes}")
    return f"{join(difference.names)} differ most on {', and next on '.join(said)}."


def genes_sentence(difference: Difference, *, n: int = 4) -> str:
    """How many genes differ, and the surest of each group with their fold changes and 90% intervals."""
    genes, total = difference.genes[difference.genes["q"] < FOUND], len(difference.genes)
    if genes.empty:
        return f"None of the {total:,} genes differs at a false discovery rate of 5%."
    surest = genes.loc[genes["statistic"].abs().sort_values(ascending=False, kind="stable").index]
    parts, interval = [], "90% interval "
    for name, group in zip(difference.names, (surest[surest.statistic > 0], surest[surest.statistic < 0]), strict=True):
        said = []
        for row in group.head(n).itertuples():
            said.append(f"{row.gene} ({_fold(row, interval)})")
            interval = ""  # said once
        parts += [f"{join(said)} up in {name}"] if said else []
    return f"{len(genes):,} of {total:,} genes differ (false discovery rate 5%), most surely {'; '.join(parts)}."


def pair_sentence(difference: Difference, factors: Factors) -> str:
    """How well the best pair of factors tells the groups apart; "" with a single factor."""
    if difference.best is None:
        return ""
    x, y = (factors.label(factor) for factor in difference.best.pair)
    left_out = "cells" if difference.design is None else "samples"
    return (
        f"The pair that tells them apart best is {x} and {y}: AUC {_share(difference.pair_auc)} on {left_out} left out."
    )


def unit_sentence(difference: Difference) -> str:
    """What counts as one observation, and what that means for the p values."""
    if difference.design is None:
        return (
            f"Unit: the cell ({difference.n_cells[0]:,} against {difference.n_cells[1]:,}). Cells of one sample are "
            "alike, so across samples these intervals are too narrow and p values too small."
        )
    n, design = difference.design.n, difference.design
    how = (
        f"{n[0]} samples with cells in both groups, each compared with itself (paired t test)"
        if design.paired
        else f"{n[0]} samples against {n[1]} (Welch's t test)"
    )
    left = design.n_left_out
    rest = f" {left} sample{'s' * (left > 1)} with too few cells, or in one group only, left out." if left else ""
    return f"Unit: the sample. {how}.{rest}"


def _refuse(first: np.ndarray, second: np.ndarray, names: tuple[str, str], n_cells: int) -> None:
    if first.shape != (n_cells,) or second.shape != (n_cells,):
        raise SettingsError(f"The groups do not fit the {n_cells:,} cells of this run.", "Choose them again.")
    problems = []
    if names[0] == names[1]:
        problems.append(f"Both groups are {names[0]!r}.")
    elif shared := int((first & second).sum()):
        problems.append(f"{names[0]} and {names[1]} share {shared:,} cells.")
    for name, group in zip(names, (first, second), strict=True):
        if (n := int(group.sum())) < FEWEST_CELLS:
            problems.append(f"{name} has {n} cell{'s' * (n != 1)} here; {FEWEST_CELLS} are needed.")
    if problems:
        raise SettingsError(problems, "Choose two groups of different cells.")


def _coded(samples: Sequence[str] | pd.Series) -> tuple[np.ndarray, list[str]]:
    values = pd.Series(samples)
    coded = values.cat if isinstance(values.dtype, pd.CategoricalDtype) else values.astype("category").cat
    return coded.codes.to_numpy(np.int64), [str(name) for name in coded.categories]


def _part(report: ReportShare, low: float, high: float) -> ReportShare:
    """For a part of the work that goes from one share of the whole to another."""
    return lambda share: report(low + (high - low) * share)


def _factor_table(factors: Factors, first: np.ndarray, second: np.ndarray, report: ReportShare) -> pd.DataFrame:
    effect, error, chance = factor_effects(factors.representation, factors.scale, first, second, report=report)
    statistic = np.divide(effect, error, out=np.zeros(len(effect)), where=error > 0)
    p = 2 * stats.norm.sf(np.abs(statistic))
    return _sorted_factors(effect, INTERVAL_90 * error, p, chance, chance)


def _sorted_factors(
    effect: np.ndarray, half_width: np.ndarray, p: np.ndarray, chance: np.ndarray, of_cells: np.ndarray
) -> pd.DataFrame:
    """The most separating factor first; AUCs of few samples are often equal, and then that of the cells decides."""
    order = np.lexsort((-np.abs(of_cells - 0.5), -np.round(np.abs(chance - 0.5), 12)))
    columns = {"factor": np.arange(len(effect)), "difference": effect, "low": effect - half_width,
               "high": effect + half_width, "p": p, "auc": chance, "auc_cells": of_cells}  # fmt: skip
    return pd.DataFrame(columns).iloc[order].reset_index(drop=True)


def _sorted_genes(genes: pd.DataFrame) -> pd.DataFrame:
    """By the fold change that is sure at least, genes that do not differ last, then by certainty.

    A gene whose counts come from a single cell can have an interval far from 0; the score test knows better.
    """
    sure = np.where(genes["q"] < FOUND, np.abs(sure_effect(genes["low"].to_numpy(), genes["high"].to_numpy())), 0.0)
    order = np.lexsort((-genes["statistic"].abs(), -sure))
    return genes.iloc[order].reset_index(drop=True)


def _apart(
    factors: Factors, first: np.ndarray, second: np.ndarray, names: tuple[str, str], fold: np.ndarray | None
) -> tuple[BestPair | None, float]:
    """The best pair of factors, and the AUC of its linear discriminant over cells of folds it was not fitted on."""
    if factors.n_factors < 2:
        return None, float("nan")
    label = pd.Categorical.from_codes(np.where(first, 0, np.where(second, 1, -1)), pd.Index(names))
    best = best_pair(factors, pd.Series(label), names)
    chosen = np.flatnonzero(first | second)
    code = second[chosen].astype(np.int64)
    code_fold = folds(code, 0) if fold is None else fold[chosen]
    n_folds = int(code_fold.max()) + 1
    z = factors.representation[:, list(best.pair)]
    parts = by_group(z, chosen, code * n_folds + code_fold, 2 * n_folds)
    moments = moments_of_parts(parts, factors.centre[list(best.pair)])
    found = []
    for held_out in range(n_folds):
        kept = np.tile(np.arange(n_folds) != held_out, 2)
        rest = Moments(moments.n[kept], moments.total[kept], moments.products[kept]).together(n_folds - 1)
        line = np.linalg.pinv(rest.covariance, hermitian=True) @ (rest.mean[0] - rest.mean[1])
        found.append(auc(*(line @ parts[group * n_folds + held_out] for group in (0, 1))))
    return best, float(np.mean(found))


def _fold(row: Any, interval: str) -> str:
    """'34-fold, 90% interval 30 to 39': how many times as high, with its ends."""
    sign = np.sign(row.log2_fold_change)
    low, high = sorted((sign * row.low, sign * row.high))
    fold, low, high = (_times(2.0**value) for value in (abs(row.log2_fold_change), low, high))
    return f"{fold}-fold, {interval}{low} to {high}"


def _times(value: float) -> str:
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.05 else "0.0"


def _share(value: float) -> str:
    return "above 0.99" if 0.995 <= value < 1 else f"{value:.2f}"
