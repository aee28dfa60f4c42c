"""A run that the command line made from a file: the Genes page says which genes it knows, and gets the others."""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ldvae_core.runs.settings import note_fingerprint
from ldvae_core.workspace.datasets import Datasets


@pytest.fixture
def file(planted, tmp_path):
    """The cells of a run, with a gene that it does not model."""
    counts = sparse.hstack([planted.counts.counts, np.ones((300, 1))], format="csr").astype(np.float32)
    var = pd.DataFrame(index=[*planted.counts.gene_names, "Extra"])
    cells = anndata.AnnData(counts, obs=planted.counts.annotations, var=var)
    cells.write_h5ad(tmp_path / "cells.h5ad")
    return tmp_path / "cells.h5ad"


@pytest.fixture
def run(make_run, file, workspace):
    """A run of that file, which knows the counts it was made from."""
    datasets = Datasets(workspace)
    known = datasets.add_path(file)
    made = make_run(data_source=str(file))
    note_fingerprint(workspace.runs / made, datasets.card(known).fingerprint)
    datasets.delete(known, for_good=True)
    return made


def test_the_file_is_loaded_with_a_click(open_page, run, words):
    """And the page comes back with all genes."""
    at = open_page("genes.py", run=run)
    assert "Only the <b>60 modelled genes</b> are known here" in words(at)
    assert "Extra" not in at.multiselect(key="genes").options
    at.button(key="load_run_file").click().run()
    assert not at.exception
    assert "modelled genes</b> are known here" not in words(at)
    assert "Extra" in at.multiselect(key="genes").options


def test_a_file_that_is_gone_is_named(open_page, run, file, words):
    """There is nothing to click."""
    file.unlink()
    at = open_page("genes.py", run=run)
    assert "from the file cells.h5ad, outside the workspace. Load it" in words(at)
    assert not [button for button in at.button if button.key == "load_run_file"]
