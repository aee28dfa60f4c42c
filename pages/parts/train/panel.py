"""The run in use while it learns: state, progress, curves, programs as they form, and what can be asked of it."""

import functools
import math

import streamlit as st

from ldvae_core.errors import RunError
from ldvae_core.model.describe import BASELINES, model_words
from ldvae_core.runs.cards import RunCard, TrainingProgress
from ldvae_core.runs.table import method_of
from ldvae_core.runs.training_jobs import Request
from pages.parts.job_bar import show_not_answering, show_refusal, show_trouble
from pages.parts.live import LIVE, left_words, state_html
from pages.parts.problems import problem_box, refusals
from pages.parts.runs import go_next, store
from pages.parts.text import as_html, clock, count, explained, genes, show
from pages.parts.train.advice import show_advice
from pages.parts.train.curves import show_curves
from pages.parts.train.devices import kind_of
from pages.parts.train.plan import expected_left
from pages.parts.train.requests import ask, requests_of

UNDER_WAY = ("queued", "running", "paused", "interrupted")  # what has a bar
GENES_HEIGHT = 150  # px
NOT_YET = "They appear with the first epochs."
ASKED = {
    "stop": "It will stop and keep what it has learned.",
    "pause": "It will pause.",
    "cancel": "It will be cancelled.",
}
STARTING = "Its process is starting"
STAGES = {
    "preparing": "Preparing the data: choosing cells and genes, splitting off test cells",
    "searching": "Looking for the number of programs: ten quick trainings beside each other",
    "training": "The first minibatches are on their way",
    "refining": "Training is over. Refining positions of cells and loadings of genes",
    "analysing": "Training is over. Computing factors and test figures",
}


def show_panel(run_id: str | None) -> None:
    """The panel of a run; live while any run waits or works, and still otherwise."""
    cards = store().cards()
    if run_id is None:
        with st.container(border=True, key="train_empty"):
            st.markdown("**No run yet.** Choose settings and press Train: curves and programs appear here.")
        return
    live = any(card.state in LIVE for card in cards)
    st.fragment(_panel, run_every=1.0 if live else None, key="train_panel")(run_id, _signature(cards))


def _signature(cards: list[RunCard]) -> tuple[tuple[str, str], ...]:
    """What the rest of the page shows of the runs: when it changes, the page is drawn again, once."""
    return tuple((card.run_id, card.state) for card in cards)


def _panel(run_id: str, drawn: tuple[tuple[str, str], ...]) -> None:
    """Every part stands from second 0, at one place and height: nothing moves while a run goes through its stages."""
    cards = store().cards()
    if _signature(cards) != drawn:
        st.rerun()
    card = next((card for card in cards if card.run_id == run_id), None)
    if card is None:
        show("This run is gone. Choose another one below.", kind="quiet")
        return
    with refusals(end_page=False), st.container(key="train_live"):
        progress = store().progress(run_id)
        _head(card)
        with st.container(key="train_status", gap="xsmall"):
            _show_progress(card, progress, cards)
        _show_trouble(card)
        _buttons(card)
        show_advice(card)
        if method_of(card) not in BASELINES:  # which are fitted in one go
            show_curves(card, cards, n_epochs=progress.n_epochs or _planned(card))
        _programs(card, progress)


def _planned(card: RunCard) -> int:
    """Epochs that were asked for, 0 when that was left to the rule of thumb: the axis of the curves."""
    return (card.settings.training.n_epochs or 0) if card.settings else 0


def _head(card: RunCard) -> None:
    facts = []
    if card.settings is not None:
        facts += [count(card.n_factors, "factor")] if card.n_factors else []
        facts.append(model_words(card.settings.model))
    if card.n_cells and card.n_genes:
        facts.append(f"{card.n_cells:,} cells × {card.n_genes:,} genes")
    name, said = as_html(card.name), ", ".join(map(as_html, facts))
    show(f"<h3>{name}</h3><p class='gpe-quiet'>{as_html(card.data_name)}{': ' if facts else ''}{said}</p>", kind="card")


def _show_progress(card: RunCard, progress: TrainingProgress, cards: list[RunCard]) -> None:
    """State in words, the bar of all stages, and a line below it; at the end the test figures in their place."""
    show(state_html(card), kind="state")
    if card.state in UNDER_WAY:
        st.progress(progress.share)
        show(as_html(_line(card, progress, cards), longest=200))
    elif card.state == "cancelled":
        show("Nothing of it was kept. Press Train to start anew.")
    elif card.has_results:
        _test_figures(card, progress)


def _line(card: RunCard, progress: TrainingProgress, cards: list[RunCard]) -> str:
    """What is being done and how long it will still take; one line in every state."""
    if card.request:
        return ASKED.get(card.request, "")
    if card.state == "queued":
        return "Training starts as soon as the device is free. This page can be closed meanwhile."
    if card.state == "running":
        known = card.stage in STAGES and card.stage != "preparing" and not math.isnan(progress.seconds_left)
        left = left_words(progress.seconds_left if known else expected_left(card, cards, store()))
        if card.stage == "training" and progress.n_epochs:
            return progress_line(progress, left)
        return ": ".join(filter(None, [STAGES.get(card.stage or "", STARTING), left]))
    reached = f"It stands in epoch {progress.epoch:,} of {progress.n_epochs:,}. " if progress.n_epochs else ""
    why = "" if card.state == "paused" else "Its process has ended before it was done. "
    return f"{why}{reached}Resume goes on from there."


def _show_trouble(card: RunCard) -> None:
    """What stands in the way, with the way out; nothing where nothing does."""
    show_refusal()
    if card.state == "running":
        end = functools.partial(store().jobs.end, card.run_id)
        show_not_answering(card.silent_seconds, end, key="train")
    elif card.state == "queued":
        show_trouble(store().jobs.trouble())
    if card.error:
        problem_box(RunError(card.error))


def progress_line(progress: TrainingProgress, left: str) -> str:
    """'Epoch 12 of 60, 0:41 left, 9,800 cells/s, CPU (1 thread)'. left: of all stages, in words."""
    device = kind_of(progress.device)
    device += f" ({count(progress.threads, 'thread')})" if progress.device == "cpu" and progress.threads else ""
    speed = f"{progress.cells_per_second:,.0f} cells/s"
    said = [f"Epoch {progress.epoch:,} of {progress.n_epochs:,}", left, speed, device]
    return ", ".join(filter(None, said))


def _test_figures(card: RunCard, progress: TrainingProgress) -> None:
    facts = [
        ("fit to unseen cells, nats per cell", card.test_reconstruction_error),
        ("ELBO, nats per cell", card.test_elbo),
        ("IWLL, nats per cell", card.metrics.get("test_iwll")),
    ]
    parts = [f"<div><b>{value:,.1f}</b><span>{explained(words)}</span></div>".replace("<b>-", "<b>−")
             for words, value in facts if value is not None]  # fmt: skip
    if method_of(card) in BASELINES:
        show("".join(parts), kind="facts")
        return
    epochs = f"{card.epoch:,} of {progress.n_epochs:,}" if card.epoch and progress.n_epochs else f"{card.epoch or 0:,}"
    parts.append(f"<div><b>{epochs}</b><span>epochs</span></div>")
    if seconds := card.metrics.get("seconds_training") or progress.seconds:
        units = "min:s" if seconds < 3600 else "h:min:s"
        parts.append(f"<div><b>{clock(seconds)}</b><span>training time, {units}</span></div>")
    show("".join(parts), kind="facts")
    if card.state == "finished" and card.epoch and card.epoch < progress.n_epochs:
        show("It ended early by itself: the validation ELBO no longer rose.", kind="quiet")
    for notice in card.metrics.get("notices") or ():
        show(as_html(notice), kind="quiet")


def _buttons(card: RunCard) -> None:
    """While a run is under way always the same ones in the same places; those that make no sense now are grey."""
    offered = requests_of(card)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="train_buttons"):
        if card.has_results:
            _doors(card)
            return
        always: tuple[Request, ...] = ("stop", "pause", "cancel") if card.state in LIVE else offered
        for what in always:
            ask(what, card, key=f"train_{what}", enabled=what in offered)
        if card.state in LIVE:
            st.html('<button class="gpe-save gpe-notify" style="visibility:hidden">Tell me when it ends</button>',
                    width="content")  # fmt: skip


def _doors(card: RunCard) -> None:
    """Where its results are shown; a run without factors has nothing on the first two pages."""
    if card.n_factors:
        if st.button("See its factors", key="train_to_factors", type="primary", icon=":material/scatter_plot:"):
            go_next("factors.py", card.run_id)
        if st.button("Cell types", key="train_to_types", icon=":material/bubble_chart:"):
            go_next("cell_types.py", card.run_id)
    if st.button("Compare", key="train_to_compare", icon=":material/compare_arrows:"):
        go_next("compare.py", card.run_id)


def _programs(card: RunCard, progress: TrainingProgress) -> None:
    """Top genes of every factor: as they form, and of a finished run the strongest ones under their final names."""
    if card.has_results:
        rows = [(as_html(label), genes(names)) for label, names in card.top_programs]
        title = "Its strongest programs"
    elif card.state in UNDER_WAY:
        rows = [(f"forming {i}", genes(list(names))) for i, names in enumerate(progress.top_genes, start=1)]
        title = "Programs as they form; order and names settle at the end"
    else:
        return
    if not rows and card.has_results:
        return
    show(f"<b>{as_html(title)}</b>")
    body = "".join(f"<dt>{label}</dt><dd>{names}</dd>" for label, names in rows)
    fixed = card.state in UNDER_WAY or len(rows) > 5
    with st.container(height=GENES_HEIGHT if fixed else "content", border=False, key="train_programs"):
        listed = (
            f'<div role="group" tabindex="0" aria-label="{as_html(title)}"><dl class="gpe-programs">{body}</dl></div>'
        )
        show(listed if body else NOT_YET, kind="line" if body else "quiet")  # focus: the keyboard scrolls it, too
