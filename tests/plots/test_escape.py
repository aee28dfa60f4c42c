"""Names from files become plain text on figures, whatever they hold."""

import html
import re

import numpy as np
import pandas as pd
import pytest

from ldvae_core.plots.biplot import plot_biplot
from ldvae_core.plots.curves import plot_learning_curves
from ldvae_core.plots.density import plot_density, plot_types
from ldvae_core.plots.distribution import binned_densities, plot_distribution
from ldvae_core.plots.escape import escape, italic, plain
from ldvae_core.plots.heatmap import plot_association
from ldvae_core.plots.ranked import plot_ranked_loadings
from tests.plots.conftest import NASTY, biplot_of, texts_of

OURS = re.compile(r"</?(b|i|extra)>|<br>")


def assert_harmless(figure):
    """No tag but our own, no formula, no run of text without end."""
    for text in texts_of(figure):
        assert "<" not in OURS.sub("", text)
        assert text.count("$") < 2
        assert len(text) < 400


@pytest.mark.parametrize("name", NASTY[:5], ids=["bold", "link", "formula", "placeholder", "entity"])
def test_an_escaped_name_decodes_to_itself_and_holds_no_markup(name):
    """plotly decodes entities when it draws: the reader sees the name as it is in the file."""
    escaped = escape(name)
    assert not set("<>${}") & set(escaped)
    assert html.unescape(escaped) == name


def test_a_name_is_one_short_visible_line():
    """Line breaks, NUL and text-direction marks go; a megabyte becomes forty characters."""
    assert plain(NASTY[5]) == "two lines and more"
    assert len(plain(NASTY[6])) == 40
    assert plain(NASTY[6])[20] == "…"


def test_names_that_differ_at_one_end_differ_on_figures():
    """Whichever end it is; and a megabyte between the two costs nothing."""
    for filling in ("of a very long name " * 10, "x" * 1_000_000):
        names = [f"A {filling} 1", f"A {filling} 2", f"B {filling} 1"]
        assert len({plain(name, longest=16) for name in names}) == 3


def test_gene_names_keep_their_case_in_italics():
    """Hba-x is a mouse gene, HBA1 a human one: the case tells."""
    assert italic("Hba-x") == "<i>Hba-x</i>"
    assert italic("<Hba>") == "<i>&lt;Hba&gt;</i>"


def test_no_gene_name_reaches_a_biplot_as_markup():
    """Names, hover texts and axis titles pass the escape."""
    table = biplot_of(np.random.default_rng(0).normal(0, 1, (7, 2)), NASTY, 7).assign(cell_type=NASTY)
    figure = plot_biplot(table, x_title="<b>mine</b>", y_title="$x$", colours=dict.fromkeys(NASTY, "#0072B2"))
    assert_harmless(figure)


def test_no_type_name_reaches_a_density_as_markup(rasters):
    """Contours and mixes name their types through the escape."""
    from ldvae_core.analysis.raster import contours

    named = dict(zip(NASTY, rasters.values(), strict=False))
    lines = {name: contours(raster) for name, raster in named.items()}
    raster = next(iter(named.values()))
    assert_harmless(plot_density(raster, x_title=NASTY[0], y_title=NASTY[1], contours=lines))
    assert_harmless(plot_types(named, {}, x_title=NASTY[0], y_title=NASTY[1]))


def test_no_name_reaches_a_table_figure_as_markup(cloud, history):
    """Association, ridges, ranked genes and overlaid runs too."""
    association = pd.DataFrame({"cell_type": NASTY, "factor": 0, "correlation": 0.5, "auc": 0.7, "n_cells": 30})
    assert_harmless(plot_association(association))
    labels = np.resize(np.array(NASTY, object), 200)
    assert_harmless(plot_distribution(binned_densities(cloud[0], labels, NASTY), x_title=NASTY[0]))
    ranked = pd.DataFrame({"gene": NASTY, "end": "positive", "rank": range(len(NASTY)), "loading": 1.0,
                           "low": 0.5, "high": 1.5})  # fmt: skip
    assert_harmless(plot_ranked_loadings(ranked, x_title=NASTY[1]))
    assert_harmless(plot_learning_curves(dict.fromkeys(NASTY, history)))
