"""Cells of a pair of factors: rasters, contours, types, values."""

import base64
import zlib

import numpy as np
import pytest

from ldvae_core.analysis.raster import Raster, contours, mean_raster
from ldvae_core.plots.colour_bar import rebinned
from ldvae_core.plots.colours import rgb
from ldvae_core.plots.density import plot_density, plot_mean, plot_types, quantise, types_picture
from ldvae_core.plots.png import png_address
from ldvae_core.plots.theme import DASHES, OKABE_ITO, palette

TITLES = {"x_title": "Factor 1 (prior SD)", "y_title": "Factor 2 (prior SD)"}


def the(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def test_shades_are_the_fourth_root_of_the_cells_in_a_bin(raster):
    """Power-norm 0.25 in 255 steps; bins without cells are 0, which is transparent."""
    z = the(plot_density(raster, **TITLES), "cells").z
    most = raster.counts.max()
    expected = np.where(raster.counts > 0, 1 + np.round(254 * (raster.counts / most) ** 0.25), 0)
    assert z.dtype == np.uint8
    np.testing.assert_array_equal(z, expected)
    assert the(plot_density(raster, **TITLES), "cells").colorscale[0][1] == "rgba(0,0,0,0)"


def test_every_bin_stands_where_its_cells_are(raster):
    """The first bin's middle and the step come from the raster's edges; the frame is its window."""
    figure = plot_density(raster, **TITLES)
    cells = the(figure, "cells")
    assert cells.x0 - cells.dx / 2 == pytest.approx(raster.x_edges[0])
    assert cells.y0 + (len(raster.counts) - 0.5) * cells.dy == pytest.approx(raster.y_edges[-1])
    assert figure.layout.xaxis.range == pytest.approx((raster.x_edges[0], raster.x_edges[-1]))


def test_usages_start_at_zero():
    """A window from 0 stays a window from 0."""
    raster = Raster(np.eye(4, dtype=int), np.linspace(0, 1, 5), np.linspace(0, 1, 5))
    layout = plot_density(raster, **TITLES).layout
    assert (layout.xaxis.range[0], layout.yaxis.range[0]) == (0, 0)


def test_a_density_offers_box_and_lasso(raster):
    """Two corners nobody sees, a selection line everybody sees; a drag selects only where that was asked for."""
    figure = plot_density(raster, **TITLES, select=True)
    assert the(figure, "corners").marker.opacity == 0
    assert figure.layout.dragmode == "lasso"
    assert figure.layout.template.layout.newselection.line.width == 2
    assert plot_density(raster, **TITLES).layout.dragmode is None


def test_each_type_has_its_contours_its_dashes_and_its_name(rasters):
    """Colour is never alone; names stand in the frame, in contrast that can be read."""
    lines = {name: contours(raster, levels=(0.5, 0.9)) for name, raster in rasters.items()}
    colours = dict(zip(lines, OKABE_ITO, strict=False))
    figure = plot_density(rasters["Epiblast"], **TITLES, contours=lines, colours=colours)
    drawn = {trace.name: trace.line.dash for trace in figure.data if trace.name in lines}
    assert drawn == dict(zip(lines, DASHES, strict=False))
    assert {trace.text[0] for trace in figure.data if trace.name == "type names"} == set(lines)


def test_a_scale_says_what_its_ends_are(raster):
    """viridis comes with its amounts, inside the frame."""
    figure = plot_density(raster, **TITLES, shade="viridis")
    assert [note.text for note in figure.layout.annotations] == ["1", f"{raster.counts.max()}", "cells per bin"]
    assert figure.layout.images[0].xref == "x domain"


def test_a_gene_is_shown_as_its_mean_over_each_bin(cloud):
    """Bins without cells stay empty, the lowest mean is the scale's first step."""
    mean, raster = mean_raster(cloud[0], cloud[1], np.maximum(cloud[0], 0), bins=32)
    figure = plot_mean(mean, raster, **TITLES, value_title="Hba-x, mean log(1 + counts)")
    z = the(figure, "cells").z
    assert ((z == 0) == np.isnan(mean)).all()
    assert z[mean == 0].max() == 1
    assert figure.layout.annotations[2].text == "Hba-x, mean log(1 + counts)"


def test_a_bin_of_one_type_has_that_types_colour(rasters):
    """The mix of one colour is the colour itself, bin by bin, top row first."""
    figure = plot_types(rasters, dict.fromkeys(rasters, "#0072B2"), **TITLES)
    data = base64.b64decode(figure.layout.images[0].source.split(",")[1])
    start = data.index(b"IDAT")
    size = int.from_bytes(data[start - 4 : start], "big")
    pixels = np.frombuffer(zlib.decompress(data[start + 4 : start + 4 + size]), np.uint8).reshape(64, 257)[:, 1:]
    pixels = pixels.reshape(64, 64, 4)[::-1]
    occupied = sum(raster.counts for raster in rasters.values()) > 0
    assert ((pixels[..., 3] > 0) == occupied).all()
    assert np.abs(pixels[occupied][:, :3].astype(int) - (0x00, 0x72, 0xB2)).max() <= 1


def test_a_hidden_type_is_grey_and_not_named(rasters):
    """Its cells stay where they are, without its colour, and every other type keeps its own."""
    inks, hidden = dict(zip(rasters, OKABE_ITO, strict=False)), next(iter(rasters))
    before, after = types_picture(rasters, inks, "light"), types_picture(rasters, inks, "light", hidden=[hidden])
    own = rasters[hidden].counts > 0
    others = sum(raster.counts for name, raster in rasters.items() if name != hidden) > 0
    assert (after[::-1][own & ~others][:, :3] == np.round(255 * rgb(palette("light").sparse))).all()
    assert (after[::-1][others & ~own][:, :3] == before[::-1][others & ~own][:, :3]).all()
    figure = plot_types(rasters, inks, **TITLES, hidden=[hidden])
    assert hidden not in {text for trace in figure.data if trace.name == "type names" for text in trace.text}


def test_a_scale_has_the_histogram_of_its_values(rasters):
    """As high as there are cells, by the root; values beyond an end stand at the end."""
    heights = rebinned(np.array([900, 0, 100, 4]), np.array([0.0, 1.0, 2.0, 3.0, 40.0]), 0.0, 3.0)
    assert heights.max() == 1
    assert heights[-1] == pytest.approx((4 / 900) ** 0.5)
    raster = next(iter(rasters.values()))
    mean = np.where(raster.counts > 0, 1.0, np.nan)
    spread = (np.array([900, 100]), np.array([0.0, 1.0, 2.0]))
    pictures = [len(plot_mean(mean, raster, **TITLES, value_title="x", spread=given).layout.images)
                for given in (None, spread)]  # fmt: skip
    assert pictures == [1, 2]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_no_cells_give_empty_titled_axes(no_cells, mode):
    """Every density says so in words."""
    nothing = np.full((8, 8), np.nan)
    for figure in (
        plot_density(no_cells, **TITLES, mode=mode),
        plot_mean(nothing, no_cells, **TITLES, value_title="x", mode=mode),
        plot_types({}, {}, **TITLES, mode=mode),
    ):
        assert figure.layout.annotations[0].text == "No cells to show"
        assert figure.layout.yaxis.title.text == TITLES["y_title"]


def test_a_picture_of_any_number_of_cells_stays_small():
    """A full raster of 2 million cells travels in under 120 kB."""
    counts = np.random.default_rng(0).poisson(30, (256, 256))
    raster = Raster(counts, np.linspace(-4, 4, 257), np.linspace(-4, 4, 257))
    assert len(plot_density(raster, **TITLES).to_json()) < 120_000


def test_values_all_alike_still_make_a_picture():
    """One level, no division by zero."""
    assert set(quantise(np.ones((2, 2)), low=1.0).ravel()) == {1}


def test_a_png_of_another_shape_is_refused():
    """Pixels have four channels of a byte."""
    with pytest.raises(ValueError, match=r"pixels are \(rows, columns, 4\) uint8, not \(2, 2\) float64"):
        png_address(np.zeros((2, 2)))
