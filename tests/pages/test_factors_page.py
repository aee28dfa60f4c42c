"""The Factors page: pairs, gallery and one factor, remembered by the address."""

import json
import threading
import time

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from ldvae_core.runs.store import RunStore
from pages.parts import factor_table
from pages.parts.factors import cards, views


@pytest.fixture
def pairs(open_page, finished_run):
    """The Factors page with a finished run."""
    return open_page("factors.py")


def chart(at, number):
    """The figure as it is sent to the browser."""
    return json.loads(at.get("plotly_chart")[number].proto.spec)


def title(at, number, axis):
    return chart(at, number)["layout"][f"{axis}axis"]["title"]["text"]


def test_cells_stand_beside_genes(pairs):
    """The first screen is a density of cells and a biplot of genes on the same two factors."""
    assert [title(pairs, 0, axis) for axis in "xy"] == ["Factor 1", "Factor 2"]
    assert [title(pairs, 1, axis) for axis in "xy"] == [
        f"Factor {k} loading (log fold change per SD, shrunken)" for k in (1, 2)
    ]


def test_the_list_chooses_the_factor_across(pairs):
    """A factor chosen in the list is drawn across."""
    pairs.radio(key="x").set_value(2).run()
    assert title(pairs, 0, "x") == "Factor 3"


def test_the_address_restores_the_view(open_page, finished_run):
    """A pasted link shows the same pair."""
    at = open_page("factors.py", x="Factor 4", y="Factor 3")
    assert [title(at, 0, axis) for axis in "xy"] == ["Factor 4", "Factor 3"]


def test_a_factor_is_never_drawn_against_itself(open_page, finished_run):
    """Where both axes name one factor, the next one stands in."""
    at = open_page("factors.py", x="Factor 2", y="Factor 2")
    assert [title(at, 0, axis) for axis in "xy"] == ["Factor 2", "Factor 3"]


@pytest.mark.parametrize("n", [0, 3, 20])
def test_the_number_of_named_genes_is_the_sliders(pairs, n):
    """As many genes get a name as were asked for, as far as there is room for names."""
    pairs.slider(key="arrows").set_value(n).run()
    names = [trace for trace in chart(pairs, 1)["data"] if trace.get("name") == "names"]
    assert len(names[0]["text"] if names else []) <= n
    assert bool(names) == bool(n)


def test_the_gallery_shows_consecutive_pairs(pairs):
    """Factors 1 and 2, then 3 and 4: as in Fig. 1c."""
    pairs.segmented_control(key="view").set_value("Gallery").run()
    assert [title(pairs, number, "x") for number in range(2)] == ["Factor 1", "Factor 3"]


def test_a_thumbnail_opens_its_pair(pairs):
    """The gallery leads to the large view of a pair."""
    pairs.segmented_control(key="view").set_value("Gallery").run()
    pairs.button(key="open_2_3").click().run()
    assert [title(pairs, 0, axis) for axis in "xy"] == ["Factor 3", "Factor 4"]


def test_the_gallery_of_a_large_run_says_how_far_its_annotations_are(open_page, finished_run, monkeypatch):
    """Thumbnails stand there at once; what the cards follow comes by itself, behind a bar."""
    hold, real = threading.Event(), factor_table.following_table

    def slow(factors, annotations, *, on_factor):
        hold.wait(20)
        return real(factors, annotations, on_factor=on_factor)

    monkeypatch.setattr(factor_table, "following_table", slow)
    monkeypatch.setattr(factor_table, "AT_ONCE", 0)
    at = open_page("factors.py", view="Gallery")
    assert (len(at.get("progress")), len(at.get("plotly_chart"))) == (1, 2)
    hold.set()
    while at.run().get("progress"):
        time.sleep(0.02)
    assert not at.exception


@pytest.mark.parametrize(("module", "slow"), [(views, "density_raster"), (cards, "technical_table")])
def test_a_gallery_of_many_cells_is_prepared_beside_the_page(finished_run, open_page, monkeypatch, module, slow):
    """The page answers with a bar while cells are placed or flags compared, and ends with all of it."""
    hold, real = threading.Event(), getattr(module, slow)
    monkeypatch.setattr(module, slow, lambda *given, **more: hold.wait(20) and real(*given, **more))
    monkeypatch.setattr(module, "AT_ONCE", 0)
    at = open_page("factors.py", view="Gallery")
    assert (len(at.get("progress")), len(at.get("plotly_chart"))) == (1, 0 if slow == "density_raster" else 2)
    hold.set()
    while at.run().get("progress"):
        time.sleep(0.02)
    assert len(at.get("plotly_chart")) == 2
    assert not at.exception


def test_numbers_of_the_data_page_do_not_reach_the_factors(open_page, with_demo):
    """A thousand genes to model are not a thousand genes to list: both had one key, and One factor broke."""
    at = open_page("data.py").switch_page("factors.py").run()
    at.segmented_control(key="view").set_value("One factor").run()
    assert not at.exception
    assert at.slider(key="n_genes").value == 15


def test_a_gallery_that_was_seen_is_not_drawn_again(pairs, monkeypatch):
    """Going back costs nothing; another number of named genes is another drawing."""
    pairs.segmented_control(key="view").set_value("Gallery").run()
    drawn = []
    monkeypatch.setattr("pages.parts.factors.views.plot_thumbnail", lambda *_, **__: drawn.append(1) or go.Figure())
    pairs.segmented_control(key="view").set_value("One factor").run()
    pairs.segmented_control(key="view").set_value("Gallery").run()
    assert not drawn
    pairs.slider(key="arrows").set_value(3).run()
    assert len(drawn) == len(pairs.get("plotly_chart"))


def test_other_arrows_do_not_draw_the_cells_anew(pairs, monkeypatch):
    """Nor do they change the picture of the cells; other cells' colours do."""
    before, drawn = chart(pairs, 0), []
    for name in ("plot_density", "plot_types"):
        monkeypatch.setattr(f"pages.parts.colour.draw.{name}", lambda *_, **__: drawn.append(1) or go.Figure())
    pairs.slider(key="arrows").set_value(3).run()
    assert (chart(pairs, 0), drawn) == (before, [])
    pairs.selectbox(key="colour").set_value("none").run()
    assert drawn == [1]


def test_one_factor_shows_both_ends_and_its_cells(pairs):
    """Ranked genes of both ends beside the distribution over cell types."""
    pairs.segmented_control(key="view").set_value("One factor").run()
    loadings = chart(pairs, 0)["data"][0]["x"]
    assert not pairs.exception
    assert len(pairs.get("plotly_chart")) == 2
    assert loadings is not None


def test_genes_come_by_what_they_explain_or_by_effect(pairs):
    """One switch: other genes lead the list, the axis says what is drawn."""
    pairs.segmented_control(key="view").set_value("One factor").run()
    figure = chart(pairs, 0)
    assert figure["layout"]["xaxis"]["title"]["text"].startswith("effect (log fold change per SD")
    pairs.segmented_control(key="order").set_value("Effect").run()
    assert not pairs.exception
    assert chart(pairs, 0)["data"][0]["customdata"] != figure["data"][0]["customdata"]


def test_every_figure_has_a_text_alternative_with_its_finding(pairs):
    """A screen reader hears what the figure is and what it shows."""
    alts = [figure.proto.alt for figure in pairs.get("plotly_chart")]
    assert all("; Factor 2 is " in alt and ", with Gene" in alt for alt in alts)
    assert "Factor 1 (across) and Factor 2 (up)" in alts[0]


def test_the_published_axes_are_one_click_away(pairs):
    """As trained: the axes that training ended with, on the same page."""
    before = chart(pairs, 1)
    pairs.segmented_control(key="axes").set_value("As trained").run()
    assert chart(pairs, 1) != before


def test_usages_start_at_zero_and_have_no_other_axes(open_page, make_run):
    """Under a logistic-normal prior axes start at 0, and nothing can be rotated."""
    at = open_page("factors.py", run=make_run(prior="logistic_normal"))
    assert chart(at, 0)["layout"]["xaxis"]["range"][0] == 0
    with pytest.raises(KeyError):
        at.segmented_control(key="axes")


def test_a_run_with_fewer_factors_forgets_the_old_choice(open_page, make_run):
    """A factor that the run does not have is no error: the strongest one is shown."""
    assert title(open_page("factors.py", run=make_run(), x="Factor 9"), 0, "x") == "Factor 1"


def test_hostile_names_stay_letters(open_page, make_run, planted, words):
    """A cell type that looks like markdown and HTML is shown as it is written."""
    kinds = planted.counts.annotations["cell_type"].astype(str).replace("program 1", "**x** <img src=1> $y$")
    at = open_page("factors.py", run=make_run(annotations=pd.DataFrame({"cell_type": kinds})))
    captions = "".join(at.radio(key="x").proto.captions)
    assert not at.exception
    assert "<img src=1>" not in words(at) + captions
    assert "\\*\\*x\\*\\*" in captions


def test_cells_without_labels_can_be_explored(open_page, make_run, planted):
    """Without any annotation the programs are still there."""
    at = open_page("factors.py", run=make_run(annotations=pd.DataFrame(index=planted.counts.annotations.index)))
    assert not at.exception


def test_labels_derived_from_the_counts_are_marked(open_page, with_demo, words):
    """The demo's cell types were not made by its authors: a badge says so."""
    assert "derived labels" in words(open_page("factors.py", run=with_demo))


def test_the_store_is_read_only_to_pages(open_page, finished_run, workspace):
    """Looking at a run changes nothing of it."""
    before = RunStore(workspace).card(finished_run)
    open_page("factors.py")
    assert RunStore(workspace).card(finished_run) == before


def test_a_run_that_keeps_no_gene_sparse_axes_can_be_seen_on_them(open_page, workspace, finished_run):
    """They are found when they are asked for, and take the names and turns people gave them."""
    additions = RunStore(workspace).additions(finished_run)
    additions.write_factor_note("gene_sparse", 0, name="few genes", who="me")
    at = open_page("factors.py", axes="Gene-sparse")
    assert not at.exception
    assert at.segmented_control(key="axes").value == "Gene-sparse"
    assert title(at, 0, "x") == "Factor 1 · few genes"


def test_a_factor_that_predicts_worse_than_none_is_said_to_explain_nothing(open_page, finished_run, workspace, words):
    """Neither the list nor the cards give it a share below 0."""
    for axes in ("readable", "as_trained"):
        file = workspace.runs / finished_run / "factors" / axes / "explained_deviance.npy"
        np.save(file, np.load(file) * [1, 1, 1, 0] - [0, 0, 0, 0.0012])
    at = open_page("factors.py")
    assert "explains nothing" in at.radio(key="x").proto.captions[3]
    assert "-0.12%" not in words(at.segmented_control(key="view").set_value("Gallery").run())


def test_thumbnails_stay_readable_with_thirty_names(open_page, finished_run):
    """A small frame has no room for all that were asked for: its first dozen is named."""
    at = open_page("factors.py", view="Gallery", arrows="30")
    for number in range(len(at.get("plotly_chart"))):
        names = [trace for trace in chart(at, number)["data"] if trace.get("name") == "names"]
        assert 0 < sum(len(trace["text"]) for trace in names) <= 12


def test_beside_the_genes_of_a_factor_stand_the_types_that_matter(open_page, make_run, planted):
    """Of a hundred types those of the highest and of the lowest medians; the file has all."""
    kinds = [f"type {k % 50:02d}" for k in range(planted.counts.n_cells)]
    at = open_page("factors.py", run=make_run(annotations=pd.DataFrame({"cell_type": kinds})), view="One factor")
    ridges = chart(at, 1)
    assert len(ridges["layout"]["yaxis"]["ticktext"]) == 30
    assert ridges["layout"]["xaxis"]["title"]["text"] == "Factor 1, first and last 15 of 50 types"
