"""What must be said beside a view: slopes of a neural decoder, covariates that are the condition."""

import numpy as np
import pytest

from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import Workspace
from pages.parts.structure import SLOPES

CONFOUNDED = "Correcting for lane takes condition out of the programs as well"


@pytest.mark.parametrize("page", ["factors.py", "cell_types.py", "genes.py", "export.py"])
@pytest.mark.parametrize("decoder", ["linear", "neural"])
def test_every_view_of_loadings_says_that_they_are_slopes(open_page, make_run, words, page, decoder):
    """Of a neural decoder, and of no other."""
    at = open_page(page, run=make_run(decoder=decoder))
    assert not at.exception
    assert (SLOPES in words(at)) == (decoder == "neural")


@pytest.fixture
def two_conditions(workspace, planted, tmp_path):
    """A data set whose lanes are its conditions, and whose plates are not."""
    treated = np.arange(300) % 2 == 0
    cells = planted.counts.annotations.assign(
        condition=np.where(treated, "treated", "control"), lane=np.where(treated, "lane 2", "lane 1"),
        plate=np.where(np.arange(300) % 3 == 0, "A", "B"),
    )  # fmt: skip
    file = tmp_path / "cells.h5ad"
    anndata = pytest.importorskip("anndata")
    anndata.AnnData(planted.counts.counts.astype(np.float32), obs=cells, var={"g": planted.counts.gene_names}).write(
        file
    )
    return Datasets(Workspace.default()).add_upload("cells.h5ad", file.read_bytes())


@pytest.mark.parametrize(("covariate", "named"), [("lane", True), ("plate", False)])
def test_a_covariate_that_is_the_condition_is_named_before_training(open_page, two_conditions, words, covariate, named):
    """In a box, with the cross-table; a plate that holds both conditions is not."""
    at = open_page("train.py")
    at.selectbox(key="train_data").set_value(two_conditions).run()
    at.multiselect(key="train_covariates").set_value([covariate]).run()
    assert not at.exception
    assert (CONFOUNDED in words(at)) == named
    tables = [frame.value for frame in at.dataframe if set(frame.value.columns) == {"control", "treated"}]
    assert [int(table.to_numpy().sum()) for table in tables] == [300]
