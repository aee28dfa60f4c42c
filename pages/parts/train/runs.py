"""The queue and the recent runs, one row each, with its progress and buttons; its name opens its panel."""

import streamlit as st

from ldvae_core.runs.cards import RunCard
from pages.parts.job_bar import NOT_ANSWERING
from pages.parts.live import LIVE, left_words, state_html
from pages.parts.runs import RUN, store, use_run
from pages.parts.text import as_html, genes, literal, show
from pages.parts.train.requests import ask, requests_of

ROWS = 8  # before "show all"
WIDTHS = [0.3, 0.2, 0.16, 0.2, 0.14]


def show_runs() -> None:
    """Draw the list; with rows that keep up while runs wait or work."""
    cards = store().cards()
    if not cards:
        return
    waiting = sum(card.state == "queued" for card in cards)
    show(f"<b>Queue and recent runs</b>{f' <span class=gpe-quiet>{waiting} waiting</span>' if waiting else ''}")
    if waiting and (trouble := store().jobs.trouble()):
        show(f"What waits does not start. {as_html(trouble, longest=300)}", kind="quiet")
    shown = len(cards) if st.session_state.get("train_all_runs") else ROWS
    live = any(card.state in LIVE for card in cards)
    st.fragment(_rows, run_every=2.0 if live else None, key="train_rows")([card.run_id for card in cards[:shown]])
    if len(cards) > ROWS:
        st.toggle(f"Show all {len(cards)} runs", key="train_all_runs", persist_state="session")


def _rows(run_ids: list[str]) -> None:
    cards = {card.run_id: card for card in store().cards()}
    names = [card.name for card in cards.values()]
    with st.container(gap="xxsmall", key="train_rows_list"):
        for run_id in run_ids:
            if run_id in cards:
                twin = names.count(cards[run_id].name) > 1
                _row(cards[run_id], ending=f" ({run_id[-4:]})" if twin else "")


def _row(card: RunCard, *, ending: str) -> None:
    name, state, figure, programs, buttons = st.columns(WIDTHS, vertical_alignment="center", gap="small")
    here = card.run_id == st.session_state.get(RUN)
    label = literal(card.name, longest=60) + literal(ending, longest=10)
    if name.button(label, key=f"train_open_{card.run_id}", type="tertiary", disabled=here,
                   icon=":material/arrow_right:" if here else None):  # fmt: skip
        use_run(card.run_id)
        st.rerun()
    progress = store().progress(card.run_id)
    with state, st.container(gap=None):
        show(state_html(card), kind="state")
        if card.state in ("running", "paused", "interrupted"):
            show(f'<i style="width:{progress.share:.1%}"></i>', kind="bar")
    with figure:
        error = card.test_reconstruction_error
        left = left_words(progress.seconds_left) if card.state == "running" else ""
        show(
            f"fit to unseen cells {error:,.1f}" if error is not None else left or as_html(card.data_name), kind="quiet"
        )
    with programs:
        show(_last_word(card), kind="quiet")
    with buttons, st.container(horizontal=True, gap="xsmall", key=f"train_asks_{card.run_id}"):
        for what in requests_of(card):
            ask(what, card, key=f"row_{what}_{card.run_id}", small=True)


def _last_word(card: RunCard) -> str:
    """That its process is silent, why it failed, or its strongest program."""
    if card.silent_seconds >= NOT_ANSWERING:
        return f"not answering for {card.silent_seconds:.0f} s"
    if card.error:
        return as_html(card.error, longest=70)
    return genes(card.top_programs[0][1][:4]) if card.top_programs else ""
