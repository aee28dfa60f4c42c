"""Several loaded data sets as one, a sample each: a new data set, which is then in use."""

import streamlit as st

from ldvae_core.data.combining import SAMPLE
from ldvae_core.data.names import tidy_names
from ldvae_core.workspace.datasets import DatasetCard, Datasets
from ldvae_core.workspace.derived import Combine
from ldvae_core.workspace.folders import Workspace
from pages.parts.data.opened import OpenData
from pages.parts.data.reading import show_refused
from pages.parts.making import begin_making
from pages.parts.menus import menu
from pages.parts.text import plain

LONGEST_SAMPLE = 40  # characters


def offer_combining(data: OpenData) -> None:
    """A menu that takes two or more data sets and a name for each; the chosen ones stay as they are."""
    datasets = Datasets(Workspace.default())
    cards = {card.dataset_id: card for card in datasets.list()}
    with menu("Combine data sets", icon=":material/join:", type="tertiary", key="combine"):
        st.markdown("One file a sample? Load them all, then make them one data set here. Genes that all of them have "
                    f"are kept; the annotation *{SAMPLE}* tells them apart. Large ones take minutes, and the "
                    "page goes on meanwhile.")  # fmt: skip
        chosen = st.multiselect("Data sets", list(cards), default=[data.card.dataset_id],
                                format_func=lambda key: _words_of(cards, key), key="combine_sets",
                                select_all=False)  # fmt: skip
        said = [st.text_input(f"Name of sample {place + 1}", name, key=f"combine_name_{key}", max_chars=LONGEST_SAMPLE)
                for place, (key, name) in enumerate(_names_of([cards[key] for key in chosen]).items())]  # fmt: skip
        ready = len(chosen) > 1 and len({name.strip() for name in said} - {""}) == len(chosen)
        pressed = st.button("Combine", icon=":material/join:", key="combine_now", disabled=not ready)
        if not ready:
            st.caption("Choose two or more, each with a name of its own.")
        if pressed and ready:
            samples = {name.strip(): key for name, key in zip(said, chosen, strict=True)}
            begin_making("combine", "Combining", lambda: Combine(samples), menu="combine")
            st.rerun()
        show_refused("combine")


def _words_of(cards: dict[str, DatasetCard], key: str) -> str:
    """The name of a data set, with the end of its id where others are called the same."""
    name = cards[key].name if key in cards else key
    same = sum(card.name == name for card in cards.values()) > 1
    return plain(f"{name} ({key[-4:]})" if same else name, longest=60)


def _names_of(cards: list[DatasetCard]) -> dict[str, str]:
    """By id: what a data set is called without the ending of its file, each once."""
    names, _, _ = tidy_names((card.name.partition(".")[0][:LONGEST_SAMPLE] for card in cards), kind="sample")
    return {card.dataset_id: name for card, name in zip(cards, names.tolist(), strict=True)}
