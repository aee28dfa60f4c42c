"""Cell Ranger's .h5: one matrix, or one a genome."""

from functools import cache
from typing import Any

import h5py
import pandas as pd

from ldvae_core.data.opened import Candidate, Side
from ldvae_core.data.stored import DAMAGED_REMEDY, sparse_matrix
from ldvae_core.errors import CountsError


def matrix_groups(root: h5py.Group) -> list[str]:
    """Groups that hold a matrix: "matrix" (Cell Ranger 3), or one a genome (2)."""
    return [name for name, item in root.items() if isinstance(item, h5py.Group) and "barcodes" in item]


def tenx_candidates(root: h5py.Group) -> tuple[Candidate, ...]:
    """The matrices of an opened file that has passed the gate. Raises CountsError when one is damaged."""
    groups = matrix_groups(root)
    return tuple(_candidate(root[name], name, name if len(groups) > 1 else "") for name in groups)


def _candidate(group: Any, where: str, genome: str) -> Candidate:
    shape = group["shape"][:] if "shape" in group and getattr(group["shape"], "shape", None) == (2,) else None
    if shape is None or shape.dtype.kind not in "iu":
        raise CountsError(f"{where} does not say its shape.", DAMAGED_REMEDY)
    n_genes, n_cells = int(shape[0]), int(shape[1])
    stored = sparse_matrix(group, where, n_rows=n_cells, n_columns=n_genes, order="rows")  # one cell after the other

    @cache
    def cells() -> Side:
        return Side(pd.DataFrame(index=pd.Index(_texts(group["barcodes"]), dtype=object)), "barcodes")

    @cache
    def genes() -> Side:
        if "features" not in group:  # Cell Ranger 2
            ids = {"gene_ids": _texts(group["genes"])} if "genes" in group else {}
            return Side(pd.DataFrame(ids, index=pd.Index(_texts(group["gene_names"]), dtype=object)), "gene_names")
        features = group["features"]
        columns = {"gene_ids": "id", "feature_types": "feature_type"}
        table = {column: _texts(features[name]) for column, name in columns.items() if name in features}
        return Side(pd.DataFrame(table, index=pd.Index(_texts(features["name"]), dtype=object)), "features/name")

    return Candidate(where, stored, cells, genes, genes_in="columns", certain=True, group=genome)


def _texts(dataset: Any) -> list[str]:
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in dataset[:]]
