"""The table of all runs, which of them are chosen, and which of those may be drawn together."""

import hashlib
from typing import NamedTuple

import streamlit as st

from ldvae_core.analysis.findings import join
from ldvae_core.errors import LdvaeError
from ldvae_core.runs.cards import RunCard
from ldvae_core.runs.comparable import Basis, groups, left_out
from ldvae_core.runs.store import OpenRun
from ldvae_core.runs.table import runs_table
from pages.parts.compare.table import columns, show_notes, styled
from pages.parts.runs import RUN, go, open_run, store
from pages.parts.text import as_html, count, literal, plain, show

CHOSEN = "runs"  # in the address: ids with commas between them
MOST_AT_FIRST = 8  # runs that are drawn before anything is chosen
MOST_ROWS = 10  # of the table on screen; more are scrolled
ROW_HEIGHT = 35  # px
FIVE = "The paper's five models"
LIVE = ("queued", "running")


class Choice(NamedTuple):
    """What is ticked, kept in the session."""

    run_in_use: str | None  # another one starts a new choice
    ticked: list[str]
    own: bool  # by the person or a link; else it follows as runs begin and finish
    rows: list[str]  # of the table that `key` belongs to
    key: str


def choose_runs(cards: list[RunCard]) -> list[RunCard]:
    """Draw the table of all runs; the chosen ones, in the order they were chosen."""
    bases = bases_of(cards)
    table = runs_table(cards, groups(bases))
    ids, before = table["run_id"].tolist(), _choice(cards, bases)
    key = before.key
    if before.rows != ids or not before.own:  # rows move when a run comes or goes: the widget starts anew
        key = "runs_table_" + hashlib.sha256(" ".join([*ids, "|", *before.ticked]).encode()).hexdigest()[:12]
    state = st.dataframe(
        styled(table),
        key=key,
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [ids.index(run_id) for run_id in before.ticked]}},
        height=ROW_HEIGHT * (min(len(ids), MOST_ROWS) + 1) + 3,
        row_height=ROW_HEIGHT,
        column_config=columns(),
        placeholder="—",
        alt=f"{count(len(ids), 'run')} with settings and figures on test cells.",
    )
    ticked = [ids[row] for row in state["selection"]["rows"] if row < len(ids)]
    chosen = [run_id for run_id in before.ticked if run_id in ticked]
    chosen += [run_id for run_id in ticked if run_id not in chosen]
    own = before.own or chosen != before.ticked
    st.session_state[CHOSEN] = Choice(before.run_in_use, chosen, own, ids, key)
    st.query_params[CHOSEN] = ",".join(chosen)
    show_notes(cards, table)
    known = {card.run_id: card for card in cards}
    return [known[run_id] for run_id in chosen]


def bases_of(cards: list[RunCard]) -> dict[str, Basis | None]:
    """What every run is measured on, by id."""
    found: dict[str, Basis | None] = {}
    for card in cards:
        try:
            found[card.run_id] = store().basis(card.run_id) if card.settings is not None else None
        except LdvaeError:  # deleted meanwhile
            found[card.run_id] = None
    return found


def drawn_together(chosen: list[RunCard]) -> tuple[list[RunCard], dict[str, str]]:
    """The runs on the counts and split of the first chosen one, and why each of the others is left out."""
    bases = bases_of(chosen)
    first = next((basis for basis in bases.values() if basis is not None), None)
    if first is None:
        return [], left_out(Basis("", "", "", "", ""), dict.fromkeys(bases))
    reasons = left_out(first, bases)
    return [card for card in chosen if card.run_id not in reasons], reasons


def matchable(chosen: list[RunCard]) -> list[RunCard]:
    """The chosen runs whose programs can be matched with the first one's: the same genes, on whatever split."""
    bases = {run_id: basis for run_id, basis in bases_of(chosen).items() if basis is not None}
    genes = {run_id: basis.genes for run_id, basis in bases.items()}
    first = next(iter(genes.values()), None)
    return [card for card in chosen if card.run_id in genes and genes[card.run_id] == first]


def say_left_out(chosen: list[RunCard], reasons: dict[str, str]) -> None:
    """One sentence: which chosen runs are not drawn, and why."""
    if not reasons:
        return
    names = names_of(chosen)
    said = join([f"<b>{as_html(names[run_id])}</b> ({as_html(reason, longest=200)})"
                 for run_id, reason in reasons.items()])  # fmt: skip
    show(f"Not drawn with the others: {said}. Nats per cell compare only on the same cells, genes and split.")


def offer_training(cards: list[RunCard], *, alone: RunCard | None = None) -> None:
    """What to do while there is nothing to compare, or one run only."""
    waiting = sum(card.state in LIVE for card in cards)
    with st.container(border=True, key="compare_empty"):
        if alone:
            st.markdown(
                f"**One run is drawn: {literal(alone.name)}.** Train others on the same data and genes, with the same "
                "split of the cells (with any seed), and they are drawn beside it: the paper's five models, the "
                "baselines, or the same model with other numbers of factors."
            )
        else:
            st.markdown(
                "**No finished run yet.** Here models are compared on cells that none of them learned from. The "
                "shortest way to a comparison: train the paper's five models with one press."
            )
        if waiting:
            st.caption(f"{count(waiting, 'run')} waiting or training: figures appear here by themselves.")
        values = {"train_data": alone.settings.data_source} if alone and alone.settings else {}
        with st.container(horizontal=True):
            st.button("Train the paper's five models", key="compare_five", type="secondary" if alone else "primary",
                      icon=":material/model_training:", on_click=go, args=("train.py",),
                      kwargs={"train_plan": FIVE, **values})  # fmt: skip
            st.button("Train the baselines", key="compare_baselines", icon=":material/straighten:", on_click=go,
                      args=("train.py",), kwargs={"train_plan": "Baselines", **values})  # fmt: skip
    if not alone:
        watch(cards)


def watch(cards: list[RunCard]) -> None:
    """Draw the page again when a run that waits or works has changed its state."""
    if not any(card.state in LIVE for card in cards):
        return
    drawn = [(card.run_id, card.state) for card in cards]

    @st.fragment(run_every=3.0)
    def look() -> None:
        if [(card.run_id, card.state) for card in store().cards()] != drawn:
            st.rerun()

    look()


def names_of(cards: list[RunCard]) -> dict[str, str]:
    """A short, distinct name of every run by id: what stands before " · " where that tells runs apart."""
    whole = {card.run_id: plain(card.name, longest=60) for card in cards}
    short = {run_id: name.split(" · ")[0] for run_id, name in whole.items()}
    if len(set(short.values())) == len(short):
        return short
    twins = [name for name in whole.values() if list(whole.values()).count(name) > 1]
    return {run_id: f"{short[run_id]} ({run_id[-4:]})" if name in twins else name for run_id, name in whole.items()}


def opened_runs(cards: list[RunCard], *, least: int) -> dict[str, OpenRun]:
    """The runs with results and at least so many factors, opened, by id; a damaged one is left out."""
    found = {}
    for card in cards:
        if not card.has_results or (card.n_factors or 0) < least:
            continue
        try:
            opened = open_run(card.run_id)
        except LdvaeError:
            continue
        if opened.factors[opened.axes].n_factors >= least:
            found[card.run_id] = opened
    return found


def _choice(cards: list[RunCard], bases: dict[str, Basis | None]) -> Choice:
    """As in this session, else as the address says, else the run in use and what compares with it."""
    known: list[str] = [card.run_id for card in cards]
    in_use: str | None = st.session_state.get(RUN)
    kept: Choice | None = st.session_state.get(CHOSEN)
    if kept and kept.own and kept.run_in_use == in_use:
        return kept._replace(ticked=[run_id for run_id in kept.ticked if run_id in known])
    if kept is None and CHOSEN in st.query_params:
        linked = dict.fromkeys(st.query_params[CHOSEN].split(","))
        return Choice(in_use, [run_id for run_id in linked if run_id in known], True, [], "")
    first = in_use if in_use and bases.get(in_use) else next(card.run_id for card in cards if card.has_results)
    basis = bases[first]
    rest = [] if basis is None else [run_id for run_id in known if run_id not in left_out(basis, bases)]
    return Choice(in_use, list(dict.fromkeys([first, *rest]))[:MOST_AT_FIRST], False, [], "")
