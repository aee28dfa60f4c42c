"""Cells drawn around in a density: counted exactly, described, kept as an annotation, restored by an address."""

import json

import numpy as np
import pytest

from ldvae_core.runs.store import RunStore
from pages.parts.runs import store
from pages.parts.selection.region import composition, plane_of_pair
from tests.pages.conftest import RUN


@pytest.fixture
def opened(finished_run, workspace):
    """The run that the page shows."""
    return RunStore(workspace).open(finished_run)


@pytest.fixture
def right_half(opened):
    """An address that selects the cells right of the middle on Factors 1 and 2, and those cells."""
    factors = opened.factors["readable"]
    x = np.asarray(factors.representation[:, 0])
    middle = float(f"{np.median(x):.4g}")
    address = f"{plane_of_pair(factors, (0, 1)).name}!{middle}_-99~99_-99~99_99~{middle}_99"
    return address, x > middle


def test_an_address_selects_every_cell_inside(open_page, right_half, words):
    """The number is that of numpy on the same positions, of all cells."""
    address, cells = right_half
    at = open_page("factors.py", region=address)
    assert not at.exception
    assert f"<b>{cells.sum()} of 300 cells</b> selected on Factor 1 and Factor 2" in words(at)


def test_what_sets_them_apart_is_said_and_listed(open_page, right_half, words):
    """Factors that they were not cut along, and the genes; the axes of the choice get no p value."""
    at = open_page("factors.py", region=right_half[0])
    assert "Beyond the axes they were chosen on, selected cells and all other cells differ most on " in words(at)
    assert "genes load on the axes of the choice: p values do not apply to them." in words(at)
    assert "Unit: the cell" in words(at)
    volcano = json.loads(at.get("plotly_chart")[2].proto.spec)
    assert "log2 fold change" in volcano["layout"]["xaxis"]["title"]["text"]


def test_a_selection_is_saved_as_an_annotation(open_page, right_half, workspace, finished_run):
    """With its name, who and from which view; it can be coloured by at once."""
    address, cells = right_half
    at = open_page("factors.py", region=address)
    at.text_input(key="selection_name").set_value("Right half")
    at.text_input(key="selection_who").set_value("Ada")
    next(button for button in at.button if button.label == "Save").click().run()
    (saved,) = RunStore(workspace).additions(finished_run).selections()
    assert (saved.name, saved.n_cells, saved.who) == ("Right half", cells.sum(), "Ada")
    assert saved.view.startswith("Factor 1 and Factor 2: ")
    assert "Right half" in at.selectbox(key="colour").options


def test_a_name_that_is_taken_is_refused_and_nothing_saved(open_page, right_half, workspace, finished_run):
    """The box says which name, and the cells stay selected."""
    at = open_page("factors.py", region=right_half[0])
    at.text_input(key="selection_name").set_value("cell_type")
    next(button for button in at.button if button.label == "Save").click().run()
    assert "already" in at.error[0].value
    assert RunStore(workspace).additions(finished_run).selections() == []


def test_a_saved_selection_can_be_deleted(open_page, opened, workspace, finished_run):
    """Its annotation goes with it."""
    kept, cells = RunStore(workspace).additions(finished_run), np.arange(300) < 30
    saved = kept.save_selection("Odd", cells, who="Ada", view="x: y", taken=[])
    at = open_page("factors.py")
    at.button(key=f"delete_{saved.selection_id}").click().run()
    assert kept.selections() == []
    assert "Odd" not in at.selectbox(key="colour").options


def test_clearing_forgets_the_cells(open_page, right_half, words):
    """The address is clean again."""
    at = open_page("factors.py", region=right_half[0])
    at.button(key="selection_clear").click().run()
    assert "selected on" not in words(at)
    assert "region" not in at.query_params


@pytest.mark.parametrize(
    "region",
    ["readable.0.9!0_0~1_0~1_1", "nobody!0_0~1_0~1_1", "readable.0.1!", "map!0_0~1_0~1_1", "!!", "a.b.c!d", "<b>!1"],
)
def test_an_address_that_selects_nothing_known_is_refused(open_page, finished_run, region):
    """A box in words, the figures stay, and the region is forgotten."""
    at = open_page("factors.py", region=region)
    assert not at.exception
    assert len(at.error) == 1
    assert len(at.get("plotly_chart")) == 2


def test_a_handful_of_cells_is_counted_but_not_compared(open_page, opened, words):
    """Fewer than five cells say nothing about genes; that is said."""
    factors = opened.factors["readable"]
    x = np.sort(factors.representation[:, 0])
    name = plane_of_pair(factors, (0, 1)).name
    at = open_page("factors.py", region=f"{name}!{x[-2] - 1e-4:.6g}_-99~99_-99~99_99~{x[-2] - 1e-4:.6g}_99")
    assert "<b>2 of 300 cells</b>" in words(at)
    assert "5 are needed" in at.error[0].value


def test_the_composition_counts_types(opened):
    """Against pandas: selected cells by type, their share, and the share of the type."""
    labels, cells = opened.labels(), np.arange(300) % 3 == 0
    table = composition(labels, cells).set_index("cell_type")
    expected = labels[cells].value_counts()
    assert table["n_selected"].to_dict() == expected[expected > 0].to_dict()
    assert table["share_of_selected"].sum() == pytest.approx(1)
    name = table.index[0]
    assert table["share_of_type"][name] == expected[name] / (labels == name).sum()


def test_a_link_survives_a_turned_axis(open_page, right_half, words, workspace, finished_run):
    """Turning a factor round afterwards changes its sign on screen, not the cells that a kept link selects."""
    address, cells = right_half
    RunStore(workspace).additions(finished_run).write_factor_note("readable", 0, flipped=True)
    at = open_page("factors.py", region=address)
    assert not at.error
    assert f"<b>{cells.sum()} of 300 cells</b> selected" in words(at)


def test_a_name_that_is_too_long_is_refused_in_words(open_page, right_half, workspace, finished_run):
    """What was typed or pasted reaches the program whole, and nothing is saved under half of it."""
    at = open_page("factors.py", region=right_half[0])
    at.text_input(key="selection_name").set_value("x" * 61)
    assert at.text_input(key="selection_name").proto.max_chars == 0
    next(button for button in at.button if button.label == "Save").click().run()
    assert "The name has 61 characters" in at.error[0].value
    assert RunStore(workspace).additions(finished_run).selections() == []


def test_an_account_of_the_machine_signs_nothing(open_page, right_half, monkeypatch):
    """A container's "root" is nobody's name."""
    monkeypatch.setattr("pages.parts.selection.region.getpass.getuser", lambda: "root")
    at = open_page("factors.py", region=right_half[0])
    assert at.text_input(key="selection_who").value == ""


def test_saving_says_so_and_can_be_undone(open_page, right_half, words):
    """A short word on every page, which goes by itself; one press takes the annotation back, or a deletion."""
    at = open_page("factors.py", region=right_half[0])
    at.text_input(key="selection_name").set_value("Right half")
    next(button for button in at.button if button.label == "Save").click().run()
    assert "The annotation is saved" in words(at)
    at.button(key="undo").click().run()
    assert store().additions(RUN).selections() == []
    at.text_input(key="selection_name").set_value("Right half")
    next(button for button in at.button if button.label == "Save").click().run()
    made = store().additions(RUN).selections()
    at.button(key=f"delete_{made[0].selection_id}").click().run()
    assert store().additions(RUN).selections() == []
    at.button(key="undo").click().run()
    assert store().additions(RUN).selections() == made


def test_a_selection_is_pointed_to_beside_the_figure_with_higher_genes_first(open_page, finished_run, words):
    """What opens below the fold has its way there; genes that are higher in the selected cells stand first."""
    at = open_page("factors.py", region="readable.0.1!0.5_-9~9_-9~9_9~0.5_9")
    assert 'selected</b> · <a href="#what-sets-them-apart">' in words(at)
    fold = at.dataframe[0].value["log2 fold"].to_numpy()
    assert list(fold > 0) == sorted(fold > 0, reverse=True)
    assert (fold > 0).any()
    assert (fold < 0).any()
