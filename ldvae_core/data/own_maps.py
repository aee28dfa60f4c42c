"""Maps that come with a file: two coordinates of every cell, from obsm or from columns that hold places in a tissue."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ldvae_core.data.chunks import cell_chunks
from ldvae_core.data.damage import OF_FILES
from ldvae_core.data.names import tidy_names
from ldvae_core.data.stored_names import decode_all

MOST_MAPS = 20
MOST_WIDE = 20_000  # columns of an entry of which two are read
LEAST_PLACED = 0.5  # share of the cells that have a place
OF_FACTORS = "X_ldvae"  # of our own exports: positions on factors are no map
COORDINATES = (  # columns of the table of cells, across and down
    ("x_centroid", "y_centroid"), ("center_x", "center_y"), ("spatial_x", "spatial_y"), ("x_coord", "y_coord"),
    ("pxl_col_in_fullres", "pxl_row_in_fullres"), ("array_col", "array_row"),
)  # fmt: skip
SPATIAL = "spatial"


def is_spatial(name: str) -> bool:
    """Whether a map is of places in a tissue: its axes have one unit, and y runs downwards as in a picture."""
    return SPATIAL in name.lower()


def read_maps(root: Any, cells: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Name and places, float32 (n_cells, 2), of every map of an opened AnnData store that can be read, one at a time.

    root: has passed its gate. cells: its table. Of entries with more columns the first two; what has other rows, no
    numbers, or places for fewer than half of the cells is left out: no damage to a map keeps anybody from the counts.
    """
    entries = root["obsm"] if "obsm" in root and hasattr(root["obsm"], "keys") else {}
    ours = "uns" in root and hasattr(root["uns"], "keys") and "ldvae" in root["uns"]
    found = 0
    for spelt, name in decode_all(sorted(entries)).items():
        if found == MOST_MAPS or (ours and name == OF_FACTORS) or tidy_names([name], kind="map")[1]:
            continue
        with contextlib.suppress(*OF_FILES):
            if (places := _places(entries[spelt], len(cells))) is not None:
                found += 1
                yield name, places
    if not any(is_spatial(name) for name in entries):
        yield from _coordinates(cells)


def _coordinates(cells: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    by_name = {str(name).lower(): name for name in cells.columns}
    for across, down in COORDINATES:
        columns = [cells[by_name[name]] for name in (across, down) if name in by_name]
        if len(columns) == 2 and all(pd.api.types.is_numeric_dtype(column.dtype) for column in columns):
            places = np.column_stack([column.to_numpy(np.float32, na_value=np.nan) for column in columns])
            if _are_placed(places):
                yield f"{SPATIAL} ({by_name[across]}, {by_name[down]})", places
                return


def _places(element: Any, n_cells: int) -> np.ndarray | None:
    shape, dtype = getattr(element, "shape", None), getattr(element, "dtype", None)
    if shape is None or len(shape) != 2 or shape[0] != n_cells or not 2 <= shape[1] <= MOST_WIDE:
        return None
    if np.dtype(dtype).kind not in "fiu":
        return None
    places = np.empty((n_cells, 2), np.float32)
    for rows in cell_chunks(n_cells, shape[1]):
        with np.errstate(over="ignore"):
            places[rows] = np.asarray(element[rows.start : rows.stop, :2])
    return places if _are_placed(places) else None


def _are_placed(places: np.ndarray) -> bool:
    """Infinite places are none; a map on which all cells lie at one place is none either."""
    places[~np.isfinite(places)] = np.nan
    known = places[np.isfinite(places).all(axis=1)]
    return len(known) >= max(1, LEAST_PLACED * len(places)) and bool((known != known[0]).any())
