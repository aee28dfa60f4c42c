"""A .loom file: genes are its rows, cells its columns."""

from functools import cache
from typing import Any

import h5py
import numpy as np
import pandas as pd

from ldvae_core.data.gate import is_numeric
from ldvae_core.data.h5ad import COUNT_LAYERS
from ldvae_core.data.opened import Candidate, Side
from ldvae_core.data.stored import DAMAGED_REMEDY, stored_matrix
from ldvae_core.errors import CountsError

_CELL_NAMES = ("CellID", "obs_names", "cell_id", "cell_names", "barcode", "Barcode")
_GENE_NAMES = ("Gene", "var_names", "gene", "gene_name", "gene_names", "Accession", "gene_id", "gene_ids")


_PARTS = ("unspliced", "ambiguous", "spanning")  # of all counts; never these alone


def loom_candidates(root: h5py.Group) -> tuple[Candidate, ...]:
    """The main matrix, layers named for counts, any other layer. Raises CountsError when there is no matrix."""
    layers = root.get("layers", {})
    named = [name for wanted in COUNT_LAYERS for name in layers if name.lower() == wanted]
    named += [name for name in layers if name not in named and name.lower() not in _PARTS]
    elements = [("matrix", root["matrix"]), *((f"layers['{name}']", layers[name]) for name in named)]
    matrices = [(where, stored_matrix(item, where)) for where, item in elements if is_numeric(item, n_dimensions=2)]
    if not matrices:
        raise CountsError("The file holds no matrix of numbers.", DAMAGED_REMEDY)

    @cache
    def genes() -> Side:
        return _side(root["row_attrs"], matrices[0][1].n_rows, _GENE_NAMES, "genes")

    @cache
    def cells() -> Side:
        return _side(root["col_attrs"], matrices[0][1].n_columns, _CELL_NAMES, "cells")

    return tuple(Candidate(where, stored, genes, cells, genes_in="rows") for where, stored in matrices)


def _side(group: Any, length: int, names: tuple[str, ...], what: str) -> Side:
    """An axis by the attribute that names it: one usually called so, else the first text without repeats."""
    table = _attributes(group, length)
    known = [name for name in names if name in table]
    distinct = [name for name in table.columns if table[name].dtype == object and table[name].is_unique]
    key = next(iter([*known, *distinct]), None)
    if key is None and what == "cells":
        said = "The file does not name its cells: they are numbered."
        return Side(table.set_axis(pd.RangeIndex(length).astype(str)), "number", notices=(said,))
    if key is None:
        raise CountsError(f"The file names no {what}.", DAMAGED_REMEDY)
    return Side(table.set_index(key), str(key))


def _attributes(group: Any, length: int) -> pd.DataFrame:
    """The one-dimensional attributes of an axis."""
    columns = {}
    for name in group:
        item = group[name]
        if getattr(item, "shape", None) != (length,):
            continue
        values = item[:]
        if values.dtype.kind in "OS":
            values = np.asarray(
                [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values], object
            )
        if values.dtype.kind in "buifO":
            columns[name] = values
    return pd.DataFrame(columns, index=range(length))
