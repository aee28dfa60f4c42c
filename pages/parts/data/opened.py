"""A data set opened for the Data page, and its annotation columns as a table."""

from dataclasses import dataclass

import pandas as pd

from ldvae_core.data.annotations import guess_roles, label_columns
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.describe import DataSummary
from ldvae_core.plots.theme import three_digits
from ldvae_core.workspace.datasets import DatasetCard
from pages.parts.text import percent, plain

NONE = ""  # no column can be called so
ROLE_WORDS = {"cell_type": "cell type", "donor": "donor", "batch": "sequencing batch", "condition": "condition"}
MOST_FREQUENT = 4
LONGEST_VALUE = 32  # characters


@dataclass(frozen=True, eq=False)
class OpenData:
    """A data set with what the page says about it; shared by all visitors: read-only."""

    card: DatasetCard
    key: tuple[str, str, str]  # workspace, id, identity: what a cached result belongs to
    counts: CountMatrix
    summary: DataSummary
    columns: pd.DataFrame  # annotation_table


def annotation_table(annotations: pd.DataFrame) -> pd.DataFrame:
    """One row a column: Column, Kind, Levels (distinct values), Looks like (guessed role), Values (most frequent)."""
    roles = {column: ROLE_WORDS[role] for role, column in guess_roles(annotations).items() if column is not None}
    labels = set(label_columns(annotations))
    rows = [
        (plain(name), _kind(annotations[name], name in labels), annotations[name].nunique(), roles.get(name, ""),
         _values(annotations[name]))
        for name in annotations.columns
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["Column", "Kind", "Levels", "Looks like", "Values"])


def _kind(column: pd.Series, is_label: bool) -> str:
    if pd.api.types.is_bool_dtype(column.dtype):
        return "true / false"
    if pd.api.types.is_numeric_dtype(column.dtype):
        return "numbers"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "dates"
    return "labels" if is_label else "text"


def _values(column: pd.Series) -> str:
    """The most frequent values with their shares; of numbers the median and the range."""
    present = column.dropna()
    if present.empty:
        return "all missing"
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        low, middle, high = (three_digits(float(value)) for value in present.quantile([0, 0.5, 1]))
        text = f"median {middle}, {low} to {high}"
    elif present.nunique() == len(present):
        text = f"all different, such as {plain(present.iloc[0], longest=LONGEST_VALUE)}"
    else:
        shares = present.value_counts().head(MOST_FREQUENT) / len(column)
        text = ", ".join(f"{plain(value, longest=LONGEST_VALUE)} {percent(share)}" for value, share in shares.items())
    missing = 1 - len(present) / len(column)
    return text + (f"; {percent(missing)} missing" if missing else "")
