"""What killed processes leave behind is removed, and nothing that a live one writes."""

import os

import pytest

from ldvae_core.runs.leftovers import sweep_runs
from ldvae_core.runs.states import write_folder_state
from tests.runs.conftest import claim, settings_named


@pytest.fixture(name="left")
def _left(workspace, jobs):
    """A run whose training was killed while it wrote a file and a folder."""
    folder = workspace.runs / jobs.submit(settings_named("endless"))
    (folder / "kept").mkdir()
    write_leftovers(folder)
    return folder


def write_leftovers(folder):
    (folder / ".checkpoint.npz.0123.part").write_bytes(b"half")
    (folder / "kept" / ".map.0123.part").mkdir()
    (folder / "kept" / ".map.0123.part" / "umap.npy").write_bytes(b"half")


def test_half_written_files_are_removed(workspace, left):
    """At the next start, wherever in the run's folder; what is whole stays."""
    assert sweep_runs(workspace) == 2
    assert sorted(path.name for path in left.rglob("*")) == ["kept", "run.json"]


def test_what_a_running_training_writes_is_left_alone(workspace, left):
    """A server that is started beside a training takes nothing away from it."""
    claim(workspace)
    assert sweep_runs(workspace) == 0


def test_what_a_live_command_line_writes_is_left_alone(workspace):
    """Its run is not in the queue: its own state tells."""
    folder = workspace.runs / "by-hand"
    settings_named().write(folder)
    (folder / "kept").mkdir()
    write_folder_state(folder, "training")
    write_leftovers(folder)
    assert sweep_runs(workspace) == 0


def test_runs_and_data_sets_half_made_are_removed_once_they_are_old(workspace):
    """Beside the folders nobody can be asked: an hour is longer than any write takes."""
    fresh, old = workspace.runs / ".a.0123.part", workspace.datasets / ".b.0123.deleted"
    fresh.mkdir()
    old.mkdir()
    os.utime(old, (0, 0))
    assert sweep_runs(workspace) == 1
    assert (fresh.exists(), old.exists()) == (True, False)


def test_links_are_not_followed(workspace, left, tmp_path):
    """Only what is in the folder itself is ever removed."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ".x.part").write_bytes(b"of somebody else")
    (left / "link").symlink_to(outside)
    sweep_runs(workspace)
    assert (outside / ".x.part").exists()
