"""Numbers that a model can be corrected for, on the Train page."""

import anndata
import numpy as np

from ldvae_core.model.config import Covariate
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import Workspace


def test_an_age_is_offered_and_asked_for_as_what_the_data_has(open_page, workspace, planted, tmp_path):
    """Beside levels; numbers that only name things are not."""
    counts = planted.counts
    notes = counts.annotations.assign(age=np.linspace(20.5, 80, counts.n_cells), plate=np.arange(counts.n_cells) % 7)
    file = tmp_path / "aged.h5ad"
    anndata.AnnData(counts.counts.astype(np.float32), obs=notes).write_h5ad(file)
    aged = Datasets(workspace).add_path(file)
    at = open_page("train.py")
    at.selectbox(key="train_data").set_value(aged).run()
    box = at.multiselect(key="train_covariates")
    assert box.options == ["cell_type", "age"]
    box.set_value(["age", "cell_type"]).run()
    assert not any(item.key == "train_dispersion" for item in at.selectbox)  # a number has no level
    at.button(key="train").click().run()
    assert not at.exception
    settings = [card.settings for card in RunStore(Workspace.default()).cards() if card.run_id != "demo"]
    assert settings[0].model.covariates == (Covariate("age", kind="either"), Covariate("cell_type"))
