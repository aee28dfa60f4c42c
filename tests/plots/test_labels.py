"""Names never lie over one another and never leave the frame."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldvae_core.analysis.raster import Window
from ldvae_core.plots.labels import place_labels, text_size


def boxes_of(places, sizes):
    """(n, 4) low x, low y, high x, high y of the placed names."""
    centres, half = places.centres[places.placed], np.asarray(sizes)[places.placed] / 2
    return np.hstack([centres - half, centres + half])


def overlaps(boxes):
    """Number of pairs of boxes that meet."""
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
    return sum(bool((a[:2] < b[2:]).all() and (b[:2] < a[2:]).all()) for a, b in pairs)


def assert_tidy(places, sizes, frame):
    boxes = boxes_of(places, sizes)
    assert overlaps(boxes) == 0
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= frame).all()


@pytest.mark.parametrize(("n", "length"), [(8, 5), (30, 5), (8, 20), (10, 20)])
def test_clustered_names_all_find_room(n, length):
    """8 and 30 names at one spot, and 20-character ones, are all placed, apart and inside."""
    points = 200 + np.random.default_rng(0).normal(0, 8, (n, 2))
    sizes = np.tile(text_size("W" + "e" * (length - 1), 13 if n <= 12 else 11), (n, 1))
    places = place_labels(points, sizes, frame=(290, 290))
    assert places.placed.all()
    assert_tidy(places, sizes, 290)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-50, 350), st.floats(-50, 350), st.integers(1, 40)), min_size=1, max_size=25),
    st.sampled_from([120.0, 300.0]),
)
def test_no_crowd_makes_names_overlap_or_leave(crowd, side):
    """Whatever the points, even outside the frame: a name without room is dropped, never squeezed in."""
    sizes = np.array([text_size("e" * length, 12) for _, _, length in crowd])
    places = place_labels(np.array([[x, y] for x, y, _ in crowd]), sizes, frame=(side, side))
    assert_tidy(places, sizes, side)


def test_a_larger_frame_keeps_names_apart():
    """Positions scale with the frame, names do not: what is apart for 290 px is apart for 600."""
    points = 150 + np.random.default_rng(2).normal(0, 10, (20, 2))
    sizes = np.tile(text_size("Slc7a3", 13), (20, 1))
    places = place_labels(points, sizes, frame=(290, 290))
    window = Window(0, 1, 0, 1)
    grown = places._replace(centres=window.to_pixels(window.to_data(places.centres, 290), 600))
    assert_tidy(grown, sizes, 600)


def test_a_name_stands_beside_its_point_when_it_is_alone():
    """No leader, within a few px, on the wished side."""
    places = place_labels(np.array([[100.0, 100.0]]), np.array([[40.0, 16.0]]), frame=(200, 200), directions=[[1, 0]])
    x, y = places.centres[0]
    assert 120 < x < 135
    assert y == pytest.approx(100)
    assert np.isnan(places.leaders).all()


def test_the_same_points_give_the_same_places():
    """No randomness: a figure redrawn does not jump."""
    points, sizes = np.random.default_rng(3).uniform(0, 200, (15, 2)), np.full((15, 2), (40.0, 15.0))
    first, second = (place_labels(points, sizes, frame=(200, 200)) for _ in range(2))
    np.testing.assert_array_equal(first.centres, second.centres)


def test_nothing_to_name_gives_no_places():
    """No points, no places."""
    assert len(place_labels(np.empty((0, 2)), np.empty((0, 2)), frame=(100, 100)).placed) == 0
