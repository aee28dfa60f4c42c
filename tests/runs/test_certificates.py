"""What is known of how programs come back is kept with the run, and opened with it."""

import shutil

import pytest

from ldvae_core.analysis.certificates import Certificates, Program
from ldvae_core.runs.opened import open_run_folder
from ldvae_core.runs.search import ADVICE_FILE, CERTIFICATES_FILE, read_certificates, write_certificates


@pytest.fixture
def run(finished_folder, tmp_path):
    """A finished run of three factors, the last of which does not come back."""
    folder = shutil.copytree(finished_folder, tmp_path / "run")
    programs = tuple(Program(0.9, half, half > 0.6, 0.01) for half in (0.95, 0.8, 0.2))
    write_certificates(folder / CERTIFICATES_FILE, Certificates(programs, 0.6, "cells"))
    return folder


def test_a_program_that_does_not_come_back_is_called_so(run):
    """Wherever its name stands; the others keep theirs, and so do other axes."""
    opened = open_run_folder(run)
    assert [program.certified for program in opened.certified(opened.factors["readable"])] == [True, True, False]
    assert [opened.factors["readable"].label(k) for k in range(3)] == [
        "Factor 1",
        "Factor 2",
        "Factor 3 (not certified)",
    ]
    assert opened.certified(opened.factors["as_trained"]) == ()
    assert opened.factors["as_trained"].label(2) == "Factor 3"


@pytest.mark.parametrize(
    "content", [None, "", "{", "[]", '{"programs": [], "shuffled": [], "bar": 0.6, "unit": "cells"}']
)
def test_a_run_without_certificates_opens_as_before(run, content):
    """Older ones, those whose number was given, and damaged files."""
    (run / CERTIFICATES_FILE).unlink()
    if content is not None:
        (run / CERTIFICATES_FILE).write_text(content)
    opened = open_run_folder(run)
    assert opened.certified(opened.factors["readable"]) == ()
    assert opened.factors["readable"].label(2) == "Factor 3"


def test_certificates_that_are_not_there_are_none(tmp_path):
    """Neither is what a search said."""
    assert read_certificates(tmp_path / ADVICE_FILE) is None
