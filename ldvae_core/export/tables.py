"""Tables of an .h5ad whose names and types come back as they were, whatever they are."""

import h5py
import numpy as np
import pandas as pd
from anndata.io import write_elem

from ldvae_core.data.stored_names import encode
from ldvae_core.data.stored_types import TYPE, Stored, storable
from ldvae_core.export.file import PACKED


def write_table(group: h5py.Group, name: str, table: pd.DataFrame, own: pd.DataFrame | None = None) -> pd.DataFrame:
    """Write a table; its names and types as stored are returned, by the stored names.

    own: further columns, of the export itself, whose names are stored as they are.
    """
    columns: dict[str, Stored] = {encode(str(key)): storable(table[key]) for key in table.columns}
    if own is not None:
        columns |= {str(key): storable(own[key]) for key in own.columns}
    index = pd.Index(np.asarray(table.index.astype(str), dtype=object))
    stored = pd.DataFrame({key: column.values for key, column in columns.items()}, index=range(len(table)))
    write_elem(group, name, stored.set_axis(index), dataset_kwargs=PACKED)
    for key, column in columns.items():
        if column.was:
            group[name][key].attrs[TYPE] = column.was
    return stored


def respelt(annotations: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """{"names": columns stored, original} where names are stored in another spelling than their own, else {}."""
    names = [str(key) for key in annotations.columns if encode(str(key)) != str(key)]
    table = pd.DataFrame({"stored": [encode(name) for name in names], "original": names}, dtype=object)
    return {"names": table} if names else {}
