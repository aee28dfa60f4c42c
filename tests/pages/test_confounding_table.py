"""The cross-table of the Train page counts what is trained on."""

import numpy as np

from ldvae_core.data.demo import load_demo
from ldvae_core.data.prepare import DataChoices
from ldvae_core.workspace.folders import DEMO
from pages.parts.train.confounding import _crossed


def test_the_cross_table_counts_cells_that_pass_the_filters(workspace):
    """Those that fail are not trained on, so that they are not counted either."""
    cells = load_demo()
    half = int(np.median(cells.library_size))
    table = _crossed(str(workspace.root), DEMO, "", DataChoices(min_counts=half), "cell_type", "cell_type")
    assert int(table.to_numpy().sum()) == int((cells.library_size >= half).sum())
    every = _crossed(str(workspace.root), DEMO, "", DataChoices(), "cell_type", "cell_type")
    assert int(every.to_numpy().sum()) == cells.n_cells
