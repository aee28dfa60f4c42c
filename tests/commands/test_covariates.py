"""Numbers as covariates of the model: a planted slope comes back, new cells are placed alike, older settings stay."""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ldvae_core.__main__ import main
from ldvae_core.errors import SettingsError
from ldvae_core.model.config import Covariate, ModelConfig, covariates_of
from ldvae_core.runs.opened import open_run_folder
from ldvae_core.runs.prepare import completed_for, covariate_columns
from ldvae_core.runs.recipe import settings_of, train_command
from tests.commands.conftest import SHORT, as_anndata


@pytest.fixture(scope="module")
def aged(planted, tmp_path_factory):
    """Planted cells of 20 ages: every molecule of a gene is kept with a chance that falls, or rises, with age."""
    folder, rng = tmp_path_factory.mktemp("aged"), np.random.default_rng(0)
    data = as_anndata(planted)
    age = rng.choice(np.linspace(20, 80, 20), data.n_obs)
    slope = rng.choice([-1.0, 0.0, 1.0], data.n_vars)
    z = (age - age.mean()) / age.std()
    chance = np.exp(0.7 * np.outer(z, slope))
    drawn = rng.binomial(data.X.toarray().astype(int), chance / chance.max(axis=0))
    data.X = sparse.csr_matrix(drawn.astype(np.float32))
    data.obs["age"] = age
    data.write_h5ad(folder / "cells.h5ad")
    asked = ["--covariate", "age", "--covariate", "donor", "--factors", "3", "--epochs", "60", "--genes", "80"]
    assert main(["train", str(folder / "cells.h5ad"), "--out", str(folder / "run"), *asked, "--device", "cpu"]) == 0
    return folder, pd.Series(slope, data.var_names)


def test_a_planted_slope_comes_back(aged):
    """One slope a gene, per sd; levels beside it have one effect each."""
    folder, slope = aged
    effects = open_run_folder(folder / "run").covariate_loadings
    assert effects.columns.tolist() == ["age (per SD)", "donor: anna", "donor: bert"]
    assert np.corrcoef(effects["age (per SD)"], slope.loc[effects.index])[0, 1] > 0.9


def test_cells_are_placed_where_they_were(aged, answer, tmp_path):
    """A new file's ages are measured against those that the run has learned; text is refused."""
    folder, _ = aged
    run, data = open_run_folder(folder / "run"), anndata.read_h5ad(folder / "cells.h5ad")
    data[:50].copy().write_h5ad(tmp_path / "some.h5ad")
    answer("score", folder / "run", tmp_path / "some.h5ad", "--to", tmp_path / "placed.h5ad")
    answer("pack", folder / "run", "--to", tmp_path / "run.programs")
    answer("score", tmp_path / "run.programs", tmp_path / "some.h5ad", "--to", tmp_path / "packed.h5ad")
    for file in ("placed.h5ad", "packed.h5ad"):
        placed = anndata.read_h5ad(tmp_path / file).obsm["X_ldvae"]
        np.testing.assert_allclose(placed, run.factors["readable"].representation[:50], atol=1e-3)


def test_new_cells_need_the_number(aged, refusal, tmp_path):
    """Not text in its place."""
    folder, _ = aged
    data = anndata.read_h5ad(folder / "cells.h5ad")
    data.obs["age"] = [f"{value:g} years" for value in data.obs["age"]]
    data.write_h5ad(tmp_path / "text.h5ad")
    said = refusal("score", folder / "run", tmp_path / "text.h5ad", "--to", tmp_path / "placed.h5ad")
    assert "corrects for the number 'age'" in said


def test_a_number_is_standardised_and_its_gaps_have_the_mean(planted):
    """Over the cells that have it."""
    age = np.linspace(20, 80, planted.counts.n_cells)
    age[:10] = np.nan
    counts = planted.counts.subset()
    object.__setattr__(counts, "annotations", counts.annotations.assign(age=age))
    model = completed_for(ModelConfig(covariates=(Covariate("age", kind="either"),)), counts)
    assert model.covariates[0].kind == "number"
    column = covariate_columns(counts.annotations, model.covariates)
    assert column.shape == (planted.counts.n_cells, 1)
    assert (column[:10] == 0).all()
    assert column[10:].std() == pytest.approx(1.0, rel=1e-5)
    assert ModelConfig.from_dict(model.to_dict()) == model


def test_levels_stay_levels(planted):
    """As --batch says, and settings of earlier runs: a number is one only where it was asked for."""
    counts = planted.counts.subset()
    object.__setattr__(counts, "annotations", counts.annotations.assign(plate=np.arange(400) % 7 * 10 + 5))
    for covariate, kind in ((Covariate("plate"), "levels"), (Covariate("plate", kind="either"), "levels")):
        assert completed_for(ModelConfig(covariates=(covariate,)), counts).covariates[0].kind == kind
    assert ModelConfig(covariates=(Covariate("plate"),)).to_dict()["covariates"] == ["plate"]


def test_the_command_that_trains_again_says_which(tmp_path):
    """Both options come back as they were given."""
    settings = settings_of({"batch": ("donor",), "covariate": ("age",)}, name="x", data_source="demo")
    words = train_command(settings, "out")
    assert words[-4:] == ["--batch", "donor", "--covariate", "age"]


def test_a_dispersion_for_every_level_needs_levels(refusal, aged, tmp_path):
    """A number has none."""
    folder, _ = aged
    said = refusal("train", folder / "cells.h5ad", "--out", tmp_path / "run", *SHORT, "--covariate", "age",
                   "--dispersion", "gene_level")  # fmt: skip
    assert "needs levels; age is a number" in said


@pytest.mark.parametrize("wrong", [{"kind": "nothing"}, {"sd": 0}, {"sd": "x"}, {"mean": float("nan")}])
def test_settings_of_strangers_are_checked(wrong):
    """They come in shared files: no unit of 0, no unknown kind."""
    with pytest.raises(SettingsError, match="Covariates are a list"):
        covariates_of([{"name": "age", "kind": "number", **wrong}])
