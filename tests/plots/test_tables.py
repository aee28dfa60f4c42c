"""Figures of tables: association, correlation, ranked loadings, ridges, histograms, gallery."""

import numpy as np
import pandas as pd
import pytest

from ldvae_core.plots.distribution import binned_densities, plot_distribution
from ldvae_core.plots.gallery import plot_thumbnail
from ldvae_core.plots.heatmap import plot_association, plot_correlation, plot_spectrum
from ldvae_core.plots.histogram import plot_histogram
from ldvae_core.plots.ranked import plot_gene_loadings, plot_ranked_loadings
from tests.plots.conftest import same_when_checked


def the(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


@pytest.fixture(name="association")
def _association():
    """Two types and three factors: b follows factor 1, a follows factor 3."""
    values = {"a": [0.02, 0.3, -0.9], "b": [0.8, 0.0, 0.1]}
    rows = [(kind, k, r, 0.5 + r / 2, 40) for kind, row in values.items() for k, r in enumerate(row)]
    return pd.DataFrame(rows, columns=["cell_type", "factor", "correlation", "auc", "n_cells"])


@pytest.fixture(name="ranked")
def _ranked():
    """Two genes of each end; Pim2 leads its end with the smaller effect."""
    return pd.DataFrame(
        {
            "gene": ["Ttr", "Afp", "Pim2", "Utf1"],
            "end": ["positive", "positive", "negative", "negative"],
            "rank": [1, 2, 1, 2],
            "loading": [2.0, 1.0, -0.5, -3.0],
            "low": [1.8, 0.8, -0.7, -3.2],
            "high": [2.3, 1.3, -0.2, -2.7],
            "deviance_share": [0.2, 0.1, -0.05, -0.01],
        }
    )


def test_types_are_sorted_by_the_factor_they_follow(association):
    """Strong associations form a diagonal; unsorted keeps the table's order."""
    assert list(plot_association(association).layout.yaxis.ticktext) == ["b", "a"]
    assert list(plot_association(association, sort=False).layout.yaxis.ticktext) == ["a", "b"]


def test_a_clicked_cell_of_the_table_tells_its_factor(association):
    """Invisible targets, type by type as they are shown, carry factor (from 0), correlation and AUC."""
    first, second = [trace for trace in plot_association(association).data if trace.name == "targets"]
    assert [list(row) for row in first.customdata] == [[0, "0.8", "0.9"], [1, "0", "0.5"], [2, "0.1", "0.55"]]
    assert first.hovertemplate.startswith("<b>b</b> (40 cells)<br>")
    assert (set(first.y), set(second.y), first.marker.opacity) == ({0}, {1}, 0)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_plotly_knows_every_property_of_the_association(association, mode):
    """It is put together without plotly's checks."""
    assert same_when_checked(plot_association(association, mode=mode))


def test_a_hundred_long_names_leave_the_table_small():
    """A type's name is sent once, not with every factor."""
    types = np.repeat([f"{'a very long name of a cell type ' * 6}{k}" for k in range(100)], 20)
    table = pd.DataFrame({"cell_type": types, "factor": np.tile(np.arange(20), 100), "correlation": 0.0123, "auc": 0.51,
                          "n_cells": 20_000})  # fmt: skip
    assert len(plot_association(table).to_json()) < 170_000


def test_a_hundred_types_and_thirty_factors_do_not_overlap():
    """Rows keep room for their names; in narrow columns no numbers are written."""
    types = np.repeat([f"type {k}" for k in range(100)], 30)
    table = pd.DataFrame({"cell_type": types, "factor": np.tile(np.arange(30), 100), "correlation": 0.9, "auc": 0.9,
                          "n_cells": 20})  # fmt: skip
    assert plot_association(table).layout.height >= 100 * 15
    few = plot_association(table[table["cell_type"].isin([f"type {k}" for k in range(5)])])
    assert not [trace for trace in few.data if trace.name == "numbers"]


def test_numbers_are_written_where_there_is_something_to_read(association):
    """Short, signed, and none where next to nothing is."""
    figure = plot_association(association)
    assert sorted(t for trace in figure.data if trace.name == "numbers" for t in trace.text) == [
        ".30",
        ".80",
        "−.90",
    ]


def test_signs_are_blue_and_orange_around_nothing(association):
    """The scale is symmetric: 0 for a correlation, 0.5 for an AUC, looks like paper."""
    assert (
        the(plot_association(association), "correlation").zmin,
        the(plot_association(association), "correlation").zmax,
    ) == (-1, 1)
    auc = the(plot_association(association, value="auc"), "AUC")
    assert (auc.zmin, auc.zmid, auc.zmax) == (0, 0.5, 1)


def test_components_are_never_called_factors():
    """The spectrum belongs to mixtures of factors; its axis says so."""
    figure = plot_spectrum(np.array([0.6, 0.4]))
    assert figure.layout.xaxis.title.text == "Component of the representation (not a factor)"
    assert list(figure.data[0].y) == [0.6, 0.4]


def test_ranked_loadings_run_from_the_first_gene_of_one_end_to_that_of_the_other(ranked):
    """By rank, whatever the effect; a gap between the ends, names in italics, intervals as whiskers."""
    figure = plot_ranked_loadings(ranked)
    points = the(figure, "loadings")
    assert list(points.x) == [2.0, 1.0, -3.0, -0.5]
    assert list(points.y) == [0, 1, 3, 4]
    assert list(figure.layout.yaxis.ticktext) == ["<i>Ttr</i>", "<i>Afp</i>", "<i>Utf1</i>", "<i>Pim2</i>"]
    assert points.error_x.array == pytest.approx([0.3] * 4)
    assert points.error_x.arrayminus == pytest.approx([0.2] * 4)


def test_one_gene_is_shown_in_every_factor_in_order():
    """Inactive factors are fainter; a click tells the factor; the names people gave stand beside them."""
    table = pd.DataFrame({"factor": [0, 1], "label": ["Factor 1 · <b>", "Factor 2"], "loading": [0.1, -0.4],
                          "low": 0.0, "high": 0.2, "active": [True, False]})  # fmt: skip
    figure = plot_gene_loadings(table)
    points = the(figure, "loadings")
    assert list(figure.layout.yaxis.ticktext) == ["Factor 1 · &lt;b&gt;", "Factor 2"]
    assert [int(row[0]) for row in points.customdata] == [0, 1]
    assert points.marker.opacity[1] < points.marker.opacity[0] == 1


def test_densities_of_any_number_of_cells_fit_a_small_table():
    """30 groups x 120 bins, each integrating to 1 (pandas codes are int8: their products would overflow)."""
    values = np.random.default_rng(0).normal(0, 1, 30_000)
    table = binned_densities(values, np.resize([f"g{i}" for i in range(30)], 30_000), [f"g{i}" for i in range(30)])
    width = table["value"].iloc[1] - table["value"].iloc[0]
    assert len(table) == 30 * 120
    assert (table.groupby("group")["density"].sum() * width).to_numpy() == pytest.approx(1, abs=1e-6)


def test_ridges_are_ordered_by_their_medians(cloud):
    """The group that is highest on the factor stands on top; groups without cells are left out."""
    figure = plot_distribution(
        binned_densities(cloud[0], cloud[2], ["Epiblast", "ExE endoderm", "nobody"]), x_title="F"
    )
    assert list(figure.layout.yaxis.ticktext) == ["Epiblast", "ExE endoderm"]
    assert sum(len(trace.x) for trace in figure.data) < 300


def test_a_threshold_is_drawn_and_counted_in_words():
    """The line, and how many cells it keeps."""
    figure = plot_histogram(np.arange(100.0), x_title="Counts per cell", threshold=25)
    assert figure.layout.shapes[0].x0 == 25
    assert figure.layout.annotations[0].text == "at least 25: keeps 75 of 100 cells"
    assert sum(the(figure, "cells").y) == 100


def test_logarithmic_bins_hold_every_cell():
    """Values of 0 stand in the first bin; the threshold lies at its logarithm."""
    figure = plot_histogram(np.array([0.0, 1, 10, 1000]), x_title="Counts", threshold=10, log_axis=True)
    assert sum(the(figure, "cells").y) == 4
    assert figure.layout.shapes[0].x0 == pytest.approx(1)


def test_shares_are_shown_in_per_cent():
    """At most 5% mitochondrial counts reads as such."""
    figure = plot_histogram(np.array([0.01, 0.04, 0.2]), x_title="Share", threshold=0.05, keep="below", share=True)
    assert figure.layout.annotations[0].text == "at most 5%: keeps 2 of 3 cells"


def test_a_thumbnail_sends_nothing_for_hovering_and_clicking(raster, loadings):
    """Ten of them are one page; only the names are text."""
    figure = plot_thumbnail(raster, loadings, x_title="Factor 1", y_title="Factor 2")
    assert {trace.name for trace in figure.data if trace.type == "scatter" and trace.text is not None} == {"names"}
    assert all(trace.customdata is None and trace.hoverinfo == "skip" for trace in figure.data)


def test_a_thumbnail_holds_both_frames_at_one_size(raster, loadings):
    """Cells left, genes right, equal axes, no tools, few elements."""
    figure = plot_thumbnail(raster, loadings, x_title="Factor 1", y_title="Factor 2")
    layout = figure.layout
    assert layout.height == 220
    assert np.ptp(layout.xaxis.domain) == pytest.approx(np.ptp(layout.xaxis2.domain))
    assert (layout.yaxis.scaleanchor, layout.yaxis2.scaleanchor) == ("x", "x2")
    assert {trace.type for trace in figure.data} == {"heatmap", "scatter"}


def test_empty_tables_give_empty_titled_axes(association, ranked, no_cells, loadings):
    """Nothing to show is a normal input, for every figure."""
    figures = [
        plot_association(association.iloc[:0]),
        plot_ranked_loadings(ranked.iloc[:0]),
        plot_distribution(binned_densities(np.empty(0), [], ["a"]), x_title="Factor 1"),
        plot_histogram(np.empty(0), x_title="Counts per cell"),
        plot_correlation(np.empty((0, 0))),
        plot_spectrum(np.empty(0)),
        plot_thumbnail(no_cells, loadings.iloc[:0], x_title="Factor 1", y_title="Factor 2"),
    ]
    for figure in figures:
        assert figure.layout.annotations
        assert figure.layout.xaxis.title.text
