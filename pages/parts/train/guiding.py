"""Gene sets that guide factors: chosen from those that come with the program or from a file, under Advanced."""

import streamlit as st

from ldvae_core.data.genes import guess_species
from ldvae_core.data.genesets import Species, collections, collections_for, load_collection
from ldvae_core.data.gmt import LARGEST_FILE, GeneSets, read_own_bytes
from ldvae_core.data.guide import FEWEST_MODELLED, Guide
from ldvae_core.errors import LdvaeError
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import Workspace
from pages.parts.problems import problem_box
from pages.parts.runs import store
from pages.parts.text import plain, show
from pages.parts.train.plan import Data

NONE, OWN = "none", "own"
KEPT = "train_guide_file"  # the sets of the file taken in last, which a visit to another page would forget
ABOUT = (
    "Each set informs one factor: the axis of the model that holds most of its genes. The data add and drop genes, "
    "which the factor's card lists; the other factors stay free, and no prediction changes."
)


def show_guide(data: Data, n_factors: int) -> Guide:
    """What is chosen; an empty guide for nothing."""
    titles = {NONE: "no gene sets", **_shipped(data), OWN: "a file of my own (GMT)"}
    if st.session_state.get("train_guide") not in (*titles, None):  # other data, another species
        del st.session_state["train_guide"]
    with st.container(gap="xxsmall"):
        source = st.selectbox("Guide factors by", list(titles), format_func=lambda key: titles.get(key, key),
                              key="train_guide", persist_state="session")  # fmt: skip
        if source == NONE:
            return Guide()
        show(ABOUT, kind="quiet")
        found = _own() if source == OWN else _collection(source, _species_of(data))
        return Guide() if found is None else _chosen(found, n_factors)


def _chosen(found: GeneSets, n_factors: int) -> Guide:
    known, key = list(found.sets), f"train_guide_sets_{found.digest}"
    names = st.multiselect(
        "Gene sets", known, default=known if len(known) <= n_factors and found.title not in _titles() else [],
        key=key, max_selections=n_factors, format_func=plain, persist_state="session",
        placeholder=f"up to {n_factors}, one a factor",
        help=f"A set needs at least {FEWEST_MODELLED} of the modelled genes.",
    )  # fmt: skip
    try:
        return Guide.of(found, tuple(names))
    except LdvaeError as fault:
        problem_box(fault)
        return Guide()


def _own() -> GeneSets | None:
    given = st.file_uploader("GMT file", type=["gmt", "txt", "gz"], key="train_guide_gmt",
                             max_upload_size=LARGEST_FILE >> 20,
                             help="One set a line: name, description, genes, separated by tabs.")  # fmt: skip
    if given is not None:
        try:
            st.session_state[KEPT] = _read(given.getvalue(), given.name)
        except LdvaeError as fault:
            problem_box(fault)
            return None
    return st.session_state.get(KEPT)


@st.cache_data(max_entries=8, show_spinner="Reading the gene sets")
def _read(content: bytes, title: str) -> GeneSets:
    return read_own_bytes(content, title)


def _titles() -> set[str]:
    return {each.title for each in collections()}


def _shipped(data: Data) -> dict[str, str]:
    return {each.key: each.title for each in collections_for(_species_of(data))}


@st.cache_resource(max_entries=8, show_spinner=False)
def _collection(key: str, species: Species | None) -> GeneSets:
    return load_collection(key, species)


def _species_of(data: Data) -> Species | None:
    return _species(str(store().workspace.root), data.card.dataset_id)


@st.cache_data(max_entries=32, show_spinner=False)
def _species(root: str, dataset_id: str) -> Species | None:
    return guess_species(Datasets(Workspace.default()).open(dataset_id).gene_names)
