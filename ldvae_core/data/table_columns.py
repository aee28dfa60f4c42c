"""What the columns of a text table hold: counts, or something about a cell or a gene."""

import re
from typing import Any

import numpy as np
import pandas as pd

from ldvae_core.data.names import listing
from ldvae_core.data.table_form import THOUSANDS
from ldvae_core.errors import CountsError

TABLE_REMEDY = "Write a table with names of genes along one side, names of cells along the other, raw counts between."
NO_COUNTS = re.compile(  # names of columns that say something of a cell or a gene, though they hold numbers
    r"(grand )?totals?|length|width"
    r"|chr(omosome)?|start|end|strand|gc([_ .]?content)?|fov|cell_?id|batch|sample|donor|orig\.ident|age|phase"
    r"|(leiden|louvain|doublets?|(seurat_)?clusters?|percent|pct|umap|tsne)([_. ].*)?|.*_snn_res.*"
    r"|n_?(count|feature|gene|umi)s?([_.].*)?|(total|log1p)_.*|(s|g2m)[_.]?score|(x|y|z)_?(coord.*|centroid|position)"
    r"|(center|centroid)_[xyz]|volume|area",
    re.IGNORECASE,
)
MOST_MEASURED = 0.2  # share of the columns of numbers that hold fractions, when these are no counts but the others are
ROWS_OF_TEXT = 0.1  # share of the rows
WORDED = 0.02  # share of numbers up to which a column is one of words


def is_number(dtype: Any) -> bool:
    """Whether a column holds numbers: true and false are none."""
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)


def holding_no_counts(body: pd.DataFrame, columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(told by their names, told by what they hold), both bool (n_columns,).

    Text, true and false, nothing at all; and fractions or numbers below zero, where few columns hold any.
    """
    numbers = np.asarray([is_number(dtype) for dtype in body.dtypes], dtype=bool)
    lower = [name.strip().lower() for name in columns]
    named = np.asarray([NO_COUNTS.fullmatch(name) is not None for name in lower], dtype=bool)
    if {"x", "y"} <= set(lower):
        named |= np.isin(lower, ["x", "y", "z"])
    blank = numbers & body.isna().all().to_numpy()
    measured = np.zeros(len(columns), dtype=bool)
    asked = np.flatnonzero(numbers & ~named & ~blank)
    values = body.iloc[:, asked].to_numpy(dtype=np.float64)
    measured[asked] = ((values < 0) | (np.rint(values) != values) & ~np.isnan(values)).any(axis=0)
    if measured.sum() > MOST_MEASURED * len(asked):
        measured[:] = False
    return named, ~numbers | blank | measured


def refuse_thousands(body: pd.DataFrame, names: pd.Series, columns: list[str]) -> None:
    """A gene with "1,234" among its counts would be taken for text. Raises CountsError with the row and the column."""
    kinds = [(int(position), dtype) for position, dtype in zip(body.columns, body.dtypes, strict=True)]
    for position in (position for position, dtype in kinds if not is_number(dtype)):
        texts = body[position].astype(str).reset_index(drop=True)
        grouped = np.flatnonzero(texts.str.fullmatch(THOUSANDS.pattern).to_numpy(dtype=bool))
        if len(grouped) and texts[~np.isin(np.arange(len(texts)), grouped)].str.fullmatch(r"\d+").all():
            row, column = str(names.iloc[grouped[0]])[:60], columns[position - 1][:60]
            mark = next(letter for letter in texts[int(grouped[0])] if not letter.isdigit())
            raise CountsError(
                f"The count {texts[int(grouped[0])]!r} in row {row!r}, column {column!r} has {_MARKS[mark]} for "
                "thousands.",
                "Write the table with plain numbers: in a spreadsheet, as numbers without separators.",
            )


_MARKS = {",": "a comma", ".": "a dot", "'": "an apostrophe", "’": "an apostrophe", " ": "a space"}


def refuse_text_rows(body: pd.DataFrame, names: pd.Series) -> None:
    """Rows of text above counts make every column text. Raises CountsError that names them."""
    if any(is_number(dtype) for dtype in body.dtypes) or body.empty:
        return
    numbers = body.apply(pd.to_numeric, errors="coerce").notna()
    worded = ~numbers.any(axis=1).to_numpy() & body.notna().any(axis=1).to_numpy()
    few = 0 < worded.sum() <= max(1, ROWS_OF_TEXT * len(body)) and not worded.all()
    if few and numbers[~worded].to_numpy().mean() > 0.5:
        raise CountsError(
            f"Rows of the table hold text among the counts: {listing(names[worded])}.",
            "Take these rows out; what they say of the cells can be added afterwards from a table of its own.",
        )


def are_mixed(column: pd.Series) -> bool:
    """Whether some values are numbers and others words."""
    if column.dtype != object and not isinstance(column.dtype, pd.StringDtype):
        return False
    known = column.dropna()
    share = float(pd.to_numeric(known.astype(str), errors="coerce").notna().mean()) if len(known) else 0.0
    return WORDED < share < 1


def clean_names(names: list[str]) -> list[str]:
    """Without spaces around them, and without single quotes where all have them."""
    names = [name.strip() for name in names]
    quoted = len(names) > 1 and all(len(name) > 1 and name[0] == name[-1] == "'" for name in names)
    return [name[1:-1] for name in names] if quoted else names


def text_place(column: pd.Series, names: list[str]) -> str:
    """The first value that is no number, and its row: for a refusal."""
    odd = np.flatnonzero(pd.to_numeric(column, errors="coerce").isna().to_numpy())
    return f" ({str(column.iloc[odd[0]])[:40]!r} in row {names[odd[0]][:60]!r})" if len(odd) else ""
