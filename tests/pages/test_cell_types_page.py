"""The Cell types page: two to four types, the pair of factors that separates them, and the table of all."""

import json

import pandas as pd
import pytest


@pytest.fixture
def types_page(open_page, finished_run):
    """The Cell types page with a finished run."""
    return open_page("cell_types.py")


def chart(at, number):
    return json.loads(at.get("plotly_chart")[number].proto.spec)


def test_the_demo_opens_with_the_papers_three_lineages(open_page, with_demo, words):
    """Erythroid, extraembryonic endoderm and epiblast come apart, and their markers point the way."""
    at = open_page("cell_types.py", run=with_demo)
    said = words(at)
    assert at.multiselect(key="types").value == ["Erythroid (primitive)", "ExE endoderm", "Epiblast/ectoderm"]
    assert "over 99% of cells on the right side" in said
    assert "Hba-x" in said
    assert "Ttr" in said


def test_the_planted_programs_are_found(types_page, words):
    """Types that follow two programs are told apart in the plane of these two."""
    types_page.multiselect(key="types").set_value(["program 1", "program 2"]).run()
    assert not types_page.exception
    assert "tell program 1 and program 2 apart" in words(types_page)


def test_each_type_has_one_colour_for_outline_and_arrows(types_page):
    """The line around a type's cells and the arrows that point to it share their colour and their dashes."""
    types_page.multiselect(key="types").set_value(["program 1", "program 2"]).run()
    inks = [{(trace["line"]["color"], trace["line"]["dash"]) for trace in chart(types_page, number)["data"]
             if trace.get("name") != "leaders" and "dash" in trace.get("line", {})} for number in (0, 1)]  # fmt: skip
    assert len(inks[1]) == 2
    assert inks[1] <= inks[0]


@pytest.mark.parametrize("types", [[], ["program 1"]], ids=["none", "one"])
def test_too_few_types_ask_for_more(types_page, types):
    """Fewer than two types cannot be told apart: the page says what to do."""
    types_page.multiselect(key="types").set_value(types).run()
    assert "Choose 2 to 4 types" in types_page.info[0].value


def test_the_address_restores_the_types(open_page, finished_run):
    """A pasted link compares the same types."""
    at = open_page("cell_types.py", types=["program 3", "mixed"])
    assert at.multiselect(key="types").value == ["program 3", "mixed"]


def test_the_table_names_every_type_and_factor(types_page):
    """One square a type and factor."""
    heat = next(trace for trace in chart(types_page, 2)["data"] if trace["type"] == "heatmap")
    assert len(heat["z"]["bdata"]) > 0 if isinstance(heat["z"], dict) else len(heat["z"]) == 5


def test_cells_without_annotation_are_led_on(open_page, make_run, planted):
    """Without labels the page offers other data, and the factors themselves."""
    at = open_page("cell_types.py", run=make_run(annotations=pd.DataFrame(index=planted.counts.annotations.index)))
    assert at.button(key="to_factors").label == "See the factors"
