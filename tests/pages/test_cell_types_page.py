"""The Cell types page: two to four types, the pair of factors that separates them, and the table of all."""

import base64
import json
import re
import threading
import time

import numpy as np
import pandas as pd
import pytest

from ldvae_core.analysis.raster import contours, type_rasters
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.folders import Workspace
from pages.parts import best_pair, factor_table
from pages.parts.cell_types import separation


@pytest.fixture
def types_page(open_page, finished_run):
    """The Cell types page with a finished run."""
    return open_page("cell_types.py")


def chart(at, number):
    return json.loads(at.get("plotly_chart")[number].proto.spec)


def decoded(array):
    """Numbers of a typed array, without the gaps between lines."""
    values = np.frombuffer(base64.b64decode(array["bdata"]), np.dtype(array["dtype"]))
    return values[np.isfinite(values)]


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


def test_the_table_of_a_large_run_comes_with_a_bar(open_page, finished_run, monkeypatch, words):
    """The pair is there at once; the table of all types says how far it is, and is made once for everybody."""
    go, begun, real = threading.Event(), [], factor_table.association_table

    def slow(factors, labels, *, on_factor):
        begun.append(on_factor(1))
        go.wait(20)
        return real(factors, labels, on_factor=on_factor)

    monkeypatch.setattr(factor_table, "association_table", slow)
    monkeypatch.setattr(factor_table, "AT_ONCE", 0)
    open_page("cell_types.py")
    while not begun:
        time.sleep(0.02)
    at = open_page("cell_types.py")
    assert ([bar.proto.value for bar in at.get("progress")], len(at.get("plotly_chart"))) == ([25], 2)
    go.set()
    while at.run().get("progress"):
        time.sleep(0.02)
    assert (len(at.get("plotly_chart")), len(begun)) == (3, 1)


def test_another_choice_of_types_looks_at_the_cells_once(types_page, monkeypatch):
    """What the choices have in common is kept."""
    looked, real = [], best_pair.type_cells
    monkeypatch.setattr(best_pair, "type_cells", lambda *given: looked.append(1) or real(*given))
    best_pair._type_cells.clear()
    for types in (["program 1", "program 2"], ["program 2", "program 3"], ["program 1", "program 2", "program 4"]):
        types_page.multiselect(key="types").set_value(types).run()
        assert not types_page.exception
    assert len(looked) == 1


def test_the_table_is_drawn_once_for_each_value(types_page, monkeypatch):
    """Another choice of types leaves it as it is, another measure does not."""
    drawn, real = [], separation.plot_association
    monkeypatch.setattr(separation, "plot_association", lambda *a, **k: drawn.append(k["value"]) or real(*a, **k))
    separation._draw_associations.clear()
    for types in (["program 1", "program 2"], ["program 2", "program 3"]):
        types_page.multiselect(key="types").set_value(types).run()
    types_page.session_state["measure"] = "AUC"
    assert not types_page.run().exception
    assert drawn == ["correlation", "auc"]


def test_a_type_is_outlined_where_its_own_cells_lie(types_page, finished_run):
    """The lines are those around the cells of this type alone, in the window of all of them."""
    types_page.multiselect(key="types").set_value(["program 2", "program 3"]).run()
    opened = RunStore(Workspace.default()).open(finished_run)
    lines = [trace for trace in chart(types_page, 0)["data"] if trace.get("name") == "program 2"]
    pair = [int(word) - 1 for word in re.findall(r"Factor (\d+)", str(chart(types_page, 0)["layout"]["uirevision"]))]
    x, y = opened.factors["readable"].representation[:, pair].T
    expected = contours(type_rasters(x, y, opened.labels(), ["program 2"])["program 2"])
    outermost = np.concatenate([line.x for line in expected if line.level == 0.9])
    assert max(decoded(lines[0]["x"])) == pytest.approx(outermost.max(), rel=1e-5)
    assert min(decoded(lines[0]["x"])) == pytest.approx(outermost.min(), rel=1e-5)


def test_another_annotation_brings_its_own_types_to_the_browser(open_page, make_run, planted):
    """The browser is told to put the new annotation's types in place of the old ones, which it would keep."""
    kinds = planted.counts.annotations["cell_type"].to_numpy()
    donors = np.where(np.arange(len(kinds)) % 2, "donor 1", "donor 2")
    at = open_page("cell_types.py", run=make_run(annotations=pd.DataFrame({"cell_type": kinds, "donor": donors})))
    at.multiselect(key="types").set_value(["program 2", "program 3"]).run()
    at.selectbox(key="label").set_value("donor").run()
    types = at.multiselect(key="types")
    assert (types.value, types.proto.set_value) == (["donor 1", "donor 2"], True)
