"""Maps that come with a file are carried along, and no damage to one keeps anybody from the counts."""

import json

import anndata
import h5py
import numpy as np
import pytest
from scipy import sparse

from ldvae_core.data.folder import load_counts, save_counts
from ldvae_core.data.own_maps import MOST_MAPS, is_spatial
from ldvae_core.data.reading_options import NOTHING_SAID
from ldvae_core.data.reading_process import fill_folder

N_CELLS, N_GENES = 60, 25
EMPTY = 7  # the cell without counts


@pytest.fixture
def cells() -> anndata.AnnData:
    """Sixty cells, one of them empty, with a map, a place in a tissue, many components and what is no map."""
    random = np.random.default_rng(0)
    counts = random.poisson(2.0, (N_CELLS, N_GENES)).astype(np.float32)
    counts[EMPTY] = 0
    made = anndata.AnnData(sparse.csr_matrix(counts))
    made.obs_names = [f"cell {i}" for i in range(N_CELLS)]
    made.var_names = [f"Gene{i}" for i in range(N_GENES)]
    made.obsm["X_umap"] = random.normal(size=(N_CELLS, 2))
    made.obsm["X_pca"] = random.normal(size=(N_CELLS, 30)).astype(np.float32)
    made.obsm["spatial"] = random.integers(0, 5_000, (N_CELLS, 2))
    made.obsm["one"] = random.normal(size=(N_CELLS, 1))
    made.obsm["flat"] = np.ones((N_CELLS, 2))
    made.obsm["holes"] = np.full((N_CELLS, 2), np.nan)
    made.obsm["sparse"] = sparse.csr_matrix(counts)
    return made


@pytest.fixture
def read(tmp_path):
    """read(path) gives the counts of a file, read in this process."""

    def read_here(path):
        folder = tmp_path / f"read {path.name}"
        folder.mkdir()
        fill_folder(path, folder, NOTHING_SAID)
        return load_counts(folder)

    return read_here


@pytest.mark.parametrize("ending", ["h5ad", "zarr"])
def test_maps_are_read_with_the_cells_that_were_kept(cells, read, tmp_path, ending):
    """The first two columns of every entry of numbers; a dropped cell is dropped from them, too."""
    path = tmp_path / f"cells.{ending}"
    (cells.write_h5ad if ending == "h5ad" else cells.write_zarr)(path)
    found = read(path)
    kept = np.arange(N_CELLS) != EMPTY
    assert sorted(found.maps) == ["X_pca", "X_umap", "spatial"]
    for name, places in found.maps.items():
        assert np.array_equal(places, np.asarray(cells.obsm[name])[kept, :2].astype(np.float32))


def test_maps_go_with_cells_and_genes_that_are_chosen(cells, read, tmp_path):
    """And are kept with them."""
    cells.write_h5ad(tmp_path / "cells.h5ad")
    whole = read(tmp_path / "cells.h5ad")
    some = whole.subset(cells=np.array([5, 2, 30]), genes=np.arange(20))
    assert np.array_equal(some.maps["X_umap"], whole.maps["X_umap"][[5, 2, 30]])
    save_counts(some, tmp_path / "some")
    again = load_counts(tmp_path / "some")
    assert np.array_equal(again.maps["spatial"], some.maps["spatial"])


def test_a_store_from_before_there_were_maps_opens(cells, read, tmp_path):
    """It has none."""
    cells.write_h5ad(tmp_path / "cells.h5ad")
    folder = tmp_path / "old"
    save_counts(read(tmp_path / "cells.h5ad"), folder)
    about = json.loads((folder / "about.json").read_text())
    del about["maps"]
    (folder / "about.json").write_text(json.dumps(about))
    assert load_counts(folder).maps == {}


def test_a_damaged_map_is_left_out(cells, read, tmp_path):
    """The others are there."""
    path = tmp_path / "cells.h5ad"
    cells.write_h5ad(path, compression="gzip")
    with h5py.File(path, "r+") as file:
        where = file["obsm/X_umap"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[where : where + 40] = bytes(40)
    path.write_bytes(bytes(content))
    assert sorted(read(path).maps) == ["X_pca", "spatial"]


def test_of_very_many_maps_some_are_kept(cells, read, tmp_path):
    """Each is a file of the data set."""
    for number in range(MOST_MAPS + 5):
        cells.obsm[f"map {number}"] = np.random.default_rng(number).normal(size=(N_CELLS, 2))
    cells.write_h5ad(tmp_path / "cells.h5ad")
    assert len(read(tmp_path / "cells.h5ad").maps) == MOST_MAPS


def test_places_in_a_tissue_are_found_among_the_annotations(cells, read, tmp_path):
    """Where there is no entry of that name."""
    del cells.obsm["spatial"]
    cells.obs["x_centroid"], cells.obs["y_centroid"] = np.arange(N_CELLS) / 2, np.arange(N_CELLS)[::-1]
    cells.write_h5ad(tmp_path / "cells.h5ad")
    found = read(tmp_path / "cells.h5ad").maps
    (name,) = [name for name in found if is_spatial(name)]
    assert name == "spatial (x_centroid, y_centroid)"
    assert found[name][0].tolist() == [0.0, N_CELLS - 1]
