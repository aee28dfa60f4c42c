"""A run that the command line made from a file: all genes of that file, once it is loaded."""

from pathlib import Path

import streamlit as st

from ldvae_core.runs.all_genes import reads_a_file
from ldvae_core.runs.store import OpenRun
from pages.parts.making import begin
from pages.parts.runs import go, store
from pages.parts.text import as_html, show


def offer_all_genes(opened: OpenRun) -> None:
    """Why only the modelled genes are known, and what to do; nothing where the data set is at hand."""
    if not reads_a_file(opened, store().workspace):
        return
    file = Path(opened.settings.data_source)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="all_genes_of_file"):
        show(f"Only the <b>{opened.counts.n_genes:,} modelled genes</b> are known here: this run was made from the "
             f"file {as_html(file.name)}, outside the workspace. Load it, and all its genes can be looked at.",
             kind="quiet")  # fmt: skip
        if file.exists():
            st.button("Load it", key="load_run_file", type="tertiary", icon=":material/table_view:", on_click=_load,
                      args=(opened.run_id, file.name),
                      help="Reads the file once more, in the way the run was made with.")  # fmt: skip


def _load(run_id: str, name: str) -> None:
    begin(f"run {run_id}", name, lambda: f"run {run_id}", then="genes.py")
    go("data.py")
