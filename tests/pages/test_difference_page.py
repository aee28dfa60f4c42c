"""The Cell types page: why two groups differ, and how cells lie on a factor."""

import json
import threading
import time

import numpy as np
import pandas as pd
import pytest

from ldvae_core.runs.store import RunStore
from pages.parts import comparing, sample_columns
from pages.parts.cell_types import difference

WHY = {"view_types": "Why do these differ?"}


@pytest.fixture
def annotations(planted):
    """Cell types, two conditions, three donors with cells in every group, and one lane for each condition."""
    kinds = planted.counts.annotations["cell_type"].astype(str).to_numpy()
    number = np.arange(300)
    return pd.DataFrame({"cell_type": kinds, "stim": np.where(kinds == "program 1", "treated", "control"),
                         "donor": [f"d{i % 3}" for i in number], "arm": np.where(number % 2, "treated", "control"),
                         "lane": np.where(kinds == "program 1", "L1", "L2")})  # fmt: skip


def charts(at):
    return [json.loads(figure.proto.spec) for figure in at.get("plotly_chart")]


def boxes(at):
    return [box.value for box in at.error]


def test_a_condition_is_compared_first(open_page, make_run, annotations, words):
    """The treated cells against the control; the donors are the unit, since the data has them."""
    at = open_page("cell_types.py", run=make_run(annotations=annotations), **WHY)
    assert not at.exception
    assert [at.selectbox(key=key).value for key in ("compare_by", "group_a", "group_b", "unit")] == [
        "stim", "treated", "control", "donor",
    ]  # fmt: skip
    assert "treated and control differ most on Factor" in words(at)
    assert "(paired t test, variances of genes moderated)" in words(at)


def test_a_long_comparison_shows_a_bar_then_itself(open_page, make_run, annotations, monkeypatch):
    """It is made once for everybody: leaving the page, coming back and another visitor find the same one."""
    go, begun, real = threading.Event(), [], difference.compare_in_run

    def slow(*given, report, **more):
        begun.append(report(0.25))
        go.wait(20)
        return real(*given, report=report, **more)

    monkeypatch.setattr(difference, "compare_in_run", slow)
    monkeypatch.setattr(comparing, "AT_ONCE", 0)
    open_page("cell_types.py", run=make_run(annotations=annotations), **WHY)
    while not begun:
        time.sleep(0.02)
    at = open_page("cell_types.py", **WHY)
    assert ([bar.proto.value for bar in at.get("progress")], len(charts(at))) == ([25], 0)
    go.set()
    while at.run().get("progress"):
        time.sleep(0.02)
    assert (len(charts(at)), len(begun)) == (3, 1)


def test_a_type_is_compared_with_all_other_cells(open_page, finished_run, words):
    """Without a condition: cells, outlines, arrows and volcano, in one colour a group."""
    at = open_page("cell_types.py", compare_by="cell_type", group_a="program 2", **WHY)
    assert not at.exception
    assert at.selectbox(key="group_b").value == "all other cells"
    assert "program 2 and all other cells differ most on" in words(at)
    assert "Unit: the cell" in words(at)
    cells, genes, volcano = charts(at)
    assert {trace["name"] for trace in cells["data"]} >= {"program 2", "all other cells"}
    assert {"higher in the first", "higher in the second"} <= {trace.get("name") for trace in volcano["data"]}
    assert genes["data"]


def test_the_volcano_has_every_gene(open_page, finished_run):
    """Sixty modelled genes, sixty points, none left out."""
    volcano = charts(open_page("cell_types.py", group_a="program 2", **WHY))[2]
    points = [len(trace["customdata"]) for trace in volcano["data"] if trace.get("name") in
              ("higher in the first", "higher in the second", "no difference")]  # fmt: skip
    assert sum(points) == 60


def test_too_few_samples_are_refused_with_the_reason(open_page, make_run, annotations):
    """Each arm has one lane: named, counted, and the way out said."""
    at = open_page("cell_types.py", run=make_run(annotations=annotations), unit="lane", **WHY)
    assert not at.exception
    assert len(at.get("plotly_chart")) == 0
    assert "treated has 1 sample \\(L1\\) and control has 1 sample \\(L2\\)" in boxes(at)[0]
    assert "Choose cells as the unit" in boxes(at)[0]


def test_a_comparison_can_be_kept_within_a_type(open_page, make_run, annotations, words):
    """Conditions compared among the cells of one type only."""
    at = open_page("cell_types.py", run=make_run(annotations=annotations), compare_by="arm", unit="cells",
                   within="cell_type: program 2", **WHY)  # fmt: skip
    inside = annotations[annotations.cell_type == "program 2"]
    assert "Among program 2: treated and control" in words(at)
    assert f"<b>{(inside.arm == 'treated').sum()} cells</b>" in words(at)


def test_other_groups_are_forgotten_with_their_annotation(open_page, make_run, annotations):
    """A link to a value that the annotation does not have is no error."""
    at = open_page("cell_types.py", run=make_run(annotations=annotations), group_a="program 1", **WHY)
    assert not at.exception
    at.selectbox(key="compare_by").set_value("cell_type").run()
    assert not at.exception
    assert at.selectbox(key="group_b").value == "all other cells"


def test_a_run_of_usages_can_be_compared(open_page, make_run, words):
    """Shares that sum to 1, from 0 upwards."""
    at = open_page("cell_types.py", run=make_run(prior="logistic_normal"), group_a="program 1", **WHY)
    assert not at.exception
    assert " at its high end, whose" in words(at)


def test_hostile_names_stay_letters(open_page, make_run, annotations, words):
    """Groups called like markdown and HTML."""
    names = {"treated": "**x** <img src=1> $y$", "control": ":red[c]"}
    at = open_page("cell_types.py", run=make_run(annotations=annotations.replace(names)), compare_by="stim", **WHY)
    assert not at.exception
    assert "<img src=1>" not in words(at)
    assert "<img" not in "".join(json.dumps([note["text"] for note in chart["layout"].get("annotations", [])])
                                 for chart in charts(at))  # fmt: skip


@pytest.mark.parametrize("view", ["Why do these differ?", "Distributions"])
def test_cells_without_annotation_are_led_on(open_page, make_run, planted, view):
    """As in the first view."""
    bare = pd.DataFrame(index=planted.counts.annotations.index)
    at = open_page("cell_types.py", run=make_run(annotations=bare), view_types=view)
    assert at.button(key="to_factors").label == "See the factors"


def test_distributions_stand_side_by_side(open_page, make_run, annotations, words):
    """Split by a condition: one panel each, with the number of cells and a sentence."""
    at = open_page("cell_types.py", run=make_run(annotations=annotations), view_types="Distributions", split_by="arm")
    layout = charts(at)[0]["layout"]
    assert not at.exception
    assert [note["text"] for note in layout["annotations"]] == [f"<b>{arm}</b> · 150 cells" for arm in
                                                                ("control", "treated")]  # fmt: skip
    assert "Factor 1 is highest in " in words(at)
    assert "It differs most in " in words(at)


def test_distributions_of_one_annotation(open_page, finished_run, words):
    """A ridge a type; nothing to split by is no choice at all."""
    at = open_page("cell_types.py", view_types="Distributions", spread_factor="Factor 2")
    assert not at.exception
    assert "Factor 2 is highest in " in words(at)
    assert "xaxis2" not in charts(at)[0]["layout"]


def test_what_the_annotations_are_for_is_guessed_once(open_page, make_run, annotations, monkeypatch):
    """Guessing reads every column of every cell: not at every visit."""
    guessed, real = [], sample_columns.guess_roles
    monkeypatch.setattr(sample_columns, "guess_roles", lambda table: guessed.append(1) or real(table))
    at = open_page("cell_types.py", run=make_run(annotations=annotations), **WHY)
    at.selectbox(key="group_a").set_value("control").run()
    assert not at.exception
    assert len(guessed) == 1


def test_a_saved_selection_gets_no_p_value_on_its_own_axes(open_page, finished_run, workspace, words):
    """Nor do the genes that load on these; the axes are those of the view that it was drawn in."""
    opened = RunStore(workspace).open(finished_run)
    cells = np.asarray(opened.factors["readable"].representation[:, 0]) > 0
    view = "Factor 1 and Factor 2: plane=readable.0.1&view=All"
    RunStore(workspace).additions(finished_run).save_selection("Right", cells, who="", view=view, taken=[])
    at = open_page("cell_types.py", compare_by="Right", group_a="Right", unit="cells", **WHY)
    assert not at.exception
    assert "Beyond the axes they were chosen on, Right and " in words(at)
    assert "Chosen on these axes: p values do not apply." in words(at)
    factors = at.dataframe(key="factor_rows").value
    assert set(factors.loc[factors["p"] == "chosen here", "Factor"]) == {"Factor 1", "Factor 2"}
