"""Rasters are exact histograms; contours hold the share of cells they say."""

import numpy as np
import pandas as pd
import pytest

from ldvae_core.analysis import raster as raster_module
from ldvae_core.analysis.raster import (
    Window,
    coarser,
    contours,
    density_raster,
    mean_raster,
    peak,
    square_extent,
    type_rasters,
)


@pytest.fixture
def cloud():
    """Five thousand cells, twice as wide as high."""
    x, y = np.random.default_rng(0).standard_normal((2, 5000))
    return 2 * x + 5, y - 1


def polygon_area(x, y):
    return abs(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1])) / 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_raster_equals_numpys_histogram(cloud, dtype):
    """Same edges, same counts, with rows for y: exactly, in either precision."""
    x, y = (values.astype(dtype) for values in cloud)
    raster = density_raster(x, y)
    theirs, _, _ = np.histogram2d(x, y, bins=(raster.x_edges, raster.y_edges))
    assert (raster.counts == theirs.T).all()
    assert raster.counts.sum() == 5000


@pytest.mark.parametrize(
    ("low", "high", "bins"), [(0.0, 1.0, 10), (-3.7, 9.1, 256), (0.1, 0.7, 49), (1e6, 1e6 + 1e-5, 64)]
)
def test_points_on_the_edges_fall_where_numpy_puts_them(low, high, bins):
    """On an inner edge: the upper bin; a hair below it: the lower; on the last edge: the last bin; outside: nowhere."""
    edges = np.linspace(low, high, bins + 1)
    x = np.concatenate([edges, np.nextafter(edges, low - 1), np.nextafter(edges, high + 1)])
    raster = density_raster(np.append(x, np.nan), np.append(x, low), bins=bins, extent=Window(low, high, low, high))
    theirs, _, _ = np.histogram2d(x, x, bins=(edges, edges))
    assert (raster.counts == theirs.T).all()


def test_the_window_is_square_and_contains_every_cell(cloud):
    """Equal axes with a 3% margin around the wider side."""
    extent = square_extent(*cloud)
    assert extent.x_high - extent.x_low == pytest.approx(extent.y_high - extent.y_low)
    assert extent.x_high - extent.x_low == pytest.approx(np.ptp(cloud[0]) * 1.06)
    assert extent.y_low < cloud[1].min() < cloud[1].max() < extent.y_high


def test_usage_axes_start_at_zero():
    """A logistic-normal factor is never below 0, and its window says so."""
    extent = square_extent(np.array([0.2, 0.9]), np.array([0.1, 0.3]), from_zero=True)
    assert extent == pytest.approx(Window(0, 0.927, 0, 0.927))


@pytest.mark.parametrize(
    "values", [np.array([]), np.array([2.0]), np.array([np.nan])], ids=["none", "one", "not a number"]
)
def test_few_points_still_have_a_window(values):
    """Nothing to show is a normal input: a window of some size, and a raster of what there is."""
    raster = density_raster(values, values)
    assert raster.counts.sum() == np.isfinite(values).sum()
    assert np.isfinite(raster.x_edges).all()


def test_type_rasters_add_up_to_the_raster_of_their_cells(cloud):
    """One raster per type in the window of all cells; cells of other types are in none."""
    labels = np.array(["a", "b", "c"])[np.arange(5000) % 3]
    rasters = type_rasters(*cloud, labels, ["a", "c"])
    inside = labels != "b"
    expected = density_raster(cloud[0][inside], cloud[1][inside], extent=square_extent(*cloud))
    assert list(rasters) == ["a", "c"]
    assert (sum(raster.counts for raster in rasters.values()) == expected.counts).all()


def test_the_mean_of_a_gene_is_taken_per_bin(cloud):
    """Bins without cells have no mean."""
    means, raster = mean_raster(*cloud, np.full(5000, 3.0), bins=32)
    assert np.allclose(means[raster.counts > 0], 3)
    assert np.isnan(means[raster.counts == 0]).all()


def test_contours_enclose_the_share_they_name(cloud):
    """For a normal cloud the region holding the share p is an ellipse of area 2 pi sx sy log(1 / (1 - p))."""
    for line in contours(density_raster(*cloud, bins=256), levels=(0.5, 0.75)):
        if len(line.x) > 30:
            expected = 2 * np.pi * 2 * np.log(1 / (1 - line.level))
            assert polygon_area(line.x, line.y) == pytest.approx(expected, rel=0.2)


def test_contours_are_closed_even_at_the_frame():
    """Cells piled up in a corner of the window give a closed line, not an open arc."""
    x = np.abs(np.random.default_rng(0).normal(0, 0.3, (2, 3000)))
    lines = contours(density_raster(*x, from_zero=True))
    assert {line.level for line in lines} == {0.25, 0.5, 0.75, 0.9}
    assert all((line.x[0], line.y[0]) == (line.x[-1], line.y[-1]) for line in lines)


def test_two_clouds_give_two_lines_at_a_level():
    """A type in two places is drawn in two places."""
    x = np.concatenate([np.random.default_rng(0).normal(place, 0.3, 1000) for place in (-4, 4)])
    lines = contours(density_raster(x, x), levels=[0.5])
    assert len(lines) == 2


def test_a_types_name_goes_to_its_densest_spot(cloud):
    """The peak of the smoothed raster; nowhere when there are no cells."""
    assert peak(density_raster(*cloud)) == pytest.approx((5, -1), abs=0.7)
    assert np.isnan(peak(density_raster(np.array([]), np.array([])))).all()


def test_the_densest_spot_is_that_of_the_whole_smoothed_raster(cloud):
    """Leaving out the empty bins around the cells changes nothing."""
    for raster in (density_raster(*cloud), density_raster(*cloud, bins=40), density_raster(cloud[0], cloud[0] ** 2)):
        density, x, y = raster_module._smooth(raster)
        row, column = np.unravel_index(density.argmax(), density.shape)
        assert peak(raster) == pytest.approx((x[column], y[row]))


@pytest.mark.parametrize("few", [1, 10**9], ids=["few cells", "many cells"])
def test_types_are_counted_alike_in_both_ways(cloud, few, monkeypatch):
    """Sorting the places of a few cells and walking over all places count the same cells, in pieces or not."""
    monkeypatch.setattr(raster_module, "FEW", few)
    monkeypatch.setattr(raster_module, "PIECE", 7)
    labels = np.array(["a", "b", "other"])[np.arange(len(cloud[0])) % 3]
    rasters = type_rasters(*cloud, pd.Series(labels), ["a", "b"], bins=64)
    for name, raster in rasters.items():
        own = labels == name
        found = np.histogram2d(cloud[0][own], cloud[1][own], bins=[raster.x_edges, raster.y_edges])[0]
        np.testing.assert_array_equal(raster.counts, found.T)
    assert type_rasters(*cloud, pd.Series(labels), []) == {}


def test_a_mean_counts_the_cells_it_is_of(cloud):
    """The raster beside the mean is that of the cells, and the mean of ones is one wherever there are some."""
    mean, raster = mean_raster(*cloud, np.ones(len(cloud[0])), bins=32)
    np.testing.assert_array_equal(raster.counts, density_raster(*cloud, bins=32).counts)
    np.testing.assert_array_equal(np.isnan(mean), raster.counts == 0)
    assert set(mean[raster.counts > 0]) == {1.0}


def test_no_cells_have_no_contours():
    """An empty raster is a normal input."""
    assert contours(density_raster(np.array([]), np.array([]))) == []


@pytest.mark.parametrize("by", [2, 3, 256])
def test_a_coarser_raster_counts_the_same_cells(cloud, by):
    """Equal to numpy's histogram on the wider bins: a small picture of the very same cells."""
    raster = coarser(density_raster(*cloud), by)
    theirs, _, _ = np.histogram2d(*cloud, bins=(raster.x_edges, raster.y_edges))
    assert raster.counts.sum() == 5000
    assert np.abs(raster.counts - theirs.T).sum() <= 4  # a cell on an edge may fall to either side of its rounding


@pytest.mark.parametrize("n_cells", [1, 50_000, 50_001, 120_000])
def test_cells_handled_in_pieces_are_counted_once(n_cells):
    """However many pieces, and whatever lies outside or is no number."""
    x, y = np.random.default_rng(n_cells).standard_normal((2, n_cells)).astype(np.float32)
    x[::7], window = np.nan, Window(-1.0, 1.0, -1.0, 1.0)
    raster = density_raster(x, y, bins=40, extent=window)
    theirs, _, _ = np.histogram2d(x, y, bins=(raster.x_edges, raster.y_edges))
    labels = np.array(["a", "b"])[np.arange(n_cells) % 2]
    both = type_rasters(x, y, labels, ["a", "b"], bins=40, extent=window)
    assert (raster.counts == theirs.T).all()
    assert (both["a"].counts + both["b"].counts == theirs.T).all()
