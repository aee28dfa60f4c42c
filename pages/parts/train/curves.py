"""Learning curves of the run in use, alone or over those of other runs on the same cells and genes."""

from typing import Any

import pandas as pd
import streamlit as st

from ldvae_core.errors import LdvaeError
from ldvae_core.plots.curves import TITLES, Measure, plot_learning_curves
from ldvae_core.runs.cards import RunCard
from pages.parts.figures import Panel, show_figure
from pages.parts.runs import store
from pages.parts.style import mode
from pages.parts.text import plain

MEASURES: dict[Measure, str] = {
    "reconstruction_error": "Fit",
    "kl": "KL",
    "elbo": "ELBO",
    "kl_weight": "KL weight",
}
HEIGHT = 340  # px
MOST_OVERLAID = 6
NO_POINT = "The curve begins when the first epoch has been measured."
HOW_TO_READ = (
    "**Thin:** training cells. **Bold:** validation cells, which the model does not learn from. **Fit** "
    "(reconstruction error): how badly counts are predicted, in nats per cell; lower is better. **KL:** how much "
    "factors say about a cell beyond the prior. **ELBO:** minus their sum, what training raises; higher is better. "
    "**KL weight:** rises from 0 to 1 so that factors form before they are held back; curves often bend until it is "
    "1. When the bold curve turns away from the thin one, the model learns single cells by heart: stop and keep, or "
    "use fewer factors."
)


def show_curves(card: RunCard, cards: list[RunCard], *, n_epochs: int) -> None:
    """One measure of the run, with its options. n_epochs: planned, so that the axis stands still."""
    if card.state == "cancelled" and store().history(card.run_id).empty:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="train_curve_options"):
        words = list(MEASURES.values())
        unset: dict[str, Any] = {} if "train_measure" in st.session_state else {"default": words[0]}
        word = st.segmented_control("Curve", words, key="train_measure", required=True, persist_state="session",
                                    label_visibility="collapsed", **unset)  # fmt: skip
        measure: Measure = next((key for key, name in MEASURES.items() if name == word), "reconstruction_error")
        with st.popover("Display", icon=":material/tune:", key="train_display"):
            smoothing = st.slider("Smoothing of the training curve", 0.0, 0.95, 0.0, 0.05, key="train_smoothing",
                                  persist_state="session")  # fmt: skip
            logarithmic = st.toggle("Logarithmic axis", key="train_log", disabled=measure in ("elbo", "kl_weight"),
                                    persist_state="session",
                                    help="For the fit and the KL, which are positive.")  # fmt: skip
        others = _others(card, cards)
    histories = {"": store().history(card.run_id), **others}
    table = histories[""]
    if len(histories) > 1:
        histories = {plain(card.name, longest=40): histories.pop(""), **histories}
    figure = plot_learning_curves(
        histories if len(histories) > 1 else table,
        measure=measure,
        smoothing=smoothing,
        log_axis=logarithmic,
        n_epochs=n_epochs or None,
        mode=mode(),
        height=HEIGHT,
    )
    panel = Panel(figure, f"curves_{measure}", f"{TITLES[measure]} against epochs.", table)
    show_figure(panel, key="train_curves", finding=curve_finding(table, measure), how_to_read=HOW_TO_READ)


def curve_finding(history: pd.DataFrame, measure: Measure) -> str:
    """Where the curve stands, in a sentence; before its first point another one takes its room."""
    if measure == "kl_weight":
        weights = history["kl_weight"].dropna()
        return f"The KL weight is {weights.iloc[-1]:.3g}." if len(weights) else NO_POINT
    known = history.dropna(subset=[f"validation_{measure}"])
    if known.empty:
        return NO_POINT
    values, epochs = known[f"validation_{measure}"], known["epoch"]
    best = int((values.argmax if measure == "elbo" else values.argmin)())
    name = f"{'fit to' if measure == 'reconstruction_error' else f'{MEASURES[measure]} of'} unseen cells"
    said = f"The {name} is {_nats(values.iloc[-1])} nats per cell after epoch {epochs.iloc[-1]:,.0f}"
    if measure == "kl" or len(values) < 2:
        return f"{said}."
    if best == len(values) - 1:
        return f"{said}, its best so far; it began at {_nats(values.iloc[0])}."
    return f"{said}; its best, {_nats(values.iloc[best])}, was after epoch {epochs.iloc[best]:,.0f}."


def _nats(value: float) -> str:
    """With one decimal, as everywhere; small ones with four digits."""
    return (f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}").replace("-", "−")


def _others(card: RunCard, cards: list[RunCard]) -> dict[str, pd.DataFrame]:
    """Histories of the runs chosen to be compared, under distinct names."""
    names = {other.run_id: plain(other.name, longest=40) for other in cards if _is_comparable(card, other)}
    if not names:
        return {}
    kept = st.session_state.get("train_overlay")
    if kept and not set(kept) <= set(names):
        st.session_state["train_overlay"] = [run_id for run_id in kept if run_id in names]
    chosen = st.multiselect("Compare with", list(names), key="train_overlay", max_selections=MOST_OVERLAID,
                            format_func=lambda run_id: names.get(run_id, plain(run_id)), persist_state="session",
                            placeholder="Compare with other runs",
                            label_visibility="collapsed")  # fmt: skip
    tables: dict[str, pd.DataFrame] = {}
    for run_id in chosen:
        name = names[run_id]
        if name in tables or name == plain(card.name, longest=40):
            name = f"{name} ({run_id[-4:]})"
        try:
            tables[name] = store().history(run_id)
        except LdvaeError:  # deleted meanwhile
            continue
    return tables


def _is_comparable(card: RunCard, other: RunCard) -> bool:
    """Whether nats per cell mean the same for both: the same cells and genes."""
    if other.run_id == card.run_id or card.settings is None or other.settings is None or not other.epoch:
        return False
    ours, theirs = card.settings, other.settings
    return ours.data_source == theirs.data_source and ours.choices == theirs.choices
