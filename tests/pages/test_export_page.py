"""The Export page: the run as a file, as tables, and as a command."""

import json
import shlex
from io import BytesIO
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from ldvae_core.errors import RunError
from ldvae_core.runs.pack import read_pack
from pages.parts.colour.choice import Colour
from pages.parts.export.views import cells_csv, command_line
from pages.parts.factor_table import factor_file_of
from pages.parts.pair import cells_panel
from pages.parts.runs import open_run, store

LETTERS = [f"<b>{letter}</b>" for letter in "abcde"]


def test_the_file_and_the_tables_are_offered(open_page, finished_run):
    """One .h5ad, and a table behind everything."""
    at = open_page("export.py")
    keys = {button.key for button in at.get("download_button")}
    assert {"h5ad", "table_factors", "table_loadings", "table_cells", "programs_gmt"} <= keys


@pytest.fixture
def press(monkeypatch):
    """press(at, key) does what a browser does with a button that makes its file when it is pressed."""
    offered = {}

    def button(label, data, *, key, on_click, **options):
        offered[key] = data, on_click

    monkeypatch.setattr("streamlit.download_button", button)

    def click(at, key):
        data, on_click = offered[key]
        on_click()
        try:
            return data()
        except Exception:  # noqa: BLE001  # what Streamlit makes of it says nothing
            return None
        finally:
            at.run()

    return click


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (RunError("run.h5ad cannot be written (No space left on device).", "Make room on the disk."), "No space left"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (MemoryError(), "not enough memory"),
        (ValueError("inner words"), "a fault of the program"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_a_file_that_cannot_be_made_is_said(fault, words, open_page, finished_run, press, monkeypatch):
    """The button alone would do nothing; the next press that succeeds takes the words away."""
    at = open_page("export.py")
    with monkeypatch.context() as patch:
        patch.setattr("ldvae_core.export.write_h5ad", Mock(side_effect=fault))
        assert press(at, "h5ad") is None
    assert [words in box.value for box in at.error] == [True]
    assert press(at, "h5ad").startswith(b"\x89HDF")
    assert not at.error


def test_every_table_can_be_saved(open_page, finished_run, press):
    """Each has a header and rows."""
    at = open_page("export.py")
    for name in ("factors", "programs", "loadings", "cells", "history"):
        assert len(press(at, f"table_{name}").splitlines()) > 3


def test_a_program_pack_can_be_saved(open_page, with_demo, press, tmp_path):
    """As `pack` makes it."""
    at = open_page("export.py", run="demo")
    (tmp_path / "pack").write_bytes(press(at, "pack"))
    assert read_pack(tmp_path / "pack").n_genes == 2_000


def test_a_run_without_its_network_says_why_there_is_no_pack(open_page, finished_run, press):
    """It was made before that was kept."""
    at = open_page("export.py")
    assert press(at, "pack") is None
    assert ["does not keep its trained network" in box.value for box in at.error] == [True]


def test_the_table_of_cells_keeps_annotations_of_any_name(make_run, planted, monkeypatch):
    """Also where they are called as our own columns; blocks make one table."""
    notes = planted.counts.annotations.assign(cell=range(300), share="mine", **{"Factor 1": 0.5})
    opened = open_run(make_run(annotations=notes))
    monkeypatch.setattr("pages.parts.export.views.ROW_NUMBERS", 20_000)
    table = pd.read_csv(BytesIO(cells_csv(opened, opened.factors["readable"])))
    assert table.columns.tolist()[:2] == ["cell_", "cell_type"]
    assert table["cell"].tolist() == list(range(300))
    assert set(table["share"]) == {"mine"}
    assert set(table["share_"]) == {"train", "validation", "test"}
    assert np.allclose(table["Factor 1_"], opened.factors["readable"].representation[:, 0], atol=1e-6)


def test_the_command_repeats_the_run(workspace, make_run):
    """Every choice that differs from the command line's defaults is on the line, and nothing else."""
    line = shlex.split(command_line(open_run(make_run(prior="logistic_normal"))))
    assert line[:5] == ["python", "-m", "ldvae_core", "train", "demo"]
    assert line[line.index("--prior") + 1] == "logistic_normal"
    assert line[line.index("--factors") + 1] == "4"
    assert "--likelihood" not in line


def test_files_count_factors_from_one_and_carry_names_and_notes(workspace, finished_run):
    """As the screen does; what a person wrote to a factor travels with it."""
    store().additions(finished_run).write_factor_note("readable", 1, name="gut", notes="See Ttr.", who="Anna")
    opened = open_run(finished_run)
    table = factor_file_of(opened, opened.factors["readable"])
    assert table["factor"].tolist() == [1, 2, 3, 4]
    assert table[["name", "notes"]].to_numpy().tolist()[:2] == [["", ""], ["gut", "See Ttr."]]


def test_the_file_of_cells_carries_the_annotation_that_is_shown(make_run, planted):
    """Coloured by donor: the donors, under their name; without a colour the run's own annotation."""
    notes = planted.counts.annotations.assign(donor=[f"d{number % 3}" for number in range(300)])
    opened = open_run(make_run(annotations=notes))
    factors = opened.factors["readable"]
    colours = (Colour("annotation", "donor"), None)
    shown, plain = (cells_panel(opened, factors, (0, 1), colour=colour).table() for colour in colours)
    assert shown["donor"].tolist() == notes["donor"].tolist()
    assert plain[opened.label_column].tolist() == opened.labels().astype(str).tolist()


def test_a_figure_for_a_paper_has_the_pair_the_types_and_the_genes(open_page, finished_run):
    """Cells, genes, the heat map and the first genes of both factors in one drawing, with a button that saves it."""
    at = open_page("export.py")
    assert not at.exception
    layout = json.loads(at.get("plotly_chart")[0].proto.spec)["layout"]
    assert [note["text"] for note in layout["annotations"] if note["text"] in LETTERS] == LETTERS
    assert any('data-figure="paper_panel"' in str(html.value) for html in at.html)
    assert at.multiselect(key="panel_types_cell_type_0_1").value


def test_the_other_factors_can_be_shown(open_page, finished_run):
    """The axes carry their names."""
    at = open_page("export.py")
    at.selectbox(key="panel_x").set_value(2).run()
    layout = json.loads(at.get("plotly_chart")[0].proto.spec)["layout"]
    assert layout["xaxis"]["title"]["text"] == "Factor 3"


def test_without_types_the_figure_has_no_heat_map(open_page, make_run, planted):
    """The rest of it is there."""
    notes = planted.counts.annotations.drop(columns="cell_type").assign(depth=1.5)
    at = open_page("export.py", run=make_run(annotations=notes))
    assert not at.exception
    layout = json.loads(at.get("plotly_chart")[0].proto.spec)["layout"]
    assert [note["text"] for note in layout["annotations"] if note["text"] in LETTERS] == LETTERS[:4]
