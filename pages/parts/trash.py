"""What was deleted in the last ten minutes, with the way back."""

import functools
from collections.abc import Callable

import streamlit as st

from ldvae_core.errors import LdvaeError
from ldvae_core.runs.cards import RunCard
from ldvae_core.workspace.datasets import DatasetCard, Datasets
from pages.parts.runs import RUN, store
from pages.parts.text import as_html, clock, count, plain, show
from pages.parts.undo import offer_undo, say_refused


def offer_deleting(card: RunCard) -> None:
    """A button that deletes a run, which can be had back for ten minutes."""
    st.button("Delete", key=f"delete_{card.run_id}", icon=":material/delete:", on_click=_delete_run, args=(card,),
              help="With all its results. It can be had back for ten minutes.")  # fmt: skip


def offer_deleting_data(card: DatasetCard, forget: Callable[[], None]) -> None:
    """A button that deletes a data set, which can be had back for ten minutes. forget: that it was in use."""
    st.button("Delete", key=f"delete_data_{card.dataset_id}", icon=":material/delete:", type="tertiary",
              on_click=_delete_data, args=(card, forget),
              help="From this program; your file stays where it is, and runs keep what they learned from. It can be "
              "had back for ten minutes.")  # fmt: skip


def show_deleted() -> None:
    """Runs and data sets that can be had back; nothing where there are none."""
    runs, data = store().deleted(), Datasets(store().workspace).deleted()
    if not runs and not data:
        return
    with st.expander(f"Deleted in the last ten minutes ({len(runs) + len(data)})", icon=":material/delete_history:",
                     key="deleted"):  # fmt: skip
        for run_id, name, left in runs:
            _row(run_id, f"Run {name}", left, functools.partial(store().restore, run_id),
                 functools.partial(store().jobs.empty_trash, run_id))  # fmt: skip
        for card, left in data:
            datasets = Datasets(store().workspace)
            _row(card.dataset_id, f"Data set {card.name}", left, functools.partial(datasets.restore, card.dataset_id),
                 functools.partial(datasets.empty_trash, card.dataset_id))  # fmt: skip


def _row(key: str, words: str, left: float, restore: Callable[[], None], remove: Callable[[], None]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        show(f"{as_html(words)} <span class=gpe-quiet>for {as_html(clock(left))} more</span>", width="content")
        st.button("Restore", key=f"restore_{key}", icon=":material/undo:", on_click=_click, args=(restore,))
        st.button("Delete now", key=f"remove_{key}", type="tertiary", on_click=_click, args=(remove,),
                  help="For good; this frees the disk.")  # fmt: skip


def _delete_run(card: RunCard) -> None:
    if _try(lambda: store().delete(card.run_id)):
        if st.session_state.get(RUN) == card.run_id:
            st.session_state.pop(RUN)
            st.query_params.pop(RUN, None)
        offer_undo(f"The run {plain(card.name)} is deleted.", lambda: store().restore(card.run_id), lasting=True)


def _delete_data(card: DatasetCard, forget: Callable[[], None]) -> None:
    if _try(lambda: store().delete_data(card.dataset_id)):
        forget()
        runs = [other for other in store().cards() if other.settings and other.settings.data_source == card.dataset_id]
        kept = f" {count(len(runs), 'run')} of it stay{'s' * (len(runs) == 1)}." if runs else ""
        offer_undo(f"The data set {plain(card.name)} is deleted.{kept}",
                   lambda: Datasets(store().workspace).restore(card.dataset_id), lasting=True)  # fmt: skip


def _click(work: Callable[[], None]) -> None:
    _try(work)


def _try(work: Callable[[], None]) -> bool:
    try:
        work()
    except LdvaeError as fault:
        say_refused(fault)
        return False
    return True
