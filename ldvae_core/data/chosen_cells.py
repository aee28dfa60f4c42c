"""Only some of the cells of a data set: a level or a range of an annotation, or those named in a file.

The run's data set stays the parent: run.json names it beside what was chosen.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.levels import levels_of
from ldvae_core.data.names import listing
from ldvae_core.errors import SettingsError

FILE = "@"  # stands before the name of a file
RANGE = ".."  # stands between two numbers
MOST_BYTES = 500_000_000  # of such a file: ids of some ten million cells


def chosen_cells(matrix: CountMatrix, chosen: str) -> tuple[np.ndarray, str]:
    """Which cells are meant: bool (n_cells,), and in words.

    chosen: COLUMN=LEVEL, COLUMN=LOW..HIGH of numbers, both included, or @FILE with the id of a cell a line. Raises
    SettingsError when there is no such annotation, level, file or cell.
    """
    return _of_file(matrix, Path(chosen.removeprefix(FILE))) if chosen.startswith(FILE) else _of_level(matrix, chosen)


def _of_level(matrix: CountMatrix, chosen: str) -> tuple[np.ndarray, str]:
    columns = [str(name) for name in matrix.annotations.columns]
    places = [place for place, letter in enumerate(chosen) if letter == "="]
    column = next((chosen[:place] for place in places if chosen[:place] in columns), None)  # names may hold a "="
    if column is None:
        raise SettingsError(
            f"{chosen!r} names no annotation of the data; it has: {listing(columns) or 'none'}.",
            "Choose cells as COLUMN=LEVEL, such as cell_type=monocyte, or as @FILE.",
        )
    level = chosen[len(column) + 1 :]
    levels = levels_of(matrix.annotations[column])
    cells = levels == level
    if not cells.any() and (between := _range(matrix.annotations[column], level)) is not None:
        return between, f"{column} from {level.replace(RANGE, ' to ')}"
    if not cells.any():
        known = sorted(set(levels.tolist()))
        raise SettingsError(f"{column} has no level {level!r}.", f"It has: {listing(known)}.")
    return cells, f"{column} is {level}"


def _range(column: pd.Series, text: str) -> np.ndarray | None:
    """Cells whose number lies between two others; None where no range is meant, or no cell lies there."""
    try:
        low, high = map(float, text.split(RANGE))
    except ValueError:
        return None
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        return None
    values = column.to_numpy(dtype=float, na_value=np.nan)
    cells: np.ndarray = (values >= low) & (values <= high)
    return cells if cells.any() else None


def _of_file(matrix: CountMatrix, path: Path) -> tuple[np.ndarray, str]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SettingsError(f"{path.name} is too large for a list of cells.", "It has the id of a cell a line.")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        words = fault.strerror if isinstance(fault, OSError) else "it is no text"
        raise SettingsError(f"The list of cells {path.name} cannot be read ({words}).") from None
    named = {line.strip().strip('"') for line in lines} - {""}
    cells = np.isin(matrix.cell_ids, np.asarray(sorted(named), dtype=str)) if named else np.zeros(matrix.n_cells, bool)
    if not cells.any():
        raise SettingsError(
            f"None of the {len(named):,} names in {path.name} is a cell of the data.",
            f"Its cells are called {listing(matrix.cell_ids[:3].tolist())}.",
        )
    missing = len(named) - int(cells.sum())
    return cells, f"listed in {path.name}" + (f", of which {missing:,} are no cells of the data" if missing else "")
