"""Raw counts out of an .h5ad: only the counts, the annotations of the cells and the names of the genes are read."""

import contextlib
import json
import re
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from anndata.io import read_elem

from ldvae_core.data.damage import OF_FILES
from ldvae_core.data.gate import referenced_dataset
from ldvae_core.data.opened import Candidate, Side
from ldvae_core.data.own_maps import read_maps
from ldvae_core.data.stored import DAMAGED_REMEDY, Stored, as_text, stored_matrix
from ldvae_core.data.stored_names import decode_all, encode
from ldvae_core.data.stored_types import restored
from ldvae_core.errors import CountsError

COUNT_LAYERS = ("counts", "raw_counts", "count", "raw", "umi", "umis", "umi_counts", "molecules", "spliced")
MOST_COLUMNS = 1_000
MOST_COLOURS = 500  # categories of one annotation


def anndata_candidates(root: Any, *, group: str = "") -> tuple[Candidate, ...]:
    """The matrices of an opened AnnData store that has passed its gate, X first, in the order of preference.

    Then layers named for counts, raw, any other layer. group: the modality, where the file holds several. Raises
    CountsError when there is no matrix, or the first is damaged.
    """
    raw_var = _raw_var(root)
    ours = "uns" in root and hasattr(root["uns"], "keys") and "ldvae" in root["uns"]  # our exports know their sides

    @cache
    def cells(n_rows: int) -> Side:
        side = _frame(root["obs"], n_rows, "obs", uns=root.get("uns", {}))
        return side._replace(maps=lambda: read_maps(root, side.table))

    @cache
    def genes(n_columns: int) -> Side:
        return _frame(root["var"], n_columns, "var", uns=root.get("uns", {}))

    @cache
    def raw_genes(n_columns: int) -> Side:
        return genes(n_columns) if raw_var is None else _frame(raw_var, n_columns, "raw.var", uns=root.get("uns", {}))

    def candidate(where: str, stored: Stored) -> Candidate:
        of_genes = raw_genes if where == "raw.X" else genes
        return Candidate(
            where,
            stored,
            rows=lambda: cells(stored.n_rows),
            columns=lambda: of_genes(stored.n_columns),
            genes_in="columns" if ours else None,
            group=group,
            about=lambda obs: _given_colours(root, obs),
        )

    return tuple(candidate(where, stored) for where, stored in _matrices_of(root))


def _frame(element: Any, n_rows: int, where: str, uns: Any) -> Side:
    table, left_out = read_frame(element, n_rows, where, uns=uns)
    name = str(table.index.name or "index")
    beyond = () if hasattr(element, "dtype") else _columns_of(element)[MOST_COLUMNS:]
    return Side(table, "index" if name in ("_index", "index") else name, tuple(left_out), beyond=tuple(beyond))


def read_frame(element: Any, n_rows: int, where: str, *, uns: Any) -> tuple[pd.DataFrame, list[str]]:
    """A table (obs or var) column by column: (table with its names as index, columns that could not be read).

    uns: where anndata before 0.8 kept the categories of columns of codes. Raises CountsError when the names themselves
    cannot be read or are not n_rows many.
    """
    if hasattr(element, "dtype"):
        table = _read_compound(element, n_rows, where)
        return pd.DataFrame(
            {name: _with_old_categories(table[name], str(name), uns) for name in table}, table.index
        ), []
    key, present = _key_of(element), set(element.keys())
    names = _read_column(element, key, n_rows) if key in present else None
    if names is None:
        raise CountsError(
            f"The names in {where} cannot be read, or are not {n_rows:,} as the matrix asks.", DAMAGED_REMEDY
        )
    columns = {name: _read_column(element, name, n_rows) for name in _columns_of(element)[:MOST_COLUMNS]}
    left_out = [name for name, column in columns.items() if column is None]
    called = decode_all(columns)
    kept = {name: pd.Series(column).reset_index(drop=True) for name, column in columns.items() if column is not None}
    kept = {called[name]: _with_old_categories(column, name, uns) for name, column in kept.items()}
    index = pd.Index(list(map(as_text, names)), dtype=object, name=key)
    table = pd.DataFrame(kept, index=range(n_rows)).set_axis(index)
    return table, left_out


def _key_of(element: Any) -> str:
    """The column of a table that holds its names."""
    key = as_text(element.attrs.get("_index", "_index"))
    present = set(element.keys())
    return key if key in present else next((name for name in ("_index", "index") if name in present), key)


def _columns_of(element: Any) -> list[str]:
    """The other columns, in their order, as they are stored."""
    key, present = _key_of(element), set(element.keys())
    order = [as_text(name) for name in np.atleast_1d(element.attrs.get("column-order", sorted(present)))]
    return [name for name in order if _holds(element, name, present) and name != key and not name.startswith("__")]


def _with_old_categories(column: pd.Series, name: str, uns: Any) -> pd.Series:
    """A column of codes with its categories, where uns["<column>_categories"] holds them; else as it is."""
    key = f"{name}_categories"
    if column.dtype.kind not in "iu" or "/" in key or not hasattr(uns, "keys") or key not in uns:
        return column
    categories = _read_column(uns, key, uns[key].shape[0]) if getattr(uns[key], "ndim", 0) == 1 else None
    if categories is None or not len(categories) or int(column.max()) >= len(categories) or int(column.min()) < -1:
        return column
    names = pd.Index([as_text(value) for value in categories])
    if not names.is_unique:
        return column
    return pd.Series(pd.Categorical.from_codes(column.to_numpy(), names), index=column.index)


def _holds(group: Any, name: str, present: set[str]) -> bool:
    """Whether a group with these members holds this; a name with "/" lies in groups within it."""
    nested = "/" in name and not {"", ".", ".."} & set(name.split("/"))
    return name in present or (nested and name in group)


def _matrices(group: Any, before: str = "") -> list[str]:
    """Names of the matrices of a group: those with "/" lie in groups of their own."""
    found = []
    for name in sorted(group):
        element = group[name]
        nested = hasattr(element, "keys") and "data" not in element and "encoding-type" not in element.attrs
        found += _matrices(element, f"{before}{name}/") if nested else [f"{before}{name}"]
    return found


def _given_colours(root: Any, obs: pd.DataFrame) -> dict[str, str]:
    """{"colours": JSON of {annotation: {category: "#RRGGBB"}}} from uns["<annotation>_colors"]; {} without any."""
    uns = root.get("uns", {})
    found: dict[str, dict[str, str]] = {}
    for name in obs.columns:
        if not isinstance(obs[name].dtype, pd.CategoricalDtype) or not hasattr(uns, "keys"):
            continue
        categories = [str(category) for category in obs[name].cat.categories]
        with contextlib.suppress(*OF_FILES):  # no damage to colours keeps anybody from the counts
            given = _colours_of(uns, f"{encode(name)}_colors", categories)
            found |= {str(name): given} if given else {}
    return {"colours": json.dumps(found)} if found else {}


def _colours_of(uns: Any, key: str, categories: list[str]) -> dict[str, str]:
    """key: never a path, which would lead to what the gate did not look at."""
    colours = _read_column(uns, key, len(categories)) if key in uns else None
    if colours is None or len(categories) > MOST_COLOURS:
        return {}
    hexes = [as_text(colour)[:7].upper() for colour in np.atleast_1d(colours)]
    return {c: h for c, h in zip(categories, hexes, strict=True) if re.fullmatch("#[0-9A-F]{6}", h)}


def _matrices_of(root: Any) -> list[tuple[str, Stored]]:
    """Only the first is required to be well formed."""
    elements = [("X", root["X"])] if "X" in root and not _is_null(root["X"]) else []
    layers = _matrices(root["layers"]) if "layers" in root and hasattr(root["layers"], "keys") else []
    named = [name for wanted in COUNT_LAYERS for name in layers if name.lower().split("/")[-1] == wanted]
    elements += [(f"layers['{name}']", root["layers"][name]) for name in named]
    if "raw" in root and hasattr(root["raw"], "keys") and "X" in root["raw"]:
        elements.append(("raw.X", root["raw"]["X"]))
    elif "raw.X" in root:  # anndata before 0.7
        elements.append(("raw.X", root["raw.X"]))
    elements += [(f"layers['{name}']", root["layers"][name]) for name in layers if name not in named]
    if not elements:
        raise CountsError("The file holds no matrix: neither X, nor layers, nor raw.", DAMAGED_REMEDY)
    found = [(elements[0][0], stored_matrix(elements[0][1], elements[0][0]))]
    for where, element in elements[1:]:
        with contextlib.suppress(CountsError):
            found.append((where, stored_matrix(element, where)))
    return found


def _raw_var(root: Any) -> Any | None:
    """The table of the genes of raw, wherever anndata put it."""
    if "raw" in root and hasattr(root["raw"], "keys") and "var" in root["raw"]:
        return root["raw"]["var"]
    return root.get("raw.var")


def _read_column(group: Any, name: str, n_rows: int) -> Any | None:
    """One column, or None when it is damaged, of another length, or not one value a row."""
    element = group[name]
    shape = getattr(element, "shape", None)
    if shape is not None and shape != (n_rows,):
        return None
    try:
        if shape is not None and "categories" in element.attrs:
            return _read_old_categories(group, element)
        column = restored(read_elem(element), element.attrs)
    except Exception:  # noqa: BLE001  # errors of every kind, and one bad column must not refuse a good matrix
        return None
    return column if np.shape(column) == (n_rows,) else None


def _read_old_categories(group: Any, element: Any) -> "pd.Categorical[str]":
    """Categories as written before anndata 0.8: the column holds codes and points at its categories."""
    categories = read_elem(referenced_dataset(group.file, element.attrs["categories"]))
    return pd.Categorical.from_codes(element[:], pd.Index([as_text(value) for value in categories]))


def _read_compound(element: Any, n_rows: int, where: str) -> pd.DataFrame:
    """A table as written before anndata 0.7: one dataset whose records are the rows."""
    if element.dtype.names is None or element.shape != (n_rows,):
        raise CountsError(f"{where} is not a table of {n_rows:,} rows as the matrix asks.", DAMAGED_REMEDY)
    table = pd.DataFrame.from_records(element[:])
    for name in table.select_dtypes(object).columns:
        table[name] = [as_text(value) for value in table[name]]
    key = next((name for name in ("index", "_index") if name in table), table.columns[0])
    return table.set_index(key)


def _is_null(element: Any) -> bool:
    return as_text(element.attrs.get("encoding-type", "")) == "null" or getattr(element, "shape", ()) is None
