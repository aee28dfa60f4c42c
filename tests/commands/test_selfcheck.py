"""`selfcheck` holds on a good installation, and notices what is broken."""

import json
import re
import sys
import tempfile
from pathlib import Path

import pytest

from ldvae_core.__main__ import main
from ldvae_core.commands import about_machine, selfcheck, trial_run
from ldvae_core.commands.selfcheck import Failed, SelfCheck
from ldvae_core.workspace.folders import PROJECT


@pytest.fixture
def bench(tmp_path):
    return SelfCheck(tmp_path)


def test_every_check_holds_here(answer):
    """One line each on stderr, one JSON object at the end."""
    report, words = answer("selfcheck")
    assert report["ok"] is True
    assert [check["name"] for check in report["checks"]] == [
        "versions", "device", "likelihood", "training step", "training process", "planted programs", "export",
    ]  # fmt: skip
    lines = [line for line in words.splitlines() if line.startswith("ok")]
    assert len(lines) == 7
    assert {"system", "processor", "python", "cores", "memory_gb", "open_files"} <= set(report["machine"])
    assert not [place for place in (str(Path.home()), str(PROJECT), tempfile.gettempdir()) if place in words]
    assert {"torch", "numba"} <= set(report["versions"])


def test_a_failed_check_is_exit_status_1(monkeypatch, capsys):
    """The others are still tried, and a check that breaks off is one that failed."""

    def broken(bench):
        raise ValueError("no such thing")

    for name in ("training_step", "training_process", "planted_programs", "export"):
        monkeypatch.setattr(SelfCheck, name, lambda check_up: "held")
    monkeypatch.setattr(SelfCheck, "device", broken)
    assert main(["selfcheck"]) == 1
    said = capsys.readouterr()
    report = json.loads(said.out.splitlines()[-1])
    assert [check["ok"] for check in report["checks"]] == [True, False, True, True, True, True, True]
    assert "FAILED device: broke off with ValueError: no such thing" in said.err


def test_a_training_process_that_cannot_start_is_said_in_words(bench, monkeypatch):
    """With its last words, and what to do; none of the person's folders and no name."""
    monkeypatch.setattr("sys.executable", "/usr/bin/false")
    monkeypatch.setattr(trial_run.Datasets, "add_upload", lambda datasets, name, content: "demo")
    result = selfcheck._tried("training process", bench.training_process)
    assert not result["ok"]
    assert re.match(r"A training in a process of its own did not finish\. .*ended 2 times in a row", result["found"])
    assert "send this output" in result["found"]


def test_what_is_sent_names_neither_folders_nor_the_person(monkeypatch):
    """A message of a library may hold both."""
    monkeypatch.setattr(about_machine.getpass, "getuser", lambda: "ana")
    monkeypatch.setattr(about_machine.Path, "home", lambda: Path("/Users/ana"))
    said = about_machine.without_person(f"{PROJECT}/app.py and /Users/ana/x.csv of ana, not banana")
    assert said == "PROGRAM/app.py and HOME/x.csv of USER, not banana"


@pytest.mark.parametrize("name", ["log_negative_binomial", "log_poisson", "log_zero_inflated_negative_binomial"])
def test_a_wrong_likelihood_is_noticed(name, bench, monkeypatch):
    """Off by one part in a hundred thousand."""
    right = getattr(selfcheck.likelihood, name)
    monkeypatch.setattr(selfcheck.likelihood, name, lambda *values: right(*values) * 1.00001)
    with pytest.raises(Failed, match=r"against scipy: .* off by 1\.0e-05"):
        bench.likelihood()


def test_a_wrong_compiled_step_is_noticed(bench, monkeypatch):
    """A gradient that is a percent too large."""
    from ldvae_core.training.cpu_engine import CpuEngine

    right = CpuEngine.gradients

    def wrong(engine, *arguments):
        figures = right(engine, *arguments)
        engine.gradient["log_theta"].mul_(1.01)
        return figures

    monkeypatch.setattr(CpuEngine, "gradients", wrong)
    with pytest.raises(Failed, match="compiled and plain step differ by"):
        bench.training_step()


def test_without_numba_the_step_is_the_slower_one(bench, monkeypatch):
    """That is no fault of the installation's results."""
    monkeypatch.setitem(sys.modules, "ldvae_core.training.cpu_engine", None)
    assert "which is slower" in bench.training_step()
