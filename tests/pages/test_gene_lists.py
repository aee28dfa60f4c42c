"""Lists of genes on the Genes page, in the address and as a colour."""

import pytest

from ldvae_core.runs.gene_lists import GeneLists


@pytest.fixture
def lists(workspace):
    return GeneLists(workspace)


def test_a_list_is_saved_under_a_name_with_a_way_back(open_page, finished_run, lists, words):
    """Its name then stands above the figures and in the address."""
    at = open_page("genes.py", genes=["Gene01", "Gene02"])
    at.text_input(key="list_name").set_value("Two of them")
    at.button(key="list_save_button").click().run()
    assert [(one.name, one.genes) for one in lists.all()] == [("Two of them", ("Gene01", "Gene02"))]
    assert "<b>Two of them</b>, 2 genes" in words(at)
    assert at.query_params["list"] in ("Two of them", ["Two of them"])
    at.button(key="undo").click().run()
    assert lists.all() == []
    assert "list" not in at.query_params


def test_an_address_that_names_a_list_opens_it(open_page, finished_run, lists, words):
    """Genes that the run lacks are said."""
    lists.save("Mine", ["GENE03", "Gene04", "Nanog"])
    at = open_page("genes.py", list="Mine")
    assert at.multiselect(key="genes").value == ["Gene03", "Gene04", "Nanog"]
    assert "<b>Mine</b>, 2 genes" in words(at)
    assert "1 gene is not among" in words(at)


def test_a_list_is_opened_and_deleted_from_the_menu(open_page, finished_run, lists):
    """One click each; the deleted one can be had back."""
    made = lists.save("Mine", ["Gene03", "Gene04"])
    at = open_page("genes.py")
    at.button(key="list_open_0").click().run()
    assert at.multiselect(key="genes").value == ["Gene03", "Gene04"]
    at.button(key="list_delete_0").click().run()
    assert lists.all() == []
    at.button(key="undo").click().run()
    assert lists.all() == [made]


def test_cells_are_coloured_by_the_mean_of_a_list(open_page, finished_run, lists):
    """On Factors too, under the list's name."""
    lists.save("Mine", ["Gene03", "Gene04"])
    at = open_page("factors.py", view="One pair", colour="list:Mine")
    assert not at.exception
    assert any("Mine (the mean of 2 genes)" in chart.proto.alt for chart in at.get("plotly_chart"))
