"""The gene or the list that people ask for, typed or pasted, kept in the address."""

import streamlit as st

from ldvae_core.data.gene_lookup import MOST_ASKED, Found
from ldvae_core.data.names import listing
from ldvae_core.runs.store import OpenRun
from pages.parts.any_gene import index_of, known, labels_of, where_looked
from pages.parts.text import as_html, count, plain, show

GENES = "genes"  # the widget's key, in the session and in the address
MISSING = "genes_missing"  # what the last typed or pasted text named beyond the known genes, with what was found


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
        placeholder="Type a symbol or an Ensembl id, or paste a list",
        help="Symbols and Ensembl ids in any case; a pasted list may be separated by commas, spaces or lines. "
        "Enter takes the first match; a star takes all genes that begin so: CXCL*.",
        select_all=False,  # its entry would stand first, where Enter takes every match
        on_change=_resolve_names,
        args=(opened,),
        width=290,
    )
    found = index.find(values)
    written, missing = st.session_state.get(MISSING, ((), ()))
    return found._replace(
        missing=tuple(dict.fromkeys((*found.missing, *(missing if written == tuple(values) else ()))))
    )


def say_missing(opened: OpenRun, asked: Found) -> None:
    """Which of the genes asked for are not there, and which are there without loadings."""
    if asked.missing:
        n = len(asked.missing)
        are = "is" if n == 1 else "are"
        show(f"<b>{count(n, 'gene')} {are} not among the {where_looked(opened)}</b>: "
             f"{as_html(listing(asked.missing, 12), longest=400)}. {_remedy(opened)}", kind="quiet")  # fmt: skip
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
    """Turn what was typed into the names of genes, one each, and remember what was not found."""
    found = index_of(opened).find(st.session_state[GENES])
    names = [str(name) for name in known(opened).names[found.positions]]
    st.session_state[GENES] = names
    st.session_state[MISSING] = (tuple(names), found.missing)
