"""The figure of predicted changes: genes in the table's order, both measures, hostile names, no change at all."""

import numpy as np
import pandas as pd
import pytest

from ldvae_core.plots.whatif import plot_changes
from tests.plots.conftest import NASTY, texts_of


def changes_of(genes):
    before = np.arange(1.0, len(genes) + 1)
    after = np.where(np.arange(len(genes)) < len(genes) / 2, before * 3, before / 3)
    return pd.DataFrame({"gene": genes, "before": before, "after": after, "change": after - before,
                         "log2_fold": np.log2(after / before)})  # fmt: skip


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_gene_has_a_bar_before_and_after(mode):
    """In the order of the table, with the numbers of the table."""
    table = changes_of(["Hba-x", "Ttr", "Apoe", "Sox2"])
    figure = plot_changes(table, mode=mode)
    before, after = figure.data
    assert list(before.x) == list(table.before)
    assert list(after.x) == list(table.after)
    assert [name.replace("<i>", "").replace("</i>", "") for name in figure.layout.yaxis.ticktext] == list(table.gene)


def test_folds_are_one_bar_from_zero():
    """Signed, on an axis that says so."""
    figure = plot_changes(changes_of(["a", "b"]), by="log2_fold")
    assert list(figure.data[0].x) == pytest.approx([np.log2(3), -np.log2(3)])
    assert "log2" in figure.layout.xaxis.title.text


def test_rising_and_falling_have_other_colours():
    """Orange and blue, as everywhere."""
    colours = plot_changes(changes_of(["a", "b"])).data[1].marker.color
    assert colours[0] != colours[1]


@pytest.mark.parametrize("by", ["change", "log2_fold"])
def test_no_change_gives_empty_titled_axes(by):
    """Nothing moved: the frame stays, at its height."""
    figure = plot_changes(changes_of([]), by=by, rows=20)
    assert figure.layout.xaxis.title.text
    assert "No gene changes" in texts_of(figure)
    assert figure.layout.height == plot_changes(changes_of(["a", "b"]), by=by, rows=20).layout.height


def test_hostile_names_are_drawn_as_letters():
    """No tag, formula or placeholder of a stranger's file is read by plotly."""
    for text in texts_of(plot_changes(changes_of(NASTY))):
        assert not any(bad in text for bad in ("<b>Sox2", "<a ", "$", "%{customdata}"))
        assert len(text) < 500


def test_a_click_carries_the_gene():
    """The whole name, as the data has it."""
    long = "G" * 200
    assert plot_changes(changes_of([long, "b"])).data[1].customdata[0][0] == long
