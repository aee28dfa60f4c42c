"""A comparison of two groups in sentences, each of which says what its numbers are."""

from typing import Any

import numpy as np

from ldvae_core.analysis.difference import Difference
from ldvae_core.analysis.effects import FOUND
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.findings import FOLLOWS, join
from ldvae_core.analysis.numbers import fold, interval_words
from ldvae_core.analysis.programs import top_genes

NOT_APPLICABLE = "chosen on these axes: p values do not apply"


def sentence(difference: Difference, factors: Factors, *, n: int = 4) -> str:
    """What sets the groups apart, in words: the factor with its own genes, and the genes that differ most surely."""
    return f"{factors_sentence(difference, factors, n=n)} {genes_sentence(difference, n=n)}"


def factors_sentence(difference: Difference, factors: Factors, *, n: int = 4) -> str:
    """The factors on which the groups differ most, and the strongest genes of the end that one of them lies at.

    A second factor is told where it alone tells the groups apart too (AUC at least 0.75).
    """
    unit = "AUC" if difference.design is None else "AUC of sample means"
    said: list[str] = []
    open_ones = difference.factors[~difference.factors["chosen_by"]]
    if open_ones.empty and len(difference.factors):
        return f"How {join(difference.names)} differ on the factors says nothing: {NOT_APPLICABLE}."
    for row in open_ones.head(2).to_dict("records"):
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
    beyond = "Beyond the axes they were chosen on, " if difference.factors["chosen_by"].any() else ""
    return f"{beyond}{join(difference.names)} differ most on {', and next on '.join(said)}." if said else ""


def genes_sentence(difference: Difference, *, n: int = 4) -> str:
    """How many genes differ, and the surest of each group with their fold changes and 90% intervals."""
    genes = difference.genes[difference.genes["q"] < FOUND]
    total = f"{difference.n_tested:,} {'tested ' if difference.n_tested < len(difference.genes) else ''}genes"
    aside = _set_aside(difference)
    if genes.empty:
        return f"None of the {total} differs at a false discovery rate of 5%.{aside}"
    surest = genes.loc[genes["statistic"].abs().sort_values(ascending=False, kind="stable").index]
    parts, interval = [], "90% interval "
    for name, group in zip(difference.names, (surest[surest.statistic > 0], surest[surest.statistic < 0]), strict=True):
        said = []
        for row in group.head(n).itertuples():
            said.append(f"{row.gene} ({_fold(row, interval)})")
            interval = ""  # said once
        parts += [f"{join(said)} up in {name}"] if said else []
    whole = f"{len(genes):,} of {total} differ (false discovery rate 5%), most surely {'; '.join(parts)}."
    carried = int(genes["carried_by_one_cell"].sum())
    each = "One of them is" if carried == 1 else f"{carried:,} of them are each"
    return f"{whole}{f' {each} carried by a single cell.' if carried else ''}{aside}"


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
        f"{n[0]} samples with cells in both groups, each compared with itself (paired t test, variances of genes "
        "moderated)"
        if design.paired
        else f"{n[0]} samples against {n[1]} (t test, variances of genes moderated)"
    )
    left = design.n_left_out
    rest = f" {left} sample{'s' * (left > 1)} with too few cells, or in one group only, left out." if left else ""
    return f"Unit: the sample. {how}.{rest}"


def _set_aside(difference: Difference) -> str:
    """What is said of genes by which the cells were chosen: how far apart they are, without a p value."""
    chosen = difference.genes[difference.genes["chosen_by"]]
    if chosen.empty:
        return ""
    names = join([f"{row.gene} ({_fold(row, '')})" for row in chosen.head(3).itertuples()])
    return (
        f" {len(chosen):,} genes load on the axes of the choice: p values do not apply to them. "
        f"Furthest apart among these: {names}."
    )


def _fold(row: Any, interval: str) -> str:
    """'34-fold, 90% interval 30 to 39': how many times as high, with its ends."""
    sign = np.sign(row.log2_fold_change)
    low, high = sorted((sign * row.low, sign * row.high))
    carried = ", carried by one cell" if row.carried_by_one_cell else ""
    return f"{fold(2.0 ** abs(row.log2_fold_change))}-fold, {interval}{interval_words(2.0**low, 2.0**high)}{carried}"


def _share(value: float) -> str:
    return "above 0.99" if 0.995 <= value < 1 else f"{value:.2f}"
