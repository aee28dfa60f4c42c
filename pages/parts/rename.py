"""A run's name, changed wherever it is shown."""

import streamlit as st

from ldvae_core.errors import LdvaeError
from ldvae_core.runs.cards import RunCard
from ldvae_core.runs.settings import LONGEST_NAME
from pages.parts.menus import close_menu, menu
from pages.parts.problems import problem_box
from pages.parts.runs import store
from pages.parts.text import plain
from pages.parts.undo import offer_undo


def offer_renaming(cards: list[RunCard], *, key: str = "rename") -> None:
    """A small menu that renames one of the runs; nothing where none may be renamed."""
    cards = [card for card in cards if not card.read_only]
    if not cards:
        return
    with menu("Rename", icon=":material/edit:", type="tertiary", width="content", key=f"{key}_menu"):
        names = {card.run_id: card.name for card in cards}
        chosen = next(iter(names))
        if len(names) > 1:
            chosen = st.selectbox("Run", list(names), format_func=lambda run_id: plain(names.get(run_id, run_id)),
                                  key=f"{key}_which")  # fmt: skip
        with st.form(f"{key}_{chosen}", border=False):
            name = st.text_input("Name", value=names[chosen], key=f"{key}_name_{chosen}")
            st.caption(f"Up to {LONGEST_NAME} characters. What tells it from other runs comes best first.")
            if st.form_submit_button("Rename", type="primary", key=f"{key}_save"):
                rename_run(chosen, names[chosen], name, menu_key=f"{key}_menu")


def rename_run(run_id: str, before: str, name: str, *, menu_key: str) -> None:
    """Rename, say so with the way back, close the menu and draw the page again; a refusal is shown."""
    try:
        store().rename(run_id, name)
    except LdvaeError as fault:
        problem_box(fault)
    else:
        offer_undo("The name is saved.", lambda: store().rename(run_id, before))
        close_menu(menu_key)
        st.rerun()
