"""What correcting for an annotation would take out of the programs too: said before training, with the cross-table."""

import pandas as pd
import streamlit as st

from ldvae_core.analysis.confounding import Confounded, confounded, confounded_sentence, cross_table
from ldvae_core.data.annotations import guess_roles, label_columns
from ldvae_core.data.prepare import DataChoices, passing_cells
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import Workspace
from pages.parts.text import as_html, literal, plain, show
from pages.parts.train.plan import Data

MOST_SHOWN = 24  # levels of a side of a cross-table


def show_confounding(data: Data, covariates: list[str]) -> None:
    """A warning for every covariate that is another annotation, or tells it; covariates, else batches, by condition."""
    place = str(Workspace.default().root), data.card.dataset_id, data.card.identity, data.choices
    for covariate in covariates:
        for found in _confounded(*place, covariate, tuple(data.annotations)):
            with st.container(border=True, key=f"confounded_{covariate}_{found.other}"):
                show(f"<b>{as_html(confounded_sentence(found), longest=400)}</b>")
    roles = _roles(*place)
    condition = roles["condition"]
    rows = covariates or [name for name in (roles["batch"], roles["donor"]) if name is not None][:1]
    for name in rows:
        if condition is None or name == condition:
            continue
        table = _crossed(*place, name, condition)
        if max(table.shape) <= MOST_SHOWN:
            with st.expander(f"Cells of {literal(name, longest=30)} by {literal(condition, longest=30)}"):
                st.dataframe(table.rename(index=plain, columns=plain), width="stretch", key=f"crossed_{name}")


@st.cache_data(max_entries=64, show_spinner=False)
def _confounded(
    root: str, dataset_id: str, identity: str, choices: DataChoices, covariate: str, others: tuple[str, ...]
) -> list[Confounded]:
    table = _annotations(dataset_id, choices)
    return confounded(table, covariate, others) if covariate in table else []


@st.cache_data(max_entries=64, show_spinner=False)
def _crossed(root: str, dataset_id: str, identity: str, choices: DataChoices, rows: str, columns: str) -> pd.DataFrame:
    return cross_table(_annotations(dataset_id, choices), rows, columns)


@st.cache_data(max_entries=32, show_spinner=False)
def _roles(root: str, dataset_id: str, identity: str, choices: DataChoices) -> dict[str, str | None]:
    return guess_roles(_annotations(dataset_id, choices))


def _annotations(dataset_id: str, choices: DataChoices) -> pd.DataFrame:
    """The annotations that group cells, of the cells that pass the filters: those are what is trained on."""
    matrix = Datasets(Workspace.default()).open(dataset_id)
    table = matrix.annotations[passing_cells(matrix, choices)]
    return table[list(label_columns(table))]
