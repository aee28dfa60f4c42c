"""The two tables of a comparison: genes and factors, where a click on a row opens what it names."""

import functools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pandas as pd
import streamlit as st

from ldvae_core.analysis.difference import Difference
from ldvae_core.analysis.difference_words import NOT_APPLICABLE
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.numbers import small_number
from ldvae_core.plots.labels import text_size
from pages.parts.figures import download_table
from pages.parts.runs import go
from pages.parts.text import plain

MOST_ROWS = 150  # on screen; the file has all genes
DIFFERENCE = {"Difference": "difference", "Low": "low", "High": "high"}
CHOSEN = "chosen here"
HOW_NOTES = (
    "Not modelled: it has no loadings. One cell: without a single cell it would be no finding. Chosen here: it "
    "loads on the axes on which the cells were chosen, so it differs by choice, and p values do not apply."
)
HEAD_SIZE = 14  # px of the letters of a head
TABLE_HEIGHT = 452  # px: as high as the drawing beside it


def show_gene_table(genes: pd.DataFrame, names: tuple[str, str]) -> None:
    """The genes that differ most surely by most, the higher ones first, with 90% intervals; a row opens its gene."""
    top = genes.head(MOST_ROWS)
    top = pd.concat([top[top["log2_fold_change"] > 0], top[~(top["log2_fold_change"] > 0)]])
    first, second = (plain(name, longest=22) for name in names)
    shown = pd.DataFrame(
        {
            "Gene": [plain(name, longest=40) for name in top["gene"]],
            "log2 fold": top["log2_fold_change"],
            "Low": top["low"],
            "High": top["high"],
            "q": [small_number(value) for value in top["log10_q"]],
            "Note": [_note(row) for row in top.itertuples()],
            "In first": top["mean_first"],
            "In second": top["mean_second"],
            "Cells first": 100 * top["share_first"],
            "Cells second": 100 * top["share_second"],
        }
    )
    if not shown["Note"].any():
        shown = shown.drop(columns="Note")
    number, wide = st.column_config.NumberColumn, [_head_width(first), _head_width(second)]
    _table(
        shown,
        key="gene_rows",
        opened=functools.partial(_open_gene, tuple(top["gene"])),
        columns={
            "Gene": st.column_config.TextColumn(width=100, pinned=True),
            "log2 fold": number(format="%.2f", width=66, help=f"log2 of how many times as high in {first}."),
            "Low": number(format="%.2f", width=50, help="Lower end of the 90% interval."),
            "High": number(format="%.2f", width=50, help="Upper end of the 90% interval."),
            "q": st.column_config.TextColumn(width=60, help="False discovery rate over all tested genes."),
            "In first": number(first, format="%.3g", width=wide[0], help=f"Molecules per 10,000 in {first}."),
            "In second": number(second, format="%.3g", width=wide[1], help=f"Molecules per 10,000 in {second}."),
            "Cells first": number(
                f"% {first}", format="%.1f", width=wide[0] + 14, help=f"Cells of {first} with counts of it."
            ),
            "Cells second": number(
                f"% {second}", format="%.1f", width=wide[1] + 14, help=f"Cells of {second} with counts of it."
            ),
            "Note": st.column_config.TextColumn(width=88, help=HOW_NOTES),
        },
    )
    said = f"The first {MOST_ROWS} of {len(genes):,} genes; all are in the file. " if len(genes) > MOST_ROWS else ""
    st.caption(f"{said}Choose a row to open its gene.")


def show_factor_table(difference: Difference, factors: Factors) -> None:
    """Every factor, the most separating first; a clicked row opens the factor."""
    table, number = difference.factors, st.column_config.NumberColumn
    shown = pd.DataFrame(
        {
            "Factor": [plain(factors.label(int(factor))) for factor in table["factor"]],
            "Higher in": [plain(difference.names[value < 0], longest=40) for value in table["difference"]],
            "AUC": (table["auc"] - 0.5).abs() + 0.5,
            "AUC of cells": (table["auc_cells"] - 0.5).abs() + 0.5,
            **{name: table[column].round(2) + 0.0 for name, column in DIFFERENCE.items()},  # no minus before a zero
            "p": [_p_value(row) for row in table.itertuples()],
        }
    )
    first = plain(difference.names[0], longest=32)
    if difference.design is None:
        shown = shown.drop(columns="AUC of cells")
    whose = "a cell" if difference.design is None else "the mean of a sample"
    _table(
        shown,
        key="factor_rows",
        opened=functools.partial(_open_factor, tuple(int(factor) for factor in table["factor"])),
        columns={
            "Factor": st.column_config.TextColumn(width=200, pinned=True),
            "Higher in": st.column_config.TextColumn(width=200),
            "AUC": number(format="%.3f", help=f"Chance that {whose} of that group lies higher than one of the other."),
            "AUC of cells": number(format="%.3f", help="The same for single cells."),
            "Difference": number(
                "Difference (SD)", format="%.2f", help=f"Of means, {first} minus the other, in SD over all cells."
            ),
            "Low": number(format="%.2f", help="Lower end of the 90% interval."),
            "High": number(format="%.2f", help="Upper end of the 90% interval."),
        },
        height="content" if len(shown) <= 12 else TABLE_HEIGHT,
    )
    if table["chosen_by"].any():
        st.caption(
            f"{NOT_APPLICABLE[:1].upper()}{NOT_APPLICABLE[1:]}. How far apart cells lie there was decided by hand."
        )
    download_table(table, "difference_factors", key="difference_factors_csv", label="Factors")


def _table(
    shown: pd.DataFrame,
    *,
    key: str,
    opened: Callable[[str], None],
    columns: dict[str, Any],
    height: int | Literal["content"] = TABLE_HEIGHT,
) -> None:
    st.dataframe(
        shown,
        hide_index=True,
        height=height,
        column_config=columns,
        on_select=functools.partial(opened, key),
        selection_mode="single-row",
        key=key,
    )


def _open_gene(genes: tuple[str, ...], key: str) -> None:
    rows = st.session_state[key].selection.rows
    if rows:
        go("genes.py", genes=[str(genes[rows[0]])])


def _open_factor(factors: tuple[int, ...], key: str) -> None:
    if rows := st.session_state[key].selection.rows:
        go("factors.py", view="One factor", x=factors[rows[0]])


def _head_width(name: str) -> int:
    """Px of a column that is headed by a group's name."""
    return round(max(66.0, text_size(name, HEAD_SIZE)[0] + 22))


def _note(row: Any) -> str:
    """What has to be known of a gene of the table; "" for most."""
    marks = ((not row.modelled, "not modelled"), (row.carried_by_one_cell, "one cell"), (row.chosen_by, CHOSEN))
    return ", ".join(words for applies, words in marks if applies)


def _p_value(row: Any) -> str:
    return CHOSEN if row.chosen_by else small_number(float(np.log10(max(row.p, 1e-301))))
