"""One row a factor: what it explains, its genes, and the cell types it follows, for lists, cards and files."""

from collections.abc import Callable

import pandas as pd

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.findings import follow_words
from ldvae_core.analysis.following import following_table, strongest
from ldvae_core.analysis.programs import factor_table
from ldvae_core.analysis.separation import association_table, best_types
from ldvae_core.runs.opened import NOT_LABELLED, OpenRun
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


def following(opened: OpenRun, factors: Factors, *, wait: bool = False) -> pd.DataFrame | None:
    """What every factor follows among all annotations, as from following_table; None without any, or while computed.

    Selections and clusters that were made on these factors are left out: they follow them by choice.
    """
    if not _told_columns(opened):
        return None
    found = _following(opened, factors)
    return found.wait() if wait else found.now()


def say_following(opened: OpenRun, factors: Factors) -> None:
    """How far that is while it is computed; nothing otherwise."""
    if _told_columns(opened):
        words = f"Comparing {factors.n_factors} factors with every annotation over all {factors.n_cells:,} cells"
        show_waiting(_following(opened, factors), words, key="following_progress")


def _told_columns(opened: OpenRun) -> list[str]:
    return [name for name in opened.label_columns if name not in opened.added]


@per_run(max_entries=16)
def _following(opened: OpenRun, factors: Factors) -> Later[pd.DataFrame]:
    def work(report: Callable[[float], None]) -> pd.DataFrame:
        given = {name: _known(opened.labels(name)) for name in _told_columns(opened)}
        return following_table(factors, given, on_factor=lambda done: report(done / factors.n_factors))

    return Later(work, at_once=factors.representation.size <= AT_ONCE)


def _known(labels: pd.Series) -> pd.Series:
    """Cells without a label have none, not one that they share."""
    return labels.cat.remove_categories([NOT_LABELLED]) if NOT_LABELLED in labels.cat.categories else labels


def factor_table_of(opened: OpenRun, factors: Factors, *, wait: bool = True) -> pd.DataFrame:
    """One row per factor, with what it follows, in words, as far as known; wait: until it is, and with its best type.

    The best type is that of the labels to colour by, by correlation: for files.
    """
    known = wait and best_types_of(opened, factors, wait=True) is not None
    told = following(opened, factors, wait=wait) is not None
    return _table(opened, factors, opened.label_column if known else None, told=told)


def factor_file_of(opened: OpenRun, factors: Factors) -> pd.DataFrame:
    """The same as a file: factors from 1, with the names and notes that people gave them."""
    notes = opened.kept.factor_notes(factors.axes) if opened.kept is not None else {}
    table = factor_table_of(opened, factors)
    written = [notes[k].notes if k in notes else "" for k in table["factor"]]
    names = [factors.name_of(k) for k in table["factor"]]
    first = pd.DataFrame({"factor": table["factor"] + 1, "name": names, "notes": written})
    return first.join(table.drop(columns="factor"))


@per_run(max_entries=16)
def _table(opened: OpenRun, factors: Factors, column: str | None, *, told: bool) -> pd.DataFrame:
    table = factor_table(factors)
    if told:
        rows = (strongest(_following(opened, factors).wait(), factor) for factor in range(factors.n_factors))
        table = table.assign(follows=[follow_words(row[0]) if row else "" for row in rows])
    return table if column is None else table.merge(_best(opened, factors, column), on="factor", how="left")
