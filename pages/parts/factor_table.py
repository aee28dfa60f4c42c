"""One row a factor: what it explains, its genes, and the cell types it follows, for lists, cards and files."""

from collections.abc import Callable

import pandas as pd

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import factor_table
from ldvae_core.analysis.separation import association_table, best_types
from ldvae_core.runs.store import OpenRun
from pages.parts.later import Later, show_waiting
from pages.parts.per_run import per_run

AT_ONCE = 5_000_000  # numbers in the representation that are associated with types within a page's run


def associations(
    opened: OpenRun, factors: Factors, column: str | None = None, *, wait: bool = False
) -> pd.DataFrame | None:
    """Association of every factor with every type of an annotation; None when the run has no such annotation.

    Also None while it is computed, which takes seconds for millions of cells: say_associations then tells how far it is
    and shows the page again. wait: for files, which need it whatever it takes.
    """
    column = column or opened.label_column
    if column is None:
        return None
    found = _associations(opened, factors, column)
    return found.wait() if wait else found.now()


def say_associations(opened: OpenRun, factors: Factors, column: str | None = None) -> None:
    """How far the associations are while they are computed; nothing otherwise."""
    column = column or opened.label_column
    if column is not None:
        words = f"Comparing {factors.n_factors} factors with {column} over all {factors.n_cells:,} cells"
        show_waiting(_associations(opened, factors, column), words, key="associations_progress")


@per_run(max_entries=24)
def _associations(opened: OpenRun, factors: Factors, column: str) -> Later[pd.DataFrame]:
    def work(report: Callable[[float], None]) -> pd.DataFrame:
        return association_table(
            factors, opened.labels(column), on_factor=lambda done: report(done / factors.n_factors)
        )

    return Later(work, at_once=factors.representation.size <= AT_ONCE)


def best_types_of(opened: OpenRun, factors: Factors, *, wait: bool = False) -> pd.DataFrame | None:
    """The best type of every factor, as from best_types; None where associations gives None."""
    column = opened.label_column
    if column is None or associations(opened, factors, column, wait=wait) is None:
        return None
    return _best(opened, factors, column)


@per_run(max_entries=16)
def _best(opened: OpenRun, factors: Factors, column: str) -> pd.DataFrame:
    return best_types(_associations(opened, factors, column).wait())


def factor_table_of(opened: OpenRun, factors: Factors, *, wait: bool = True) -> pd.DataFrame:
    """One row per factor, with its best cell type where there are labels. wait: until these are known, or without."""
    known = best_types_of(opened, factors, wait=wait) is not None
    return _table(opened, factors, opened.label_column if known else None)


@per_run(max_entries=16)
def _table(opened: OpenRun, factors: Factors, column: str | None) -> pd.DataFrame:
    table = factor_table(factors)
    return table if column is None else table.merge(_best(opened, factors, column), on="factor", how="left")
