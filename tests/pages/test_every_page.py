"""Every page, opened through the shell: without a run it says what to do, with one it shows it."""

import pytest

from tests.pages.conftest import PAGES, RUN


@pytest.mark.parametrize("file", PAGES)
def test_a_page_opens_without_any_run(open_page, file):
    """No page stumbles where nothing has been trained yet."""
    assert not open_page(file).exception


@pytest.mark.parametrize("file", PAGES)
def test_a_page_opens_with_a_finished_run(open_page, finished_run, file):
    """No page stumbles over a run that is finished."""
    assert not open_page(file).exception


@pytest.mark.parametrize("file", PAGES)
def test_a_page_opens_with_the_demo(open_page, with_demo, file):
    """No page stumbles over the run that comes with the program."""
    assert not open_page(file, run=with_demo).exception


@pytest.mark.parametrize("file", ["factors.py", "cell_types.py", "export.py"])
def test_an_exploring_page_without_a_run_offers_the_doors(open_page, file):
    """An empty state says what to do next: train, or load data."""
    at = open_page(file)
    assert at.button(key="no_run_train").label == "Train one"
    assert at.button(key="no_run_data").label == "Load my data"


@pytest.mark.parametrize("file", ["factors.py", "cell_types.py", "export.py"])
def test_a_run_without_results_leads_to_its_training(open_page, make_run, workspace, words, file):
    """A run that is not finished says so in a box, with a way to its curves."""
    run_id = make_run()
    (workspace.runs / run_id / "state.json").unlink()
    at = open_page(file, run=run_id)
    assert "has no results to open" in at.error[0].value.replace("\\", "")
    assert at.button(key="to_train").label == "See its training"


@pytest.mark.parametrize("file", PAGES)
def test_the_sidebar_names_the_program_the_run_and_its_state(open_page, finished_run, file):
    """Name, run in use and its state stand at the top of the sidebar on every page."""
    said = [element.value for element in open_page(file).sidebar.get("html")]
    assert "Gene Program Explorer" in said[0]
    assert "finished" in said[1]


def test_the_address_names_the_run_in_use(open_page, make_run):
    """A link with ?run= opens that run, whatever is newer."""
    make_run()
    other = make_run("another-5e6f7a8b", name="Another")
    at = open_page("factors.py", run=other)
    assert at.session_state["run"] == other
    assert at.query_params["run"] == other


def test_choosing_another_run_changes_the_address(open_page, make_run):
    """The picker in the sidebar writes the id, never the name, into the address."""
    other = make_run("another-5e6f7a8b", name="Another")
    at = open_page("factors.py", run=make_run())
    at.selectbox(key="run_picker").select(other).run()
    assert at.query_params["run"] == other


def test_an_unknown_run_in_the_address_falls_back_to_a_known_one(open_page, finished_run):
    """An old link leads to a run that is there."""
    assert open_page("home.py", run="gone-00000000").session_state["run"] == RUN


def test_a_run_that_is_not_there_is_said(open_page, finished_run):
    """Another run is shown in its place, and never silently."""
    at = open_page("home.py", run="gone-00000000")
    assert "There is no run" in at.warning[0].value
    assert not open_page("home.py", run=finished_run).warning
