"""One row a factor: what it explains, its genes, and the cell type it follows, for lists, cards and files."""

import pandas as pd
import streamlit as st

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import factor_table
from ldvae_core.analysis.separation import best_types
from ldvae_core.runs.store import OpenRun
from pages.parts.runs import associations


def best_of(opened: OpenRun, factors: Factors, *, wait: bool = False) -> pd.DataFrame | None:
    """The best type of every factor, as from best_types; None where associations gives None."""
    table = associations(opened, factors, wait=wait)
    return None if table is None else _best(opened.memo(factors, opened.label_column), table)


@st.cache_resource(max_entries=16, show_spinner=False)
def _best(memo: str, _associations: pd.DataFrame) -> pd.DataFrame:
    return best_types(_associations)


def table_of(opened: OpenRun, factors: Factors, *, wait: bool = True) -> pd.DataFrame:
    """One row per factor, with its best cell type where there are labels. wait: until these are known, or without."""
    followed = best_of(opened, factors, wait=wait)
    known = "without types" if followed is None else "with types"
    return _table(f"{opened.memo(factors, opened.label_column)} {known}", factors, followed)


@st.cache_resource(max_entries=16, show_spinner=False)
def _table(memo: str, _factors: Factors, _followed: pd.DataFrame | None) -> pd.DataFrame:
    table = factor_table(_factors)
    return table if _followed is None else table.merge(_followed, on="factor", how="left")
