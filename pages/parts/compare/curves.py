"""Chosen runs on cells they did not learn from: curves on one axis (Fig. 1b), and figures of the test cells."""

import math
from typing import Literal

import pandas as pd
import streamlit as st

from ldvae_core.analysis.findings import placement_finding
from ldvae_core.analysis.standing import Standing
from ldvae_core.analysis.standing_words import standing_sentence
from ldvae_core.errors import LdvaeError
from ldvae_core.model.describe import BASELINES
from ldvae_core.plots.dots import plot_test_metric
from ldvae_core.plots.held_out import plot_held_out
from ldvae_core.runs.cards import RunCard
from ldvae_core.runs.standings import ByCell, leaders, metric_of, standing_in
from ldvae_core.runs.table import Metric, method_of, missing_words, runs_table
from pages.parts.compare.runs import by_cell_of, names_of
from pages.parts.figures import Panel, show_figure
from pages.parts.pickers import segments
from pages.parts.runs import store
from pages.parts.style import mode
from pages.parts.terms import help_on
from pages.parts.text import sentence, show

Curve = Literal["reconstruction_error", "elbo"]
CURVES: dict[Curve, str] = {"reconstruction_error": "Fit to unseen cells", "elbo": "ELBO"}
BEST = {"test_error": "fits unseen cells best", "elbo": "has the highest ELBO", "iwll": "has the highest IWLL",
        "gain": "gains most over the gene means"}  # fmt: skip
FIGURES = {"test_error": "Fit to unseen cells", "elbo": "ELBO", "iwll": "IWLL", "gain": "Gain"}
NOTE = {
    "reconstruction_error": "The axis is the fit to validation cells, which no KL weight enters: "
    "losses at different KL weights, on other genes or another split are never compared.",
    "elbo": "The axis is the ELBO of validation cells at KL weight 1, whatever the weight was in training.",
}
HOW_CURVES = (
    "Each line is one run; every point is measured on the same validation cells, which no run learns from. **Fit to "
    "unseen cells** (reconstruction error, Fig. 1b of the paper): how badly counts are predicted from a cell's "
    "factors; lower is better. It favours models that keep more about each cell; the **ELBO** also counts what the "
    "factors cost, and **IWLL** on the right is the fairest across priors. **Dashed:** models without epochs, measured "
    "on test cells."
)
HOW_DOTS = (
    "A dot is the mean over test cells, which nothing else has touched; its whiskers are one standard error over "
    "cells. Cells differ far more than models do, and all runs share the same cells: overlapping whiskers do **not** "
    "mean that two models are equal. The **gain** is measured cell by cell against each gene's mean, so its whiskers "
    "tell more. The spread over seeds is seen by training with other seeds. Open dots are baselines."
)


def show_held_out(drawn: list[RunCard]) -> None:
    """Validation curves of all runs, with baselines as dashed lines."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        measure = segments("Curve", CURVES, key="curve", help=help_on("fit to unseen cells", "ELBO", "nats"))
        log = st.toggle("Logarithmic axis", key="curve_log", bind="query-params", disabled=measure == "elbo")
    names, histories = names_of(drawn), {}
    flat: dict[str, float] = {}
    for card in drawn:
        if method_of(card) in BASELINES:
            flat |= _flat(card, names[card.run_id], measure)
            continue
        try:
            histories[names[card.run_id]] = store().history(card.run_id)
        except LdvaeError:  # deleted meanwhile
            continue
    flat = {**_yardstick(drawn), **flat} if not any(method_of(card) == "gene_mean" for card in drawn) else flat
    figure = plot_held_out(histories, baselines=flat, measure=measure, log_axis=log, mode=mode())
    table = _curve_table(histories, flat, measure)
    panel = Panel(figure, f"held_out_{measure}", f"{CURVES[measure]} of {len(drawn)} runs against epochs.", table)
    show_figure(panel, key="held_out", finding=curves_finding(histories, measure), how_to_read=HOW_CURVES)
    show(NOTE[measure], kind="quiet")


def show_test_metric(drawn: list[RunCard]) -> None:
    """One figure of the test cells for all runs, as dots with standard errors."""
    helped = help_on("fit to unseen cells", "ELBO", "IWLL", "gain", "nats")
    column = segments("Figure of the test cells", FIGURES, key="figure", help=helped)
    metric, alike = metric_of(column), {card.run_id: 1 for card in drawn}
    names, rows, cells = names_of(drawn), runs_table(drawn, alike), by_cell_of(drawn)
    first = leaders(drawn, metric, alike, cells)
    table = pd.DataFrame(
        {
            "run_id": rows["run_id"],
            "name": [names[run_id] for run_id in rows["run_id"]],
            "value": rows[column],
            "se": rows[f"{column}_se"],
            "best": [first.get(run_id, "") for run_id in rows["run_id"]],
            "baseline": [method_of(card) in BASELINES for card in drawn],
        }
    )
    better = "lower" if metric.lower_is_better else "higher"
    figure = plot_test_metric(table, x_title=f"{metric.title}, nats per cell ({better} is better)", mode=mode())
    panel = Panel(figure, f"test_{column}", f"{metric.title} of {len(drawn)} runs, with standard errors.", table)
    show_figure(panel, key="test_metric", finding=metric_finding(drawn, metric, cells), how_to_read=HOW_DOTS)
    placed = {names[card.run_id]: card.metrics for card in drawn if method_of(card) not in BASELINES and card.metrics}
    if note := placement_finding(placed):
        sentence(note, kind="quiet")
    absent = {words: card for card in drawn if (words := missing_words(card, metric))}
    for words, card in absent.items():
        show(f"Without a dot: {names[card.run_id]} and runs like it, because {words}."
             if len(absent) < len(drawn) else f"{words[0].upper()}{words[1:]}.", kind="quiet")  # fmt: skip


def curves_finding(histories: dict[str, pd.DataFrame], measure: Curve) -> str:
    """Which run reached the best held-out value, where, and which came next; "" before any point."""
    column, lower = f"validation_{measure}", measure == "reconstruction_error"
    ends = []
    for name, table in histories.items():
        known = table.dropna(subset=[column])
        if len(known):
            row = known.iloc[int(known[column].argmin() if lower else known[column].argmax())]
            ends.append((float(row[column]), name, float(row["epoch"])))
    if not ends:
        return ""
    ends.sort(reverse=not lower)
    value, name, epoch = ends[0]
    said = f"{name} {'fits unseen cells best' if lower else 'has the highest ELBO'}"
    said = f"{said}: {_signed(value)} nats per cell in epoch {epoch:,.0f}"
    return f"{said}; next is {ends[1][1]}, {abs(ends[1][0] - value):,.1f} nats behind." if len(ends) > 1 else f"{said}."


def metric_finding(drawn: list[RunCard], metric: Metric, cells: ByCell) -> str:
    """Which run is best in one figure of the test cells, and whether beyond error; "" without two that have it."""
    names, standing = names_of(drawn), standing_in(drawn, metric, cells)
    if standing is None:
        return ""
    named = Standing(names[standing.best], {names[run_id]: lead for run_id, lead in standing.leads.items()})
    return standing_sentence(named, what=BEST[metric.column])


def _signed(value: float) -> str:
    return f"{value:,.1f}".replace("-", "−")


def _flat(card: RunCard, name: str, measure: Curve) -> dict[str, float]:
    """A baseline's value; none where it has no such figure."""
    keys = {"reconstruction_error": ("validation_reconstruction_error", "test_reconstruction_error"),
            "elbo": ("validation_elbo", "test_elbo")}[measure]  # fmt: skip
    for key in keys:
        value = card.metrics.get(key)
        if isinstance(value, int | float):
            return {name: float(value)}
    return {}


def _yardstick(drawn: list[RunCard]) -> dict[str, float]:
    """The gene-mean model's value, which every newer run has measured on the same test cells."""
    found = (card.metrics.get("null_error") for card in drawn)
    value = next((value for value in found if isinstance(value, int | float)), None)
    return {} if value is None else {"gene mean": float(value)}


def _curve_table(histories: dict[str, pd.DataFrame], flat: dict[str, float], measure: Curve) -> pd.DataFrame:
    """Long table: run, epoch (missing for a baseline), value."""
    column = f"validation_{measure}"
    parts = [
        pd.DataFrame({"run": name, "epoch": table["epoch"], "value": table[column]}).dropna(subset=["value"])
        for name, table in histories.items()
    ]
    parts.append(pd.DataFrame({"run": list(flat), "epoch": math.nan, "value": list(flat.values())}))
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["run", "epoch", "value"])
