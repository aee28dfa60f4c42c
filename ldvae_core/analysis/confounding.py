"""Annotations that go together: what correcting for one of them takes out of the programs as well."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

NEARLY = 0.95  # share of cells whose other level follows from the covariate's, from which it is taken out too
NO_MORE = 0.5  # ... and of what is not clear without the covariate, this much must become clear by it


class Confounded(NamedTuple):
    """A covariate whose level tells that of another annotation."""

    covariate: str
    other: str
    share: float  # of the cells that have the most frequent level of `other` among those of their level of `covariate`
    both_ways: bool  # whether `other` tells the covariate as well: the two are one


def confounded(annotations: pd.DataFrame, covariate: str, others: Sequence[str]) -> list[Confounded]:
    """The other annotations that correcting for a covariate takes out, in the order given.

    One level a covariate's level, for at least 95% of the cells that have both, where it is not the same level for
    nearly all cells anyway. Identical and nested annotations are found, whatever their names.
    """
    found = []
    for other in others:
        table = cross_table(annotations, covariate, other)
        n = int(table.to_numpy().sum())
        if other == covariate or n == 0 or min(table.shape) < 2:
            continue
        share, anyway = table.max(axis=1).sum() / n, table.sum(axis=0).max() / n
        if share >= NEARLY and share - anyway >= NO_MORE * (1 - anyway):
            found.append(Confounded(covariate, other, float(share), bool(table.max(axis=0).sum() / n >= NEARLY)))
    return found


def cross_table(annotations: pd.DataFrame, rows: str, columns: str) -> pd.DataFrame:
    """Cells at each pair of levels, both as text, rows x columns; cells that lack one of them are left out."""
    some = annotations[[rows, columns]].dropna() if rows != columns else annotations[[rows]].dropna()
    return pd.crosstab(some[rows].astype(str), some[columns].astype(str))


def confounded_sentence(found: Confounded) -> str:
    """What correcting for the covariate would do."""
    how = "all" if found.share == 1 else "over 99%" if found.share >= 0.995 else f"{found.share:.0%}"
    same = f"{found.covariate} and {found.other} are the same grouping" if found.both_ways else (
        f"each level of {found.covariate} holds one level of {found.other}"
    )  # fmt: skip
    return (
        f"Correcting for {found.covariate} takes {found.other} out of the programs as well: {same} (for {how} of the "
        "cells). What the two do to the cells cannot be told apart."
    )
