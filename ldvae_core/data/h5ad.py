"""Raw counts out of an .h5ad: only the counts, the annotations of the cells and the names of the genes are read."""

import json
import re
from typing import Any

import numpy as np
import pandas as pd
from anndata.io import read_elem

from ldvae_core.data.counts import CountMatrix, make_count_matrix
from ldvae_core.data.gate import referenced_dataset
from ldvae_core.data.names import listing
from ldvae_core.data.orient import gene_naming, is_transposed
from ldvae_core.data.places import DAMAGED_REMEDY, Place, find_place, take_counts
from ldvae_core.data.stored_names import decode_all, encode
from ldvae_core.data.stored_types import restored
from ldvae_core.errors import CountsError

COUNT_LAYERS = ("counts", "raw_counts", "count", "raw", "umi", "umis", "umi_counts", "molecules", "spliced")
MOST_COLUMNS = 1_000
MOST_COLOURS = 500  # categories of one annotation
EXPRESSIONS = ("gene expression", "gex", "rna", "gene", "genes")  # what is modelled, against antibodies and guides


def read_anndata(root: Any) -> CountMatrix:
    """Counts of an opened AnnData store that has passed its gate.

    Taken from X, else a layer named for counts, else raw, else any layer: the first with whole numbers >= 0.
    Raises CountsError: parts missing or damaged, no raw counts anywhere.
    """
    counts, place, notices = take_counts(_candidates(root))
    obs, left_out = read_frame(root["obs"], place.n_rows, "obs")
    genes = root["raw"]["var"] if place.where == "raw.X" and "var" in root["raw"] else root["var"]
    var, _ = read_frame(genes, place.n_columns, "raw.var" if place.where == "raw.X" else "var")
    if left_out:
        notices.append(f"Annotation columns that could not be read were left out: {listing(left_out)}.")
    if is_transposed(obs.index.tolist(), var.index.tolist()):
        counts, obs, var = counts.T.tocsr(), var, obs
        notices.append("Rows hold genes and columns cells in this file: turned around.")
    expression = _expression_genes(var)
    if expression is not None:
        notices.append(f"{int((~expression).sum()):,} features are not gene expression (such as antibodies): left out.")
        counts, var = counts[:, expression], var[expression]
    names, ids, naming = gene_naming(var)
    return make_count_matrix(
        counts,
        cell_ids=obs.index,
        gene_names=names,
        gene_ids=ids,
        annotations=obs,
        counts_from=place.where,
        notices=(*notices, *naming),
        about=_given_colours(root, obs),
    )


def read_frame(element: Any, n_rows: int, where: str) -> tuple[pd.DataFrame, list[str]]:
    """A table (obs or var) column by column: (table with its names as index, columns that could not be read).

    Raises CountsError when the names themselves cannot be read or are not n_rows many.
    """
    if hasattr(element, "dtype"):
        return _read_compound(element, n_rows, where), []
    key = _text(element.attrs.get("_index", "_index"))
    present = set(element.keys())
    if key not in present:
        key = next((name for name in ("_index", "index") if name in present), key)
    names = _read_column(element, key, n_rows) if key in present else None
    if names is None:
        raise CountsError(
            f"The names in {where} cannot be read, or are not {n_rows:,} as the matrix asks.", DAMAGED_REMEDY
        )
    order = [_text(name) for name in np.atleast_1d(element.attrs.get("column-order", sorted(present)))]
    order = [name for name in order if _holds(element, name, present) and name != key and not name.startswith("__")]
    columns = {name: _read_column(element, name, n_rows) for name in order[:MOST_COLUMNS]}
    left_out = [name for name, column in columns.items() if column is None] + order[MOST_COLUMNS:]
    called = decode_all(columns)
    kept = {called[name]: pd.Series(column) for name, column in columns.items() if column is not None}
    table = pd.DataFrame(kept, index=range(n_rows)).set_axis(pd.Index(list(map(_text, names)), dtype=object))
    return table, left_out


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
        key = f"{encode(name)}_colors"  # never a path, which would lead to what the gate did not look at
        if not isinstance(obs[name].dtype, pd.CategoricalDtype) or not hasattr(uns, "keys") or key not in uns:
            continue
        categories = [str(category) for category in obs[name].cat.categories]
        colours = _read_column(uns, key, len(categories))
        if colours is None or len(categories) > MOST_COLOURS:
            continue
        hexes = [_text(colour)[:7].upper() for colour in np.atleast_1d(colours)]
        given = {c: h for c, h in zip(categories, hexes, strict=True) if re.fullmatch("#[0-9A-F]{6}", h)}
        found |= {str(name): given} if given else {}
    return {"colours": json.dumps(found)} if found else {}


def _candidates(root: Any) -> list[Place]:
    """The matrices of the file in the order of preference; only the first is required to be well formed."""
    elements = [("X", root["X"])] if "X" in root and not _is_null(root["X"]) else []
    layers = _matrices(root["layers"]) if "layers" in root and hasattr(root["layers"], "keys") else []
    named = [name for wanted in COUNT_LAYERS for name in layers if name.lower().split("/")[-1] == wanted]
    elements += [(f"layers['{name}']", root["layers"][name]) for name in named]
    if "raw" in root and hasattr(root["raw"], "keys") and "X" in root["raw"]:
        elements.append(("raw.X", root["raw"]["X"]))
    elements += [(f"layers['{name}']", root["layers"][name]) for name in layers if name not in named]
    if not elements:
        raise CountsError("The file holds no matrix: neither X, nor layers, nor raw.", DAMAGED_REMEDY)
    places = [find_place(elements[0][1], elements[0][0])]
    for where, element in elements[1:]:
        try:
            places.append(find_place(element, where))
        except CountsError:
            continue
    return places


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
    return pd.Categorical.from_codes(element[:], pd.Index([_text(value) for value in categories]))


def _read_compound(element: Any, n_rows: int, where: str) -> pd.DataFrame:
    """A table as written before anndata 0.7: one dataset whose records are the rows."""
    if element.dtype.names is None or element.shape != (n_rows,):
        raise CountsError(f"{where} is not a table of {n_rows:,} rows as the matrix asks.", DAMAGED_REMEDY)
    table = pd.DataFrame.from_records(element[:])
    for name in table.select_dtypes(object).columns:
        table[name] = [_text(value) for value in table[name]]
    key = next((name for name in ("index", "_index") if name in table), table.columns[0])
    return table.set_index(key)


def _expression_genes(var: pd.DataFrame) -> np.ndarray | None:
    """Which features are genes, where the file mixes them with others; None when all are."""
    kinds = next((var[name] for name in ("feature_types", "feature_type") if name in var), None)
    if kinds is None:
        return None
    genes = are_genes(kinds)
    return genes if genes.any() and not genes.all() else None


def are_genes(kinds: Any) -> np.ndarray:
    """Which features are genes by their kind, in whatever spelling: bool, one a feature."""
    return np.asarray([str(kind).strip().lower() in EXPRESSIONS for kind in kinds], dtype=bool)


def _is_null(element: Any) -> bool:
    return _text(element.attrs.get("encoding-type", "")) == "null" or getattr(element, "shape", ()) is None


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
