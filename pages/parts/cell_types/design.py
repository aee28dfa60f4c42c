"""Design: every program against the condition of the samples, and the samples behind each dot."""

import numpy as np
import pandas as pd
import streamlit as st

from ldvae_core.analysis.design import ALL, DesignEffects
from ldvae_core.analysis.design_points import sample_points
from ldvae_core.analysis.design_words import found_sentence, reading_sentences, row_words, tested_sentence
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.numbers import three_digits
from ldvae_core.plots.design import plot_design, plot_samples
from ldvae_core.plots.theme import cells_title
from ldvae_core.runs.designs import Design, design_table, tested_design
from ldvae_core.runs.looked import Looked
from ldvae_core.runs.opened import OpenRun
from pages.parts.cell_types.groups import choice
from pages.parts.figures import Panel, clicked, show_figure
from pages.parts.per_run import per_run
from pages.parts.pickers import factor_select
from pages.parts.style import mode
from pages.parts.text import as_html, show

MOST_BESIDE = 20  # factors whose dots leave room for the samples beside them
HOW = (
    "Each dot is one test with the **sample** as the unit: its value is the mean position of its cells, over all cells "
    "or over those of one group. **Colour** is the effect in units of the position: orange where a program is higher "
    "than in the samples compared with, or rises with a number. **Area** is how sure it is; a **ring** marks q < 5% "
    "over all dots together. A **cross** was not tested: the program is inactive. Variances of the programs are "
    "moderated: each is drawn towards what they have in common. Only the covariates that you choose are adjusted for. "
    "Click a dot to see its samples."
)
HOW_SAMPLES = (
    "A point is a sample: the mean position of its cells here, as it is, not adjusted for covariates. A bar is the "
    "mean of a level; lines join the samples of a pair where a covariate makes pairs. All samples count alike."
)


def show_design(opened: OpenRun, factors: Factors, design: Design) -> None:
    """The dot table with its sentence, and the samples of the dot that was clicked. Raises what tested_design does."""
    effects = _effects(opened, factors, design)
    names = [factors.label(factor) for factor in range(factors.n_factors)]
    table = with_rows(effects)
    figure = plot_design(table, names=names, row_title=design.by or "", mode=mode())
    alt = f"Effect of {design.condition} on every program, in each group of cells."
    panel = Panel(figure, "programs_by_design", alt, lambda: design_table(effects), "Design")
    st.session_state["design_rows"] = list(dict.fromkeys(table["row"]))
    with st.container(key="split_design"):
        left, right = st.columns([0.62, 0.38], gap="medium") if factors.n_factors <= MOST_BESIDE else (st, st)
    with left.container():
        show_figure(
            panel, key="design", finding=found_sentence(effects, factors), how_to_read=HOW, on_click=_choose_dot
        )
        said = " ".join([tested_sentence(effects), *reading_sentences(effects)])
        show(as_html(said, longest=1200), kind="quiet")
    with right.container():
        _show_samples(effects, factors, table)


def with_rows(effects: DesignEffects) -> pd.DataFrame:
    """The table with the name of each row of dots: the level, the term, or both where there are several of both."""
    table = effects.table
    if effects.levels == (ALL,):
        return table.assign(row=table["term"])
    if table["term"].nunique() == 1:
        return table.assign(row=table["level"])
    return table.assign(row=table["level"] + " · " + table["term"])


@per_run(max_entries=32, spinner="Comparing the samples")
def _effects(opened: OpenRun, factors: Factors, design: Design) -> DesignEffects:
    effects = tested_design(opened, factors, design)
    if opened.kept is not None:
        Looked(opened.kept).note_design(design, effects)
    return effects


def _show_samples(effects: DesignEffects, factors: Factors, table: pd.DataFrame) -> None:
    """One program in one row, chosen by a click or from the lists, the surest first."""
    surest = table.iloc[int(np.argmin(table["p"].fillna(2.0).to_numpy()))]
    rows = list(dict.fromkeys(table["row"]))
    with st.container(horizontal=True, vertical_alignment="top", gap="small", key="design_dot"):
        factor = factor_select("Program", factors, key="design_factor", default=int(surest["factor"]))
        row = choice("Row", rows, key="design_row", default=str(surest["row"]), width=240)
    chosen = table[(table["factor"] == factor) & (table["row"] == row)].iloc[0]
    points = sample_points(effects, factor, str(chosen["level"]))
    condition = effects.condition
    figure = plot_samples(
        points,
        x_title=condition.name,
        y_title=cells_title(factor, factors.prior, name=factors.name_of(factor)),
        levels=condition.levels,
        mode=mode(),
    )
    words = f"{row_words(chosen.to_dict(), effects, factors)}."
    if pd.notna(chosen["p"]):
        words = f"{words[:-1]}, p {three_digits(chosen['p'])}, q {three_digits(chosen['q'])}."
    panel = Panel(
        figure, "samples_of_program", f"The samples by {condition.name}.", points.drop(columns="x"), "Samples"
    )
    show_figure(panel, key="design_samples", how_to_read=HOW_SAMPLES, finding=words)


def _choose_dot() -> None:
    data, rows = clicked("design_0"), st.session_state.get("design_rows", [])
    if len(data) == 2 and int(data[1]) < len(rows):
        st.session_state["design_factor"] = int(data[0])
        st.session_state["design_row"] = rows[int(data[1])]
