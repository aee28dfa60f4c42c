"""The Export page: the run as a file, as tables, and as a command."""

import json
import shlex

from pages.parts.export.views import command_line
from pages.parts.factor_table import factor_file_of
from pages.parts.pair import cells_panel
from pages.parts.runs import open_run, store

LETTERS = [f"<b>{letter}</b>" for letter in "abcde"]


def test_the_file_and_the_tables_are_offered(open_page, finished_run):
    """One .h5ad, and a table behind everything."""
    at = open_page("export.py")
    keys = {button.key for button in at.get("download_button")}
    assert {"h5ad", "table_factors", "table_loadings", "table_cells", "programs_gmt"} <= keys


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
    shown, plain = (cells_panel(opened, factors, (0, 1), colour=colour).table() for colour in ("donor", None))
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
