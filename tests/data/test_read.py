"""The child process: its limits hold, its refusals are passed on, and nothing is left behind."""

import platform
import subprocess
import sys

import h5py
import numpy as np
import pytest

from ldvae_core.data import limited, read
from ldvae_core.data.read import read_counts
from ldvae_core.errors import CountsError

from .conftest import CELLS, GENES


@pytest.fixture
def into(tmp_path):
    """Where the counts go; its folder must hold nothing else afterwards."""
    return tmp_path / "store" / "counts"


def left_behind(into):
    return [path.name for path in into.parent.iterdir()]


def test_counts_are_read_through_the_child(saved, into, matrix):
    """The same counts as in the file, opened from the folder the child filled."""
    counts = read_counts(saved(), into)
    assert counts.fingerprint == matrix.fingerprint
    assert left_behind(into) == ["counts"]


def test_a_refusal_comes_back_whole_and_leaves_nothing(saved, into, molecules):
    """Problems and remedy of the child; no folder, not even a hidden one."""
    with pytest.raises(CountsError, match=r"are not whole numbers\. They look like log\(1 \+ counts\)") as refusal:
        read_counts(saved(X=np.log1p(molecules)), into)
    assert "raw counts" in refusal.value.remedy
    assert left_behind(into) == []


def test_a_failure_keeps_what_was_there(saved, into, matrix, tmp_path):
    """Counts read before stay when a second file is refused."""
    read_counts(saved(), into)
    (tmp_path / "bad.h5ad").write_bytes(b"no")
    with pytest.raises(CountsError, match="not a readable HDF5 file"):
        read_counts(tmp_path / "bad.h5ad", into)
    assert read.load_counts(into).fingerprint == matrix.fingerprint


def test_a_dense_matrix_larger_than_the_memory_allowed_is_read(tmp_path, into):
    """200 MB of float64 pass through 120 MB, in blocks of rows."""
    with h5py.File(tmp_path / "x.h5ad", "w") as file:
        rows = file.create_dataset("X", (5000, 5000), "f8", chunks=(100, 5000), compression="gzip", compression_opts=1)
        rows[:, 0] = 1
        rows[:200, :100] = 3
        file["obs/_index"] = np.array([f"cell_{n}" for n in range(5000)], dtype=object)
        file["var/_index"] = np.array([f"gene_{n}" for n in range(5000)], dtype=object)
    counts = read_counts(tmp_path / "x.h5ad", into, memory_limit_bytes=120_000_000)
    assert (counts.n_cells, counts.n_genes, counts.counts.nnz) == (5000, 5000, 5000 - 200 + 200 * 100)


@pytest.mark.skipif(platform.system() != "Linux", reason="only Linux heeds so small a limit; see the next test")
def test_too_little_memory_is_said(saved, into):
    """A file that needs more than it may have is refused in words."""
    with pytest.raises(CountsError, match=r"memory"):
        read_counts(saved(), into, memory_limit_bytes=1)
    assert left_behind(into) == []


def test_a_reader_that_takes_too_much_memory_is_ended(saved, into, monkeypatch):
    """Also where the system itself sets no limit, and where what was started is not what reads."""
    monkeypatch.setattr(limited, "LIBRARIES", 60_000_000)
    grows = "import time; x = bytearray(300_000_000); x[::4096] = b'1' * len(x[::4096]); time.sleep(60)"
    monkeypatch.setattr(limited, "PYTHON", (sys.executable, "-c", grows))
    with pytest.raises(CountsError, match=r"Reading cells\.h5ad needs more than 0\.1 GB of memory"):
        read_counts(saved(), into, memory_limit_bytes=100_000_000)
    assert left_behind(into) == []


def test_too_long_a_reading_is_stopped(saved, into):
    """The child is ended at the time limit."""
    with pytest.raises(CountsError, match=r"Reading cells\.h5ad took longer than 0 seconds and was stopped"):
        read_counts(saved(), into, timeout_s=0.05)
    assert left_behind(into) == []


@pytest.mark.parametrize(
    "script",
    ["import os; os.abort()", "import psutil; psutil.Process().kill()", "print('{}{}')", "exit(3)"],
    ids=["abort", "killed", "babble", "exit"],
)
def test_a_reader_that_dies_is_an_error_in_words(saved, into, monkeypatch, script):
    """Whatever ends the child, this process lives and says that nothing was loaded."""
    monkeypatch.setattr(limited, "PYTHON", (sys.executable, "-c", script))
    with pytest.raises(CountsError, match=r"The reader stopped while it read cells\.h5ad.*Nothing was loaded"):
        read_counts(saved(), into)
    assert left_behind(into) == []


@pytest.mark.parametrize(
    ("source", "words"),
    [("absent.h5ad", "does not exist"), ("/dev/zero", "neither a file nor a folder"), (".", "it is not a 10x folder")],
    ids=["absent", "device", "empty_folder"],
)
def test_what_is_no_data_is_refused(tmp_path, source, words):
    """A missing file, a device, a folder of something else."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(CountsError, match=words):
        read_counts(tmp_path / "empty" / source, tmp_path / "store" / "counts")


def test_the_child_gets_no_secrets(monkeypatch):
    """Only the named variables of the server's environment are passed on."""
    monkeypatch.setenv("COOKIE_SECRET", "hush")
    assert "COOKIE_SECRET" not in limited.child_environment()


def test_reading_needs_neither_torch_nor_streamlit():
    """The child starts in a second and a half because it imports no more than it needs."""
    modules = "reading_process, hdf5, tables, folders, packed, zarr_folder"
    code = f"import sys; from ldvae_core.data import {modules}; print({{'torch', 'streamlit'}} & set(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=limited.PROJECT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "set()"


def test_names_of_cells_and_genes_survive_the_way(saved, into):
    """Text is not changed between the processes."""
    counts = read_counts(saved(), into)
    assert counts.cell_ids.tolist() == CELLS
    assert counts.gene_names.tolist() == GENES
