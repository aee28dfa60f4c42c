"""The table of the cells: made plain enough to be saved, and which of its columns are labels."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ldvae_core.data.names import LONGEST_NAME, listing, tidy_names
from ldvae_core.data.stored_types import is_nullable, plain_numbers, storable_text

MOST_LABELS = 100  # distinct values; a column with more, on few cells each, names the cells instead of grouping them
CELLS_PER_LABEL = 1_000  # ... unless there are that many cells for each

_NO_VALUE = ("", "na", "nan", "none", "n/a", "<na>", "null")

_ROLE_NAMES: dict[str, tuple[str, ...]] = {
    "cell_type": (
        "cell_type", "celltype", "cell_types", "celltypes", "cell_ontology_class", "predicted_celltype", "cell_label",
        "annotation", "cell_annotation", "annot", "cell_identity", "label", "labels", "clusters", "cluster",
        "clustername", "clusters_fine", "leiden", "louvain", "seurat_clusters",
    ),
    "donor": ("donor", "donor_id", "individual", "ind", "patient", "patient_id", "subject", "subject_id", "mouse",
              "mouse_id", "animal", "animal_id", "embryo", "embryo_id"),
    "batch": ("batch", "batch_id", "sequencing_batch", "library", "library_id", "channel", "lane", "plate", "run",
              "sample", "sample_id", "orig_ident", "dataset", "tech", "technology", "assay"),
    "condition": ("condition", "treatment", "stim", "stimulation", "disease", "status", "genotype", "stage",
                  "timepoint", "time_point", "time", "age", "group", "perturbation"),
}  # fmt: skip

_REFERENCES = ("control", "ctrl", "unstimulated", "untreated", "vehicle", "mock", "healthy", "normal", "wildtype", "wt",
               "baseline", "none")  # fmt: skip


def reference_level(levels: Sequence[str]) -> str | None:
    """The level that the others are compared with, by its name: a control, a wild type; None: none is called so."""
    return next((level for level in levels if _plain(level) in _REFERENCES), None)


def names_sample(column: str) -> bool:
    """Whether a column of that name tells donors, samples or batches, whatever it writes them as."""
    return _plain(column) in map(_plain, (*_ROLE_NAMES["donor"], *_ROLE_NAMES["batch"]))


def only_name_things(column: str, different: np.ndarray) -> bool:
    """Whether numbers stand for levels, not amounts: two values, donors or batches, or 0, 1, 2 ... or 1, 2, 3 ...

    different: the distinct values, ascending.
    """
    counted = bool((np.diff(different) == 1).all()) and different[0] in (0, 1)
    return len(different) <= 2 or names_sample(column) or counted


def is_amount(column: pd.Series) -> bool:
    """Whether an annotation of cells is a number with a slope, such as an age, and no level of anything."""
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        return False
    different = np.unique(column.dropna().to_numpy(np.float64))
    different = different[np.isfinite(different)]
    return bool(len(different)) and not only_name_things(str(column.name), different)


def label_columns(annotations: pd.DataFrame) -> tuple[str, ...]:
    """Columns that group the cells: text, categories or true/false, with few enough values to colour by.

    A column with more than max(100, one per 1,000 cells) values is an identifier, and one of numbers a measurement.
    """
    return tuple(str(name) for name in annotations.columns if _is_label(annotations[name]))


def guess_roles(annotations: pd.DataFrame) -> dict[str, str | None]:
    """Which column seems to hold the cell_type, donor, batch and condition, by its name.

    Only label columns with at least two values are considered. The dict has exactly these four keys; None: none fits.
    """
    candidates: dict[str, str] = {}
    for name in label_columns(annotations):
        if annotations[name].nunique() >= 2:
            candidates.setdefault(_plain(name), name)
    return {
        role: next((candidates[_plain(name)] for name in names if _plain(name) in candidates), None)
        for role, names in _ROLE_NAMES.items()
    }


def tidy_annotations(annotations: pd.DataFrame | None, cell_ids: np.ndarray) -> tuple[pd.DataFrame, list[str]]:
    """The table with cell_ids as its index, every column of a plain type, and a notice for each thing left out."""
    index = pd.Index(cell_ids, dtype=object)
    if annotations is None or annotations.shape[1] == 0:
        return pd.DataFrame(index=index), []
    usable = [not tidy_names([name], kind="annotation column")[1] for name in annotations.columns]
    unusable = annotations.columns[~np.asarray(usable, dtype=bool)]
    annotations = annotations.loc[:, usable]
    names, _, notices = tidy_names(annotations.columns, kind="annotation column")
    if len(unusable):
        notices.append(f"Annotation columns whose names cannot be shown were left out: {listing(unusable)}.")
    columns, left_out = {}, []
    for position, name in enumerate(names.tolist()):
        column = _plain_column(annotations.iloc[:, position])
        if column is None:
            left_out.append(name)
        else:
            columns[name] = column.set_axis(index)
    missing = [name for name, column in columns.items() if _is_missing(column)]
    if missing and len(index):
        notices.append(f"Annotation columns in which every value is missing: {listing(missing)}.")
    if left_out:
        notices.append(f"Annotation columns that are neither text nor numbers were left out: {listing(left_out)}.")
    return pd.DataFrame(columns, index=index), notices


def _is_label(column: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        return False
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return False
    distinct = column.nunique()
    return 1 <= distinct <= max(MOST_LABELS, len(column) // CELLS_PER_LABEL) and 2 * distinct <= max(len(column), 2)


def _is_missing(column: pd.Series) -> bool:
    """Whether there is no value, or only what programs write in its place."""
    distinct = column.dropna().unique()[:5]
    return all(isinstance(value, str) and value.strip().lower() in _NO_VALUE for value in distinct)


def _plain_column(column: pd.Series) -> pd.Series | None:
    """Numbers, true/false, dates and text stay; categories become text categories; anything else is None."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype) and len(dtype.categories):  # without any, Parquet keeps text, too
        texts = [_cut(value) for value in dtype.categories]
        if len(set(texts)) < len(texts):
            return None
        return pd.Series(column.cat.rename_categories(texts).array)
    if pd.api.types.is_object_dtype(dtype) or isinstance(dtype, pd.StringDtype | pd.CategoricalDtype):
        return _text_column(column)
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        return pd.Series(column.array if is_nullable(column) else plain_numbers(column))
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return pd.Series((column.dt.as_unit("ms") if column.dt.unit == "s" else column).array)  # Parquet has no seconds
    return None


def _text_column(column: pd.Series) -> pd.Series | None:
    missing = column.isna().to_numpy()
    values = column.to_numpy(dtype=object)
    if any(isinstance(value, list | tuple | dict | np.ndarray) for value in values[:100]):
        return None
    return pd.Series([None if gone else _cut(value) for value, gone in zip(values, missing, strict=True)], dtype=object)


def _cut(value: object) -> str:
    """Text that can be saved and shown; bytes are read as UTF-8, and a book in a label is cut."""
    text = storable_text(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 3]}..."


def _plain(name: str) -> str:
    return "".join(letter for letter in str(name).lower() if letter.isalnum())
