"""From selected cells to a data set of their own, on which the Train page then opens."""

import numpy as np
import streamlit as st

from ldvae_core.data.chosen_cells import FILE
from ldvae_core.data.counts import FEWEST_CELLS
from ldvae_core.runs.all_genes import dataset_of
from ldvae_core.runs.store import OpenRun
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.derived import Take
from pages.parts.making import begin_making
from pages.parts.runs import go, store

HELP = (
    "Makes a data set of these cells alone, with all genes, and opens Train on it: programs that vary only among these "
    "cells are often missed by a run on all of them."
)


def offer_zoom(opened: OpenRun, cells: np.ndarray, words: str, *, key: str) -> None:
    """A button that takes these cells, bool (n_cells,), out of the data set of the run. words: which these are."""
    why = _why_not(opened, int(np.count_nonzero(cells)))
    st.button("Zoom in: train on these", key=key, type="tertiary", icon=":material/zoom_in:", help=why or HELP,
              disabled=bool(why), on_click=_zoom, args=(opened, cells, words))  # fmt: skip


def _why_not(opened: OpenRun, n_cells: int) -> str:
    if n_cells < FEWEST_CELLS:
        return f"A model needs at least {FEWEST_CELLS} cells."
    known = {card.dataset_id for card in Datasets(store().workspace).list()}
    if dataset_of(opened, store().workspace) not in known:
        return "The data set of this run is not in the workspace. Load its file on the Data page, and zoom in there."
    return ""


def _zoom(opened: OpenRun, cells: np.ndarray, words: str) -> None:
    source = dataset_of(opened, store().workspace)
    assert source is not None  # the button is disabled then

    def recipe() -> Take:
        ids = "\n".join(opened.counts.cell_ids[cells].tolist())
        kept = Datasets(store().workspace).keep_upload("selected cells.txt", ids.encode())
        return Take(source, f"{FILE}{kept}", f"{words} of the run {opened.name}")

    begin_making("zoom", "Taking these cells", recipe, then="train.py")
    go("data.py")
