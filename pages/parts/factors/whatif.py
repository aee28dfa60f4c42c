"""What-if: move a cell along the factors, and see at once which genes the model says would follow."""

import random
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.programs import Use
from ldvae_core.analysis.whatif import change_table, largest_changes, moved, softmax_problem, whatif_finding
from ldvae_core.plots.whatif import plot_changes
from ldvae_core.runs.store import OpenRun
from pages.parts.figures import Panel, show_figure
from pages.parts.pair import open_clicked_gene
from pages.parts.per_run import per_run
from pages.parts.pickers import replace_absent, segments
from pages.parts.runs import NEXT, go
from pages.parts.style import mode
from pages.parts.text import literal, percent, plain, show

Measure = Literal["change", "log2_fold"]
STARTS = {"mean": "The mean cell", "cell": "A cell"}
MEASURES: dict[Measure, str] = {"change": "Molecules", "log2_fold": "Fold change"}
FARTHEST = 3.0  # standard deviations
FIRST_MOVE = 2.0  # of the strongest factor, when the view is opened
MANY = 12  # sliders, from which on they stand three in a row
N_GENES = 10  # at each end
N_OPENED = 6  # genes that the button opens
ANY = "any type"
HOW_WHATIF = (
    "The model predicts a cell's fractions as softmax(loadings x factors + intercept). **Grey:** what it predicts for "
    "the starting cell, in molecules per 10,000; **in colour:** after the factors were moved. Because fractions sum to "
    "1, genes can fall just because others rise. A slider counts standard deviations of that factor over all cells. "
    "Covariates are held at their average. It is what this model expects, not an experiment: factors that move "
    "together in real cells can be moved alone here. With shrunken loadings, uncertain genes hardly move."
)
HOW_USAGE = (
    " Factors of this run are usages, which sum to 1: when one is moved, the others share the rest in their old "
    "proportions."
)


def show_whatif(opened: OpenRun, factors: Factors, use: Use) -> None:
    """Sliders of the active factors beside the genes that change most. use: which loadings."""
    if problem := softmax_problem(opened.settings.model):
        with st.container(border=True, key="no_whatif"):
            st.markdown(f"**No what-if for this run.** {problem} Open a run of the linear model to use it.")
        return
    st.fragment(_whatif, key="whatif")(opened, factors, use)


def _whatif(opened: OpenRun, factors: Factors, use: Use) -> None:
    if NEXT in st.session_state:
        st.rerun(scope="app")
    with st.container(key="split_whatif"):
        left, right = st.columns([0.4, 0.6], gap="medium")
    with left:
        start, name = _start(opened, factors)
        changes = _sliders(opened, factors, start)
    with right:
        by = segments("Order and show by", MEASURES, key="whatif_by", hide_label=True)
        end = moved(factors, start, changes)
        table = change_table(factors, start, end, use=use)
        shown = largest_changes(table, N_GENES, by=by)
        figure = plot_changes(shown, by=by, mode=mode(), rows=2 * N_GENES)
        finding = whatif_finding(factors, changes, table, start=name, by=by)
        how = HOW_WHATIF + (HOW_USAGE if factors.are_usages else "")
        alt = "The genes whose predicted molecules change most."
        panel = Panel(figure, "what_if", alt, table, "What-if", on_click=open_clicked_gene)
        show_figure(panel, key="whatif_figure", finding=finding, how_to_read=how)
        if factors.are_usages and any(changes.values()):
            _say_usages(factors, start, end, changes)
        _open_genes(shown)


def _start(opened: OpenRun, factors: Factors) -> tuple[np.ndarray, str]:
    """Where to start from, (n_factors,), and its name in a sentence."""
    if segments("Start from", STARTS, key="whatif_from") == "mean":
        return factors.centre, "the mean cell"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        kind = _type_picker(opened)
        st.button(
            "Random cell",
            key="whatif_random",
            icon=":material/casino:",
            on_click=_pick_random_cell,
            args=(opened, kind),
        )
    text = st.text_input(
        "Cell", key="whatif_cell", bind="query-params", placeholder="Its id, or the beginning of it", max_chars=200
    ).strip()
    if not text:
        st.caption("No cell chosen yet: take a random one, or type an id. Until then it is the mean cell.")
        return factors.centre, "the mean cell"
    found, n_found = _find(opened, text)
    if found is None:
        st.caption(f"No cell's id contains {literal(text, longest=40)}: this is the mean cell.")
        return factors.centre, "the mean cell"
    cell = plain(opened.counts.cell_ids[found], longest=40)
    label = "" if opened.label_column is None else f", {plain(opened.labels().iloc[found], longest=40)}"
    more = f"; the first of {n_found:,} ids that contain this" if n_found > 1 else ""
    st.caption(literal(f"{cell}{label}{more}", longest=200))
    return np.asarray(factors.representation[found], np.float64), f"cell {cell}"


def _type_picker(opened: OpenRun) -> str:
    if opened.label_column is None or opened.label_column not in opened.label_columns:
        return ANY
    kinds = [ANY, *(str(name) for name in opened.labels().cat.categories)]
    replace_absent("whatif_type", kinds, ANY)
    return st.selectbox("Of type", kinds, format_func=plain, key="whatif_type", width=200)


def _pick_random_cell(opened: OpenRun, kind: str) -> None:
    """Put the id of some cell of the type into the field."""
    cells = np.arange(opened.counts.n_cells)
    if kind != ANY and opened.label_column is not None:
        labels = opened.labels()
        cells = np.flatnonzero(labels.cat.codes.to_numpy() == labels.cat.categories.get_loc(kind))
    if len(cells):
        st.session_state["whatif_cell"] = str(opened.counts.cell_ids[random.choice(cells)])


@per_run(max_entries=64)
def _find(opened: OpenRun, text: str) -> tuple[int | None, int]:
    """The cell of this id, else the first whose id begins with or contains the text; and how many do."""
    ids = np.asarray(opened.counts.cell_ids, dtype=str)
    same = np.flatnonzero(ids == text)
    if len(same):
        return int(same[0]), 1
    places = np.char.find(np.char.lower(ids), text.lower())
    found = np.flatnonzero(places >= 0)
    if not len(found):
        return None, 0
    return int(found[np.argmin(places[found])]), len(found)


def _sliders(opened: OpenRun, factors: Factors, start: np.ndarray) -> dict[int, float]:
    """One slider a factor that carries something; returns factor -> standard deviations moved."""
    shown = [k for k in range(factors.n_factors) if factors.active[k]] or list(range(factors.n_factors))
    turned = "".join("-" if flip else "+" for flip in factors.flipped)
    keys = {k: f"whatif_{opened.run_id}_{factors.axes}_{turned}_{k}" for k in shown}
    with st.container(horizontal=True, vertical_alignment="center"):
        show("Move each factor from where the cell stands, in SD", kind="quiet")
        st.button("Reset", key="whatif_reset", icon=":material/restart_alt:", type="tertiary", on_click=_reset,
                  args=(list(keys.values()),))  # fmt: skip
    changes = {}
    with st.grid(3 if len(shown) > MANY else 2, min_column_width=140, gap="small", key="whatif_sliders"):
        for k in shown:
            changes[k] = st.slider(
                literal(factors.label(k), longest=40),
                -FARTHEST,
                FARTHEST,
                FIRST_MOVE if k == shown[0] else 0.0,
                0.1,
                key=keys[k],
                format="%.1f",
                help=_where_it_stands(factors, start, k),
            )
    return changes


def _where_it_stands(factors: Factors, start: np.ndarray, factor: int) -> str:
    if factors.are_usages:
        return f"The cell uses {percent(float(start[factor]))} of this factor."
    scale = float(factors.scale[factor])
    place = (float(start[factor]) - float(factors.centre[factor])) / scale if scale > 0 else 0.0
    return f"The cell stands {place:+.1f} SD from the mean of this factor.".replace("-", "−")


def _reset(keys: list[str]) -> None:
    for key in keys:
        st.session_state[key] = 0.0


def _say_usages(factors: Factors, start: np.ndarray, end: np.ndarray, changes: dict[int, float]) -> None:
    parts = [
        f"{literal(factors.label(k), longest=40)} from {percent(float(start[k]))} to {percent(float(end[k]))}"
        for k, change in changes.items()
        if change
    ]
    st.caption(f"Usage of {', '.join(parts[:6])}; the other factors share the rest in their old proportions.")


def _open_genes(shown: pd.DataFrame) -> None:
    half = N_OPENED // 2
    genes = [*shown.gene[shown.change > 0].head(half), *shown.gene[shown.change < 0].tail(half)]
    if genes:
        st.button("Open these genes", key="whatif_genes", icon=":material/genetics:", type="tertiary", on_click=go,
                  args=("genes.py",), kwargs={"genes": [str(gene) for gene in genes]})  # fmt: skip
