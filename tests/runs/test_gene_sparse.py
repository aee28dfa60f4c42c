"""Gene-sparse axes of runs that do not keep them are those that the end of a training would have kept."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from ldvae_core.data.prepare import DataChoices
from ldvae_core.data.synthetic import plant_programs
from ldvae_core.model.config import Covariate, ModelConfig, TrainingConfig
from ldvae_core.runs.execute import execute
from ldvae_core.runs.gene_sparse import gene_sparse_factors, offers_gene_sparse, with_gene_sparse
from ldvae_core.runs.opened import open_run_folder
from ldvae_core.runs.settings import RunSettings

COUNTS = plant_programs(n_cells=400, n_genes=80, n_factors=3, seed=2).counts


@pytest.fixture(params=["plain", "corrected"])
def kept(request, tmp_path):
    """The folder of a run with gene-sparse axes, one of them corrected for an annotation."""
    counts, corrected = COUNTS, request.param == "corrected"
    if corrected:
        batch = np.where(np.arange(counts.n_cells) % 3, "a", "b")
        counts = replace(counts, annotations=counts.annotations.assign(batch=batch))
    model = ModelConfig(n_factors=3, n_hidden=16, covariates=(Covariate("batch"),) if corrected else ())
    RunSettings(
        "tiny", "demo", choices=DataChoices(gene_selection="variance", n_genes=80), model=model,
        training=TrainingConfig(n_epochs=30, threads=1, device="cpu"),
    ).write(tmp_path / "run")  # fmt: skip
    execute(tmp_path / "run", open_counts=lambda: counts)
    return tmp_path / "run"


def test_they_are_those_that_training_keeps(kept):
    """Positions, loadings, their intervals and their order, up to what the kept arrays are rounded by."""
    wanted = open_run_folder(kept).factors["gene_sparse"]
    shutil.rmtree(kept / "factors" / "gene_sparse")
    older = open_run_folder(kept)
    assert "gene_sparse" not in older.factors
    assert offers_gene_sparse(older)
    found = gene_sparse_factors(older)
    for name in ("representation", "loadings", "loadings_se", "loadings_shrunken", "rotation", "gene_deviance"):
        assert np.allclose(getattr(found, name), getattr(wanted, name), atol=2e-3), name
    assert found.axes == "gene_sparse"
    assert with_gene_sparse(older).factors["gene_sparse"].n_factors == 3


def test_axes_that_take_too_long_are_not_offered(kept):
    """Nor those of a run that has none to choose."""
    shutil.rmtree(kept / "factors" / "gene_sparse")
    older = open_run_folder(kept)
    assert not offers_gene_sparse(older, most=1e3)
    trained = replace(older, factors={"as_trained": older.factors["as_trained"]})
    assert not offers_gene_sparse(trained)
    assert with_gene_sparse(trained) is trained
