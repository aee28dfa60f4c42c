"""How the table of runs looks: numbers that sort, the best of a group marked, and why figures are missing."""

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from ldvae_core.analysis.findings import join
from ldvae_core.runs.cards import RunCard
from ldvae_core.runs.standings import ByCell, leaders
from ldvae_core.runs.table import METRICS, missing_words
from pages.parts.figures import download_table
from pages.parts.runs import STATE_WORDS
from pages.parts.text import as_html, plain, show

SHORT = {"test_error": "Fit to unseen cells", "elbo": "ELBO", "iwll": "IWLL", "gain": "Gain over gene mean"}


def styled(table: pd.DataFrame, cards: list[RunCard], by_cell: ByCell) -> Styler:
    """Numbers that sort as numbers and read as 'value ± standard error'; the best of a group in bold and in words.

    Runs that cannot be told from the best are "among the best". cards: of the rows.
    """
    numbers = dict(zip(table["run_id"], table["group"], strict=True))
    shown = pd.DataFrame(
        {
            "Name": [plain(name) for name in table["name"]],
            "Model": [plain(words, longest=120) for words in table["model"]],
            "Factors": table["factors"].astype("Int64"),
            **{SHORT[metric.column]: table[metric.column] for metric in METRICS},
            "Compares in": [letter(group) for group in table["group"]],
            "Seed": table["seed"].astype("Int64"),
            "Time": table["seconds"],
            "State": [STATE_WORDS.get(state, state) for state in table["state"]],
            "Data": [plain(name) for name in table["data"]],
            "Cells": table["cells"].astype("Int64"),
            "Genes": table["genes"].astype("Int64"),
            "Likelihood": table["likelihood"],
            "Device": table["device"],
        }
    )
    styler = shown.style.format({"Time": _time, "Cells": "{:,}", "Genes": "{:,}"}, na_rep="—")
    for metric in METRICS:
        column, first = SHORT[metric.column], leaders(cards, metric, numbers, by_cell)
        words = table["run_id"].map(lambda run_id, first=first: first.get(run_id, ""))
        for row in shown.index:
            text = _figure(table[metric.column][row], table[f"{metric.column}_se"][row], words[row])
            styler = styler.format(_always(text), subset=pd.IndexSlice[[row], [column]], na_rep="—")
        styler = styler.map(lambda _: "font-weight: 700", subset=pd.IndexSlice[shown.index[words != ""], [column]])
    return styler


def columns() -> dict[str, Any]:
    """How the columns of `styled` are shown."""
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    helps = {SHORT[metric.column]: f"{metric.title}, nats per cell ± standard error over test cells: {metric.meaning}."
             for metric in METRICS}  # fmt: skip
    return {
        "Name": text(width=205, pinned=True),
        "Model": text(width=185),
        "Factors": number(width=62),
        **{name: number(width=160 if name != SHORT["gain"] else 150, help=words) for name, words in helps.items()},
        "Compares in": text(
            width=95,
            help="Runs with one letter have the same cells, genes and split. Of each letter the best figure is in "
            "bold: “best”, “tied” with others from which it differs by less than the error, or “ahead” by a lead whose "
            "error is not known.",
        ),
        "Time": number(width=80, help="Of training."),
        "Seed": number(width=55),
    }


def show_notes(cards: list[RunCard], table: pd.DataFrame) -> None:
    """Why figures are missing, and the table as a file."""
    gaps: dict[str, tuple[list[str], list[str]]] = {}
    for card in cards:
        for metric in METRICS if card.has_results else ():
            if words := missing_words(card, metric):
                titles, names = gaps.setdefault(words, ([], []))
                titles += [] if SHORT[metric.column] in titles else [SHORT[metric.column]]
                names += [] if card.name in names else [card.name]
    file, why = st.columns([0.12, 0.88], vertical_alignment="center", gap="small")
    with file:
        download_table(table, "runs", key="runs_csv")
    said = [f"— {join(titles)} of {_some(names)}: {words}." for words, (titles, names) in gaps.items()]
    if said:
        with why:
            show(" ".join(as_html(line, longest=400) for line in said), kind="quiet")


def _some(names: list[str]) -> str:
    return join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} others"


def letter(group: int) -> str:
    """What a group of comparable runs is called: A, B, ..."""
    return "—" if group < 1 else chr(64 + group) if group <= 26 else f"group {group}"


def _figure(value: float, error: float, words: str) -> str:
    if math.isnan(value):
        return "—"
    said = f"{value:,.2f}" if math.isnan(error) else f"{value:,.2f} ± {error:.2f}"
    return f"{said.replace('-', '−')} {words}".strip()


def _always(text: str) -> Callable[[object], str]:
    return lambda _: text


def _time(seconds: Any) -> str:
    if math.isnan(seconds):
        return "—"
    return (
        f"{seconds:.1f} s"
        if seconds < 90
        else f"{seconds / 60:.1f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )
