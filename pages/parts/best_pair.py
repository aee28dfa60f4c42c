"""The pair of factors that tells chosen types apart, for every page that draws it."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.findings import best_pair_finding
from ldvae_core.analysis.programs import Use, biplot_table
from ldvae_core.analysis.separation import BestPair, TypeCells, best_pair, type_cells
from ldvae_core.analysis.sums import Leading, Sums
from ldvae_core.analysis.type_genes import NAMED, named_genes, point_arrows, sums_by_type, type_genes
from ldvae_core.runs.groups import chosen_factors
from ldvae_core.runs.store import OpenRun
from pages.parts.comparing import is_quick
from pages.parts.factor_table import AT_ONCE
from pages.parts.later import Later, show_waiting
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


@per_run(max_entries=4)  # 0.3 MB a type and 1,000 genes
def _sums_of(opened: OpenRun, column: str) -> Later[tuple[Sums, Leading]]:
    """The counts of every type of an annotation: what any choice of them is compared by."""

    def work(report: Callable[[float], None]) -> tuple[Sums, Leading]:
        counts, labels = opened.counts, opened.labels(column)
        codes = labels.cat.codes.to_numpy(np.int64)
        return sums_by_type(counts.counts, counts.molecules, codes, len(labels.cat.categories), report=report)

    return Later(work, at_once=is_quick(opened))


@per_run(max_entries=64)
def _genes_of(opened: OpenRun, column: str, types: Sequence[str]) -> pd.DataFrame:
    known = [str(name) for name in opened.labels(column).cat.categories]
    kinds = [known.index(name) for name in types]
    return type_genes(_sums_of(opened, column).wait(), opened.counts.gene_names, kinds, tuple(types))


def genes_of_types(opened: OpenRun, factors: Factors, column: str, types: Sequence[str]) -> pd.DataFrame | None:
    """What the counts say of every gene in these types, as from type_genes; None while they are summed.

    Also None for groups that were chosen on the factors, of which no test tells anything.
    """
    chosen = chosen_factors(opened, factors, [column])
    return None if chosen or _sums_of(opened, column).now() is None else _genes_of(opened, column, tuple(types))


def say_genes(opened: OpenRun, factors: Factors, column: str) -> None:
    """How far the counts are summed; nothing once they are."""
    if not chosen_factors(opened, factors, [column]):
        show_waiting(_sums_of(opened, column), "Comparing the counts of the types, gene by gene", key="genes_progress")


def separation(
    opened: OpenRun, factors: Factors, column: str, types: Sequence[str], *, use: Use, n_arrows: int
) -> tuple[BestPair, pd.DataFrame, str]:
    """The pair of factors that separates the types best, its biplot with arrows for every type, and the sentence."""
    best = best_pair_of(opened, factors, column, types).wait()
    genes = _genes_of(opened, column, tuple(types))
    return best, *arrows_and_finding(best, factors, genes, use=use, n_arrows=n_arrows)


def arrows_and_finding(
    best: BestPair,
    factors: Factors,
    genes: pd.DataFrame | None,
    *,
    use: Use,
    n_arrows: int,
    chosen_here: bool = False,
) -> tuple[pd.DataFrame, str]:
    """The genes with arrows for every type, and the sentence. genes: from genes_of_types."""
    table = biplot_table(factors, best.pair, use=use, n_arrows=n_arrows)
    each = max(1, round(n_arrows / len(best.types))) if n_arrows else 0
    arrows = point_arrows(table, best.directions, genes, n_each=each)
    named = None if genes is None else named_genes(table, best.directions, genes, n_each=NAMED)
    return arrows, best_pair_finding(best, factors, named, chosen_here=chosen_here)
