"""start.py says in words what cannot work, and installs only once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import start

GOOD = {
    "Linux": ((3, 11, 0), "Linux", "x86_64", "/opt/gpe"),
    "Mac": ((3, 12, 4), "Darwin", "arm64", "/Users/ana/gpe"),
    "Windows": ((3, 14, 0), "Windows", "AMD64", r"C:\gpe"),
}
REFUSED = {
    "macOS's own": ((3, 9, 6), "Darwin", "arm64", "/Users/ana", "is 3.9 (macOS's own is too old). Get Python 3.12"),
    "too new": ((3, 15, 0), "Windows", "AMD64", r"C:\gpe", "3.15 is too new: .* with: py -3.12 start.py"),
    "Intel Mac": ((3, 12, 0), "Darwin", "x86_64", "/Users/ana", "a Mac with an Intel processor"),
    "Windows on ARM": ((3, 12, 0), "Windows", "ARM64", r"C:\gpe", "not made for Windows on ARM64"),
    "long folder": ((3, 12, 0), "Windows", "AMD64", "C:\\" + "x" * 80, r"83 characters; .* such as C:\\gpe"),
}


@pytest.mark.parametrize("facts", GOOD.values(), ids=GOOD)
def test_what_can_work_is_not_refused(facts):
    """Pythons 3.11 to 3.14, on the three systems."""
    assert start.refusal(*facts) == ""


@pytest.mark.parametrize("facts", REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_said_in_words(facts):
    """What is wrong, and which Python to get from where."""
    import re

    *given, words = facts
    assert re.search(words.replace("(macOS", r"\(macOS").replace("old)", r"old\)"), start.refusal(*given))


def test_a_refusal_ends_before_anything_is_made(monkeypatch, capsys):
    """Status 2, one line, no folder .venv."""
    monkeypatch.setattr(start, "refusal", lambda *facts: "It cannot work here.")
    monkeypatch.setattr(start, "install", lambda folder: pytest.fail("installed"))
    assert start.main() == 2
    assert capsys.readouterr().out == "It cannot work here.\n"


def test_the_second_start_installs_nothing(tmp_path, monkeypatch):
    """Only a requirements.txt that has changed since does."""
    calls = []
    (tmp_path / "requirements.txt").write_text("", encoding="utf-8")
    monkeypatch.setattr(start, "REQUIREMENTS", str(tmp_path / "requirements.txt"))

    def call(command):
        calls.append(command[1:3])
        Path(start.python_of(tmp_path)).parent.mkdir(parents=True, exist_ok=True)
        Path(start.python_of(tmp_path)).touch()

    monkeypatch.setattr(start.subprocess, "check_call", call)
    start.install(str(tmp_path))
    start.install(str(tmp_path))
    assert calls == [["-m", "venv"], ["-m", "pip"]]
    os.utime(tmp_path / "requirements.txt", (2e9, 2e9))
    start.install(str(tmp_path))
    assert calls[2:] == [["-m", "pip"]]


def test_a_dashboard_that_runs_is_shown_again(monkeypatch, capsys):
    """A second double click opens the browser, and starts no second server."""
    shown = []
    monkeypatch.setattr(start, "answers", lambda address: True)
    monkeypatch.setattr(start.webbrowser, "open", shown.append)
    monkeypatch.setattr(start.sys, "argv", ["start.py"])
    monkeypatch.setattr(start, "refusal", lambda *facts: "")
    assert start.main() == 0
    assert shown == ["http://localhost:8501"]


def test_an_old_python_could_read_it():
    """It has to understand the file to say which Python is needed."""
    import ast

    ast.parse(Path(start.__file__).read_text(encoding="utf-8"), feature_version=(3, 7))


@pytest.mark.skipif(sys.platform == "win32", reason="make is not there")
def test_make_refuses_in_the_same_words(tmp_path):
    """On Windows it names start.bat."""
    root = Path(start.__file__).parent
    said = subprocess.run(["make", "-n", "app", "OS=Windows_NT"], cwd=root, capture_output=True, text=True, check=False)
    assert said.returncode != 0
    assert "double click on start.bat" in said.stderr
