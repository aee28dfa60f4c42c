"""`export` and `score` carry what people added to a run, and say it when a file cannot be written."""

import errno
import shutil
from io import FileIO

import anndata
import h5py
import numpy as np
import pytest

from ldvae_core.analysis.certificates import Certificates, Program
from ldvae_core.analysis.neighbours import CellMap
from ldvae_core.data.gate import SafeFile
from ldvae_core.runs.additions import LEIDEN, Additions
from ldvae_core.runs.maps import keep_map
from ldvae_core.runs.search import CERTIFICATES_FILE, write_certificates
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.folders import HOME_VARIABLE, Workspace
from tests.commands.conftest import as_anndata


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch) -> Workspace:
    """A workspace of its own: what is added to the demo lies in it."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    return Workspace.default().make()


@pytest.fixture
def gene_sets(tmp_path):
    """A GMT file of two sets, one of which has a note that no factor knows."""
    path = tmp_path / "mine.gmt"
    path.write_text("early\t\tT\tMesp1\tEomes\tMixl1\tFgf8\nblood\t\tHba-x\tHbb-bh1\tGata1\tKlf1\tHbb-y\n")
    return path


def test_the_demo_is_exported_with_what_people_added_to_it(workspace, gene_sets, answer, tmp_path):
    """The map, clusters in their colours, names, notes and enrichment; what was not measured is NaN."""
    store = RunStore(workspace)
    n_cells = store.open("demo").counts.n_cells
    made = CellMap(np.arange(2 * n_cells, dtype=np.float32).reshape(-1, 2), np.arange(n_cells, dtype=np.int32) % 3)
    keep_map(store, "demo", made, {"resolution": 1.0})
    store.additions("demo").write_factor_note("readable", 1, name="gut", notes="See Ttr.\0")
    answer("enrich", "demo", "--sets", gene_sets, "--to", tmp_path / "found.csv")
    answer("export", "demo", "--to", tmp_path / "demo.h5ad")
    file = anndata.read_h5ad(tmp_path / "demo.h5ad")
    about = file.uns["ldvae"]
    assert np.array_equal(file.obsm["X_umap"], made.positions)
    assert file.obs["ldvae_cluster"].cat.codes.tolist() == made.clusters.tolist()
    assert len(file.uns["ldvae_cluster_colors"]) == 3
    assert LEIDEN not in file.obs
    assert about["factors"]["names"][1] == "Factor 2 · gut"
    assert about["factors"]["notes"][1] == "See Ttr.\ufffd"
    assert set(about["enrichment"]["set"]) <= {"early", "blood"}
    assert {"factor", "end", "p", "q", "collection"} <= set(about["enrichment"])
    for name in ("seed_match", "half_match", "certified"):
        assert np.isnan(about["factors"][name]).all()


def test_an_export_says_which_programs_come_back(trained, answer, tmp_path):
    """As numbers, in the order of the factors; names stay names; other axes have no certificates."""
    run = shutil.copytree(trained(), tmp_path / "run")
    programs = tuple(Program(0.9, half, half > 0.6, 0.01) for half in (0.95, 0.8, 0.2))
    write_certificates(run / CERTIFICATES_FILE, Certificates(programs, 0.6, "cells"))
    answer("export", run, "--to", tmp_path / "run.h5ad")
    about = anndata.read_h5ad(tmp_path / "run.h5ad").uns["ldvae"]["factors"]
    assert about["half_match"].tolist() == [0.95, 0.8, 0.2]
    assert about["certified"].tolist() == [1, 1, 0]
    assert about["names"].tolist() == ["Factor 1", "Factor 2", "Factor 3"]
    answer("export", run, "--to", tmp_path / "other.h5ad", "--axes", "as-trained")
    assert np.isnan(anndata.read_h5ad(tmp_path / "other.h5ad").uns["ldvae"]["factors"]["certified"]).all()


def test_new_cells_carry_what_people_added_to_the_run(trained, counts_file, planted, answer, tmp_path):
    """Names and notes of its factors, also turned ones; odd annotations of the cells come back by their names."""
    run, odd = trained("--seed", "11"), as_anndata(planted)
    Additions.beside(run).write_factor_note("readable", 0, name="first", flipped=True)
    plain = tmp_path / "plain.h5ad"
    answer("score", run, counts_file, "--to", plain)
    placed = anndata.read_h5ad(plain)
    assert placed.uns["ldvae"]["factors"]["names"][0] == "Factor 1 · first"
    assert (placed.layers["counts"] != placed.X).nnz == 0
    odd.obs["ldvae_reconstruction_error"] = np.arange(odd.n_obs)
    odd.write_h5ad(tmp_path / "odd.h5ad")
    answer("score", run, tmp_path / "odd.h5ad", "--to", plain)
    stored = anndata.read_h5ad(plain)
    assert stored.obs["{kept}ldvae_reconstruction_error"].tolist() == list(range(odd.n_obs))
    assert stored.obs["ldvae_reconstruction_error"].dtype == np.float64
    spelt = stored.uns["ldvae"]["names"]
    assert spelt["original"].tolist() == ["ldvae_reconstruction_error"]


def test_counts_are_stored_once_and_pass_the_gate(trained, answer, tmp_path):
    """X is the same numbers as layers["counts"], which our own reader takes for what it is."""
    answer("export", trained(), "--to", tmp_path / "run.h5ad")
    with h5py.File(tmp_path / "run.h5ad") as file:
        assert file["X/data"] == file["layers/counts/data"]
        assert file["X/data"].dtype == np.int32
    with SafeFile(tmp_path / "run.h5ad") as file:
        assert "obs" in file


def test_every_part_is_of_a_kind_that_anndata_reads(trained, answer, tmp_path):
    """The kinds of its format that versions 0.8 to 0.13 know; of a run that corrects for donors, too."""
    answer("export", trained("--batch", "donor"), "--to", tmp_path / "run.h5ad")
    kinds = set()

    def look(name, part):
        kinds.add(f"{part.attrs.get('encoding-type')} {part.attrs.get('encoding-version')}")

    with h5py.File(tmp_path / "run.h5ad") as file:
        file.visititems(look)
    assert kinds - {"None None"} <= {
        "array 0.2.0", "categorical 0.2.0", "csr_matrix 0.1.0", "dataframe 0.2.0", "dict 0.1.0",
        "nullable-boolean 0.1.0", "nullable-integer 0.1.0", "numeric-scalar 0.2.0", "string 0.2.0",
        "string-array 0.2.0",
    }  # fmt: skip


@pytest.mark.parametrize("place", ["a file/run.h5ad", "a folder"])
def test_a_file_that_cannot_be_written_is_said(place, trained, refusal, tmp_path):
    """In one line, and nothing is left behind."""
    (tmp_path / "a file").write_text("")
    (tmp_path / "a folder").mkdir()
    before = sorted(tmp_path.iterdir())
    assert "cannot be written" in refusal("export", trained(), "--to", tmp_path / place)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("room", [0, 10_000, 60_000])
def test_a_full_disk_is_said(room, trained, refusal, tmp_path, monkeypatch):
    """HDF5, which would end the whole program, does not hear of it; an earlier file stays."""

    class Full(FileIO):
        def write(self, content):
            if self.tell() + len(content) > room:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(content)

    monkeypatch.setattr("ldvae_core.export.disk.FileIO", Full)
    (tmp_path / "run.h5ad").write_text("earlier")
    words = refusal("export", trained(), "--to", tmp_path / "run.h5ad")
    assert "run.h5ad cannot be written (No space left on device). Make room on the disk" in words
    assert (tmp_path / "run.h5ad").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []
