"""Ridges of one factor for several conditions side by side."""

import numpy as np
import pandas as pd
import pytest

from ldvae_core.plots.distribution import MOST_POINTS, binned_densities, plot_distribution
from tests.plots.conftest import NASTY, texts_of

GROUPS, LEVELS = ["a", "b"], ["control", "treated"]


@pytest.fixture
def cells():
    """A factor, groups and conditions: treatment raises group a, which is the lower one without it."""
    rng = np.random.default_rng(0)
    group, level = rng.integers(0, 2, 4000), rng.integers(0, 2, 4000)
    values = rng.normal(0, 0.3, 4000) + group + 3.0 * level * (group == 0)
    return values, pd.Series(np.array(GROUPS)[group]), pd.Series(np.array(LEVELS)[level])


@pytest.fixture
def table(cells):
    return binned_densities(cells[0], cells[1], GROUPS, split=cells[2], levels=LEVELS)


def curves(figure, group):
    return [trace for trace in figure.data if trace.name == group]


def test_every_cell_is_counted_in_its_group_and_level(cells, table):
    """Numbers and medians are pandas' own; each curve integrates to 1."""
    values, group, level = cells
    theirs = pd.DataFrame({"value": values, "group": group, "level": level}).groupby(["level", "group"])["value"]
    each = table.drop_duplicates(["level", "group"]).set_index(["level", "group"])
    assert each.n_cells.to_dict() == theirs.count().to_dict()
    assert each["median"].to_dict() == pytest.approx(theirs.median().to_dict())
    width = np.diff(table.value.to_numpy()[:2])[0]
    assert (table.groupby(["level", "group"]).density.sum() * width).to_numpy() == pytest.approx(1)


def test_the_parts_are_those_of_each_level_alone(cells, table):
    """The same curve as of the level's cells by themselves, on shared bins."""
    values, group, level = cells
    alone = binned_densities(np.where(level == "treated", values, np.nan), group, GROUPS)
    part = table[table.level == "treated"]
    assert part.drop_duplicates("group")["median"].tolist() == alone.drop_duplicates("group")["median"].tolist()
    assert set(table.value) == set(part.value)


def test_panels_share_range_and_order(table):
    """Side by side, one order of groups and one range, so that they can be compared by eye."""
    layout = plot_distribution(table, x_title="Factor 1").layout
    assert list(layout.yaxis.ticktext) == ["b", "a"]
    assert (layout.xaxis2.matches, layout.yaxis2.matches) == ("x", "y")
    assert layout.xaxis.domain[1] < layout.xaxis2.domain[0]
    assert layout.xaxis2.title.text == "Factor 1"
    assert not layout.yaxis2.showticklabels


def test_each_panel_is_named_with_its_number_of_cells(cells, table):
    """And with counts, each ridge tells its own."""
    figure = plot_distribution(table, x_title="Factor 1", counts=True)
    sizes = cells[2].value_counts()
    assert [note.text for note in figure.layout.annotations] == [
        f"<b>{name}</b> · {sizes[name]:,} cells" for name in LEVELS
    ]
    numbers = [text for trace in figure.data if trace.name == "number of cells" for text in trace.text]
    assert sorted(int(text.replace(",", "")) for text in numbers) == sorted(
        table.drop_duplicates(["level", "group"]).n_cells
    )


def test_numbers_at_the_right_of_ridges_say_what_they_count(table):
    """One panel has no name that would say it: a heading does, above the first number."""
    whole = table[table["level"] == LEVELS[0]].drop(columns="level")
    figure = plot_distribution(whole, x_title="Factor 1", counts=True)
    (heading,) = figure.layout.annotations
    numbers = next(trace for trace in figure.data if trace.name == "number of cells")
    assert (heading.text, heading.x) == ("cells", numbers.x[0])
    assert heading.y > max(numbers.y)
    assert not plot_distribution(whole, x_title="Factor 1").layout.annotations


def test_the_stroke_stands_at_the_median(table):
    """Each curve ends with a stroke from its baseline up to the curve at the median, and back."""
    figure = plot_distribution(table, x_title="Factor 1")
    medians = table.drop_duplicates(["level", "group"]).set_index(["level", "group"])["median"]
    stroke = curves(figure, "a")[1]
    assert list(stroke.x[-4:-1]) == pytest.approx([medians["treated", "a"]] * 3)
    assert stroke.y[-2] == stroke.y[0] < stroke.y[-3] <= stroke.y.max()


def test_a_group_that_one_level_lacks_keeps_its_row(cells):
    """Its place stays empty, and the rows of both panels stay level."""
    values, group, level = cells
    only = ~((group == "a") & (level == "control"))
    table = binned_densities(values[only], group[only], GROUPS, split=level[only], levels=LEVELS)
    figure = plot_distribution(table, x_title="Factor 1")
    assert [trace.xaxis for trace in curves(figure, "a")] == ["x2"]
    assert list(figure.layout.yaxis.ticktext) == list(figure.layout.yaxis2.ticktext)


def test_a_hundred_groups_of_four_levels_stay_small():
    """With names of 200 characters: coarser bins, below 300 kB."""
    rng = np.random.default_rng(1)
    groups = [f"{i} " + "x" * 196 for i in range(100)]
    labels = pd.Series(pd.Categorical.from_codes(rng.integers(0, 100, 50_000), groups))
    levels = pd.Series(pd.Categorical.from_codes(rng.integers(0, 4, 50_000), list("abcd")))
    table = binned_densities(rng.normal(0, 1, 50_000), labels, groups, split=levels, levels=list("abcd"))
    assert len(table) <= MOST_POINTS
    assert len(plot_distribution(table, x_title="Factor 1", counts=True).to_json()) < 300_000


def test_categories_and_plain_text_give_the_same_table(cells):
    """Labels are read by their codes where they have some."""
    values, group, level = cells
    plain = binned_densities(values, group, GROUPS, split=level, levels=LEVELS)
    coded = binned_densities(values, group.astype("category"), GROUPS, split=level.astype("category"), levels=LEVELS)
    pd.testing.assert_frame_equal(plain, coded)


def test_hostile_levels_stay_letters(cells):
    """Conditions out of strangers' files."""
    values, group, level = cells
    level = level.replace({"control": NASTY[0], "treated": NASTY[1]})
    figure = plot_distribution(binned_densities(values, group, GROUPS, split=level, levels=NASTY[:2]), x_title="F")
    assert not [text for text in texts_of(figure) if "<a" in text or "<b>Sox2" in text]


def test_no_cells_give_empty_titled_axes():
    """A normal input, split or not."""
    table = binned_densities(np.empty(0), [], ["a"], split=[], levels=["b"])
    figure = plot_distribution(table, x_title="Factor 1")
    assert figure.layout.annotations[-1].text == "No cells to show"
    assert figure.layout.xaxis.title.text == "Factor 1"
