"""The pair of factors that tells chosen types apart, for every page that draws it."""

from collections.abc import Sequence

import pandas as pd

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.findings import best_pair_finding
from ldvae_core.analysis.programs import Use, biplot_table
from ldvae_core.analysis.separation import BestPair, TypeCells, best_pair, point_arrows, type_cells
from ldvae_core.runs.store import OpenRun
from pages.parts.factor_table import AT_ONCE
from pages.parts.later import Later
from pages.parts.per_run import per_run

DEMO_TYPES = ("Erythroid (primitive)", "ExE endoderm", "Epiblast/ectoderm")  # the paper's Fig. 1c, last row


@per_run(max_entries=64)
def best_pair_of(opened: OpenRun, factors: Factors, column: str, types: Sequence[str]) -> Later[BestPair]:
    """The pair of factors that tells the types apart best, worked out beside the page where there are many cells."""
    known, labels = _type_cells(opened, factors, column), opened.labels(column)
    return Later(
        lambda report: best_pair(factors, labels, tuple(types), known=known),
        at_once=factors.representation.size <= AT_ONCE,
    )


@per_run(max_entries=4)  # 16 MB each for two million cells
def _type_cells(opened: OpenRun, factors: Factors, column: str) -> TypeCells:
    return type_cells(factors, opened.labels(column))


def separation(
    opened: OpenRun, factors: Factors, column: str, types: Sequence[str], *, use: Use, n_arrows: int
) -> tuple[BestPair, pd.DataFrame, str]:
    """The pair of factors that separates the types best, its biplot with arrows for every type, and the sentence."""
    best = best_pair_of(opened, factors, column, types).wait()
    return best, *arrows_and_finding(best, factors, types, use=use, n_arrows=n_arrows)


def arrows_and_finding(
    best: BestPair, factors: Factors, types: Sequence[str], *, use: Use, n_arrows: int
) -> tuple[pd.DataFrame, str]:
    """The genes with arrows for every type, and the sentence."""
    table = biplot_table(factors, best.pair, use=use, n_arrows=n_arrows)
    each = max(1, round(n_arrows / len(types))) if n_arrows else 0
    arrows = point_arrows(table, best.directions, n_each=each)
    return arrows, _finding(best, arrows, factors)


def _finding(best: BestPair, arrows: pd.DataFrame, factors: Factors) -> str:
    named = arrows[arrows["arrow"]].sort_values("length", ascending=False)
    genes = [
        f"{', '.join(named.gene[named.cell_type == name].head(4))} point to {name}"
        for name in best.types
        if (named.cell_type == name).any()
    ]
    where = best_pair_finding(best, factors)
    return f"{where} {'; '.join(genes)}." if genes else where
