"""The embedded data set: a mouse embryo at day 7.5, shipped with the program so that the demo needs no download."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core import durable
from ldvae_core.data.counts import CountMatrix

DEMO_FOLDER = Path(__file__).resolve().parent.parent / "demo"
DEMO_COUNTS = DEMO_FOLDER / "embryo.npz"
DEMO_ABOUT = DEMO_FOLDER / "embryo.json"
DEMO_RUN = DEMO_FOLDER / "run"


def load_demo() -> CountMatrix:
    """7,850 cells x 2,000 genes with 20 cell types (derived: see about["caveats"]). commands/build_demo.py makes it."""
    about = durable.read_json(DEMO_ABOUT)
    with np.load(DEMO_COUNTS, allow_pickle=False) as stored:
        cell_ids, gene_names, gene_ids = stored["cell_ids"], stored["gene_names"], stored["gene_ids"]
        counts = sparse.csr_matrix(
            (stored["data"], stored["indices"].astype(np.int32), stored["indptr"]),
            shape=(len(cell_ids), len(gene_names)),
        )
        cell_type = pd.Categorical.from_codes(stored["cell_type_codes"], stored["cell_type_names"].tolist())
    counts.has_canonical_format = True  # saved sorted and without stored zeros
    return CountMatrix(
        counts=counts,
        cell_ids=cell_ids,
        gene_names=gene_names,
        gene_ids=gene_ids,
        annotations=pd.DataFrame({"cell_type": cell_type}, index=pd.Index(cell_ids, dtype=object)),
        counts_from="X",
        notices=tuple(about["notices"]),
        about={key: str(value) for key, value in about["about"].items()},
    )
