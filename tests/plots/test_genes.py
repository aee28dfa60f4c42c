"""Figures of the Genes page: profile, map of loadings, dots and squares, enriched sets."""

import numpy as np
import pandas as pd
import pytest

from ldvae_core.plots.dotplot import LARGEST_DOT, MOST_GENES, plot_dots, plot_expression_map
from ldvae_core.plots.enrichment import MOST_BARS, plot_enrichment
from ldvae_core.plots.genes import plot_loading_map, plot_profile
from ldvae_core.plots.labels import text_size
from ldvae_core.plots.theme import SMALL_SIZE
from tests.plots.conftest import NASTY, same_when_checked, texts_of


def groups_of(genes, groups):
    """A table of every gene in every group, share and mean rising row by row."""
    n = len(genes) * len(groups)
    position = np.repeat(np.arange(len(genes)) + 5, len(groups))
    return pd.DataFrame(
        {"gene": np.repeat(np.array(genes, object), len(groups)), "position": position,
         "group": list(groups) * len(genes), "n_cells": 10, "share": np.linspace(0, 1, n), "mean": np.linspace(0, 3, n)}
    )  # fmt: skip


def sets_of(names, ends=("positive", "negative")):
    n = len(names)
    return pd.DataFrame({"set": names, "end": [ends[k % 2] for k in range(n)], "size": 20, "overlap": 5,
                         "q": np.logspace(-8, 0, n) if n else []})  # fmt: skip


@pytest.fixture(name="loadings")
def _loadings():
    return pd.DataFrame({"gene": ["Ttr", "Ttr", "Apob", "Apob"], "position": [7, 7, 2, 2], "factor": [0, 1, 0, 1],
                         "loading": [1.0, -0.5, 0.2, 0.0]})  # fmt: skip


def test_a_dot_is_as_large_as_its_share_of_cells():
    """Area, not width: a quarter of the cells has half the width."""
    table = groups_of(["Ttr"], ["a", "b"]).assign(share=[0.25, 1.0])
    sizes = plot_dots(table, unit="u").data[0].marker.size
    assert sizes == pytest.approx([LARGEST_DOT / 2, LARGEST_DOT])


@pytest.mark.parametrize("plot", [lambda t: plot_dots(t, unit="u"), plot_expression_map], ids=["dots", "map"])
def test_a_clicked_gene_tells_its_position(plot):
    """Dots and squares carry the place of their gene among the modelled ones."""
    figure = plot(groups_of(["Ttr", "Apob"], ["a", "b"]))
    dots = [trace for trace in figure.data if trace.type == "scatter"]
    assert [int(point[0]) for point in dots[0].customdata] == [5, 6, 5, 6]
    assert list(figure.layout.xaxis.ticktext) == ["<i>Ttr</i>", "<i>Apob</i>"]


def test_the_map_sets_each_gene_against_its_own_highest():
    """Weak genes show as well as strong ones; a gene without counts stays at 0."""
    table = groups_of(["Ttr", "Apob", "Off"], ["a", "b"]).assign(mean=[4.0, 2.0, 0.01, 0.02, 0.0, 0.0])
    squares = plot_expression_map(table).data[0].z
    assert np.asarray(squares).tolist() == [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0]]


def test_a_long_list_of_genes_in_many_groups_stays_small():
    """Forty genes in a hundred groups fit into 300 kB."""
    table = groups_of([f"Gene{k}" for k in range(60)], [f"A cell type with a long name {k}" for k in range(100)])
    figure = plot_dots(table, unit="u")
    assert len(figure.layout.xaxis.ticktext) == MOST_GENES
    assert len(figure.to_json()) < 300_000


@pytest.mark.parametrize("n", [1, 3, 12, 40])
def test_few_genes_take_their_share_of_the_width(n):
    """Each gene as wide as one of twelve, and the axis with its title ends where they end."""
    axis = plot_dots(groups_of([f"Gene{k}" for k in range(n)], ["a"]), unit="u").layout.xaxis
    each = (axis.domain[1] - axis.domain[0]) / (axis.range[1] - axis.range[0])
    assert each == pytest.approx(1 / (max(n, 12) + 0.4))
    assert axis.title.text == "Gene"


def test_the_legend_of_sizes_fits_beside_that_of_colours():
    """To the right of it, and within the 350 px that a frame has in a window of 900."""
    layout = plot_dots(groups_of(["Ttr"], ["a"]), unit="u").layout
    words = layout.annotations
    assert min(word.xshift for word in words) > layout.coloraxis.colorbar.len + 20
    assert max(word.xshift + text_size(word.text, SMALL_SIZE)[0] for word in words[1:]) < 350


def test_loadings_of_a_list_are_blue_and_orange_around_nothing(loadings):
    """Genes down in their order, factors across; 0 looks like paper."""
    figure = plot_loading_map(loadings, ["Factor 1", "Factor 2"])
    squares = figure.data[0]
    assert np.asarray(squares.z).tolist() == [[1.0, -0.5], [np.float32(0.2), 0.0]]
    assert squares.zmin == -squares.zmax
    assert [int(point[0]) for point in figure.data[2].customdata] == [2, 2]


def test_a_profile_bears_the_names_people_gave_the_factors():
    """The names stand at the rows, cut where they are long."""
    table = pd.DataFrame({"factor": [0, 1], "label": ["Factor 1", "Factor 2"], "loading": [1.0, -1.0], "low": np.nan,
                          "high": np.nan, "active": True})  # fmt: skip
    figure = plot_profile(table, ["Factor 1 · blood", "Factor 2"])
    assert list(figure.layout.yaxis.ticktext) == ["Factor 1 · blood", "Factor 2"]


def test_bars_are_minus_log_q_with_their_sets_names():
    """Most significant on top, at most fourteen, orange at the high end and blue at the low one."""
    table = sets_of([f"set {k}" for k in range(30)])
    figure = plot_enrichment(table)
    bars = figure.data[0]
    assert list(bars.x) == pytest.approx(-np.log10(table["q"].head(MOST_BARS)))
    assert [a.text for a in figure.layout.annotations][:2] == ["set 0", "set 1"]
    assert bars.marker.color[0] != bars.marker.color[1]
    assert [int(place[0]) for place in bars.customdata] == list(range(MOST_BARS))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_plotly_knows_every_property_of_dots_squares_and_bars(mode):
    """They are put together without plotly's checks."""
    table = groups_of(["Ttr", "Apob"], ["a", "b"])
    figures = [plot_dots(table, unit="u", mode=mode), plot_expression_map(table, mode=mode),
               plot_enrichment(sets_of(["one", "other"]), mode=mode)]  # fmt: skip
    assert [same_when_checked(figure) for figure in figures] == [True] * 3


def test_a_q_of_zero_has_an_end():
    """A bar is never infinite."""
    assert np.isfinite(plot_enrichment(sets_of(["a"]).assign(q=0.0)).data[0].x).all()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_empty_tables_give_titled_axes_and_a_word(mode):
    """No figure is blank, and none breaks."""
    figures = [
        plot_dots(groups_of([], []), unit="u", mode=mode),
        plot_expression_map(groups_of([], []), mode=mode),
        plot_loading_map(pd.DataFrame(columns=["gene", "position", "factor", "loading"]), [], mode=mode),
        plot_enrichment(sets_of([]), mode=mode),
    ]
    assert all(figure.layout.xaxis.title.text for figure in figures)
    assert all(figure.layout.annotations[0].text for figure in figures)


def test_hostile_names_stay_letters():
    """Genes, groups, sets and factors out of files are drawn as they are written."""
    nasty = [name[:300] for name in NASTY]
    table = groups_of(nasty, nasty)
    loadings = pd.DataFrame({"gene": nasty, "position": range(len(nasty)), "factor": 0, "loading": 1.0})
    figures = [plot_dots(table, unit="u", group_title=nasty[0]), plot_expression_map(table),
               plot_loading_map(loadings, [nasty[1]]), plot_enrichment(sets_of(nasty))]  # fmt: skip
    texts = [text for figure in figures for text in texts_of(figure)]
    assert not any(bad in text for text in texts for bad in ("<b>Sox2", "<a href", "$\\frac", "\u202e"))
