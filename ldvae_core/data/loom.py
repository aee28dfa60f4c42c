"""Raw counts out of a .loom file: genes are its rows, cells its columns."""

from typing import Any

import h5py
import numpy as np
import pandas as pd

from ldvae_core.data.counts import CountMatrix, make_count_matrix
from ldvae_core.data.gate import is_numeric
from ldvae_core.data.h5ad import COUNT_LAYERS
from ldvae_core.data.orient import gene_naming
from ldvae_core.data.places import DAMAGED_REMEDY, Place, take_counts
from ldvae_core.errors import CountsError

_CELL_NAMES = ("CellID", "obs_names", "cell_id", "cell_names", "barcode", "Barcode")
_GENE_NAMES = ("Gene", "var_names", "gene", "gene_name", "gene_names", "Accession", "gene_id", "gene_ids")


def read_loom(root: h5py.Group) -> CountMatrix:
    """Counts of an opened loom file that has passed the gate: the main matrix, else a layer named for counts.

    Raises CountsError: no matrix, no names, no raw counts.
    """
    counts, place, notices = take_counts(_candidates(root))
    genes = _attributes(root["row_attrs"], place.n_rows)
    cells = _attributes(root["col_attrs"], place.n_columns)
    cell_key = next((name for name in _CELL_NAMES if name in cells), None)
    gene_key = next((name for name in _GENE_NAMES if name in genes), None)
    if cell_key is None or gene_key is None:
        raise CountsError(f"The file names no {'genes' if cell_key else 'cells'}.", DAMAGED_REMEDY)
    names, ids, naming = gene_naming(genes.set_index(gene_key))
    return make_count_matrix(
        counts.T.tocsr(),
        cell_ids=cells[cell_key],
        gene_names=names,
        gene_ids=ids,
        annotations=cells.drop(columns=cell_key),
        counts_from=place.where,
        notices=(*notices, *naming),
    )


def _candidates(file: Any) -> list[Place]:
    layers = file.get("layers", {})
    named = [name for wanted in COUNT_LAYERS for name in layers if name.lower() == wanted]
    elements = [("matrix", file["matrix"]), *((f"layers['{name}']", layers[name]) for name in named)]
    places = [
        Place(where, item, item.shape[0], item.shape[1], "dense")
        for where, item in elements
        if is_numeric(item, n_dimensions=2)
    ]
    if not places:
        raise CountsError("The file holds no matrix of numbers.", DAMAGED_REMEDY)
    return places


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
