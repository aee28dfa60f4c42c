"""The volcano: every gene of a comparison, the strongest by name."""

import numpy as np
import pandas as pd
import pytest

from ldvae_core.plots.theme import legible
from ldvae_core.plots.volcano import named_genes, plot_volcano
from tests.plots.conftest import NASTY, same_when_checked, texts_of

NAMES, INKS = ("stimulated", "control"), ("#0072B2", "#D55E00")


def table_of(effect, log10_q):
    effect, log10_q = np.asarray(effect, float), np.asarray(log10_q, float)
    table = pd.DataFrame({"gene": [f"Gene{i}" for i in range(len(effect))], "log2_fold_change": effect})
    return table.assign(low=effect - 0.2, high=effect + 0.2, q=10.0**log10_q, log10_q=log10_q)


@pytest.fixture
def genes():
    """Two that rise, one that falls, one that does not differ."""
    return table_of([2.0, 1.0, -3.0, 0.1], [-10, -40, -5, -0.2])


def of(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def test_genes_have_the_colour_of_the_group_where_they_are_higher(genes):
    """And a side of their own, so that colour is never alone; the others are grey."""
    figure = plot_volcano(genes, names=NAMES, colours=INKS)
    assert list(of(figure, "higher in the first").x) == [2.0, 1.0]
    assert of(figure, "higher in the first").marker.color == legible(INKS[0], "light")
    assert list(of(figure, "higher in the second").x) == [-3.0]
    assert list(of(figure, "no difference").x) == pytest.approx([0.1])
    assert [note.text for note in figure.layout.annotations] == ["higher in stimulated →", "← higher in control"]


def test_a_clicked_point_tells_its_gene(genes):
    """The whole name first, for the Genes page; names can be clicked too."""
    figure = plot_volcano(genes, names=NAMES)
    assert [row[0] for row in of(figure, "higher in the first").customdata] == ["Gene0", "Gene1"]
    assert {row[0] for trace in figure.data if trace.name == "names" for row in trace.customdata} == {
        "Gene0", "Gene1", "Gene2",
    }  # fmt: skip


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("root", [1, 10], ids=["plain", "root scale"])
def test_plotly_knows_every_property(genes, mode, root):
    """The figure is put together without plotly's checks."""
    assert same_when_checked(plot_volcano(genes.assign(log10_q=root * genes.log10_q), names=NAMES, mode=mode))


def test_both_groups_get_names():
    """A hundred surer genes of one group leave half of the names to the other; what differs by luck gets none."""
    table = table_of([*np.linspace(1, 3, 100), -1, -2, 0.5], [*[-50] * 100, -3, -4, -1])
    rows = named_genes(table, 6).tolist()
    assert len(rows) == 6
    assert {100, 101} <= set(rows)
    assert 102 not in rows


def test_very_sure_genes_do_not_press_the_others_down():
    """Beyond 50 the axis is the root of -log10 q, labelled with the numbers themselves."""
    figure = plot_volcano(table_of([1, 1], [-400, -4]), names=NAMES)
    assert list(of(figure, "higher in the first").y) == [20, 2]
    assert "root scale" in figure.layout.yaxis.title.text
    assert list(figure.layout.yaxis.ticktext) == ["0", "5", "20", "50", "100", "200", "300"]
    assert np.square(figure.layout.yaxis.tickvals) == pytest.approx([0, 5, 20, 50, 100, 200, 300])
    assert "root" not in plot_volcano(table_of([1, 1], [-40, -4]), names=NAMES).layout.yaxis.title.text


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_no_name_lies_over_another(mode):
    """Whatever the crowd: names without room are left out."""
    rng = np.random.default_rng(0)
    figure = plot_volcano(table_of(rng.normal(0, 0.01, 60) + 2, rng.normal(-30, 0.1, 60)), names=NAMES, n_named=30,
                          mode=mode)  # fmt: skip
    names = [trace for trace in figure.data if trace.name == "names"]
    spots = np.concatenate([np.column_stack([trace.x, trace.y]) for trace in names])
    span = [np.ptp(figure.layout.xaxis.range), np.ptp(figure.layout.yaxis.range)]
    pixels = spots / span * (300, 320)
    gaps = np.abs(pixels[:, None] - pixels[None])
    apart = (gaps[..., 0] > 30) | (gaps[..., 1] > 11) | np.eye(len(spots), dtype=bool)
    assert len(spots) > 5
    assert apart.all()


def test_hostile_names_stay_letters(genes):
    """Genes and groups out of strangers' files."""
    figure = plot_volcano(genes.assign(gene=NASTY[:4]), names=(NASTY[1], NASTY[3]))
    assert not [text for text in texts_of(figure) if "<a" in text or "<b>Sox2" in text or "%{customdata}" in text]


def test_no_genes_give_empty_titled_axes(genes):
    """A normal input."""
    figure = plot_volcano(genes.iloc[:0], names=NAMES)
    assert figure.layout.annotations[-1].text == "No genes to show"
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("log2 fold change", "−log10 q")
