"""Zarr folders name the code that decodes them: only what is on the list is decoded, and nothing runs."""

import json
import platform
import shutil
import time

import anndata
import numpy as np
import pytest

from ldvae_core.errors import CountsError
from tests.data.hostile.payloads import PAYLOADS, plant
from tests.links import make_pipe


@pytest.fixture
def folder(adata, tmp_path):
    """The small AnnData saved as zarr: folder(3) in format 3."""

    def save(version, *, sharded=False):
        place = tmp_path / "cells.zarr"
        shutil.rmtree(place, ignore_errors=True)
        with anndata.settings.override(zarr_write_format=version, auto_shard_zarr_v3=sharded):
            adata.write_zarr(place)
        return place

    return save


@pytest.mark.parametrize(("version", "sharded"), [(2, False), (3, False), (3, True)])
def test_what_anndata_writes_is_read(folder, read_here, matrix, version, sharded):
    """Texts of any length too, and records in uns, which are not read."""
    place = folder(version, sharded=sharded)
    assert read_here(place).fingerprint == matrix.fingerprint


@pytest.mark.parametrize("payload", PAYLOADS)
def test_code_in_a_zarr_folder_is_never_run(folder, read_here, tmp_path, payload):
    """Whatever names pickle, or another decoder of objects, is refused before it is loaded."""
    witness = tmp_path / "ran"
    place = plant(folder(PAYLOADS[payload].version), payload, witness)
    with pytest.raises(CountsError, match=r"obs/_index (is packed with|holds objects)"):
        read_here(place)
    assert not witness.exists()


def test_a_copy_of_the_metadata_is_not_used(folder, read_here, matrix):
    """.zmetadata can say anything: each array is asked itself."""
    place = folder(2)
    whole = json.loads((place / ".zmetadata").read_text())
    whole["metadata"]["X/data/.zarray"] |= {"dtype": "<f8", "compressor": {"id": "pickle"}}
    (place / ".zmetadata").write_text(json.dumps(whole))
    assert read_here(place).fingerprint == matrix.fingerprint


def test_a_copy_in_a_group_below_the_root_is_checked_too(folder, read_here, tmp_path):
    """In zarr 3 every group can hold one, and that one is used."""
    place = plant(folder(3), "pickle_3", tmp_path / "ran")
    own, group = place / "obs/_index/zarr.json", place / "obs/zarr.json"
    bad, content = json.loads(own.read_text()), json.loads(group.read_text())
    folder_again = {"kind": "inline", "must_understand": False, "metadata": {"_index": bad}}
    place = folder(3)
    group.write_text(json.dumps({**content, "consolidated_metadata": folder_again}))
    with pytest.raises(CountsError, match=r"obs is packed with 'numcodecs\.pickle'"):
        read_here(place)


def test_a_huge_fixed_text_is_not_taken_for_eight_bytes(folder, read_here):
    """The size of one value counts."""
    place = folder(2)
    array = place / "obs/_index/.zarray"
    array.write_text(
        json.dumps(json.loads(array.read_text()) | {"dtype": "<U999999", "filters": None, "chunks": [800]})
    )
    with pytest.raises(CountsError, match="in pieces larger than"):
        read_here(place)


@pytest.mark.skipif(platform.system() == "Windows", reason="has no such pipes")
@pytest.mark.parametrize("name", ["X/data/0", "obs/.zarray", "extra"])
def test_a_pipe_in_a_zarr_folder_is_refused_within_a_second(folder, read_here, name):
    """It would be waited for without end."""
    place = folder(2)
    (place / name).unlink(missing_ok=True)
    make_pipe(place / name)
    began = time.monotonic()
    with pytest.raises(CountsError, match=f"{name} is not a file"):
        read_here(place)
    assert time.monotonic() - began < 1


def test_a_full_drawer_of_unread_things_is_no_fault(folder, read_here, adata, matrix):
    """Records are of a type that is not read, and stand where nothing is read."""
    adata.uns["ranked"] = np.array([("a", 1.0)], dtype=[("name", "U5"), ("score", "f4")])
    assert read_here(folder(2)).fingerprint == matrix.fingerprint


def test_shards_of_no_length_are_refused(folder, read_here):
    """Their pieces can be as they should."""
    described = folder(3, sharded=True) / "X" / "data" / "zarr.json"
    content = json.loads(described.read_text())
    content["chunk_grid"]["configuration"]["chunk_shape"] = [0]
    described.write_text(json.dumps(content))
    with pytest.raises(CountsError, match=r"refused for safety: X/data/zarr.json is not readable"):
        read_here(described.parents[2])


@pytest.mark.parametrize("codecs", [[], [{"name": "bytes"}, {"name": "gzip"}]])
def test_damage_to_colours_keeps_nobody_from_the_counts(adata, folder, read_here, matrix, codecs):
    """They are drawn with the usual ones."""
    adata.uns["cell_type_colors"] = np.array(["#ff0000", "#00ff00"], dtype=object)
    described = folder(3) / "uns" / "cell_type_colors" / "zarr.json"
    described.write_text(json.dumps(json.loads(described.read_text()) | {"codecs": codecs}))
    read = read_here(described.parents[2])
    assert (read.fingerprint, read.about) == (matrix.fingerprint, {})
