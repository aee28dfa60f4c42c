"""The levels of an annotation of the cells as text, where a missing value is a level too."""

import numpy as np
import pandas as pd

MISSING = "missing"


def levels_of(column: pd.Series) -> np.ndarray:
    """Level of every cell: str objects (n_cells,). Cells without a value share the level MISSING.

    Where the column has a level of that name of its own, theirs is "missing_", or with as many _ as it takes.
    """
    gone = column.isna().to_numpy()
    levels = column.astype(object).astype(str).to_numpy(dtype=object)
    if gone.any():
        name, used = MISSING, set(levels[~gone].tolist())
        while name in used:
            name += "_"
        levels = levels.copy()
        levels[gone] = name
    return levels
