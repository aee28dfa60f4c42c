"""A factor's card: what it is worth, who uses it, what it may be an artefact of; its name, notes and direction."""

import functools
from collections.abc import Callable
from typing import Any, Literal

import pandas as pd
import streamlit as st

from ldvae_core.analysis.batch_effect import batch_effect, batch_sentence
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.findings import follow_words
from ldvae_core.analysis.following import strongest
from ldvae_core.analysis.numbers import explained
from ldvae_core.analysis.programs import strongest_genes
from ldvae_core.analysis.technical import batch_labels, mitochondrial_share, technical_table
from ldvae_core.errors import LdvaeError
from ldvae_core.plots.theme import three_digits
from ldvae_core.runs.additions import LONGEST_NOTES, FactorNote
from ldvae_core.runs.store import OpenRun
from pages.parts.factor_table import AT_ONCE, following
from pages.parts.factors.guided import say_not_found, show_guided
from pages.parts.gene_links import gene_links
from pages.parts.header import is_derived
from pages.parts.later import Later, show_waiting
from pages.parts.menus import close_menu, menu
from pages.parts.per_run import per_run
from pages.parts.problems import problem_box
from pages.parts.runs import go, store
from pages.parts.selection.region import WHO, name_of_person
from pages.parts.text import as_html, genes, plain, sentence, show
from pages.parts.text import explained as with_terms
from pages.parts.undo import offer_undo

N_LINKS = 5  # genes of each end with a link of their own
ENDS: tuple[tuple[Literal["positive", "negative"], str, str], ...] = (
    ("positive", "High end", "+"), ("negative", "Low end", "−"),
)  # fmt: skip
HELP_TURN = (
    "Under a normal prior the direction of an axis is arbitrary: turning it changes the sign of its positions and of "
    "its loadings together, and no prediction."
)


def show_card(opened: OpenRun, factors: Factors, factor: int) -> None:
    """One factor's card, with its name, notes and direction to be changed."""
    note = store().additions(opened.run_id).factor_notes(factors.axes).get(factor, FactorNote())
    with st.container(border=True, gap="small", key="factor_card"):
        show(f"<b>{as_html(factors.label(factor))}</b>{badges(opened, factors, factor)}")
        show_guided(opened, factors, factor)
        _facts(opened, factors, factor)
        if note.notes:
            signed = ", ".join(part for part in (as_html(note.who), note.when[:10]) if part)
            show(f"{as_html(note.notes, longest=LONGEST_NOTES)} <span class=gpe-quiet>({signed})</span>")
        for end, words, _ in ENDS:
            names = strongest_genes(factors, factor, 3 * N_LINKS, end=end)
            if names:
                with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                    show(words, kind="file", width="content")
                    gene_links(names, key=f"card_{end}", most=N_LINKS)
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            with menu("Name and notes", icon=":material/edit:", key="card_edit"):
                _form(opened, factors, factor, note)
            if factors.may_flip:
                st.button("Turn round", icon=":material/swap_horiz:", key="card_turn", type="tertiary", help=HELP_TURN,
                          on_click=_turn, args=(opened.run_id, factors.axes, factor, not note.flipped))  # fmt: skip
            st.button("Gene sets", icon=":material/genetics:", key="card_sets", type="tertiary", on_click=go,
                      args=("genes.py",), kwargs={"enrich": factor})  # fmt: skip
            st.button("Cells on it", icon=":material/ssid_chart:", key="card_cells", type="tertiary", on_click=go,
                      args=("cell_types.py",), kwargs=_cells_on_it(opened, factors, factor))  # fmt: skip
    say_technical(opened, factors)


def _cells_on_it(opened: OpenRun, factors: Factors, factor: int) -> dict[str, Any]:
    """The widgets of its distributions: over types, split by a condition where it is that which the factor follows."""
    split = [row["column"] for row in _followed(opened, factors, factor) if row["column"] != opened.label_column][:1]
    return {"view_types": "Distributions", "spread_factor": factor, **({"split_by": split[0]} if split else {})}


def show_cards(opened: OpenRun, factors: Factors) -> None:
    """A small card of every factor, strongest first; inactive ones folded away at the end."""
    active = [k for k in range(factors.n_factors) if factors.active[k]]
    idle = [k for k in range(factors.n_factors) if not factors.active[k]]
    with st.grid(4, min_column_width=260, gap="small", key="factor_cards"):
        for factor in active:
            with st.container(border=True, gap="xsmall", key=f"card_{factor}"):
                _small_card(opened, factors, factor)
    say_technical(opened, factors)
    say_not_found(opened)
    if idle:
        with st.expander(f"{len(idle)} inactive"):
            show(", ".join(as_html(factors.label(factor)) for factor in idle), kind="quiet")


def badges(opened: OpenRun, factors: Factors, factor: int) -> str:
    """HTML: inactive, certified, technical with its reason."""
    if not factors.active[factor]:
        return ' <span class="gpe-badge">inactive</span> <span class="gpe-quiet">it hardly varies between cells</span>'
    table, said = technical_of(opened, factors), _certificate(opened, factors, factor)
    if table is None or not table.technical.iloc[factor]:
        return said
    row = table.iloc[factor]
    return f'{said} <span class="gpe-badge">technical?</span> <span class="gpe-quiet">{as_html(row.reason)}</span>'


def _certificate(opened: OpenRun, factors: Factors, factor: int) -> str:
    """HTML: certified; of others the label says it."""
    programs = opened.certified(factors)
    return ' <span class="gpe-badge gpe-good">certified</span>' if programs and programs[factor].certified else ""


def technical_of(opened: OpenRun, factors: Factors) -> pd.DataFrame | None:
    """One row a factor, as from technical_table; None while it is computed, of which say_technical then tells."""
    return _technical(opened, factors, opened.label_column).now()


def say_technical(opened: OpenRun, factors: Factors) -> None:
    """That the technical flags are still to come; nothing once they are there."""
    found = _technical(opened, factors, opened.label_column)
    show_waiting(found, "Comparing factors with library size and batch", key="technical_progress")
    if found.now() is not None:
        for words in _batch_words(opened, factors, opened.label_column):
            sentence(words, kind="quiet")


@per_run(max_entries=16)
def _batch_words(opened: OpenRun, factors: Factors, column: str | None) -> list[str]:
    """What the factors together know of each batch; of 50,000 cells at most, so that no page waits for it."""
    types = None if column is None else opened.labels(column)
    batches = batch_labels(opened.counts.annotations).items()
    found = [batch_effect(factors.representation, labels.rename(name), types) for name, labels in batches]
    words = [batch_sentence(effect, by_type=types is not None) for effect in found if effect is not None]
    return [said for said in words if said]


@per_run(max_entries=16)
def _technical(opened: OpenRun, factors: Factors, column: str | None) -> Later[pd.DataFrame]:
    def work(report: Callable[[float], None]) -> pd.DataFrame:
        counts = opened.counts
        mitochondrial = mitochondrial_share(counts.annotations, counts.counts, counts.gene_names, counts.library_size)
        batches, types = batch_labels(counts.annotations), None if column is None else opened.labels(column)
        report(0.3)
        return technical_table(
            factors.representation, counts.library_size, mitochondrial=mitochondrial, batches=batches, types=types
        )

    return Later(work, at_once=factors.representation.size <= AT_ONCE)


def _facts(opened: OpenRun, factors: Factors, factor: int) -> None:
    table = technical_of(opened, factors)
    facts = [
        ("Explained deviance", explained(factors.explained_deviance[factor])),
        ("Activity (SD over cells)", three_digits(float(factors.scale[factor]))),
    ]
    if table is not None:
        row = table.iloc[factor]
        technical = [("library size", row.library_size), ("mitochondrial share", row.mitochondrial)]
        technical.append((plain(row.batch_column, longest=24), row.batch))
        facts += [(f"Follows {name}", _correlation(value)) for name, value in technical if pd.notna(value)]
    facts[2:2] = [
        (f"{'Also follows' if number else 'Follows'}{' (derived labels)' * is_derived(opened.counts, row['column'])}",
         plain(follow_words(row), longest=160))
        for number, row in enumerate(_followed(opened, factors, factor))
    ]  # fmt: skip
    if programs := opened.certified(factors):
        unit = "cells" if opened.certificates is None else opened.certificates.unit
        facts += [("Comes back with another seed (match)", f"{programs[factor].seed_match:.2f}"),
                  (f"Comes back in other {unit} (match)", f"{programs[factor].half_match:.2f}")]  # fmt: skip
    body = "".join(f"<div><span>{as_html(name)}</span><b>{as_html(value)}</b></div>" for name, value in facts)
    show(body, kind="facts")
    error = opened.metrics.get("test_reconstruction_error")
    if isinstance(error, int | float) and "readable" in opened.factors:
        words = f"Fit to unseen cells {error:,.1f} nats per cell: the same on all axes; lower is better."
        show(with_terms(words), kind="quiet")


def _small_card(opened: OpenRun, factors: Factors, factor: int) -> None:
    show(f"<b>{as_html(factors.label(factor), longest=40)}</b>{badges(opened, factors, factor)}")
    followed = _followed(opened, factors, factor)
    words = f" · {as_html(follow_words(followed[0]), longest=160)}" if followed else ""
    if programs := opened.certified(factors):
        words += f" · match in other cells {programs[factor].half_match:.2f}"
    show(f"Explains {explained(float(factors.explained_deviance[factor]))} of the deviance{words}", kind="quiet")
    for end, _, sign in ENDS:
        names = strongest_genes(factors, factor, 4, end=end)
        if names:
            show(f"<span class=gpe-quiet>{sign}</span> {genes(names)}", kind="quiet")
    st.button("Open", key=f"card_open_{factor}", type="tertiary", icon=":material/open_in_full:", on_click=go,
              args=("factors.py",), kwargs={"view": "One factor", "x": factor})  # fmt: skip


def _followed(opened: OpenRun, factors: Factors, factor: int) -> list[dict[str, Any]]:
    """What the factor follows, strongest first; [] for none, or while that is computed."""
    table = following(opened, factors)
    return [] if table is None or not factors.active[factor] else strongest(table, factor)


def _correlation(value: float) -> str:
    return f"r = {value:+.2f}".replace("-", "−")


def _form(opened: OpenRun, factors: Factors, factor: int, note: FactorNote) -> None:
    with st.form(f"note_{factors.axes}_{factor}", border=False):
        name = st.text_input("Name", value=note.name, placeholder="For example: erythroid")
        notes = st.text_area("Notes", value=note.notes)
        signed = st.text_input("Your name", value=name_of_person())
        if st.form_submit_button("Save", type="primary"):
            try:
                kept = store().additions(opened.run_id)
                written = kept.write_factor_note(factors.axes, factor, name=name, notes=notes, who=signed)
            except LdvaeError as fault:
                problem_box(fault)
            else:
                st.session_state[WHO] = signed
                back = functools.partial(kept.take_back_factor_note, factors.axes, factor, to=note, written=written)
                offer_undo("Name and notes are saved.", back)
                close_menu("card_edit")
                st.rerun()


def _turn(run_id: str, axes: str, factor: int, flipped: bool) -> None:
    kept = store().additions(run_id)
    before = kept.factor_notes(axes).get(factor, FactorNote())
    written = kept.write_factor_note(axes, factor, flipped=flipped, who=name_of_person())
    back = functools.partial(kept.take_back_factor_note, axes, factor, to=before, written=written)
    offer_undo("The axis is turned round.", back)
