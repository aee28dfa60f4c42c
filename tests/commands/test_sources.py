"""What may stand for DATA on the command line."""

import pytest

from ldvae_core.commands.sources import opened_counts, source_of
from ldvae_core.errors import RunError
from ldvae_core.runs.settings import RunFile
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import HOME_VARIABLE, Workspace


@pytest.fixture
def dataset_id(counts_file, tmp_path, monkeypatch):
    """A data set that was loaded on the Data page."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    with open(counts_file, "rb") as stream:
        return Datasets(Workspace.default()).add_upload("cells.h5ad", stream)


def test_a_data_set_of_the_workspace_goes_by_its_id(dataset_id, planted):
    """So the command that the Export page shows works for every run of the dashboard."""
    assert source_of(dataset_id) == dataset_id
    with opened_counts(dataset_id) as counts:
        assert (counts.counts != planted.counts.counts).nnz == 0


def test_a_file_comes_before_a_data_set(dataset_id, tmp_path, monkeypatch):
    """What stands in the folder one is in is what is meant."""
    (tmp_path / dataset_id).write_text("not counts")
    monkeypatch.chdir(tmp_path)
    assert source_of(dataset_id) == str((tmp_path / dataset_id).resolve())


def test_what_is_nowhere_is_refused():
    """Neither file nor data set."""
    with pytest.raises(RunError, match=r"There is no file or folder nothing\.h5ad\. Check the path\."):
        source_of("nothing.h5ad")


def test_a_run_notes_which_counts_it_was_made_from(trained, dataset_id):
    """So that it is known again when its file is loaded into a workspace."""
    assert RunFile.read(trained()).fingerprint == Datasets(Workspace.default()).card(dataset_id).fingerprint
