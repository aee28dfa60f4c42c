"""Which columns name genes and cells, changed in place: the counts stay as they are, and no file is needed."""

import streamlit as st

from ldvae_core.data.reading_options import Reading
from ldvae_core.data.renaming import names_of_cells, names_of_genes
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.derived import Rename
from ldvae_core.workspace.folders import DEMO, Workspace
from pages.parts.data.opened import OpenData
from pages.parts.making import begin_making
from pages.parts.text import plain

HELP = "The counts are not read again. A data set beside this one results: runs made from this one go on to use it."


def genes_can_be_renamed(data: OpenData) -> bool:
    """Whether what names the genes is kept beside the counts: not for data sets read before 2026-12."""
    return len(_gene_columns(data.key)) > 1


def offer_renaming(data: OpenData) -> None:
    """What could name genes and cells, and a button; nothing where the file left no choice."""
    reading, of = data.counts.reading, data.card.dataset_id
    genes, cells = _gene_columns(data.key), _cell_columns(data)
    if reading is None or (len(genes) < 2 and not cells):
        return
    recipe = Rename(of)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="rename_data"):
        if len(genes) > 1:
            now = _now(reading, genes)
            chosen = st.selectbox("Genes named by", genes, index=genes.index(now), format_func=plain,
                                  key=f"genes_named_by {of}", width=220)  # fmt: skip
            recipe = Rename(of, genes=chosen if chosen != now else "")
        if cells:
            named = (reading.cells_named_by, *cells)
            place = st.selectbox("Cells named by", range(len(named)), format_func=lambda n: plain(named[n]),
                                 key=f"cells_named_by {of}", width=220)  # fmt: skip
            recipe = Rename(of, genes=recipe.genes, cells=named[place] if place else "")
        st.button("Rename", key="rename_now", icon=":material/edit:", help=HELP, on_click=begin_making,
                  args=(f"rename {of}", "Naming genes and cells", lambda: recipe),
                  disabled=not (recipe.genes or recipe.cells))  # fmt: skip


def _now(reading: Reading, genes: tuple[str, ...]) -> str:
    """The column that names the genes; where that is the index, whatever it is called in the file."""
    if reading.options.genes_named_by:
        return reading.options.genes_named_by
    return reading.genes_named_by if reading.genes_named_by in genes else "index"


def _cell_columns(data: OpenData) -> tuple[str, ...]:
    of_text = [name for name, kind in zip(data.counts.annotations, data.columns["Kind"], strict=True) if kind == "text"]
    return names_of_cells(data.counts.annotations[of_text])


@st.cache_data(max_entries=32, show_spinner=False)
def _gene_columns(key: tuple[str, str, str]) -> tuple[str, ...]:
    """key: of OpenData."""
    dataset_id = key[1]
    return () if dataset_id == DEMO else names_of_genes(Datasets(Workspace.default()).folder(dataset_id))
