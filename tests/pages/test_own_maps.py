"""Maps that came with the file, on the Map view beside a pair of factors, with one selection for both."""

from dataclasses import replace

import numpy as np
import pytest

from ldvae_core.data.folder import load_counts, save_counts
from ldvae_core.runs.store import RunStore
from pages.parts.selection.region import own_plane

PLACES = {"view": "Map", "map_of": "spatial of the file"}


@pytest.fixture
def placed_run(workspace, finished_run):
    """A finished run whose file held two maps; a tenth of the cells has no place in the tissue."""
    folder = workspace.runs / finished_run / "counts"
    counts, random = load_counts(folder), np.random.default_rng(0)
    maps = {name: random.normal(size=(counts.n_cells, 2)).astype(np.float32) for name in ("X_umap", "spatial")}
    maps["spatial"][::10] = np.nan
    save_counts(replace(counts, maps=maps), folder)
    return finished_run


def test_a_map_of_the_file_is_drawn_beside_a_pair(placed_run, open_page, words):
    """And it is said how many cells have a place."""
    at = open_page("factors.py", **PLACES)
    assert not at.exception
    assert len(at.get("plotly_chart")) == 2
    assert "spatial holds places in the tissue that came with the file, of 270 cells; 30 cells have none" in words(at)


@pytest.mark.parametrize("beside", ["two factors", "umap of the file"])
@pytest.mark.parametrize("colour", ["none", "factor:1", "cell_type", "Gene3"])
def test_every_colouring_and_neighbour_can_be_chosen(placed_run, open_page, beside, colour):
    """Cells without a place do no harm."""
    at = open_page("factors.py", **PLACES, map_beside=beside, map_colour=colour)
    assert not at.exception
    assert len(at.get("plotly_chart")) == 2


def test_cells_drawn_around_are_marked_on_both(placed_run, open_page, words):
    """By a link, too; cells without a place are never inside."""
    at = open_page("factors.py", **PLACES, region="own_map.1!-9_-9~9_-9~9_9~-9_9")
    assert not at.exception
    assert all("marked cells" in chart.proto.spec for chart in at.get("plotly_chart")[:2])
    assert "270 of 300 cells" in words(at)


def test_cells_chosen_by_their_place_in_a_tissue_may_be_tested_on_factors(placed_run, open_page, words):
    """No count has decided who they are; on a map made of counts, some have."""
    at = open_page("factors.py", **PLACES, region="own_map.1!0_-9~9_-9~9_9~0_9")
    assert "chosen on these axes" not in words(at)
    at = open_page("factors.py", **PLACES, region="own_map.0!0_-9~9_-9~9_9~0_9")
    assert "chosen on these axes" in words(at)


def test_y_of_a_tissue_runs_downwards(placed_run, workspace):
    """As in a picture of it; other maps stay as they are."""
    opened = RunStore(workspace).open(placed_run)
    maps = opened.counts.maps
    assert np.array_equal(own_plane(opened, "spatial").y, -maps["spatial"][:, 1], equal_nan=True)
    assert np.array_equal(own_plane(opened, "X_umap").y, maps["X_umap"][:, 1])
