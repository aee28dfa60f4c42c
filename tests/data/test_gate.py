"""What the gate before HDF5 lets through: packings of hdf5plugin, a full drawer, and nothing that leads elsewhere."""

import platform
import subprocess
import sys

import h5py
import numpy as np
import pytest

from ldvae_core.data import gate
from ldvae_core.data.limited import PROJECT
from ldvae_core.data.limits import SPENT
from ldvae_core.errors import CountsError
from tests.links import make_link, make_pipe


@pytest.fixture
def changed(saved):
    """Save a good file, change it by a function of the opened file: its path."""

    def change(function):
        path = saved()
        with h5py.File(path, "a") as file:
            function(file)
        return path

    return change


@pytest.fixture
def elsewhere(tmp_path):
    """A file of the machine whose bytes must never be shown."""
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.frombuffer(b"#FF0000" * 2, dtype="S7")
    return str(path)


@pytest.mark.parametrize("packing", ["Zstd", "Blosc", "Blosc2", "LZ4"])
def test_packings_of_hdf5plugin_are_read(saved, read_here, matrix, packing):
    """As adata.write_h5ad(compression=hdf5plugin.FILTERS[...]) writes them."""
    import hdf5plugin

    options = getattr(hdf5plugin, packing)()
    path = saved()
    with h5py.File(path, "a") as file:
        for part in ("data", "indices", "indptr"):
            values = file["X"][part][:]
            del file["X"][part]
            file["X"].create_dataset(part, data=values, **options)
    assert read_here(path).fingerprint == matrix.fingerprint


def test_a_constant_column_in_zstd_is_not_taken_for_a_bomb(changed):
    """Two million equal numbers are packed to a few hundred bytes: more than gzip can, and no fault."""
    import hdf5plugin

    column = np.ones(2_000_000)
    path = changed(lambda file: file["obsm"].create_dataset("x", data=column, **hdf5plugin.Zstd()))
    with gate.SafeFile(path) as file:
        stored = file["obsm/x"].id.get_storage_size()
        assert gate.MOST_UNFOLDING * stored < column.nbytes - gate.SLACK_BYTES


def test_only_a_file_that_needs_them_loads_the_plugins():
    """Decoders of strangers' bytes are in no other process, nor in the reader of an ordinary file."""
    code = (
        "import sys; from ldvae_core.data import reading_process, hdf5, zarr_folder; print('hdf5plugin' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_full_drawer_of_unread_things_is_no_fault(changed, read_here, matrix):
    """6,000 entries of uns cost nothing: none of them is read."""
    path = changed(lambda file: [file.create_group(f"uns/{n}") for n in range(6_000)])
    assert read_here(path).fingerprint == matrix.fingerprint


def test_a_link_that_is_never_read_is_no_fault(changed, read_here, elsewhere, matrix):
    """It is not followed either."""
    path = changed(lambda file: file.__setitem__("uns/x", h5py.ExternalLink(elsewhere, "/x")))
    assert read_here(path).fingerprint == matrix.fingerprint


@pytest.mark.parametrize("place", ["uns/cell_type_colors", "obs/uns/codes", "raw/uns/x"])
def test_a_link_where_something_is_read_is_refused(changed, read_here, elsewhere, place):
    """Colours are read; and only the drawer of AnnData itself is unread, not whatever bears its name."""

    def link(file):
        for name in ("obs", "var"):
            file.require_group(f"obs/{name}")
        file[place] = h5py.ExternalLink(elsewhere, "/x")

    with pytest.raises(CountsError, match=f"/{place} is a link"):
        read_here(changed(link))


def test_categories_are_not_followed_by_a_path(changed, read_here, elsewhere):
    """Files of old point at categories with a reference; a path in its place would lead past the gate."""

    def point(file):
        file["uns/x"] = h5py.ExternalLink(elsewhere, "/x")
        del file["obs/cell_type"]
        file["obs/cell_type"] = np.zeros(80, dtype="i1")
        file["obs/cell_type"].attrs["categories"] = "/uns/x"

    assert "cell_type" not in read_here(changed(point)).annotations


def test_categories_kept_in_another_file_are_not_read(changed, read_here, elsewhere):
    """Also behind a reference to what no name leads to."""

    def point(file):
        hidden = file["uns"].create_dataset("x", (2,), "S7", external=[(elsewhere, 0, 14)])
        del file["obs/cell_type"]
        file["obs/cell_type"] = np.zeros(80, dtype="i1")
        file["obs/cell_type"].attrs["categories"] = hidden.ref

    assert "cell_type" not in read_here(changed(point)).annotations


@pytest.mark.skipif(platform.system() == "Windows", reason="has no such pipes")
def test_a_pipe_or_a_folder_is_never_opened(tmp_path):
    """Opening a pipe waits for whoever writes into it."""
    make_pipe(tmp_path / "pipe.h5ad")
    (tmp_path / "folder.h5ad").mkdir()
    for name in ("pipe.h5ad", "folder.h5ad"):
        with pytest.raises(CountsError, match="is not a file"):
            gate.SafeFile(tmp_path / name)


@pytest.mark.parametrize("linked", ["matrix.mtx", "barcodes.tsv", "genes.tsv"])
def test_a_link_in_a_10x_folder_is_refused_with_what_to_do(tmp_path, read_here, linked):
    """barcodes.tsv can point at any file of the machine, whose lines would become names of cells."""
    folder = tmp_path / "sample"
    folder.mkdir()
    (tmp_path / "secret").write_text("the secret of the machine\n")
    for name in ("matrix.mtx", "barcodes.tsv", "genes.tsv"):
        if name == linked:
            make_link(folder / name, tmp_path / "secret")
        else:
            (folder / name).write_text("x\n")
    with pytest.raises(CountsError, match=rf"sample was refused.*{linked} is a link") as refusal:
        read_here(folder)
    assert "links followed" in refusal.value.remedy


@pytest.mark.skipif(platform.system() == "Windows", reason="has no such pipes")
def test_a_pipe_in_a_10x_folder_is_refused_at_once(tmp_path, read_here):
    """It is neither opened nor passed over."""
    make_pipe(tmp_path / "matrix.mtx")
    (tmp_path / "barcodes.tsv").write_text("x\n")
    (tmp_path / "genes.tsv").write_text("x\n")
    with pytest.raises(CountsError, match=r"matrix\.mtx is not a file"):
        read_here(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the parent's look at the clock ends it")
def test_a_damaged_heap_is_not_followed_for_ever(saved):
    """Texts of attributes stand in a heap; HDF5 goes from piece to piece, and pieces of no length have no end."""
    path = saved()
    content = bytearray(path.read_bytes())
    start = content.index(b"GCOL") + 16
    content[start : start + 256] = bytes(256)
    path.write_bytes(content)
    code = (
        "import sys; from pathlib import Path; from ldvae_core.data import gate, limits\n"
        "limits.OPENING_SECONDS = 0; limits.limit_process(memory_bytes=1 << 30, seconds=60)\n"
        "gate.SafeFile(Path(sys.argv[1]))"
    )
    child = subprocess.run([sys.executable, "-c", code, str(path)], cwd=PROJECT, capture_output=True, check=False)
    assert child.returncode == SPENT
