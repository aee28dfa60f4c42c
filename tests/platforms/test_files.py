"""What Windows refuses to rename or remove, and how few files a Mac lets a program open."""

import os
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest

from ldvae_core import durable
from ldvae_core.runs import execute
from ldvae_core.runs.opened import open_run_folder
from ldvae_core.workspace.folders import listed_ids, synced_by
from tests.runs.conftest import _finished_folder, _workspace  # noqa: F401  (fixtures)

REPLACED_WHILE_READ = """
import sys, threading, time
from pathlib import Path
from ldvae_core import durable
path = Path(sys.argv[1]) / "progress.json"
durable.write_json(path, {"step": 1})
reader = open(path, encoding="utf-8")
threading.Timer(0.5, reader.close).start()
durable.write_json(path, {"step": 2})
print(durable.read_json(path)["step"])
"""


def test_a_file_that_a_page_reads_is_replaced_when_it_is_done(emulated, tmp_path):
    """The refusal is tried again, for two seconds."""
    assert emulated("windows", REPLACED_WHILE_READ, tmp_path) == "2"


def test_one_refused_rename_is_no_failure(monkeypatch, tmp_path):
    """Refused once, done the second time."""
    real, refusals = os.replace, [PermissionError(13, "in use")]
    monkeypatch.setattr(durable.os, "replace", lambda *paths: _raise(refusals.pop()) if refusals else real(*paths))
    durable.write_json(tmp_path / "state.json", {"stage": "training"})
    assert durable.read_json(tmp_path / "state.json") == {"stage": "training"}
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_a_rename_that_stays_refused_is_said_in_the_end(monkeypatch, tmp_path):
    """Patience ends; the old content stays."""
    monkeypatch.setattr(durable, "PATIENCE_SECONDS", 0.05)
    durable.write_json(tmp_path / "state.json", 1)
    monkeypatch.setattr(durable.os, "replace", lambda *paths: _raise(PermissionError(13, "in use")))
    with pytest.raises(PermissionError):
        durable.write_json(tmp_path / "state.json", 2)
    assert durable.read_json(tmp_path / "state.json") == 1


def test_what_only_shows_how_far_training_is_never_ends_it(caplog):
    """progress.json and history.parquet may fail to be written."""
    with execute._not_fatal("progress.json"):
        raise PermissionError(13, "in use")
    assert "progress.json could not be written" in caplog.text


def test_training_survives_a_progress_file_that_stays_refused(tmp_path, monkeypatch):
    """The whole run, with every progress and every unfinished history refused."""
    from ldvae_core.data.choices import DataChoices
    from ldvae_core.data.synthetic import plant_programs
    from ldvae_core.model.config import ModelConfig, TrainingConfig
    from ldvae_core.runs.settings import RunSettings

    monkeypatch.setattr(durable, "PATIENCE_SECONDS", 0.0)
    real = os.replace
    monkeypatch.setattr(
        durable.os, "replace",
        lambda a, b: _raise(PermissionError(13, "in use")) if Path(b).name == "progress.json" else real(a, b),
    )  # fmt: skip
    planted = plant_programs(n_cells=200, n_genes=40, n_factors=2, seed=0)
    choices = DataChoices(gene_selection="variance", n_genes=40)
    training = TrainingConfig(n_epochs=2, device="cpu", threads=1)
    model = ModelConfig(n_factors=2)
    settings = RunSettings(name="r", data_source="x", choices=choices, model=model, training=training)
    settings.write(tmp_path / "run")
    assert execute.execute(tmp_path / "run", open_counts=lambda: planted.counts)["epochs"] == 2


MAPPED = """
import sys
from pathlib import Path
import numpy as np
from ldvae_core import durable
folder = Path(sys.argv[1]) / "runs" / "mine"
durable.write_array(folder / "large.npy", np.zeros(1_000_000))
held = durable.read_array(folder / "large.npy")
"""


def test_a_run_that_a_page_has_opened_is_deleted(emulated, tmp_path):
    """It is gone from every list at once, and from the disk when the program starts again."""
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    code = (
        MAPPED
        + """
assert type(held).__name__ == "memmap"
durable.delete_folder(folder)
from ldvae_core.workspace.folders import listed_ids
print(listed_ids(folder.parent), folder.exists())
durable.sweep_deleted(folder.parent)
print(folder.exists())
del held
durable.sweep_deleted(folder.parent)
print(list(folder.parent.iterdir()))
"""
    )
    assert emulated("windows", code, tmp_path).splitlines() == ["[] True", "True", "[]"]


def test_a_server_that_starts_sweeps_what_was_deleted(workspace, monkeypatch):
    """What is not marked stays."""
    from ldvae_core import work

    for name in ("gone", "kept"):
        (workspace.runs / name).mkdir()
    (workspace.runs / "gone" / durable.DELETED).touch()
    assert listed_ids(workspace.runs) == ["kept"]
    monkeypatch.setattr(work.Dispatcher, "start", lambda dispatcher: None)
    work.start_work(workspace)
    assert [path.name for path in workspace.runs.iterdir()] == ["kept"]


def test_a_map_that_is_shown_is_computed_anew(emulated, tmp_path, finished_folder):
    """Its arrays are held whole, whatever their size, so that the folder can be replaced."""
    code = """
import shutil, sys
from pathlib import Path
import numpy as np
from ldvae_core import durable
from ldvae_core.analysis.neighbours import CellMap
from ldvae_core.runs import maps
from ldvae_core.workspace.folders import Workspace
durable.MAPPED_FROM = 0
workspace = Workspace(Path(sys.argv[1])).make()
shutil.copytree(sys.argv[2], workspace.runs / "done")
def keep():
    def fill(folder):
        durable.write_array(folder / "umap.npy", np.zeros((60, 2), np.float32))
        durable.write_array(folder / "leiden.npy", np.zeros(60, np.int32))
        durable.write_json(folder / "about.json", {})
    durable.write_folder(workspace.runs / "done" / "kept" / "map", fill)
keep()
shown = maps.read_map(workspace, "done", 60)
from ldvae_core.runs.store import RunStore
labels = RunStore(workspace).additions("done").annotations(60)
keep()
print(shown.positions.shape, len(labels))
"""
    assert emulated("windows", code, tmp_path, finished_folder) == "(60, 2) 1"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not list a process's open files")
def test_an_opened_run_holds_few_files(finished_folder):
    """Its thirty small arrays are read whole: 31 descriptors a run were too many for a Mac."""
    before = len(os.listdir("/proc/self/fd"))
    opened = [open_run_folder(finished_folder) for _ in range(9)]
    assert len(os.listdir("/proc/self/fd")) <= before + len(opened)


def test_nine_runs_open_with_the_descriptors_of_a_mac(emulated, finished_folder, tmp_path):
    """Every array mapped, as with millions of cells: the program raises its limit when it starts."""
    code = """
import sys
from pathlib import Path
from ldvae_core import durable
from ldvae_core.runs.opened import open_run_folder
from ldvae_core.workspace.system import allow_many_files
durable.MAPPED_FROM = 0
print(allow_many_files())
print(len([open_run_folder(Path(sys.argv[1])) for _ in range(9)]))
"""
    assert emulated("macos", code, finished_folder).splitlines() == ["4096", "9"]


@pytest.mark.parametrize(
    ("folder", "service"),
    [
        (PureWindowsPath(r"C:\Users\ana\OneDrive\gpe\workspace"), "OneDrive"),
        (PureWindowsPath(r"C:\Users\ana\OneDrive - Uni Graz\gpe"), "OneDrive"),
        (PureWindowsPath(r"C:\Users\ana\iCloudDrive\gpe"), "iCloud"),
        (Path("/Users/ana/Library/Mobile Documents/com~apple~CloudDocs/gpe"), "iCloud"),
        (Path("/Users/ana/Library/CloudStorage/OneDrive-Uni/gpe"), "OneDrive"),
        (Path("/Users/ana/Library/CloudStorage/GoogleDrive-a@b.c/gpe"), "Google Drive"),
        (Path("/Users/ana/Dropbox/gpe"), "Dropbox"),
        (Path("/Users/ana/Dropbox (Lab)/gpe"), "Dropbox"),
        (PureWindowsPath(r"C:\gpe\workspace"), ""),
        (Path("/Users/ana/gpe/workspace"), ""),
        (Path("/srv/my-onedrive-paper/workspace"), ""),
    ],
)
def test_a_folder_that_a_cloud_synchronises_is_known_by_its_path(folder, service):
    """Those services lock or evict files in use."""
    assert synced_by(folder) == service


def test_a_whole_array_cannot_be_written_to(tmp_path):
    """As a mapped one: nobody changes what others read."""
    durable.write_array(tmp_path / "a.npy", np.arange(3.0))
    assert not durable.read_array(tmp_path / "a.npy").flags.writeable


def test_hidden_names_stay_short(tmp_path):
    """Windows allows 260 characters to a path, and the longest of ours has three such names."""
    seen = []
    durable.write_folder(tmp_path / ("x" * 40), lambda part: seen.append(part.name))
    assert len(seen[0]) < 20


def _raise(fault):
    raise fault
