"""The first line of a page, and the badge that says where labels come from."""

import streamlit as st

from ldvae_core.data.counts import CountMatrix
from ldvae_core.runs.additions import LEIDEN
from pages.parts.runs import say_unknown_run
from pages.parts.terms import offer_glossary
from pages.parts.text import as_html, show
from pages.parts.undo import show_undo


def page_header(title: str, question: str) -> None:
    """title and question: this program's own words."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="page_head"):
        show(f"<h1>{as_html(title)}</h1><span>{as_html(question)}</span>", kind="head")
        offer_glossary()
    say_unknown_run()
    show_undo()


def derived_badge(counts: CountMatrix, column: str | None) -> None:
    """Say on screen that labels were derived from the counts, where they were."""
    if not is_derived(counts, column):
        return
    if column == LEIDEN:
        words = "The clusters were made from this model's own factors: that they agree with the factors proves nothing."
    else:
        words = (
            f"{as_html(column)} was made by clustering and marker genes, not by the authors of the data: trust it as a "
            "guide, not as truth."
        )
    show(f'<span class="gpe-badge">derived labels</span> {words}', kind="quiet")


def is_derived(counts: CountMatrix, column: str | None) -> bool:
    """Whether the annotation was computed from the counts, not made by the data's authors."""
    named = (name.strip() for name in counts.about.get("derived_labels", "").split(","))
    return column is not None and column in named
