"""What tables to take away share: columns named as the file names them, none over another."""

import numpy as np
import pandas as pd

from ldvae_core.runs.opened import OpenRun


def free_name(name: str, table: pd.DataFrame) -> str:
    """The name, or the next one with _ that no column of the table has."""
    while name in table.columns:
        name = f"{name}_"
    return name


def with_labels(table: pd.DataFrame, opened: OpenRun, cells: np.ndarray | None = None) -> pd.DataFrame:
    """The table of these cells (None: all) with the annotation in use under its own name; as it is without one."""
    if opened.label_column is None:
        return table
    labels = opened.labels().astype(str).to_numpy()
    return table.assign(**{free_name(opened.label_column, table): labels if cells is None else labels[cells]})
