"""The Export page: the run as a file, as tables, and as a command."""

import shlex

from pages.parts.export.views import command_line
from pages.parts.runs import open_run


def test_the_file_and_the_tables_are_offered(open_page, finished_run):
    """One .h5ad, and a table behind everything."""
    at = open_page("export.py")
    keys = {button.key for button in at.get("download_button")}
    assert {"h5ad", "table_factors", "table_loadings", "table_cells"} <= keys


def test_the_command_repeats_the_run(workspace, make_run):
    """Every choice that differs from the command line's defaults is on the line, and nothing else."""
    line = shlex.split(command_line(open_run(make_run(prior="logistic_normal"))))
    assert line[:5] == ["python", "-m", "ldvae_core", "train", "demo"]
    assert line[line.index("--prior") + 1] == "logistic_normal"
    assert line[line.index("--factors") + 1] == "4"
    assert "--likelihood" not in line
