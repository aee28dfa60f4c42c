"""The gene or the list that people ask for, typed or pasted, kept in the address."""

from typing import NamedTuple

import streamlit as st

from ldvae_core.data.gene_lookup import MOST_ASKED, Found
from ldvae_core.data.names import listing
from ldvae_core.runs.store import OpenRun
from pages.parts.any_gene import index_of, known, labels_of, where_looked
from pages.parts.text import as_html, count, genes, plain, show

GENES = "genes"  # the widget's key, in the session and in the address
TYPED = "genes_typed"  # how the last typed or pasted text was understood
MOST_ADDED = 60  # genes that one entry "Add" takes


class Typed(NamedTuple):
    """The names it became, those in it that are no genes, and those that are genes under another name."""

    names: tuple[str, ...]
    missing: tuple[str, ...]
    renamed: tuple[tuple[str, int], ...]


def gene_picker(opened: OpenRun) -> Found:
    """Genes chosen from the list, typed or pasted; the case of letters and the versions of ids do not matter."""
    index, said = index_of(opened), labels_of(opened)
    values = st.multiselect(
        "Genes",
        list(said),
        key=GENES,
        bind="query-params",
        accept_new_options=True,
        format_func=lambda name: said.get(name) or plain(name),
        placeholder="A symbol, an id, or a pasted list",
        help="Symbols and Ensembl ids in any case; a pasted list may be separated by commas, spaces or lines; "
        "and names of proteins (PD-L1 for CD274). Enter takes the first match; the last entry of the list, Add, takes "
        "all genes that begin so.",
        select_all=False,  # its entry would stand first, where Enter takes every match
        on_change=_resolve_names,
        args=(opened,),
        width=290,
    )
    found = index.find(values)
    typed: Typed | None = st.session_state.get(TYPED)
    if typed is None or typed.names != tuple(values):
        return found
    missing = tuple(dict.fromkeys((*found.missing, *typed.missing)))
    return found._replace(missing=missing, renamed=(*found.renamed, *typed.renamed))


def say_missing(opened: OpenRun, asked: Found) -> None:
    """Which of the genes asked for are not there, and which are there without loadings."""
    if asked.missing:
        n = len(asked.missing)
        are = "is" if n == 1 else "are"
        show(f"<b>{count(n, 'gene')} {are} not among the {where_looked(opened)}</b>: "
             f"{as_html(listing(asked.missing, 12), longest=400)}. {_remedy(opened)}", kind="quiet")  # fmt: skip
    if asked.renamed:
        names, said = known(opened).names, dict[str, list[str]]()
        for word, place in asked.renamed:
            said.setdefault(word, []).append(str(names[place]))
        show("; ".join(f"{as_html(word)} is called {genes(called)} here" for word, called in said.items()) + ".",
             kind="quiet")  # fmt: skip
    others = known(opened).names[asked.positions[asked.positions >= opened.counts.n_genes]]
    if len(others):
        are, have = ("is", "has") if len(others) == 1 else ("are", "have")
        show(f"<b>{count(len(others), 'gene')} {are} not modelled</b> and so {have} no loadings, only counts: "
             f"{as_html(listing(others.tolist(), 12), longest=400)}.", kind="quiet")  # fmt: skip
    if asked.cut:
        show(f"Only the first {MOST_ASKED:,} genes of the list were looked up.", kind="quiet")


def _remedy(opened: OpenRun) -> str:
    if known(opened).n_others:
        return "Check the spelling."
    return "Check the spelling, or name them under “Always model these genes” on the Data page and train again."


def _resolve_names(opened: OpenRun) -> None:
    """Turn what was typed into the names of genes, one each, and remember how it was understood.

    A word that is no gene but begins some is the list's last entry, Add: it takes all that begin so.
    """
    index, positions, missing, renamed = index_of(opened), dict[int, None](), list[str](), list[tuple[str, int]]()
    for text in st.session_state[GENES]:
        found = index.find(text)
        begun = index.begin_with(text.strip())[:MOST_ADDED] if found.missing == (text.strip(),) else []
        positions |= dict.fromkeys([*found.positions.tolist(), *begun])
        missing += () if begun else found.missing
        renamed += found.renamed
    names = tuple(str(name) for name in known(opened).names[list(positions)])
    st.session_state[GENES] = list(names)
    st.session_state[TYPED] = Typed(names, tuple(missing), tuple(renamed))
