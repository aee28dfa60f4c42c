"""Lists of genes under the names that people gave them: opened, saved and deleted; the name is in the address."""

import streamlit as st

from ldvae_core.data.gene_lookup import Found
from ldvae_core.errors import LdvaeError
from ldvae_core.runs.gene_lists import LONGEST_NAME, GeneList
from ldvae_core.runs.store import OpenRun
from pages.parts.any_gene import gene_lists, index_of, known
from pages.parts.genes.input import GENES
from pages.parts.menus import close_menu, menu
from pages.parts.problems import problem_box
from pages.parts.selection.region import name_of_person
from pages.parts.text import as_html, count, literal, plain, show
from pages.parts.undo import offer_undo, say_refused

LIST = "list"  # in the address
MENU = "gene_lists"


def open_list_of_address(opened: OpenRun) -> None:
    """Before the gene box is drawn: a link that names a list and no genes brings the list's."""
    asked = st.query_params.get(LIST)
    if asked and GENES not in st.query_params and not st.session_state.get(GENES):
        found = next((one for one in gene_lists().all() if one.name == asked), None)
        if found is not None:
            st.session_state[GENES] = _names_here(opened, found)


def show_lists(opened: OpenRun, asked: Found) -> None:
    """How the genes asked for are called, and the menu of lists; nothing where there is neither list nor two genes."""
    lists = gene_lists().all()
    mine = frozenset(asked.positions.tolist())
    in_use = next(
        (one for one in lists if mine and mine == frozenset(index_of(opened).find(one.genes).positions)), None
    )
    if in_use is not None:
        st.query_params[LIST] = in_use.name
    elif LIST in st.query_params:
        del st.query_params[LIST]
    if not lists and len(mine) < 2:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="gene_lists_row"):
        if in_use is not None:
            show(f"<b>{as_html(in_use.name)}</b>, {count(len(mine), 'gene')}", width="content")
        with menu("Lists of genes", icon=":material/bookmark:", type="tertiary", width="content", key=MENU):
            _open_or_delete(opened, lists, in_use)
            if len(mine) > 1 and in_use is None:
                _save(opened, asked)


def _open_or_delete(opened: OpenRun, lists: list[GeneList], in_use: GeneList | None) -> None:
    for number, one in enumerate(lists):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            words = f"{literal(one.name)} · {count(len(one.genes), 'gene')}"
            st.button(words, key=f"list_open_{number}", type="tertiary", disabled=one == in_use, on_click=_open,
                      args=(opened, one))  # fmt: skip
            st.button("", icon=":material/delete:", key=f"list_delete_{number}", type="tertiary",
                      help=f"Delete {plain(one.name)}", on_click=_delete, args=(one,))  # fmt: skip


def _save(opened: OpenRun, asked: Found) -> None:
    with st.form("list_save", border=False):
        name = st.text_input(f"Name for these {len(asked.positions):,} genes", key="list_name")
        st.caption(f"Up to {LONGEST_NAME} characters. Kept for all runs; cells can be coloured by the list's mean.")
        if st.form_submit_button("Save", type="primary", key="list_save_button"):
            _keep(name, [str(gene) for gene in known(opened).names[asked.positions]])


def _keep(name: str, genes: list[str]) -> None:
    lists = gene_lists()
    before = next((one for one in lists.all() if one.name.casefold() == " ".join(name.split()).casefold()), None)
    try:
        made = lists.save(name, genes, who=name_of_person())
    except LdvaeError as fault:
        problem_box(fault)
        return
    back = (lambda: lists.delete(made.name)) if before is None else (lambda: lists.restore(before))
    offer_undo(f"The list {plain(made.name)} is {'saved' if before is None else 'replaced'}.", back)
    close_menu(MENU)
    st.rerun()


def _open(opened: OpenRun, one: GeneList) -> None:
    st.session_state[GENES] = _names_here(opened, one)
    close_menu(MENU)


def _delete(one: GeneList) -> None:
    try:
        gene_lists().delete(one.name)
    except LdvaeError as fault:
        say_refused(fault)
        return
    offer_undo(f"The list {plain(one.name)} is deleted.", lambda: gene_lists().restore(one))
    close_menu(MENU)


def _names_here(opened: OpenRun, one: GeneList) -> list[str]:
    """The list's genes as this run calls them, and the others as they are written, so that these are said."""
    found = index_of(opened).find(one.genes)
    return [*map(str, known(opened).names[found.positions]), *found.missing]
