"""The run in use while it learns: state, progress, curves, programs as they form, and what can be asked of it."""

import functools
import math

import streamlit as st

from ldvae_core.errors import RunError
from ldvae_core.model.describe import BASELINES, model_words
from ldvae_core.runs.cards import RunCard, TrainingProgress
from ldvae_core.runs.table import method_of
from ldvae_core.runs.training_jobs import Request
from pages.parts.job_bar import do_or_tell, show_not_answering, show_refusal, show_trouble
from pages.parts.problems import problem_box, refusals
from pages.parts.runs import go_next, store
from pages.parts.sidebar import run_state_html
from pages.parts.text import as_html, clock, count, genes, show
from pages.parts.train.curves import show_curves
from pages.parts.train.devices import kind_of

LIVE = ("queued", "running")
GENES_HEIGHT = 150  # px
ASKED = {
    "stop": "It will stop and keep what it has learned.",
    "pause": "It will pause.",
    "cancel": "It will be cancelled.",
}
STAGES = {
    "preparing": "Preparing the data: choosing cells and genes, splitting off test cells.",
    "refining": "Training is over. Refining the positions of the cells and the loadings of the genes.",
    "analysing": "Training is over. Computing factors and test figures.",
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


def _signature(cards: list[RunCard]) -> tuple[tuple[str, str, str, int], ...]:
    """What the rest of the page shows of the runs: when it changes, the page is drawn again, once."""
    return tuple((card.run_id, card.state, card.stage or "", card.place or 0) for card in cards)


def _panel(run_id: str, drawn: tuple[tuple[str, str, str, int], ...]) -> None:
    cards = store().cards()
    if _signature(cards) != drawn:
        st.rerun()
    card = next((card for card in cards if card.run_id == run_id), None)
    if card is None:
        show("This run is gone. Choose another one below.", kind="quiet")
        return
    with refusals(end_page=False):
        progress = store().progress(run_id)
        _head(card)
        _show_progress(card, progress)
        _buttons(card)
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


def _show_progress(card: RunCard, progress: TrainingProgress) -> None:
    """State in words, with the bar while there is something to wait for."""
    show(run_state_html(card), kind="state")
    show_refusal()
    if card.request:
        show(ASKED.get(card.request, ""), kind="quiet")
    if card.state in ("running", "paused", "interrupted") and progress.total:
        st.progress(progress.share)
    if card.state == "running":
        end = functools.partial(store().jobs.end, card.run_id)
        show_not_answering(card.silent_seconds, end, key="train")
        show(as_html(STAGES.get(card.stage or "") or progress_line(progress), longest=200))
    elif card.state == "queued":
        show("Training starts as soon as the device is free. This page can be closed meanwhile.")
        show_trouble(store().jobs.trouble())
    elif card.state in ("paused", "interrupted"):
        reached = f"It stands in epoch {progress.epoch} of {progress.n_epochs}. " if progress.n_epochs else ""
        why = "" if card.state == "paused" else "Its process has ended before it was done. "
        show(as_html(f"{why}{reached}Resume goes on from there."))
    elif card.state == "cancelled":
        show("Nothing of it was kept. Press Train to start anew.")
    elif card.has_results:
        _test_figures(card, progress)
    if card.error:
        problem_box(RunError(card.error))


def progress_line(progress: TrainingProgress) -> str:
    """'epoch 12 of 60, 0:41 left, 9,800 cells/s, CPU (1 thread)'."""
    if not progress.n_epochs:
        return "The first minibatches are on their way."
    device = kind_of(progress.device)
    device += f" ({count(progress.threads, 'thread')})" if progress.device == "cpu" and progress.threads else ""
    left = "" if math.isnan(progress.seconds_left) else f", {clock(progress.seconds_left)} left"
    speed = f"{progress.cells_per_second:,.0f} cells/s"
    return f"Epoch {progress.epoch:,} of {progress.n_epochs:,}{left}, {speed}, {device}"


def _test_figures(card: RunCard, progress: TrainingProgress) -> None:
    facts = [
        ("test error, nats per cell", card.test_reconstruction_error),
        ("test ELBO, nats per cell", card.test_elbo),
        ("test IWLL, nats per cell", card.metrics.get("test_iwll")),
    ]
    parts = [f"<div><b>{value:,.1f}</b><span>{words}</span></div>".replace("<b>-", "<b>−")
             for words, value in facts if value is not None]  # fmt: skip
    if method_of(card) in BASELINES:
        show("".join(parts), kind="facts")
        return
    epochs = f"{card.epoch:,} of {progress.n_epochs:,}" if card.epoch and progress.n_epochs else f"{card.epoch or 0:,}"
    parts.append(f"<div><b>{epochs}</b><span>epochs</span></div>")
    if progress.seconds:
        units = "min:s" if progress.seconds < 3600 else "h:min:s"
        parts.append(f"<div><b>{clock(progress.seconds)}</b><span>training time, {units}</span></div>")
    show("".join(parts), kind="facts")
    if card.state == "finished" and card.epoch and card.epoch < progress.n_epochs:
        show("It ended early by itself: the validation ELBO no longer rose.", kind="quiet")
    for notice in card.metrics.get("notices") or ():
        show(as_html(notice), kind="quiet")


def _buttons(card: RunCard) -> None:
    """Only what makes sense now."""
    training = card.state == "running" and card.stage not in ("analysing", "finished", "stopped")
    with st.container(horizontal=True, gap="small", key="train_buttons"):
        if training and card.stage == "training":
            _ask("Stop and keep", "stop", card, icon="stop_circle", help="End now, with what it has learned so far.")
        if training or card.state == "queued":
            _ask("Pause", "pause", card, icon="pause_circle", help="Let other runs go first; Resume goes on.")
        if card.state in ("paused", "interrupted", "failed"):
            _ask("Try again" if card.state == "failed" else "Resume", "resume", card, icon="play_circle", first=True)
        if training or card.state in ("queued", "paused", "interrupted"):
            with st.popover("Cancel", icon=":material/cancel:", key="train_confirm", disabled=card.request == "cancel"):
                st.markdown("Cancel this run and throw away what it has learned?")
                _ask("Yes, cancel it", "cancel", card, icon="delete")
        if card.has_results:
            _doors(card)


def _doors(card: RunCard) -> None:
    """Where its results are shown; a run without factors has nothing on the first two pages."""
    if card.n_factors:
        if st.button("See its factors", key="train_to_factors", type="primary", icon=":material/scatter_plot:"):
            go_next("factors.py", card.run_id)
        if st.button("Cell types", key="train_to_types", icon=":material/bubble_chart:"):
            go_next("cell_types.py", card.run_id)
    if st.button("Compare", key="train_to_compare", icon=":material/compare_arrows:"):
        go_next("compare.py", card.run_id)


def _ask(label: str, what: Request, card: RunCard, *, icon: str, help: str | None = None, first: bool = False) -> None:
    asking = functools.partial(store().jobs.request, card.run_id, what)
    st.button(label, key=f"train_{what}", icon=f":material/{icon}:", help=help, on_click=do_or_tell,
              args=(asking,), type="primary" if first else "secondary",
              disabled=bool(card.request) and what != "cancel")  # fmt: skip


def _programs(card: RunCard, progress: TrainingProgress) -> None:
    """Top genes of every factor: as they form, and of a finished run the strongest ones under their final names."""
    if card.has_results:
        rows = [(as_html(label), genes(names)) for label, names in card.top_programs]
        title = "Its strongest programs"
    elif card.state in ("running", "paused", "interrupted") and progress.top_genes:
        rows = [(f"forming {i}", genes(list(names))) for i, names in enumerate(progress.top_genes, start=1)]
        title = "Programs as they form; order and names settle at the end"
    else:
        return
    if not rows:
        return
    show(f"<b>{as_html(title)}</b>")
    body = "".join(f"<dt>{label}</dt><dd>{names}</dd>" for label, names in rows)
    with st.container(height=GENES_HEIGHT if len(rows) > 5 else "content", border=False, key="train_programs"):
        show(f'<dl class="gpe-programs">{body}</dl>')
