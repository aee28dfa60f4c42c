"""The parts of the Home page: three doors, a picture of real programs, and the runs as cards."""

import streamlit as st

from ldvae_core.runs.store import RunCard
from ldvae_core.workspace.datasets import Parent
from ldvae_core.workspace.folders import DEMO, Workspace, sync_warning, synced_by
from pages.parts.best_pair import DEMO_TYPES, separation
from pages.parts.figures import show_figure
from pages.parts.header import derived_badge
from pages.parts.lineage import chain_html, parents
from pages.parts.live import state_html
from pages.parts.menus import menu
from pages.parts.pair import cells_panel, genes_panel
from pages.parts.problems import refusals
from pages.parts.rename import rename_run
from pages.parts.runs import colours_of, factors_of, go, open_run
from pages.parts.text import as_html, count, explained, genes, literal, show
from pages.parts.trash import offer_deleting, show_deleted

CARDS = 24  # runs on the page; older ones are in the picker of the sidebar
HEIGHT = 380  # px
WHAT = """
#### What is a gene program?
Genes do not act alone: blood cells switch on all their globin genes together. A **gene program** is such a set of genes
that rise and fall together from cell to cell. This dashboard learns them from raw counts with a linearly decoded
variational autoencoder (LDVAE): every cell gets a position on a few **factors**, every gene a **loading** on each, and
a factor with its strongest genes is a program.

#### Five minutes
1. **Factors**: each dot of the cloud is a cell, each arrow a gene. Cells far along an axis are rich in the genes that
   point there.
2. **Cell types**: choose two to four types and see the two factors that tell them apart.
3. **Data**: open your own counts. **Train**: press one button and watch it learn.
4. **Export**: take everything to Python, R or a spreadsheet.
"""
HOW = (
    "**Left:** 7,850 cells of a mouse embryo on two learned factors, with the regions of three cell types. **Right:** "
    "the genes on the same factors; arrows have the colour of the type they point to. Factors are learned from counts "
    "alone: the labels are only drawn on top."
)


def show_sync_warning() -> None:
    """A calm word where a cloud service may get between the program and its files."""
    if service := synced_by(Workspace.default().root):
        st.warning(sync_warning(service), icon=":material/cloud_sync:")


def show_first_steps(cards: list[RunCard]) -> None:
    """Open the demo, load my data, my runs."""
    own = [card for card in cards if card.run_id != DEMO]
    doors = (
        ("Open the demo", "A finished run on real mouse-embryo cells.", "scatter_plot", "factors.py", DEMO),
        ("Load my data", "A file of raw counts, such as an .h5ad or a 10x folder.", "upload_file", "data.py", None),
        ("Train a model", "On the demo or on data you loaded.", "model_training", "train.py", None),
    )
    with st.grid(len(doors), min_column_width=190, gap="small", key="doors"):
        for number, (title, words, icon, page, run_id) in enumerate(doors):
            with st.container(border=True, gap="xsmall", key=f"door_{number}"):
                st.button(
                    title,
                    key=f"door_button_{number}",
                    type="primary" if number == 0 else "secondary",
                    icon=f":material/{icon}:",
                    width="stretch",
                    on_click=go,
                    args=(page, run_id),
                    kwargs={"data_from": "Upload"} if page == "data.py" else {},
                )
                st.caption(words)
    if own:
        show(f"Your runs are below: {count(len(own), 'run')}.", kind="quiet")


def show_showcase(cards: list[RunCard]) -> None:
    """The demo's three cell types on the two factors that separate them; nothing where the demo is missing."""
    if not any(card.run_id == DEMO for card in cards):
        return
    with refusals(end_page=False):
        opened = open_run(DEMO)
        factors, column = factors_of(opened), str(opened.label_column)
        best, arrows, sentence = separation(opened, factors, column, list(DEMO_TYPES), use="shrunken", n_arrows=9)
        given = colours_of(opened, column)
        colours = {name: given[name] for name in DEMO_TYPES}
        panels = [
            cells_panel(opened, factors, best.pair, outlined=DEMO_TYPES, label=column, height=HEIGHT),
            genes_panel(opened, factors, best.pair, table=arrows, colours=colours, n_arrows=9, height=HEIGHT),
        ]
        show_figure(panels, key="showcase", finding=sentence, how_to_read=HOW, smallest=320)
        derived_badge(opened.counts, column)


def show_runs(cards: list[RunCard]) -> None:
    """Every run as a card: name, data, state, error, three programs, and what can be done with it."""
    st.subheader("Runs", anchor=False)
    if all(card.run_id == DEMO for card in cards):
        st.caption("Runs that you train appear here and stay; closing the browser or the program does not end them.")
    chains = parents()
    with st.grid(3, min_column_width=330, gap="small", key="cards"):
        for card in cards[:CARDS]:
            with st.container(border=True, gap="xsmall", key=f"card_{card.run_id}"):
                _card(card, chains.get(card.settings.data_source, ()) if card.settings else ())
    if len(cards) > CARDS:
        st.caption(f"The {CARDS} latest of {len(cards)} runs; the others are in the picker of the sidebar.")
    show_deleted()


def _card(card: RunCard, chain: tuple[Parent, ...]) -> None:
    show(f'<div class="gpe-name">{as_html(card.name)}</div>', kind="card")
    show(state_html(card), kind="state")
    facts = [f"zoomed in: {chain_html(chain)}" if chain else as_html(card.data_name)]
    if card.n_cells and card.n_genes:
        facts.append(f"{card.n_cells:,} cells × {card.n_genes:,} genes")
    if card.n_factors:
        facts.append(count(card.n_factors, "factor"))
    if card.test_reconstruction_error is not None:
        facts.append(
            explained(f"fit to unseen cells {card.test_reconstruction_error:.1f} nats per cell (lower is better)")
        )
    show(" · ".join(facts), kind="quiet")
    if card.top_programs:
        rows = "".join(f"<dt>{as_html(label)}</dt><dd>{genes(names[:4])}</dd>" for label, names in card.top_programs)
        show(f'<dl class="gpe-programs" style="margin:0">{rows}</dl>')
    if card.error:
        st.caption(f":material/error: {literal(card.error, longest=300)}")
    with st.container(horizontal=True, gap="xsmall"):
        page, words = ("factors.py", "Open") if card.has_results else ("train.py", "See its training")
        st.button(words, key=f"open_{card.run_id}", on_click=go, args=(page, card.run_id))
        if not card.read_only and card.run_id != DEMO:
            with menu("", icon=":material/more_horiz:", type="tertiary", key=f"more_{card.run_id}"):
                _rename_or_delete(card)


def _rename_or_delete(card: RunCard) -> None:
    name = st.text_input("Name", value=card.name, key=f"name_{card.run_id}")
    if st.button("Rename", key=f"rename_{card.run_id}", disabled=name.strip() in ("", card.name)):
        rename_run(card.run_id, card.name, name, menu_key=f"more_{card.run_id}")
    offer_deleting(card)
