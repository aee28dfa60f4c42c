"""The Home page: three doors, a picture of real cells, and the runs as cards."""

import pytest

from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace import processes
from ldvae_core.workspace.folders import HOME_VARIABLE
from tests.runs.conftest import claim


@pytest.fixture
def home(open_page, finished_run):
    """Home with one run."""
    return open_page("home.py")


def test_a_fresh_start_shows_real_cells(open_page, with_demo, words):
    """Before anything is clicked: density and biplot of the demo, with a sentence."""
    at = open_page("home.py")
    assert len(at.get("plotly_chart")) == 2
    assert "Erythroid (primitive)" in words(at)


def test_the_demo_is_one_click_away(open_page, finished_run, with_demo):
    """Open the demo leads to its factors, whatever run is in use."""
    home = open_page("home.py", run=finished_run)
    home.button(key="door_button_0").click().run()
    assert not home.exception
    assert home.session_state["run"] == with_demo
    assert "<h1>Factors</h1>" in home.html[0].value


def test_a_card_says_name_state_error_and_programs(home, words):
    """Name, state, held-out error and the strongest programs."""
    said = words(home)
    for part in ("Planted programs", "finished", "99.5 nats per cell", "Factor 3"):
        assert part in said


def test_a_run_can_be_renamed(home, workspace, finished_run):
    """The new name is kept."""
    home.text_input(key=f"name_{finished_run}").set_value("Blood").run()
    home.button(key=f"rename_{finished_run}").click().run()
    assert RunStore(workspace).card(finished_run).name == "Blood"


def test_a_deleted_run_can_be_had_back(home, workspace, finished_run, words):
    """By one press, where it is said that it is deleted; nothing of it is lost."""
    home.button(key=f"delete_{finished_run}").click().run()
    assert "The run Planted programs is deleted." in words(home)
    assert finished_run not in [card.run_id for card in RunStore(workspace).cards()]
    home.button(key="undo").click().run()
    assert RunStore(workspace).open(finished_run).name == "Planted programs"


def test_what_was_deleted_is_listed_and_can_be_removed_at_once(home, workspace, finished_run):
    """Whoever needs room does not wait for ten minutes."""
    home.button(key=f"delete_{finished_run}").click().run()
    home.button(key=f"remove_{finished_run}").click().run()
    assert list(workspace.runs.iterdir()) == []
    assert not [button.key for button in home.button if str(button.key).startswith("restore_")]


def test_the_demo_cannot_be_renamed_or_deleted(open_page, with_demo):
    """It belongs to the program."""
    home = open_page("home.py")
    with pytest.raises(KeyError):
        home.button(key="delete_demo")


def test_a_name_that_is_too_long_is_refused_in_words(home, workspace, finished_run):
    """Pasted, it stays in its box, and the box says how long a name may be."""
    home.text_input(key=f"name_{finished_run}").set_value("x" * 200).run()
    home.button(key=f"rename_{finished_run}").click().run()
    assert "this one has 200" in home.error[0].value.replace("\\", "")
    assert RunStore(workspace).card(finished_run).name == "Planted programs"


def test_a_run_that_is_trained_stands_above_everything_else(open_page, workspace, words, with_demo):
    """With its bar and the way to its training; what waits is counted."""
    runs = RunStore(workspace)
    first, _ = (runs.jobs.submit(RunSettings(name=name, data_source="demo")) for name in ("Mine", "Next"))
    claim(workspace, processes.this_process())
    home = open_page("home.py", run="demo")
    row = next(item.value for item in home.main.get("html") if "1 more" in item.value)
    assert "<strong>Mine</strong>" in row
    assert len(home.get("progress")) == 1
    home.button(key="under_way_open").click().run()
    assert home.session_state["run"] == first
    assert "<h1>Train</h1>" in words(home)


def test_hostile_run_names_stay_letters(open_page, make_run, words):
    """A run may be called anything."""
    make_run(name="<img src=x onerror=alert(1)> **x**")
    said = words(open_page("home.py"))
    assert "<img" not in said
    assert "&lt;img" in said


@pytest.mark.parametrize(("folder", "service"), [("Dropbox", "Dropbox"), ("plain", "")])
def test_a_workspace_that_a_cloud_synchronises_is_warned_of(open_page, tmp_path, monkeypatch, folder, service):
    """Where it is, and how to move it; nothing is said of any other folder."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / folder / "workspace"))
    said = " ".join(warning.value for warning in open_page("home.py").warning)
    assert (f"{service} seems to synchronise" in said, HOME_VARIABLE in said) == (bool(service), bool(service))
