"""The frame of every page: the run in use and its data follow the person's last choice."""

import pandas as pd
import pytest

from ldvae_core.workspace.datasets import Datasets
from pages.parts import runs as in_use

OTHER = "another-1a2b3c4d"


@pytest.fixture
def two_runs(make_run):
    """Two runs; the first one is the run in use."""
    return make_run(), make_run(OTHER, name="Another")


@pytest.fixture
def own_data(workspace, planted, tmp_path):
    """A data set of one's own; its id."""
    counts = planted.counts
    table = tmp_path / "mine.csv"
    pd.DataFrame(counts.counts.toarray(), counts.annotations.index, counts.gene_names).to_csv(table)
    with table.open("rb") as file:
        return Datasets(workspace).add_upload("mine.csv", file)


def test_a_run_chosen_in_the_sidebar_outlives_a_click_on_a_link_drawn_before(open_page, two_runs):
    """The link still carries the run that was left; the choice came later and counts."""
    left, chosen = two_runs
    page = open_page("home.py", run=left)
    page.selectbox(key="run_picker").set_value(chosen).run()
    page.query_params["run"] = left
    page.switch_page("genes.py").run()
    assert page.session_state["run"] == chosen
    assert page.query_params["run"] in (chosen, [chosen])


def test_the_way_back_leads_to_the_run_that_was_left(open_page, two_runs, monkeypatch):
    """Some seconds later the address that names it means it."""
    left, chosen = two_runs
    page = open_page("home.py", run=left)
    page.selectbox(key="run_picker").set_value(chosen).run()
    monkeypatch.setattr(in_use, "LINKS_SECONDS", 0.0)
    page.query_params["run"] = left
    page.switch_page("genes.py").run()
    assert page.session_state["run"] == left


def test_the_train_form_stands_on_the_data_of_the_run_that_an_address_opens(open_page, make_run, own_data):
    """Not on the demo; another run brings its own data."""
    make_run(data_source=own_data)
    make_run(OTHER, name="Another")
    page = open_page("train.py", run="planted-1a2b3c4d")
    assert page.selectbox(key="train_data").value == own_data
    page.selectbox(key="run_picker").set_value(OTHER).run()
    assert page.selectbox(key="train_data").value == "demo"


def test_data_chosen_by_hand_stay_in_the_train_form(open_page, make_run, own_data):
    """On the form or on the Data page: the last choice counts, until another run is chosen."""
    page = open_page("train.py", run=make_run())
    page.selectbox(key="train_data").set_value(own_data).run()
    assert page.selectbox(key="train_data").value == own_data
    page.switch_page("data.py").run()
    assert page.selectbox(key="data_picker").value == own_data
    page.selectbox(key="data_picker").set_value("demo").run()
    page.switch_page("train.py").run()
    assert page.selectbox(key="train_data").value == "demo"


def test_the_menu_has_no_tooltips_that_would_cover_it(open_page, finished_run):
    """A hovered entry hides none of the others."""
    page = open_page("home.py")
    links = page.sidebar.get("page_link")
    assert len(links) == 8
    assert not any(link.proto.help for link in links)


def test_a_name_too_long_for_the_picker_stands_below_it_in_full(open_page, make_run):
    """The picker has one line; a name that fits it is not said twice."""
    name = ("One that goes on and on, " * 5)[:120].strip()
    page = open_page("home.py", run=make_run(name=name))
    assert name in "".join(element.value for element in page.sidebar.get("html"))
    make_run(OTHER, name="Short")
    page = open_page("home.py", run=OTHER)
    assert "Short" not in "".join(element.value for element in page.sidebar.get("html"))
