"""Which genes are modelled: how they are chosen, which they are, and whether mine is among them."""

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from ldvae_core.data.counts import CountMatrix, sum_by_gene
from ldvae_core.data.genes import GeneSelection, find_genes, mitochondrial_mask, ribosomal_mask
from ldvae_core.data.prepare import DataChoices, outline, prepare
from ldvae_core.errors import SettingsError
from ldvae_core.workspace.folders import DEMO
from pages.parts.data.opened import NONE, OpenData
from pages.parts.figures import download_table
from pages.parts.text import as_html, count, gene, genes, plain, sentence, show

METHODS: dict[GeneSelection, str] = {
    "seurat_v3": "Variable beyond what its mean explains",
    "variance": "Highest variance of counts",
}
CAPTIONS = ("seurat_v3: finds markers of small groups too", "as in the paper: led by abundant genes")
FIRST_NAMES = 24
MOST_COUNTED = 50_000_000  # counts of all genes, above which a page does not take those of the modelled genes out
MOST_SEARCHED = 12  # names in the search box


@dataclass(frozen=True, eq=False)
class Preview:
    """What would be modelled."""

    n_cells: int
    table: pd.DataFrame  # one row a gene, most counts first: gene, id, counts, cells
    notices: tuple[str, ...]  # of choosing only, without what the cell filters say already


def choose_genes(data: OpenData, cells: DataChoices) -> DataChoices:
    """The widgets; returns what they say, with the filters of cells that were chosen before."""
    total = data.summary.n_genes
    method = st.radio("A gene is modelled when it is", list(METHODS), format_func=METHODS.get,
                      captions=CAPTIONS, key="gene_selection", persist_state="session")  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="gene_numbers"):
        n_genes = st.number_input("Number of genes", 2, min(max(total, 2), 100_000), step=100, key="n_modelled",
                                  persist_state="session", width=150)  # fmt: skip
        batch = st.selectbox(
            "Ranked within each", [NONE, *data.summary.labels], format_func=lambda name: plain(name) or "no batch",
            key="batch_column", persist_state="session", width=190, disabled=method != "seurat_v3",
            help="A column of sequencing batches: genes that differ only between batches then rank low. "
            "For the first method.",
        )  # fmt: skip
    kept = st.text_area("Always model these genes", key="keep_genes", persist_state="session", height=68,
                        max_chars=50_000, placeholder="Symbols or Ensembl ids, pasted with any separator")  # fmt: skip
    mitochondrial, ribosomal = _special(data.key, data.counts)
    with st.container(gap="xsmall", key="gene_drops"):
        without: dict[str, Any] = {
            name: st.checkbox(f"Leave out the {count(number, f'{word} gene')}" if number else f"No {word} genes here",
                              key=name, persist_state="session", disabled=not number)
            for name, word, number in (("drop_mitochondrial", "mitochondrial", mitochondrial),
                                       ("drop_ribosomal", "ribosomal", ribosomal))
        }  # fmt: skip
    return replace(cells, gene_selection=method, n_genes=int(n_genes), keep_genes=split_names(kept),
                   batch_column=(batch or None) if method == "seurat_v3" else None, **without)  # fmt: skip


def show_preview(data: OpenData, choices: DataChoices) -> str:
    """How many genes, the first of them, and a search; returns its size in words.

    Raises SettingsError as training would.
    """
    preview = _preview(data.key, choices, data.counts)
    names = preview.table["gene"].tolist()
    with st.container(horizontal=True, vertical_alignment="center", key="modelled"):
        sentence(f"{count(len(names), 'gene')} of {data.summary.n_genes:,} will be modelled, "
                 f"in {count(preview.n_cells, 'cell')}.")  # fmt: skip
        download_table(preview.table, "modelled_genes", key="genes_csv", label="Genes")
    if data.card.dataset_id == DEMO:
        show("The demo comes with 2,000 genes chosen already (the most variable ones and known markers), so all of "
             "them are modelled unless you ask for fewer.", kind="quiet")  # fmt: skip
    for notice in preview.notices:
        show(f'<span class="gpe-badge">notice</span> {as_html(notice, longest=400)}')
    more = f" and {len(names) - FIRST_NAMES:,} more" if len(names) > FIRST_NAMES else ""
    show(f"Most counts first: {genes(names[:FIRST_NAMES])}{more}.")
    _search(data, set(names))
    return f"{count(preview.n_cells, 'cell')} × {count(len(names), 'gene')}"


def split_names(text: str | None) -> tuple[str, ...]:
    """Pasted names, each once, in order: between them any of spaces, line breaks, commas, semicolons, quotes."""
    return tuple(dict.fromkeys(name for name in re.split(r"[\s,;\"']+", text or "") if name))


def _search(data: OpenData, modelled: set[str]) -> None:
    with st.container(key="gene_answers", gap="xsmall"):
        asked = split_names(
            st.text_input("Is my gene modelled?", key="gene_search", persist_state="session", width=340,
                          placeholder="Symbol or Ensembl id", icon=":material/search:")
        )[:MOST_SEARCHED]  # fmt: skip
        absent = [name for name in asked if not _say_if_modelled(data, name, modelled)]
        if absent:
            st.button("Always model " + ("this gene" if len(absent) == 1 else f"these {len(absent)} genes"),
                      icon=":material/add:", key="keep_searched", on_click=_keep, args=(absent,))  # fmt: skip


def _say_if_modelled(data: OpenData, name: str, modelled: set[str]) -> bool:
    """Say where a gene stands; False when it is in the data but not modelled."""
    try:
        found = find_genes(data.counts, (name,))
    except SettingsError:
        lower = {other.lower(): other for other in data.counts.gene_names.tolist()}
        start = name.lower()[:3]
        alike = {other: known for other, known in lower.items() if other.startswith(start)}
        near = [alike[other] for other in get_close_matches(name.lower()[:40], alike, n=4, cutoff=0.7)]
        show(f"{gene(name)} is not in the data{'; close to it: ' if near else ''}{genes(near)}.")
        return True
    known = str(data.counts.gene_names[found[0]])
    called = gene(known) if known == name else f"{gene(known)} ({as_html(name, longest=40)})"
    show(f"{called} <b>is modelled</b>." if known in modelled else f"{called} is in the data, but <b>not modelled</b>.")
    return known in modelled


def _keep(names: list[str]) -> None:
    """For on_click: add the genes to those always modelled."""
    st.session_state["keep_genes"] = ", ".join(dict.fromkeys([*split_names(st.session_state["keep_genes"]), *names]))


@st.cache_resource(max_entries=32, show_spinner="Choosing genes")
def _preview(key: tuple[str, str, str], choices: DataChoices, _counts: CountMatrix) -> Preview:
    if _counts.counts.nnz > MOST_COUNTED:
        return _outlined(_counts, choices)
    chosen = prepare(_counts, choices)
    table = pd.DataFrame({"gene": chosen.gene_names, "counts": sum_by_gene(chosen.counts).astype(np.int64),
                          "cells": np.bincount(chosen.counts.indices, minlength=chosen.n_genes)})  # fmt: skip
    notices = [notice for notice in chosen.notices[len(_counts.notices) :] if "cell filters" not in notice]
    return Preview(chosen.n_cells, _sorted(table, chosen.gene_ids), tuple(notices))


def _outlined(counts: CountMatrix, choices: DataChoices) -> Preview:
    """The same where the counts are too many to be held by a page: cells without counts in these genes are still in."""
    found = outline(counts, choices)
    table = pd.DataFrame({"gene": counts.gene_names[found.genes], "counts": found.molecules.astype(np.int64),
                          "cells": found.cells})  # fmt: skip
    notices = tuple(notice for notice in found.notices if "cell filters" not in notice)
    return Preview(
        found.n_cells, _sorted(table, None if counts.gene_ids is None else counts.gene_ids[found.genes]), notices
    )


def _sorted(table: pd.DataFrame, ids: np.ndarray | None) -> pd.DataFrame:
    if ids is not None:
        table.insert(1, "id", ids)
    return table.sort_values("counts", ascending=False, kind="stable", ignore_index=True)


@st.cache_data(max_entries=16, show_spinner=False)
def _special(key: tuple[str, str, str], _counts: CountMatrix) -> tuple[int, int]:
    """Numbers of mitochondrial and ribosomal genes."""
    return int(mitochondrial_mask(_counts.gene_names).sum()), int(ribosomal_mask(_counts.gene_names).sum())
