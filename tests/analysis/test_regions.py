"""Cells inside a drawn line: exact, and the same from a pasted address."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ldvae_core.analysis import regions
from ldvae_core.analysis.regions import Region, region_from_text, region_of_box, region_of_lasso
from ldvae_core.errors import SettingsError


def crossings(region, x, y):
    """The even-odd rule, one cell and one edge at a time."""
    corners, inside = region.corners.tolist(), []
    for px, py in zip(x.tolist(), y.tolist(), strict=True):
        odd = False
        for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
            if (ay > py) != (by > py) and px < ax + (py - ay) * (bx - ax) / (by - ay):
                odd = not odd
        inside.append(odd)
    return np.array(inside, bool)


@pytest.fixture
def cloud():
    """20,000 cells of a round cloud."""
    return np.random.default_rng(0).normal(size=(2, 20_000)).astype(np.float32)


def star(n, *, points=5):
    """A lasso with n corners that turns in and out."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    radius = 1 + 0.6 * np.sin(points * angle)
    return radius * np.cos(angle), radius * np.sin(angle)


def test_a_box_holds_the_cells_between_its_sides(cloud):
    """The same cells as four comparisons find, whichever corner was drawn first."""
    x, y = cloud
    expected = (x > -0.5) & (x < 1.25) & (y > 0.25) & (y < 2.0)
    assert np.array_equal(region_of_box([1.25, -0.5], [2.0, 0.25]).contains(x, y), expected)


def test_a_lasso_holds_every_cell_inside_it(cloud):
    """Boxes of the grid are a short cut, not an approximation: equal to testing cell by cell."""
    region = region_of_lasso(*star(60))
    assert np.array_equal(region.contains(*cloud), crossings(region, *cloud))


@settings(max_examples=40, deadline=None)
@given(corners=arrays(np.float64, (9, 2), elements=st.floats(-3, 3, width=16), unique=True))
def test_any_line_even_one_that_crosses_itself_is_exact(corners):
    """Even-odd: a cell is inside where a ray from it crosses the line an odd number of times."""
    x, y = np.random.default_rng(1).uniform(-3, 3, size=(2, 1500))
    region = Region(corners)
    assert np.array_equal(region.contains(x, y), crossings(region, x, y))


def test_cells_that_are_no_numbers_are_outside():
    """A missing position is in no region, and disturbs no other cell."""
    x, y = np.array([0.5, np.nan, 0.5, np.inf]), np.array([0.5, 0.5, np.nan, 0.5])
    assert region_of_box([0, 1], [0, 1]).contains(x, y).tolist() == [True, False, False, False]


def test_a_long_lasso_keeps_its_shape_with_few_corners():
    """What is left out moves the line by little: the enclosed area stays within one percent."""
    region = region_of_lasso(*star(900))
    x, y = region.corners.T
    full_x, full_y = star(900)
    area = lambda x, y: abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2  # noqa: E731
    assert len(region.corners) <= regions.MOST_CORNERS
    assert area(x, y) == pytest.approx(area(full_x, full_y), rel=0.01)


def test_an_address_gives_back_the_very_same_cells(cloud):
    """The region as text and back again selects the same cells, and fits into an address."""
    region = region_of_lasso(*star(300))
    again = region_from_text(region.text)
    assert len(region.text) < 2_400
    assert np.array_equal(region.contains(*cloud), again.contains(*cloud))


@pytest.mark.parametrize(
    "text", ["", "1_2", "1_2~3_4", "a_b~c_d~e_f", "1_2_3~1_2_3~1_2_3", "nan_1~2_3~4_5", "1e999_1~2_3~1_1"]
)
def test_an_address_that_is_no_region_is_refused(text):
    """Nothing from an address is trusted."""
    with pytest.raises(SettingsError, match=r"cannot be read|at least three corners"):
        region_from_text(text)


def test_a_line_without_area_is_refused():
    """A click is not a box."""
    with pytest.raises(SettingsError, match="The box has no area"):
        region_of_box([1, 1], [0, 2])
