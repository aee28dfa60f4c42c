"""The data set in use: which one the address names, opened once for all visitors, and how another one is loaded."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from ldvae_core.data.describe import describe
from ldvae_core.data.formats import READABLE, suffixes
from ldvae_core.data.prepare import DataChoices
from ldvae_core.errors import LdvaeError, RunError
from ldvae_core.workspace.datasets import MOST_UPLOADED, DatasetCard, Datasets
from ldvae_core.workspace.folders import DEMO, HOME_VARIABLE, PROJECT, Workspace, is_installed, own_folder
from pages.parts.data.opened import NONE, OpenData, annotation_table
from pages.parts.data.reading import LOADED, follow, show_refused
from pages.parts.making import begin, is_known
from pages.parts.problems import problem_box
from pages.parts.text import as_html, literal, plain, show
from pages.parts.trash import offer_deleting_data, show_deleted

DATA = "data"  # in the session and in the address alike
PICKER, SOURCE, CHOICES_OF = "data_picker", "data_from", "data_choices_of"
SOURCES = {"loaded": "Already loaded", "folder": "Data folder", "upload": "Upload"}
KEPT = "data_upload_kept"  # id of this session's last upload
MB = 1_000_000  # bytes
DEMO_GENES = 2_000  # all that it comes with


def data_in_use() -> OpenData:
    """Pickers of what is loaded and what can be, then the data set in use, opened; a damaged one ends the page.

    So does choosing a file: its data set is shown as soon as it is there.
    """
    datasets = Datasets(Workspace.default())
    follow(use_data)
    if st.session_state.pop(LOADED, False):
        st.session_state[SOURCE] = SOURCES["loaded"]
    cards = {card.dataset_id: card for card in datasets.list()}
    chosen = _choose(cards)
    with st.container(horizontal=True, vertical_alignment="top", gap="medium", key="data_source"):
        source = _source()
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="data_choose"):
            if source == "loaded":
                _pick(cards, chosen)
                if chosen != DEMO:
                    offer_deleting_data(cards[chosen], _forget)
            elif source == "folder":
                ready = _pick_file(datasets)
    if source == "folder" and ready:
        _load(*ready)
    elif source == "upload":
        _load_upload(datasets)
    if source != "loaded":
        show(f"Until a file is loaded, <b>{as_html(cards[chosen].name)}</b> stays in use.", kind="quiet")
        show_deleted()
        st.stop()  # the choices of another data set, with its own Train button, would be taken for those of the new one
    show_deleted()
    try:
        data = _opened(str(datasets.workspace.root), chosen, cards[chosen].identity)
    except LdvaeError as fault:
        problem_box(fault)
        st.stop()
    _put_defaults(data)
    return data


def use_data(dataset_id: str) -> None:
    """Make it the data set in use, from the next rerun on."""
    st.session_state[DATA] = dataset_id
    st.query_params[DATA] = dataset_id


def _forget() -> None:
    st.session_state.pop(DATA, None)
    st.query_params.pop(DATA, None)


@st.cache_resource(max_entries=4, show_spinner="Opening the data set")
def _opened(root: str, dataset_id: str, identity: str) -> OpenData:
    datasets = Datasets(Workspace.default())
    counts = datasets.open(dataset_id)
    return OpenData(datasets.card(dataset_id), (root, dataset_id, identity), counts, describe(counts),
                    annotation_table(counts.annotations))  # fmt: skip


def _choose(cards: dict[str, DatasetCard]) -> str:
    """As the address says, else as in this session, else the demo; an address that names none is said to."""
    asked = st.query_params.get(DATA)
    if asked in cards:
        st.session_state[DATA] = asked
    elif asked is not None:
        problem_box(RunError("The data set named in the address is not on this server.", "Choose one, or load it."))
    if st.session_state.get(DATA) not in cards:
        st.session_state[DATA] = DEMO
    chosen = st.session_state[DATA]
    if asked != chosen:
        st.query_params[DATA] = chosen
    return chosen


def _pick(cards: dict[str, DatasetCard], chosen: str) -> None:
    names = [card.name for card in cards.values()]
    words = {
        key: plain(f"{card.name}{f' ({key[-4:]})' if names.count(card.name) > 1 else ''} · "
                   f"{card.n_cells:,} cells × {card.n_genes:,} genes", longest=120)
        for key, card in cards.items()
    }  # fmt: skip
    st.session_state[PICKER] = chosen  # the address decides; the picker follows
    st.selectbox("Data set", list(cards), format_func=lambda key: words.get(key, str(key)), key=PICKER, width=460,
                 on_change=lambda: use_data(st.session_state[PICKER]))  # fmt: skip


def _source() -> str:
    words = list(SOURCES.values())
    unset: dict[str, Any] = {} if SOURCE in st.session_state else {"default": words[0]}
    chosen = st.segmented_control("Data from", words, key=SOURCE, required=True, **unset)
    return next((source for source, word in SOURCES.items() if word == chosen), "loaded")


def _put_defaults(data: OpenData) -> None:
    """Start from the defaults for another data set: thresholds and columns of the last one mean nothing there."""
    demo = data.card.dataset_id == DEMO  # its genes were chosen already: choosing again would lose some
    defaults = {
        "label_column": data.summary.roles["cell_type"] or NONE,
        "min_counts": 0,
        "min_genes": 0,
        "mitochondrial_percent": 100.0,
        "gene_selection": "variance" if demo else "seurat_v3",
        "n_modelled": max(2, min(DEMO_GENES if demo else DataChoices.n_genes, data.summary.n_genes)),
        "batch_column": NONE,
        "keep_genes": "",
        "drop_mitochondrial": False,
        "drop_ribosomal": False,
        "gene_search": "",
    }
    another = st.session_state.get(CHOICES_OF) != data.key
    st.session_state[CHOICES_OF] = data.key
    for key, value in defaults.items():
        if another or key not in st.session_state:
            st.session_state[key] = value


def _pick_file(datasets: Datasets) -> tuple[str, str, Callable[[], str], bool] | None:
    """Arguments of _load for the chosen file; None when the folder is empty."""
    datasets.workspace.make()
    files = {file.file_id: file for file in datasets.data_files()}
    if not files:
        show(f"Nothing there yet: put a file into {_folder_words(datasets)}, then choose again.", kind="quiet")
        return None
    words = {key: plain(file.name) + (f" · {_size(file.size_bytes)}" if file.kind == "file" else " · folder")
             for key, file in files.items()}  # fmt: skip
    if st.session_state.get("data_file") not in (*files, None):  # taken away meanwhile
        del st.session_state["data_file"]
    chosen = st.selectbox("File on the server", list(files), format_func=lambda key: words.get(key, str(key)),
                          key="data_file", width=380)  # fmt: skip
    pressed = st.button("Load this file", icon=":material/table_view:", key="load_file")
    show(f"To see a file here, put it into {_folder_words(datasets)}.", kind="quiet")
    return f"file {chosen}", files[chosen].name, lambda: f"file {chosen}", pressed


def _load_upload(datasets: Datasets) -> None:
    most = min(MOST_UPLOADED // MB, int(st.get_option("server.maxUploadSize")))
    uploaded = st.file_uploader(
        "One file with the raw counts of cells and genes",
        type=[suffix.lstrip(".") for suffix in suffixes()],
        key="upload",
        help=f"Readable: {READABLE}.",
    )
    show(f"AnnData .h5ad, 10x .h5, .loom, or a table .csv or .tsv (also .gz), up to {most:,} MB. Larger files and "
         f"folders: put them into {_folder_words(datasets)}.", kind="quiet")  # fmt: skip
    if uploaded is None:
        return
    key = f"upload {uploaded.file_id}"
    _load(key, uploaded.name, lambda: f"upload {_kept(datasets, uploaded)}", not is_known(key))


def _kept(datasets: Datasets, uploaded: Any) -> str:
    """Keep an upload, so that it can be read otherwise; the one before it is kept no longer."""
    if (before := st.session_state.pop(KEPT, None)) is not None:
        datasets.drop_upload(before)
    with st.spinner(f"Keeping {literal(uploaded.name)}", show_time=True):
        st.session_state[KEPT] = upload_id = datasets.keep_upload(uploaded.name, uploaded)
    return upload_id


def _load(key: str, name: str, source: Callable[[], str], start: bool) -> None:
    """Have it read, and go on with the new data set; a refusal stays on screen as long as its file is chosen."""
    if start:
        begin(key, name, source)
        st.rerun()
    show_refused(key)


def _folder_words(datasets: Datasets) -> str:
    """Where the data folder is, for people; the whole path of a folder elsewhere is the server's own business."""
    folder, project = datasets.workspace.data_folder.resolve(), PROJECT.resolve()
    if folder.is_relative_to(project) and not is_installed():
        return f"<b>{as_html(folder.relative_to(project))}</b> in the program's folder on the server"
    if folder.is_relative_to(own_folder().resolve()):
        return f"<b>{as_html(folder)}</b>"  # of an installed package on a person's own machine
    return f"<b>data</b> in the server's workspace (the folder named by {HOME_VARIABLE})"


def _size(n_bytes: int) -> str:
    return f"{n_bytes / MB:,.1f} MB" if n_bytes >= MB / 10 else f"{n_bytes / 1000:,.1f} kB"
