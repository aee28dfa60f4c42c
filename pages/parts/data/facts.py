"""What was loaded, in words: sizes, where the counts were found, what was changed, and the columns of the cells."""

from typing import Literal

import numpy as np
import streamlit as st

from ldvae_core.plots.theme import three_digits
from pages.parts.data.opened import NONE, OpenData
from pages.parts.header import derived_badge
from pages.parts.text import as_html, percent, plain, show

TABLE_HEIGHT = 248  # px
ROW_HEIGHT = 35  # px
PLACES = {"X": "X", "table": "the table"}


def show_facts(data: OpenData) -> None:
    """One row of numbers; below it why these are the raw counts, where they come from, and every notice."""
    summary = data.summary
    facts = {
        "Cells": f"{summary.n_cells:,}",
        "Genes": f"{summary.n_genes:,}",
        "Entries above 0": percent(summary.nonzero_share),
        "Median counts per cell": three_digits(float(np.median(summary.library_size))),
        "Raw counts found in": PLACES.get(summary.counts_from, summary.counts_from),
        "Species, by gene names": summary.species or "not clear",
    }
    body = "".join(f"<div><span>{as_html(name)}</span><b>{as_html(value)}</b></div>" for name, value in facts.items())
    show(body, kind="facts")
    with st.container(gap="xsmall", key="data_notices"):
        show(as_html(_why(summary.counts_from, summary.notices), longest=300), kind="quiet")
        if origin := _origin(data.counts.about):
            show(origin, kind="quiet")
        for notice in summary.notices:
            show(f'<span class="gpe-badge">notice</span> {as_html(notice, longest=400)}')
        for column in summary.columns:
            derived_badge(data.counts, column)


def show_annotations(data: OpenData) -> str | None:
    """The columns of the cells as a table, and which of them labels the cells from here on (None: none)."""
    table = data.columns
    if table.empty:
        show("The file has no annotation of its cells: factors can be read by their genes alone.", kind="quiet")
        return None
    options = [NONE, *data.summary.labels]
    label = st.selectbox(
        "Labels of the cells",
        options,
        format_func=lambda name: plain(name) or "none",
        key="label_column",
        persist_state="session",
        width=300,
        help="Factors are compared with these labels, and figures are coloured by them. Training never sees them.",
    )
    height: Literal["auto"] | int = "auto" if len(table) * ROW_HEIGHT < TABLE_HEIGHT - ROW_HEIGHT else TABLE_HEIGHT
    st.dataframe(table, hide_index=True, height=height, key="annotation_columns", row_height=ROW_HEIGHT,
                 alt=f"{len(table)} annotation columns of the cells with their kinds and values.",
                 column_config={"Levels": st.column_config.NumberColumn(format="localized", width=80),
                                "Column": st.column_config.TextColumn(width=150),
                                "Kind": st.column_config.TextColumn(width=90),
                                "Looks like": st.column_config.TextColumn(width=130),
                                "Values": st.column_config.TextColumn(width=640)})  # fmt: skip
    return label or None


def _why(counts_from: str, notices: tuple[str, ...]) -> str:
    if any(notice.startswith("Counts were taken from") for notice in notices):
        return f"Every entry of {counts_from} is a whole number, 0 or more: these are the raw counts."
    place = PLACES.get(counts_from, counts_from)
    return f"Raw counts were found in {place}, the first place looked at: every entry is a whole number, 0 or more."


def _origin(about: dict[str, str]) -> str:
    parts = [(word, about[key]) for word, key in
             (("Origin", "origin"), ("Licence", "licence"), ("Caveats", "caveats")) if about.get(key)]  # fmt: skip
    return " ".join(f"<b>{word}:</b> {as_html(text.rstrip('.'), longest=900)}." for word, text in parts)
