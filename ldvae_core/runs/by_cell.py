"""Figures of every test cell, kept with a run: they tell whether one model predicts cells better than another."""

import functools
from pathlib import Path

import numpy as np
import pandas as pd

from ldvae_core import durable
from ldvae_core.errors import LdvaeError

FILE = "test_cells.parquet"
COLUMNS = ("error", "elbo", "iwll")


def write_by_cell(
    folder: Path, cells: np.ndarray, *, error: np.ndarray, **scored: tuple[np.ndarray, np.ndarray]
) -> None:
    """Keep the figures of the test cells, nats.

    cells: (n_test,) rows of the counts; error: (n_test,). scored: elbo and iwll, each the rows that it was worked out
    for, and its values; missing for the others.
    """
    table = pd.DataFrame({"error": error}, index=pd.Index(cells, name="cell"))
    for name in COLUMNS[1:]:
        rows, values = scored.get(name, (cells[:0], np.empty(0)))
        table[name] = pd.Series(values, index=rows, dtype="float64").reindex(table.index)
    durable.write_table(folder / FILE, table)


def read_by_cell(folder: Path) -> pd.DataFrame | None:
    """Columns COLUMNS, a row a test cell, indexed by row of the counts; None for runs made before. Never raises."""
    try:
        return _read(folder / FILE, (folder / FILE).stat().st_mtime_ns)
    except (LdvaeError, OSError):
        return None


@functools.lru_cache(maxsize=64)
def _read(path: Path, changed: int) -> pd.DataFrame | None:
    """`changed` makes a rewritten file another entry of the cache."""
    table = durable.read_table(path)
    numbers = all(name in table and pd.api.types.is_float_dtype(table[name].dtype) for name in COLUMNS)
    return table if numbers and pd.api.types.is_integer_dtype(table.index.dtype) else None
