"""Whatever genes a biplot is asked to name: no name over another, none out of the frame, in any frame that is drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldvae_core.plots import biplot, gallery
from ldvae_core.plots.biplot import arrange
from ldvae_core.plots.labels import fitted, text_size
from ldvae_core.plots.theme import FONT_SIZE, SMALL_SIZE
from tests.plots.conftest import biplot_of
from tests.plots.test_labels import assert_tidy

ALPHABET = "ABgijlmWw01-._/|() αж字"
NAMES = st.text(ALPHABET, min_size=1, max_size=40)
SCALES = st.sampled_from([0.0, 5e-324, 1e-300, 1e-12, 1e-3, 1.0, 40.0, 1e12, 1e150])
ONE, SOME = st.floats(-1, 1), st.integers(0, 30)
FRAMES = st.sampled_from([(290, FONT_SIZE, biplot.ROOM), (290, SMALL_SIZE, biplot.ROOM), (900, FONT_SIZE, biplot.ROOM),
                          (gallery.SMALLEST_SIDE, gallery.NAME_SIZE, gallery.ROOM)])  # fmt: skip


@st.composite
def tips(draw):
    """(n, 2): scattered, all in one place, on one line through the origin or beside it, at it, or far and near."""
    n, kind = draw(SOME), draw(st.sampled_from(["scattered", "one place", "line", "beside", "origin", "far and near"]))
    pairs = np.array(draw(st.lists(st.tuples(ONE, ONE), min_size=n, max_size=n))).reshape(n, 2)
    way = np.array(draw(st.tuples(ONE, ONE)))
    made = {
        "scattered": pairs,
        "one place": np.tile(way, (n, 1)),
        "line": pairs[:, :1] * way,
        "beside": pairs[:, :1] * way + (0.5, -0.3),
        "origin": np.zeros((n, 2)),
        "far and near": pairs * np.where(np.arange(n) % 2, 1e-6, 1.0)[:, None],
    }[kind]
    return made * draw(SCALES)


def boxes_in(arrows, side, font_size):
    """Places of the names in px of a frame `side` px wide, and the sizes of the names."""
    sizes = np.array([text_size(name, font_size) for name in arrows.names]).reshape(-1, 2)
    return arrows.places._replace(centres=arrows.window.to_pixels(arrows.places.centres, side)), sizes


@settings(max_examples=40, deadline=None)
@given(tips(), st.lists(NAMES, min_size=30, max_size=30), FRAMES, st.sampled_from([1.0, 1.03, 1.7, 4.0]))
def test_names_of_a_biplot_never_overlap_nor_leave(points, names, frame, larger):
    """In the frame they are placed for, and in every larger one."""
    side, font_size, room = frame
    table = biplot_of(points, names[: len(points)], len(points))
    arrows = arrange(table, side=side, font_size=font_size, room=room)
    places, sizes = boxes_in(arrows, side * larger, font_size)
    assert_tidy(places, sizes, side * larger + 1e-6)
    assert np.isfinite(arrows.window).all()


@settings(max_examples=15, deadline=None)
@given(tips(), st.lists(NAMES, min_size=30, max_size=30))
def test_every_gene_that_has_an_arrow_has_its_name(points, names):
    """However long: names are cut before one is left out. In a thumbnail that holds for the eight of its first look."""
    for side, font_size, room, n in ((290, FONT_SIZE, biplot.ROOM, 16), (290, SMALL_SIZE, biplot.ROOM, 30),
                                     (gallery.SMALLEST_SIDE, gallery.NAME_SIZE, gallery.ROOM, 8)):  # fmt: skip
        table = biplot_of(points[:n], names[: len(points[:n])], n)
        arrows = arrange(table, side=side, font_size=font_size, room=room)
        assert arrows.places.placed.all()


def on_the_arrows(arrows, side, font_size):
    """Px of all arrows' shafts that lie under letters."""
    places, sizes = boxes_in(arrows, side, font_size)
    ends = arrows.window.to_pixels(np.vstack([np.zeros((1, 2)), arrows.table[["x", "y"]]]), side)
    shafts = ends[0] + (ends[1:] - ends[0])[:, None] * np.linspace(0, 1, 200)[:, None]
    step = np.hypot(*(ends[1:] - ends[0]).T)[:, None] / 200
    half = sizes * (0.5, 0.3)  # letters without the space between lines
    return sum(
        float((step * (np.abs(shafts - c) < h).all(axis=2)).sum()) for c, h in zip(places.centres, half, strict=True)
    )


@pytest.mark.parametrize("n", [8, 16])
@pytest.mark.parametrize("seed", range(4))
def test_no_name_lies_on_a_bundle_of_arrows(n, seed):
    """Arrows of one program point the same way: their names stand beside the bundle, where they can be read."""
    random = np.random.default_rng(seed)
    points = np.array([1.3, -0.15]) * random.uniform(0.85, 1.1, (n, 1)) + random.normal(0, 0.03, (n, 2))
    cloud = random.normal(0, 0.25, (400, 2))
    table = biplot_of(np.vstack([points, cloud]), [f"Gene{i}" for i in range(n + 400)], n)
    assert on_the_arrows(arrange(table, side=290, font_size=FONT_SIZE), 290, FONT_SIZE) < 4


def test_a_long_name_keeps_both_its_ends():
    """Ids of one kind begin alike and differ at the end; what fits stays whole."""
    assert fitted("Gypa", 10, 40) == "Gypa"
    assert fitted("ENSMUSG00000061808.5", 10, 80) == "ENSMU…08.5"
    assert text_size(fitted("ENSMUSG00000061808.5", 10, 80), 10)[0] <= 80
    assert fitted("WWWW", 10, 5) == "W…"
