"""The table of all runs, which of them are chosen, and which of those may be drawn together."""

import hashlib
from typing import NamedTuple

import pandas as pd
import streamlit as st

from ldvae_core.analysis.findings import join
from ldvae_core.analysis.shared_genes import FEWEST_SHARED, n_shared_genes
from ldvae_core.errors import LdvaeError
from ldvae_core.runs.cards import RunCard
from ldvae_core.runs.comparable import Basis, groups, left_out
from ldvae_core.runs.names import short_names
from ldvae_core.runs.standings import ByCell
from ldvae_core.runs.store import OpenRun
from ldvae_core.runs.table import runs_table
from pages.parts.compare.table import columns, letter, show_notes, styled
from pages.parts.lineage import parents
from pages.parts.rename import offer_renaming
from pages.parts.runs import RUN, go, open_run, store
from pages.parts.text import as_html, count, literal, plain, show

CHOSEN = "runs"  # in the address: ids with commas between them
MOST_AT_FIRST = 8  # runs that are drawn before anything is chosen
MOST_ROWS = 10  # of the table on screen; more are scrolled
ROW_HEIGHT = 35  # px
FIVE = "The paper's five models"
DATA, ALL = "of_data", "all data sets"  # which runs are listed
LIVE = ("queued", "running")


class Choice(NamedTuple):
    """What is ticked, kept in the session."""

    run_in_use: str | None  # another one starts a new choice, unless this one is the person's own
    ticked: list[str]  # in the order of ticking, also those that the filter hides
    own: bool  # by the person or a link; else it follows as runs begin and finish
    rows: list[str]  # of the table that `key` belongs to
    key: str


def choose_runs(cards: list[RunCard]) -> list[RunCard]:
    """Draw the table of runs, of all data or one data set; the chosen ones, in the order they were chosen."""
    bases = bases_of(cards)
    shown = _of_data(cards)
    table = runs_table(shown, groups(bases))
    ids, before = table["run_id"].tolist(), _choice(cards, shown, bases)
    ticked_here = [run_id for run_id in before.ticked if run_id in ids]
    key = before.key
    if before.rows != ids or not before.own:  # rows move when a run comes or goes: the widget starts anew
        key = "runs_table_" + hashlib.sha256(" ".join([*ids, "|", *before.ticked]).encode()).hexdigest()[:12]
    state = st.dataframe(
        styled(table, shown, by_cell_of(shown)),
        key=key,
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [ids.index(run_id) for run_id in ticked_here]}},
        height=ROW_HEIGHT * (min(len(ids), MOST_ROWS) + 1) + 3,
        row_height=ROW_HEIGHT,
        column_config=columns(),
        placeholder="—",
        alt=f"{count(len(ids), 'run')} with settings and figures on test cells.",
    )
    ticked = [ids[row] for row in state["selection"]["rows"] if row < len(ids)]
    chosen = [run_id for run_id in before.ticked if run_id in ticked or run_id not in ids]
    chosen += [run_id for run_id in ticked if run_id not in chosen]
    own = before.own or chosen != before.ticked
    st.session_state[CHOSEN] = Choice(before.run_in_use, chosen, own, ids, key)
    st.query_params[CHOSEN] = ",".join(chosen)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="runs_foot"):
        offer_renaming([card for card in shown if card.run_id in chosen])
        show_notes(shown, table)
    known = {card.run_id: card for card in shown}
    return [known[run_id] for run_id in chosen if run_id in known]


def by_cell_of(cards: list[RunCard]) -> ByCell:
    """Figures of every test cell, by run id; None for those that have none."""
    found: dict[str, pd.DataFrame | None] = {}
    for card in cards:
        try:
            found[card.run_id] = store().by_cell(card.run_id) if card.has_results else None
        except LdvaeError:  # deleted meanwhile
            found[card.run_id] = None
    return found


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
    """The chosen runs that are drawn, on one data set and split, and why each of the others is not.

    Of several groups of comparable runs that of the run chosen last, and a choice between them.
    """
    bases = bases_of(chosen)
    numbers = groups(bases)
    asked = [number for number in dict.fromkeys(numbers[card.run_id] for card in reversed(chosen)) if number]
    if not asked:
        return [], left_out(Basis("", "", "", "", ""), dict.fromkeys(bases))
    number = asked[0] if len(asked) == 1 else _which_group(chosen, numbers, asked)
    first = next(basis for run_id, basis in bases.items() if basis is not None and numbers[run_id] == number)
    reasons = left_out(first, bases)
    return [card for card in chosen if card.run_id not in reasons], reasons


def _which_group(chosen: list[RunCard], numbers: dict[str, int], asked: list[int]) -> int:
    """One of several groups of comparable runs; asked: the one chosen last comes first."""
    members = {number: [card for card in chosen if numbers[card.run_id] == number] for number in asked}
    letters = groups(bases_of(store().cards()))  # as in the table
    words = {str(number): f"{letter(letters.get(cards[0].run_id, 0))} · {plain(cards[0].data_name, longest=40)} · "
                          f"{count(len(cards), 'run')}" for number, cards in members.items()}  # fmt: skip
    stamp = hashlib.sha256(" ".join(card.run_id for card in chosen).encode()).hexdigest()[:12]
    found = st.segmented_control(
        "Compare within", list(words), format_func=lambda number: words.get(number, number), default=str(asked[0]),
        key=f"group_{stamp}", required=True,
        help="Figures compare only on the same cells, genes and split: the letters are those of the table.",
    )  # fmt: skip
    return int(found or asked[0])


def matchable(drawn: list[RunCard], chosen: list[RunCard]) -> list[RunCard]:
    """The chosen runs whose programs can be matched with the first drawn one's: the same genes, on whatever split.

    Those that are drawn come first.
    """
    ordered = [*drawn, *(card for card in chosen if card not in drawn)]
    bases = {run_id: basis for run_id, basis in bases_of(ordered).items() if basis is not None}
    genes = {run_id: basis.genes for run_id, basis in bases.items()}
    first = next(iter(genes.values()), None)
    return [card for card in ordered if card.run_id in genes and genes[card.run_id] == first]


def kin_of(same_genes: list[RunCard], chosen: list[RunCard]) -> list[RunCard]:
    """Further chosen runs whose programs can be matched with those: on other genes, of which they share enough."""
    if not same_genes:
        return []
    known = {card.run_id for card in same_genes}
    opened = opened_runs([same_genes[0], *(card for card in chosen if card.run_id not in known)], least=1)
    if same_genes[0].run_id not in opened:
        return []
    genes = opened[same_genes[0].run_id].counts.gene_names
    return [card for card in chosen if card.run_id in opened and card.run_id not in known
            and n_shared_genes([genes, opened[card.run_id].counts.gene_names]) >= FEWEST_SHARED]  # fmt: skip


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
    """A short, distinct name of every run by id; what tells runs apart comes first."""
    return {run_id: plain(name, longest=60) for run_id, name in short_names(cards).items()}


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


def _of_data(cards: list[RunCard]) -> list[RunCard]:
    """The runs of the data set that is asked for; all of them where there is only one."""
    names = list(dict.fromkeys(card.data_name for card in cards))
    if len(names) < 2:
        return cards
    if st.session_state.get(DATA) not in (ALL, *names, None):
        del st.session_state[DATA]
    wanted = st.selectbox("Runs of", [ALL, *names], format_func=lambda name: plain(name, longest=60), key=DATA,
                          bind="query-params", width=300)  # fmt: skip
    return cards if wanted in (ALL, None) else [card for card in cards if card.data_name == wanted]


def _choice(cards: list[RunCard], shown: list[RunCard], bases: dict[str, Basis | None]) -> Choice:
    """As in this session, else as the address says, else the run in use, or the latest, and what compares with it."""
    known: list[str] = [card.run_id for card in cards]
    here: list[str] = [card.run_id for card in shown]
    in_use: str | None = st.session_state.get(RUN)
    kept: Choice | None = st.session_state.get(CHOSEN)
    if kept and kept.own and (not kept.ticked or any(run_id in here for run_id in kept.ticked)):
        return kept._replace(ticked=[run_id for run_id in kept.ticked if run_id in known])
    if kept is None and CHOSEN in st.query_params:
        linked = dict.fromkeys(st.query_params[CHOSEN].split(","))
        return Choice(in_use, [run_id for run_id in linked if run_id in known], True, [], "")
    finished = [card.run_id for card in shown if card.has_results]
    first = in_use if in_use in here and bases.get(in_use) else next(iter(finished), None)
    if first is None:
        return Choice(in_use, [], False, [], "")
    basis = bases[first]
    rest = [] if basis is None else [run_id for run_id in here if run_id not in left_out(basis, bases)]
    ticked = [*_of_parent(first, shown), *list(dict.fromkeys([first, *rest]))[:MOST_AT_FIRST]]
    return Choice(in_use, ticked, False, [], "")


def _of_parent(run_id: str, shown: list[RunCard]) -> list[str]:
    """The latest finished run on the data set that the cells of a run's were taken from; [] without one."""
    sources = {card.run_id: card.settings.data_source for card in shown if card.settings is not None}
    for parent in parents().get(sources[run_id], ()):
        found = [card.run_id for card in shown if card.has_results and sources[card.run_id] == parent.dataset_id]
        if found:
            return found[:1]
    return []
