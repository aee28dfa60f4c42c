"""Genes of a pair of factors: dots, arrows, names."""

import numpy as np
import pytest

from ldvae_core.plots.biplot import arrange, plot_biplot
from ldvae_core.plots.density import plot_density
from ldvae_core.plots.escape import escape
from ldvae_core.plots.frame import SMALLEST_SIDE
from ldvae_core.plots.labels import text_size
from ldvae_core.plots.theme import DASHES, PALETTES
from tests.plots.conftest import biplot_of
from tests.plots.test_labels import assert_tidy

TITLES = {"x_title": "Factor 1 loading", "y_title": "Factor 2 loading"}


def traces_of(figure, name):
    return [trace for trace in figure.data if trace.name == name]


@pytest.mark.parametrize(("n", "name"), [(8, "Gene"), (30, "Gene"), (8, "A-name-of-20-letters")])
def test_names_of_clustered_arrows_neither_overlap_nor_leave(n, name):
    """The promise of the page, in the smallest frame."""
    points = np.array([2.0, 0.1]) + np.random.default_rng(0).normal(0, 0.05, (n, 2))
    arrows = arrange(biplot_of(points, [f"{name}{i}"[-20:] for i in range(n)], n), side=SMALLEST_SIDE, font_size=11)
    centres = arrows.window.to_pixels(arrows.places.centres, SMALLEST_SIDE)
    assert arrows.places.placed.all()
    assert_tidy(
        arrows.places._replace(centres=centres), np.array([text_size(i, 11) for i in arrows.names]), SMALLEST_SIDE
    )


def test_arrows_go_from_the_origin_to_the_genes_that_earned_them(loadings):
    """Longest first; their dots are not drawn a second time."""
    figure = plot_biplot(loadings, **TITLES)
    (arrows,), (dots,) = traces_of(figure, "arrows"), traces_of(figure, "genes")
    chosen = loadings[loadings["arrow"]].sort_values("length", ascending=False)
    np.testing.assert_allclose(np.array(arrows.x)[1::3], chosen["x"])
    assert set(np.array(arrows.x)[::3]) == {0.0}
    assert len(dots.x) == len(loadings) - 8


def test_a_clicked_point_tells_its_gene(loadings):
    """customdata carries the whole, raw name on dots, arrows and names alike."""
    figure = plot_biplot(loadings.assign(gene=["<Sox2>"] * len(loadings)), **TITLES)
    for name in ("genes", "arrows", "names"):
        assert traces_of(figure, name)[0].customdata[0][0] == "<Sox2>"


def test_arrows_take_colour_and_dashes_of_the_type_they_point_to(loadings):
    """Colour is never alone: the second type is dashed, as its contours are."""
    table = loadings.assign(cell_type=np.where(np.arange(200) % 2, "b", "a"))
    figure = plot_biplot(table, **TITLES, colours={"a": "#0072B2", "b": "#D55E00"})
    lines = [(trace.line.color, trace.line.dash) for trace in traces_of(figure, "arrows")]
    assert lines == [("#0072B2", DASHES[0]), ("#D55E00", DASHES[1])]
    assert len(traces_of(figure, "names")) == 2


def test_dots_name_the_type_they_point_to_once(loadings):
    """Under the pointer every gene tells its type; the name is sent with a type's dots, not with each of them."""
    table = loadings.assign(cell_type=np.where(np.arange(200) % 2, "a {type}", "b"))
    dots = traces_of(plot_biplot(table, **TITLES), "genes")
    told = {gene: trace.hovertemplate for trace in dots for gene in trace.text}
    others = table[~table["arrow"]]
    assert len(dots) == 2
    assert sorted(told) == sorted(others.gene)
    for gene, kind in zip(others.gene, others.cell_type, strict=True):
        assert f" high in {escape(kind)}<br>" in told[gene]


def test_cells_and_genes_have_the_same_frame(loadings, raster):
    """Height, margins and equal axes match, so that the pair reads as one."""
    cells, genes = plot_density(raster, x_title="a", y_title="b").layout, plot_biplot(loadings, **TITLES).layout
    assert (cells.height, cells.margin) == (genes.height, genes.margin)
    for layout in (cells, genes):
        assert (layout.yaxis.scaleanchor, layout.yaxis.scaleratio) == ("x", 1)
        assert np.ptp(layout.xaxis.range) == pytest.approx(np.ptp(layout.yaxis.range))
        assert layout.xaxis.zeroline
        assert layout.yaxis.zeroline


def test_thousands_of_genes_are_drawn_by_the_graphics_card():
    """Up to 5,000 dots as SVG, above as WebGL."""
    points = np.random.default_rng(0).normal(0, 1, (5001, 2))
    assert plot_biplot(biplot_of(points, ["g"] * 5001, 0), **TITLES).data[0].type == "scattergl"
    assert plot_biplot(biplot_of(points[:500], ["g"] * 500, 0), **TITLES).data[0].type == "scatter"


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_no_genes_give_empty_titled_axes(loadings, mode):
    """An empty table is a normal input."""
    figure = plot_biplot(loadings.iloc[:0], **TITLES, mode=mode)
    assert figure.layout.xaxis.title.text == "Factor 1 loading"
    assert figure.layout.annotations[0].text == "No genes to show"
    assert figure.layout.template.layout.paper_bgcolor == PALETTES[mode].paper
