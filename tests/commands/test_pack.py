"""A pack places cells as its run does, and tells of no cell."""

import json
import zipfile

import anndata
import numpy as np
import pandas as pd
import pytest

from ldvae_core.runs.opened import open_run_folder
from ldvae_core.runs.pack import read_pack
from tests.commands.test_score import MODELS


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_a_pack_places_cells_as_its_run_does(options, trained, counts_file, tmp_path, answer):
    """Positions, errors and distances to six digits, and the same loadings, names and parameters."""
    run, pack = trained(*options), tmp_path / "some.programs"
    made, _ = answer("pack", run, "--to", pack)
    assert (made["n_genes"], made["n_factors"]) == (80, 3)
    for source, file in ((run, "run.h5ad"), (pack, "pack.h5ad")):
        answer("score", source, counts_file, "--to", tmp_path / file)
    ours, theirs = (anndata.read_h5ad(tmp_path / file) for file in ("run.h5ad", "pack.h5ad"))
    assert np.abs(ours.obsm["X_ldvae"] - theirs.obsm["X_ldvae"]).max() <= 1e-6
    pd.testing.assert_frame_equal(ours.obs, theirs.obs, rtol=1e-6)
    pd.testing.assert_frame_equal(ours.var, theirs.var)
    assert np.array_equal(ours.varm["LDVAE_loadings"], theirs.varm["LDVAE_loadings"])
    assert ours.uns["ldvae"]["params"].keys() == theirs.uns["ldvae"]["params"].keys()


def test_a_pack_holds_no_cell(trained, tmp_path, answer):
    """No array in it is as long as there are cells, and neither ids of cells nor the place of the data are written."""
    run, pack = trained(), tmp_path / "some.programs"
    answer("pack", run, "--to", pack)
    opened = open_run_folder(run)
    with zipfile.ZipFile(pack) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    assert not any(str(cell).encode() in part for cell in opened.counts.cell_ids[:20] for part in content.values())
    assert opened.settings.data_source.encode() not in content["about.json"]
    lengths = {np.load(pack, allow_pickle=False)[name.removesuffix(".npy")].shape[:1] for name in content
               if name != "about.json"}  # fmt: skip
    assert (opened.counts.n_cells,) not in lengths


def test_the_same_programs_make_the_same_bytes(trained, tmp_path, answer):
    """So that a digest names them."""
    made = [answer("pack", trained(), "--to", tmp_path / name)[0] for name in ("a", "b")]
    assert made[0]["digest"] == made[1]["digest"]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_standard_errors_and_shrunken_loadings_are_in_it(trained, tmp_path, answer):
    """To three digits; the loadings themselves as they are, and the mean expression of every gene."""
    answer("pack", trained(), "--to", tmp_path / "some.programs")
    found, opened = read_pack(tmp_path / "some.programs"), open_run_folder(trained())
    factors, counts = opened.factors["readable"], opened.counts
    assert np.array_equal(found.factors.loadings, factors.loadings)
    for name in ("loadings_se", "loadings_shrunken"):
        assert np.allclose(getattr(found.factors, name), getattr(factors, name), rtol=1e-3, atol=1e-6)
    share = np.asarray(counts.counts.sum(axis=0)).ravel() / counts.molecules.sum()
    assert np.allclose(found.mean, 1e4 * share, rtol=1e-5)


def test_a_baseline_cannot_be_packed(trained, tmp_path, refusal):
    """It has no network that could place new cells."""
    assert "is a baseline (PCA)" in refusal("pack", trained("--method", "pca"), "--to", tmp_path / "some.programs")
    assert not list(tmp_path.iterdir())


def test_a_damaged_pack_is_refused_in_words(trained, counts_file, tmp_path, answer, refusal):
    """Of another run's numbers, too: the digest tells."""
    pack = tmp_path / "some.programs"
    answer("pack", trained(), "--to", pack)
    with zipfile.ZipFile(pack) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(members["about.json"]) | {"name": "another"}
    with zipfile.ZipFile(pack, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (members | {"about.json": json.dumps(about)}).items():
            archive.writestr(name, content)
    assert "its parts are not those it was made of" in refusal("score", pack, counts_file, "--to", tmp_path / "x.h5ad")
