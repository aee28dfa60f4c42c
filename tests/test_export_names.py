"""Whatever annotations a file can have, .h5ad takes them on the way out."""

import anndata
import numpy as np
import pandas as pd
import pytest

from ldvae_core.export import writable


@pytest.mark.parametrize(
    "column",
    [
        pd.Categorical([None] * 4),
        np.array([None] * 4, dtype=object),
        pd.Categorical(["a", None, "b", "a"]),
        [1.5, np.nan, 2, 3],
    ],
    ids=["empty categories", "no text", "some missing", "numbers"],
)
def test_missing_values_come_back_missing(column, tmp_path):
    """An annotation without any value had ended the export in a traceback."""
    table = pd.DataFrame({"given": column}, index=list("wxyz"))
    anndata.AnnData(np.ones((4, 2)), obs=writable(table)).write_h5ad(tmp_path / "x.h5ad")
    read = anndata.read_h5ad(tmp_path / "x.h5ad").obs["given"]
    assert read.isna().tolist() == table["given"].isna().tolist()


def test_the_reserved_name_is_spelt_out(tmp_path):
    """A column called _index is kept under another name that no column has."""
    table = pd.DataFrame({"_index": [1, 2], "index_column": [3, 4]}, index=list("ab"))
    anndata.AnnData(np.ones((2, 2)), obs=writable(table)).write_h5ad(tmp_path / "x.h5ad")
    assert anndata.read_h5ad(tmp_path / "x.h5ad").obs["index_column_"].tolist() == [1, 2]
