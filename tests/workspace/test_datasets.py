"""Data comes in whole and checked, once, or not at all; nobody reaches a file outside."""

import io
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import psutil
import pytest

from ldvae_core.data.folder import save_counts
from ldvae_core.data.limited import PROJECT, child_environment
from ldvae_core.errors import CountsError, RunError
from ldvae_core.workspace import processes
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import checked_inside
from tests.links import make_link, make_pipe
from tests.runs.conftest import N_CELLS, N_GENES, small_counts, wait_until

PATHS = [
    "", ".", "..", "../secret.csv", "sub/../../secret.csv", "/etc/passwd", "/dev/zero", "link.csv", "linked/x.csv",
    "pipe.csv", "../data-of-others/x.csv", "missing.csv", "a\0.csv", "loop.csv", "~/x", "sub/..",
]  # fmt: skip


def read_small(source, into):
    """A reader that trusts: every file holds the same small matrix; one that holds "bad" is refused."""
    if source.is_file() and b"bad" in source.read_bytes():
        into.mkdir()
        raise CountsError("Entries are negative.")
    matrix = small_counts(seed=len(source.read_bytes()) if source.is_file() else 0)
    save_counts(matrix, into)
    return matrix


@pytest.fixture(name="datasets")
def _datasets(workspace) -> Datasets:
    return Datasets(workspace, read=read_small)


@pytest.fixture(name="data_folder")
def _data_folder(workspace, tmp_path):
    """Honest files among links, devices and siblings that try to lead out."""
    folder = workspace.data_folder
    (folder / "sub" / "filtered").mkdir(parents=True)
    for name in ("one.csv", "sub/two.H5AD", "sub/filtered/matrix.mtx.gz", "notes.docx", ".hidden.csv"):
        (folder / name).write_bytes(b"1")
    (tmp_path / "home" / "data-of-others").mkdir()
    for outside in (tmp_path / "secret.csv", tmp_path / "home" / "data-of-others" / "x.csv"):
        outside.write_bytes(b"secret")
    make_link(folder / "link.csv", tmp_path / "secret.csv")
    make_link(folder / "linked", tmp_path / "home" / "data-of-others")
    make_link(folder / "loop.csv", folder / "loop.csv")
    make_pipe(folder / "pipe.csv")
    return folder


def test_an_upload_becomes_a_data_set(datasets):
    """Its name is kept for people, its id is safe everywhere, and the uploaded file is gone."""
    dataset_id = datasets.add_upload("Größe & Co.csv.gz", b"12")
    card = datasets.card(dataset_id)
    assert dataset_id.startswith("gr-e-co-")
    assert (card.name, card.n_cells, card.n_genes, card.counts_from) == ("Größe & Co.csv.gz", N_CELLS, N_GENES, "X")
    assert datasets.open(dataset_id).fingerprint == card.fingerprint
    assert list(datasets.workspace.uploads.iterdir()) == []


def test_the_same_data_is_kept_once(datasets):
    """Adding it again, even under another name, gives the data set that is there."""
    first = datasets.add_upload("a.csv", b"12")
    assert datasets.add_upload("b.csv", io.BytesIO(b"12")) == first
    assert datasets.add_upload("a.csv", b"123") != first
    assert [card.name for card in datasets.list()][1:] == ["a.csv", "a.csv"]


def test_other_labels_make_another_data_set(datasets, monkeypatch):
    """The same counts with new annotations are not thrown away as known."""
    first = datasets.add_upload("a.csv", b"12")
    relabelled = small_counts(seed=2)
    relabelled.annotations["cell_type"] = "gut"

    def read(source, into):
        save_counts(relabelled, into)
        return relabelled

    assert Datasets(datasets.workspace, read=read).add_upload("a.csv", b"12") != first


def test_new_maps_make_another_data_set(datasets):
    """The same counts and labels with a map that was not there before."""
    first = datasets.add_upload("a.csv", b"12")
    mapped = replace(small_counts(seed=2), maps={"umap": np.zeros((N_CELLS, 2), np.float32)})

    def read(source, into):
        save_counts(mapped, into)
        return mapped

    assert Datasets(datasets.workspace, read=read).add_upload("a.csv", b"12") != first


def test_the_demo_is_always_first(datasets):
    """A fresh workspace has something to look at."""
    datasets.add_upload("a.csv", b"1")
    assert datasets.list()[0].dataset_id == "demo"
    assert datasets.open("demo").n_cells == datasets.card("demo").n_cells == 7850


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.csv", b"bad", "Entries are negative."),
    ("a.csv", b"x" * 2000, "larger than the 0 MB that may be uploaded"),
    ("a.csv", b"", "The uploaded file is empty."),
    ("a.exe", b"1", "a.exe is of a kind that cannot be read"),
    ("." * 300 + ".csv", b"1", "csv is of a kind that cannot be read"),
    ("", b"1", "upload is of a kind that cannot be read"),
])  # fmt: skip
def test_a_refused_upload_leaves_nothing(datasets, name, content, message):
    """No half-loaded data, no file on the disk."""
    with pytest.raises(CountsError, match=message):
        datasets.add_upload(name, content, most_bytes=1000)
    assert len(datasets.list()) == 1
    assert not list(datasets.workspace.uploads.iterdir())
    assert not list(datasets.workspace.datasets.iterdir())


@pytest.mark.parametrize("name", ["../../escape.csv", "/tmp/escape.csv", "C:\\x\\escape.csv", "..\\escape.csv",
                                  "a\0\n.csv", "x" * 5000 + ".csv"])  # fmt: skip
def test_the_name_of_an_upload_leads_nowhere(datasets, name):
    """Only its ending decides anything."""
    dataset_id = datasets.add_upload(name, b"1")
    assert datasets.workspace.datasets / dataset_id in datasets.workspace.datasets.iterdir()
    assert len(datasets.card(dataset_id).name) <= 120


def test_a_full_disk_is_explained_and_leaves_nothing(datasets, monkeypatch):
    """The message says how much room there is."""
    monkeypatch.setattr("ldvae_core.workspace.datasets.os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(CountsError, match=r"The disk is full: [\d,]+ MB are free"):
        datasets.add_upload("a.csv", b"1")
    assert not list(datasets.workspace.uploads.iterdir())


def test_only_plain_files_and_folders_are_listed(datasets, data_folder):
    """Links, pipes, hidden and unreadable kinds are not offered."""
    assert [(file.name, file.kind) for file in datasets.data_files()] == [
        ("one.csv", "file"), ("sub/filtered", "folder"), ("sub/two.H5AD", "file"),
    ]  # fmt: skip


def test_a_listed_file_is_added_by_its_id(datasets, data_folder):
    """The browser sends an id; the file stays where it is."""
    for file in datasets.data_files():
        assert datasets.card(datasets.add_file(file.file_id)).n_cells == N_CELLS
    assert (data_folder / "one.csv").exists()


@pytest.mark.parametrize("path", PATHS)
def test_no_path_is_an_id_and_none_leads_out(datasets, data_folder, path):
    """Neither as an id nor, one gate further in, as a path."""
    with pytest.raises(RunError, match="There is no data file"):
        datasets.add_file(path)
    with pytest.raises(RunError, match="is not a plain file or folder of the data folder"):
        checked_inside(data_folder, path)


def test_a_folder_with_a_link_inside_is_refused(datasets, data_folder, tmp_path):
    """A 10x folder could otherwise show a file from outside as its barcodes."""
    make_link(data_folder / "sub" / "filtered" / "barcodes.tsv", tmp_path / "secret.csv")
    file_id = next(file.file_id for file in datasets.data_files() if file.kind == "folder")
    with pytest.raises(RunError, match=r"filtered holds a link or device \('barcodes.tsv'\)"):
        datasets.add_file(file_id)


def test_a_file_swapped_for_a_link_after_listing_is_refused(datasets, data_folder, tmp_path):
    """An id is looked up anew."""
    file_id = datasets.data_files()[0].file_id
    (data_folder / "one.csv").unlink()
    make_link(data_folder / "one.csv", tmp_path / "secret.csv")
    with pytest.raises(RunError, match="There is no data file"):
        datasets.add_file(file_id)


@pytest.mark.parametrize("dataset_id", ["", "..", "../runs", "/etc", "a/b", "DEMO", "demo\n", None, 3])
def test_only_a_listed_id_is_a_data_set(datasets, dataset_id):
    """Ids are matched against the list, never joined to a path unchecked."""
    with pytest.raises(RunError, match=r"There is no data set .* and demo\."):
        datasets.open(dataset_id)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"name": 3}', "null"])
def test_a_damaged_data_set_never_breaks_the_list(datasets, content):
    """The others are still there."""
    dataset_id = datasets.add_upload("a.csv", b"1")
    (datasets.workspace.datasets / dataset_id / "dataset.json").write_text(content)
    assert [card.dataset_id for card in datasets.list()] == ["demo"]


def test_what_a_killed_upload_left_is_swept_away(datasets):
    """The bench of a dead process goes, that of a live one stays."""
    for name, owner in (("dead", f"{processes.home()}/1/1"), ("alive", processes.this_process())):
        (datasets.workspace.uploads / name).mkdir()
        (datasets.workspace.uploads / name / "owner").write_text(owner)
    datasets.sweep()
    assert [bench.name for bench in datasets.workspace.uploads.iterdir()] == ["alive"]


def test_a_folder_without_an_owner_goes_once_it_is_old(datasets):
    """Its process was killed while it made or removed it; one that is just being made stays."""
    for name in ("old", "fresh"):
        (datasets.workspace.uploads / name).mkdir()
    os.utime(datasets.workspace.uploads / "old", (0, 0))
    datasets.sweep()
    assert [bench.name for bench in datasets.workspace.uploads.iterdir()] == ["fresh"]


KILLED = """
import os, sys
from pathlib import Path
from ldvae_core.workspace.datasets import Datasets
from ldvae_core.workspace.folders import Workspace
workspace = Workspace(Path(sys.argv[1]))
def stop():
    if list(workspace.uploads.glob("*/.*.part/.scratch")):
        os.kill(os.getpid(), 9)
datasets = Datasets(workspace)
(file,) = datasets.data_files()
datasets.add_file(file.file_id, should_stop=stop)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_what_a_killed_reading_left_is_swept_away(workspace):
    """With the half-read counts and what was unpacked beside them; the reader itself ends with its parent."""
    rows = [",".join(["gene", *(f"cell{n}" for n in range(1500))])]
    rows += [",".join([f"Gene{n}", *("1203" * 400)[:1500]]) for n in range(1500)]
    (workspace.make().data_folder / "table.csv").write_text("\n".join(rows))
    command = [sys.executable, "-c", KILLED, str(workspace.root)]
    killed = subprocess.run(command, cwd=PROJECT, check=False, env=child_environment())
    assert killed.returncode == -9
    assert list(workspace.uploads.glob("*/.*.part/.scratch"))
    Datasets(workspace).sweep()
    assert list(workspace.uploads.iterdir()) == []
    assert list(workspace.datasets.iterdir()) == []
    wait_until(lambda: not _readers_of(workspace), seconds=60)
    assert list(workspace.uploads.iterdir()) == []


def _readers_of(workspace):
    return [process for process in psutil.process_iter(["cmdline"])
            if any(str(workspace.root) in word for word in process.info["cmdline"] or ())]  # fmt: skip


def test_a_real_table_comes_in_through_the_safe_reader(workspace):
    """The whole way: upload, child process, checks, folder, open."""
    rows = ["gene," + ",".join(f"cell{i}" for i in range(60))]
    rows += [f"Gene{g}," + ",".join(str(1 + (g * i) % 7) for i in range(1, 61)) for g in range(1, 31)]
    datasets = Datasets(workspace)
    dataset_id = datasets.add_upload("table.csv", "\n".join(rows).encode())
    assert sorted(datasets.open(dataset_id).counts.shape) == [30, 60]
    with pytest.raises(CountsError, match=r"broken\.h5ad"):
        datasets.add_upload("broken.h5ad", b"no HDF5 at all")


def test_a_workspace_that_cannot_be_made_is_explained(tmp_path):
    """The message names the environment variable."""
    (tmp_path / "file").write_text("x")
    code = f"""from pathlib import Path; from ldvae_core.workspace.folders import Workspace
try: Workspace(Path({str(tmp_path / "file" / "home")!r})).make()
except Exception as fault: print(type(fault).__name__, fault)"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith("RunError The workspace")
    assert "GENE_PROGRAM_EXPLORER_HOME" in said
