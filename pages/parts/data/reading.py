"""A data set on its way into the program: how far it is, why it was refused, what would help; reading it otherwise."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.progress import WORDS
from ldvae_core.data.reading_options import GenesIn, ReadingOptions
from ldvae_core.errors import CountsError, LdvaeError
from ldvae_core.runs.reading_jobs import (
    SILENT_SECONDS,
    cancel_reading,
    end_reading,
    reading_status,
)
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import Workspace
from pages.parts.data.columns import columns_asked
from pages.parts.data.opened import OpenData
from pages.parts.data.renaming import genes_can_be_renamed, offer_renaming
from pages.parts.job_bar import Actions, show_job
from pages.parts.making import READING, REFUSED, Begun, Refused, begin
from pages.parts.menus import close_menu
from pages.parts.problems import problem_box
from pages.parts.runs import go
from pages.parts.text import as_html, literal, plain, show

LOADED = "data_loaded"  # in the session
SHOWN = 10  # cells and genes of the preview
OFFERS = {
    "round_counts": "Round to whole molecules",
    "genes_in": "Genes are in the {}",
    "choose": "Read {}",
    "genes_named_by": "Name genes by {}",
}


def follow(use: Callable[[str], None]) -> None:
    """The bar of this session's reading, from second to second; `use` is called with what it has led to."""
    begun: Begun | None = st.session_state.get(READING)
    if begun is None:
        return
    status = reading_status(Workspace.default(), begun.reading_id)
    if status.job.under_way:
        st.fragment(_live, run_every=0.7, key="reading_progress")(begun)
        return
    del st.session_state[READING]
    if status.dataset_id is not None:
        st.session_state[LOADED] = True
        if status.said:
            st.toast(literal(status.said, longest=400), icon=":material/check:", duration="long")
        if begun.menu:
            close_menu(begun.menu)
        use(status.dataset_id)
        if begun.then:
            go(begun.then)
        st.rerun()
    if status.refusal is not None:
        st.session_state[REFUSED] = Refused(begun, status.refusal)
        if begun.source.startswith("upload ") and not offers_of(status.refusal):
            Datasets(Workspace.default()).drop_upload(begun.source.removeprefix("upload "))


def show_refused(key: str) -> None:
    """Why what the page shows was refused, and buttons for what would help; or where it can be seen how far it is."""
    begun: Begun | None = st.session_state.get(READING)
    if begun is not None and begun.key == key:
        show("Under way: its bar stands at the top of this page.", kind="quiet")
    refused: Refused | None = st.session_state.get(REFUSED)
    if refused is None or refused.begun.key != key:
        return
    with st.container(key="data_refusal"):
        problem_box(refused.fault)
        with st.container(horizontal=True, gap="small"):
            for option, value, words in offers_of(refused.fault):
                options = replace(refused.begun.options, **{option: value})
                st.button(plain(words, longest=60), key=f"offer {option} {value}", on_click=begin,
                          args=(key, refused.begun.name, _same(refused.begun.source), options))  # fmt: skip


def offers_of(fault: LdvaeError) -> list[tuple[str, Any, str]]:
    """Option, value and words of all that might help."""
    offers = fault.offers if isinstance(fault, CountsError) else {}
    values = {option: given or (True,) for option, given in offers.items() if option in OFFERS}
    return [(option, one, OFFERS[option].format(one)) for option, given in values.items() for one in given[:20]]


def show_reading(data: OpenData) -> None:
    """How the file was read: a sentence to check, its first cells and genes, and what can be changed."""
    reading = data.counts.reading
    if reading is None:
        return
    show(re.sub("`([^`]*)`", r"<b>\1</b>", as_html(reading.sentence, longest=400)), kind="line")
    with st.expander("How it was read: look at it, or change it", icon=":material/table_view:", key="how_read"):
        st.dataframe(preview(data.counts), key="reading_preview", row_height=30,
                     alt="The counts of the first cells and genes.")  # fmt: skip
        offer_renaming(data)
        _offer_reading_again(data)


def _offer_reading_again(data: OpenData) -> None:
    """What only the file can tell: another matrix, the other way round; where it is still kept."""
    reading, key = data.counts.reading, f"again {data.card.dataset_id}"
    assert reading is not None  # the caller looked
    if data.card.parent is not None:  # that is read from a file, not these cells
        return
    if not Datasets(Workspace.default()).can_be_read_again(data.card):
        show("To take another matrix or turn the table, load the file again: it is not kept any more.", kind="quiet")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        options = _asked(data)
        asked = (key, data.card.name, _same(data.card.source), options)
        st.button("Read the file so", key="read_otherwise", icon=":material/refresh:", on_click=begin, args=asked,
                  disabled=options == reading.options, help="Reads the file again; this data set stays.")  # fmt: skip
    show_refused(key)


def preview(counts: CountMatrix) -> pd.DataFrame:
    """Counts of the first cells and of the genes with most molecules among them: cells x genes."""
    some = counts.counts[:SHOWN]
    molecules = np.asarray(some.sum(axis=0)).ravel().astype(np.int64)
    genes = np.sort(np.argsort(-molecules, kind="stable")[:SHOWN])
    cells = [plain(name, longest=40) for name in counts.cell_ids[:SHOWN].tolist()]
    return pd.DataFrame(some[:, genes].toarray(), cells, [plain(name, longest=30) for name in counts.gene_names[genes]])


def _asked(data: OpenData) -> ReadingOptions:
    """What the controls say; they start from how it was read."""
    reading = data.counts.reading
    assert reading is not None  # the caller looked
    options, of = reading.options, data.card.dataset_id
    if len(reading.gene_columns) > 1 and not genes_can_be_renamed(data):
        named = options.genes_named_by or next(
            (name for name in reading.gene_columns if name == reading.genes_named_by), "index"
        )
        chosen = st.selectbox("Genes named by", reading.gene_columns, index=reading.gene_columns.index(named),
                              format_func=plain, key=f"genes_named_by {of}", width=220)  # fmt: skip
        options = replace(options, genes_named_by=chosen) if chosen != named else options
    if len(reading.choices) > 1:
        taken = st.selectbox("Counts from", reading.choices, format_func=plain, key=f"choose {of}", width=240)
        options = replace(options, choose=taken) if taken != reading.choices[0] else options
    if data.counts.counts_from == "table":
        options = columns_asked(data, options)
    sides: tuple[GenesIn, ...] = ("columns", "rows")
    side = st.selectbox("Genes are in the", sides, index=sides.index(reading.genes_in), key=f"genes_in {of}", width=160)
    return replace(options, genes_in=side) if side != reading.genes_in else options


def _same(source: str) -> Callable[[], str]:
    return lambda: source


def _live(begun: Begun) -> None:
    workspace = Workspace.default()
    status = reading_status(workspace, begun.reading_id).job
    if not status.under_way:
        st.rerun(scope="app")
    step = WORDS.get(status.progress.stage, "")  # type: ignore[call-overload]  # a stage of another version
    actions = Actions(
        stop=lambda: cancel_reading(workspace, begun.reading_id), end=lambda: end_reading(workspace, begun.reading_id)
    )
    beside = "This page can be left or closed meanwhile: it goes on."
    show_job(
        status,
        f"{begun.name}: {step}" if step else begun.name,
        actions,
        key="reading",
        patience=SILENT_SECONDS,
        beside=beside,
    )
