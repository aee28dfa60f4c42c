"""Maps and clusters of cells: planted groups come back, the same seed gives the same, dead factors have no say."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from ldvae_core.analysis.neighbours import cluster_cells, map_cells, neighbour_graph, place_cells
from ldvae_core.errors import RunError, SettingsError

N_CELLS, N_GROUPS = 400, 4


@pytest.fixture(name="groups", scope="module")
def _groups():
    """To which of four groups each cell belongs."""
    return np.arange(N_CELLS) % N_GROUPS


@pytest.fixture(name="grouped", scope="module")
def _grouped(factors, groups):
    """Four groups far apart on three active factors; the fourth, dead one is loud noise."""
    rng = np.random.default_rng(3)
    z = np.array([[0, 0, 0], [8, 0, 0], [0, 8, 0], [0, 0, 8]])[groups] + rng.normal(0, 0.5, (N_CELLS, 3))
    z = np.column_stack([z, rng.normal(0, 50, N_CELLS)]).astype(np.float32)
    return replace(factors, representation=z, active=np.array([True, True, True, False]))


@pytest.fixture(name="made", scope="module")
def _made(grouped):
    return map_cells(grouped, resolution=0.3)


def test_planted_groups_come_back_as_clusters(made, groups):
    """Four groups that lie far apart are four clusters, although a dead factor is noise."""
    assert adjusted_rand_score(groups, made.clusters) > 0.9


def test_planted_groups_lie_apart_on_the_map(made, groups):
    """A cell's nearest neighbour on the map is of its own group."""
    distance = np.linalg.norm(made.positions[:, None] - made.positions[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (groups[distance.argmin(axis=1)] == groups).mean() > 0.99


def test_the_same_seed_gives_the_same_map(grouped, made):
    """To the last bit; another seed places the cells elsewhere."""
    again, other = map_cells(grouped, resolution=0.3), map_cells(grouped, resolution=0.3, seed=1)
    assert np.array_equal(again.positions, made.positions)
    assert np.array_equal(again.clusters, made.clusters)
    assert not np.array_equal(other.positions, made.positions)


def test_only_active_factors_count(grouped, made):
    """What a dead factor holds changes nothing."""
    silent = grouped.representation.copy()
    silent[:, 3] = 0
    assert np.array_equal(map_cells(replace(grouped, representation=silent), resolution=0.3).positions, made.positions)


def test_the_map_is_scanpys(grouped):
    """scanpy.pp.neighbors and scanpy.tl.umap, called as anyone would, give the same positions."""
    scanpy = pytest.importorskip("scanpy")
    import anndata

    z = np.ascontiguousarray(grouped.representation[:, :3])
    cells = anndata.AnnData(z)
    scanpy.pp.neighbors(cells, use_rep="X", random_state=0)
    scanpy.tl.umap(cells, random_state=0)
    assert np.array_equal(place_cells(z, neighbour_graph(z)), cells.obsm["X_umap"])


def test_the_clusters_are_scanpys(grouped):
    """scanpy.tl.leiden by igraph finds the same communities, also where they touch."""
    scanpy = pytest.importorskip("scanpy")
    import anndata

    cells = anndata.AnnData(np.ascontiguousarray(grouped.representation[:, :3]))
    scanpy.pp.neighbors(cells, use_rep="X")
    scanpy.tl.leiden(cells, flavor="igraph", n_iterations=2, directed=False, resolution=0.3)
    ours = cluster_cells(cells.obsp["connectivities"].tocsr(), resolution=0.3)
    assert adjusted_rand_score(cells.obs["leiden"], ours) > 0.95


def test_many_cells_are_searched_approximately(monkeypatch):
    """Beyond the exact search nearly all the same neighbours are found."""
    z = np.random.default_rng(0).normal(size=(1500, 5)).astype(np.float32)
    exact = neighbour_graph(z) > 0
    monkeypatch.setattr("ldvae_core.analysis.neighbours.EXACT_UP_TO", 100)
    assert exact.multiply(neighbour_graph(z) > 0).sum() / exact.sum() > 0.95


def test_clusters_are_numbered_by_size(made):
    """Cluster 0 is the largest, and none is empty."""
    sizes = np.bincount(made.clusters)
    assert made.clusters.dtype == np.int32
    assert sizes.min() > 0
    assert list(sizes) == sorted(sizes, reverse=True)


def test_an_earlier_map_stays_when_only_clusters_are_asked_for(grouped, made):
    """A higher resolution gives more clusters on the very same positions."""
    again = map_cells(grouped, resolution=3.0, known_positions=made.positions)
    assert np.array_equal(again.positions, made.positions)
    assert again.clusters.max() > made.clusters.max()


def test_progress_names_the_stages_in_order(grouped):
    """Neighbours, places, clusters; while placing, the share rises to 1."""
    said = []
    map_cells(grouped, on_progress=lambda *news: said.append(news))
    assert list(dict.fromkeys(stage for stage, _ in said)) == ["finding neighbours", "placing cells", "clustering"]
    shares = [share for stage, share in said if stage == "placing cells"]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(("changes", "message"), [
    ({"active": np.zeros(4, bool)}, "This run has no active factor"),
    ({"representation": np.zeros((5, 4), np.float32)}, "This run has 5 cells. A map takes at least 10."),
    ({"representation": np.full((50, 4), np.nan, np.float32)}, "Some cells have positions that are not numbers"),
], ids=["no factor", "few cells", "not numbers"])  # fmt: skip
def test_what_cannot_be_mapped_is_refused(grouped, changes, message):
    """In words, before anything is computed."""
    with pytest.raises(RunError, match=message):
        map_cells(replace(grouped, **changes))


@pytest.mark.parametrize("resolution", [0.0, -1.0, 100.0, float("nan")])
def test_an_impossible_resolution_is_refused(grouped, resolution):
    """Leiden takes 0.05 to 10 here."""
    with pytest.raises(SettingsError, match=r"Choose one between 0\.05 \(few clusters\) and 10 \(many\)\."):
        map_cells(grouped, resolution=resolution)


@pytest.mark.parametrize("kind", ["one factor", "all the same", "ten cells"])
def test_ordinary_shapes_can_be_mapped(grouped, kind):
    """One factor alone, cells that do not differ, and the fewest cells."""
    z = grouped.representation[:60]
    changes = {"one factor": {"representation": z, "active": np.arange(4) == 0},
               "all the same": {"representation": np.zeros_like(z)},
               "ten cells": {"representation": z[:10]}}[kind]  # fmt: skip
    made = map_cells(replace(grouped, **changes))
    assert np.isfinite(made.positions).all()
    assert made.positions.shape == (len(changes["representation"]), 2)
