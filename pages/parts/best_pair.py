"""The pair of factors that tells chosen types apart, for every page that draws it."""

import pandas as pd
import streamlit as st

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.findings import best_pair_finding
from ldvae_core.analysis.programs import biplot_table
from ldvae_core.analysis.separation import BestPair, TypeCells, best_pair, point_arrows, type_cells
from ldvae_core.runs.store import OpenRun
from pages.parts.later import Later
from pages.parts.runs import AT_ONCE

DEMO_TYPES = ("Erythroid (primitive)", "ExE endoderm", "Epiblast/ectoderm")  # the paper's Fig. 1c, last row


def best_pair_of(opened: OpenRun, factors: Factors, column: str, types: list[str]) -> Later[BestPair]:
    """The pair of factors that tells the types apart best, worked out beside the page where there are many cells."""
    return _best_pair_later(opened.memo(factors, column), column, tuple(types), factors, opened)


def separation(
    opened: OpenRun, factors: Factors, column: str, types: list[str], *, use: str, n_arrows: int
) -> tuple[BestPair, pd.DataFrame, str]:
    """The pair of factors that separates the types best, its biplot with arrows for every type, and the sentence."""
    best = best_pair_of(opened, factors, column, types).wait()
    return best, *arrows_and_finding(best, factors, types, use=use, n_arrows=n_arrows)


def arrows_and_finding(
    best: BestPair, factors: Factors, types: list[str], *, use: str, n_arrows: int
) -> tuple[pd.DataFrame, str]:  # fmt: skip
    """The genes with arrows for every type, and the sentence."""
    table = biplot_table(factors, best.pair, use=use, n_arrows=n_arrows)  # type: ignore[arg-type]
    each = max(1, round(n_arrows / len(types))) if n_arrows else 0
    arrows = point_arrows(table, best.directions, n_each=each)
    return arrows, _finding(best, arrows, factors)


@st.cache_resource(max_entries=64, show_spinner=False)
def _best_pair_later(
    memo: str, column: str, types: tuple[str, ...], _factors: Factors, _opened: OpenRun
) -> Later[BestPair]:
    known, labels = _type_cells(memo, column, _factors, _opened), _opened.labels(column)
    return Later(
        lambda tell: best_pair(_factors, labels, types, known=known),
        at_once=_factors.representation.size <= AT_ONCE,
    )


@st.cache_resource(max_entries=4, show_spinner=False)  # 16 MB each for two million cells
def _type_cells(memo: str, column: str, _factors: Factors, _opened: OpenRun) -> TypeCells:
    return type_cells(_factors, _opened.labels(column))


def _finding(best: BestPair, arrows: pd.DataFrame, factors: Factors) -> str:
    named = arrows[arrows["arrow"]].sort_values("length", ascending=False)
    genes = [
        f"{', '.join(named.gene[named.cell_type == name].head(4))} point to {name}"
        for name in best.types
        if (named.cell_type == name).any()
    ]
    where = best_pair_finding(best, factors)
    return f"{where} {'; '.join(genes)}." if genes else where
