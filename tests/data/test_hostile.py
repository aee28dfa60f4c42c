"""Files made to harm: each is refused in words, before anything is allocated or opened elsewhere."""

import zlib

import h5py
import numpy as np
import pytest

from ldvae_core.data import gate
from ldvae_core.errors import CountsError
from tests.links import make_link


@pytest.fixture
def hostile(saved, read_here):
    """Change a good file by a function of the opened file, then read it."""

    def change_and_read(change):
        path = saved()
        with h5py.File(path, "a") as file:
            change(file)
        return read_here(path)

    return change_and_read


@pytest.fixture
def canary(tmp_path):
    """Another file of the machine, whose bytes must never be shown."""
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.frombuffer(b"the secret of the machine, 32 by", dtype=np.uint8)
    return path


def refused(words):
    return pytest.raises(CountsError, match=rf"refused for safety\. {words}")


def test_a_link_to_another_file_is_refused(hostile, canary):
    """External links name a path on this machine."""
    with refused("/obsm/x is a link to another place or file"):
        hostile(lambda file: file.__setitem__("obsm/x", h5py.ExternalLink(str(canary), "/x")))


def test_a_soft_link_is_refused(hostile):
    """Soft links can lead round in circles, or to what was not checked."""
    with refused("/obsm/x is a link"):
        hostile(lambda file: file.__setitem__("obsm/x", h5py.SoftLink("/X")))


def test_values_kept_in_another_file_are_refused(hostile, canary):
    """External storage reads any bytes of any file as numbers."""
    with refused("/obsm/x keeps its values in another file"):
        hostile(lambda file: file["obsm"].create_dataset("x", (32,), np.uint8, external=[(str(canary), 0, 32)]))


def test_a_virtual_dataset_is_refused(hostile, canary):
    """Its values come from elsewhere."""
    layout = h5py.VirtualLayout((32,), np.uint8)
    layout[:] = h5py.VirtualSource(str(canary), "x", (32,))
    with refused("/obsm/x is a virtual dataset"):
        hostile(lambda file: file["obsm"].create_virtual_dataset("x", layout))


def test_a_group_inside_itself_is_refused(hostile):
    """A hard link back to the root has no end."""
    with refused("/obsm/x is reached by more than one path"):
        hostile(lambda file: file.__setitem__("obsm/x", file["/"]))


def test_deep_nesting_is_refused(hostile):
    """No real file nests 30 groups."""
    with refused(r"(/a)+ lies more than 24 levels deep"):
        hostile(lambda file: file.create_group("a/" * 30))


def test_a_file_of_too_many_objects_is_refused(hostile):
    """Walking must end soon."""
    with refused("/obsm holds more than 5,000 objects"):
        hostile(lambda file: [file.create_group(f"obsm/{n}") for n in range(5_001)])


def test_declared_terabytes_are_refused_before_allocation(hostile):
    """An array of 960 GB that no byte stands behind."""
    with refused("/obsm/x declares 960,000,000,000 bytes, but 0 are stored"):
        hostile(lambda file: file["obsm"].create_dataset("x", (120_000, 1_000_000), "f8", chunks=(100, 1000)))


def test_values_packed_twice_are_refused(hostile):
    """Two deflate filters unfold 26,000 to 1; one at most 1,032."""

    def pack_twice(file):
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((100_000,))
        plan.set_deflate(9)
        plan.set_deflate(9)
        space, kind = h5py.h5s.create_simple((100_000,)), h5py.h5t.NATIVE_DOUBLE
        dataset = h5py.h5d.create(file["obsm"].id, b"x", kind, space, plan)
        dataset.write_direct_chunk((0,), zlib.compress(zlib.compress(bytes(800_000))))

    with refused("/obsm/x is compressed more than once"):
        hostile(pack_twice)


def test_an_unknown_filter_is_refused(hostile):
    """Filters outside the list could be any plugin."""
    with refused("/obsm/x is packed with filter 6; those that can be read are gzip, shuffle, fletcher32, lzf, zstd"):
        hostile(lambda file: file["obsm"].create_dataset("x", data=np.arange(9), scaleoffset=0, chunks=(9,)))


def test_huge_storage_pieces_are_refused(hostile):
    """A piece is unpacked whole, however little of it is asked for."""
    with refused("/obsm/x is stored in pieces larger than 1,073,741,824 bytes"):
        hostile(lambda file: file["obsm"].create_dataset("x", (8,), "f8", chunks=(2**28,), maxshape=(None,)))


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("indices", lambda a: np.where(np.arange(a.size) == 7, 40, a), r"has an index outside the matrix \(40 of 40\)"),
        ("indices", lambda a: np.where(np.arange(a.size) == 7, -1, a), "has an index outside the matrix"),
        ("indices", lambda a: a.astype("f4"), "part 'indices' is missing or malformed"),
        ("indices", lambda a: a[:-5], "The parts of X do not fit"),
        ("indices", lambda a: a[:, None], "part 'indices' is missing or malformed"),
        ("indptr", lambda a: np.r_[a[:5], a[4] - 3, a[6:]], "The row starts of X are out of order"),
        ("indptr", lambda a: np.r_[1, a[1:]], "The row starts of X are out of order"),
        ("indptr", lambda a: np.r_[a[:-1], a[-1] + 9], "The row starts of X are out of order"),
        ("indptr", lambda a: a[:-1], "The parts of X do not fit"),
        ("data", lambda a: a[:-1], "The parts of X do not fit"),
        ("data", lambda a: a.astype("S3"), "part 'data' is missing or malformed"),
        ("data", lambda a: a.astype("c8"), "part 'data' is missing or malformed"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isalpha() else "",
)
def test_a_corrupt_sparse_matrix_is_refused_naming_the_fault(hostile, part, change, words):
    """Nothing reaches the sparse library, which trusts its input and would stop the process."""

    def corrupt(file):
        values = change(file["X"][part][:])
        del file["X"][part]
        file["X"][part] = values

    with pytest.raises(CountsError, match=words):
        hostile(corrupt)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file["X"].attrs.__setitem__("shape", [80, 10**12]),
        lambda file: file["X"].attrs.__setitem__("shape", [-80, 40]),
        lambda file: file["X"].attrs.__setitem__("shape", [80, 40, 2]),
        lambda file: file["X"].attrs.__setitem__("encoding-type", "csc_matrix"),
        lambda file: file["X"].attrs.__setitem__("encoding-type", "awkward-array"),
        lambda file: file.__delitem__("X"),
        lambda file: file.__delitem__("obs"),
        lambda file: file.__delitem__("var/_index"),
        lambda file: file["obs"].attrs.__setitem__("_index", "../../etc/passwd"),
        lambda file: file["var"].attrs.__setitem__("_index", 7),
    ],
    ids=["wide", "negative", "3d", "csc", "awkward", "no_x", "no_obs", "no_names", "path_as_name", "number_as_name"],
)
def test_a_file_that_contradicts_itself_is_refused_or_read(hostile, change):
    """Either a refusal in words, or the same 80 cells: never a library's error."""
    try:
        outcome = hostile(change).counts.shape
    except CountsError:
        outcome = "refused"
    assert outcome in ((80, 40), "refused")


@pytest.mark.parametrize(
    "content", [b"", b"not HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100)], ids=["empty", "text", "header"]
)
def test_what_is_not_hdf5_is_refused(tmp_path, read_here, content):
    """The name ends in .h5ad, the content does not follow."""
    (tmp_path / "x.h5ad").write_bytes(content)
    with pytest.raises(CountsError, match=r"x\.h5ad is not a readable HDF5 file"):
        read_here(tmp_path / "x.h5ad")


def test_a_file_cut_short_is_refused(saved, read_here):
    """A download that stopped half way."""
    path = saved()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CountsError, match="damaged, cut short"):
        read_here(path)


def test_a_zarr_folder_with_a_link_is_refused(adata, tmp_path, read_here, canary):
    """A symbolic link would read another place of the machine."""
    (tmp_path / "x.zarr" / "obsm").mkdir(parents=True)
    make_link(tmp_path / "x.zarr" / "obsm" / "0.0", canary)
    with pytest.raises(CountsError, match=r"refused for safety: obsm/0\.0 is a link to another place"):
        read_here(tmp_path / "x.zarr")


def test_a_zarr_array_that_declares_too_much_is_refused(tmp_path, read_here):
    """Declared against stored bytes, as for HDF5."""
    (tmp_path / "x.zarr" / "X").mkdir(parents=True)
    content = '{"zarr_format": 2, "shape": [1000000, 1000000], "chunks": [1000, 1000], "dtype": "<f8"}'
    (tmp_path / "x.zarr" / "X" / ".zarray").write_text(content)
    with pytest.raises(CountsError, match="it declares 8,000,000,000,000 bytes, but only 87 are stored"):
        read_here(tmp_path / "x.zarr")


def test_a_good_file_passes_the_gate(saved):
    """Real files are not refused: anndata's own defaults, gzip and lzf."""
    with gate.SafeFile(saved()) as file:
        assert "X" in file
