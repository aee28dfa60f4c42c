"""Starting, watching and keeping processes alive; what the command line says."""

import io
import json
import sys
from types import SimpleNamespace

import pytest

from ldvae_core import __main__
from ldvae_core.training import devices
from ldvae_core.workspace import system

READ = """
import sys
from pathlib import Path
from ldvae_core.data import limited, read
from ldvae_core.errors import CountsError
limited.LIBRARIES = 60_000_000
grows = "import time; x = bytearray(300_000_000); x[::4096] = b'1' * len(x[::4096]); time.sleep(60)"
limited.PYTHON = (sys.executable, "-c", grows)
Path(sys.argv[1], "x.csv").write_text("1")
try:
    read.read_counts(Path(sys.argv[1], "x.csv"), Path(sys.argv[1], "into"), memory_limit_bytes=100_000_000)
except CountsError as fault:
    print(fault)
"""


@pytest.mark.parametrize("name", ["windows", "macos"])
def test_a_reader_that_takes_too_much_memory_is_ended_everywhere(name, emulated, tmp_path):
    """Without RLIMIT_AS the parent watches, through the launcher too."""
    assert "needs more than 0.1 GB of memory" in emulated(name, READ, tmp_path)


@pytest.mark.parametrize("name", ["windows", "macos"])
def test_a_table_is_read_on_each_platform(name, emulated, tmp_path):
    """The safe reader as it is, in a process of its own."""
    code = """
import sys
from pathlib import Path
from ldvae_core.data.read import read_counts
folder = Path(sys.argv[1])
rows = "\\n".join(f"cell_{n}β," + ",".join(str((n * g) % 7 + 1) for g in range(1, 31)) for n in range(1, 61))
head = "," + ",".join(f"gene_{g}" for g in range(30))
(folder / "x.csv").write_text(f"{head}\\n{rows}\\n", encoding="utf-8")
counts = read_counts(folder / "x.csv", folder / "into")
print(counts.n_cells, counts.n_genes, ascii(str(counts.cell_ids[0])))
"""
    assert emulated(name, code, tmp_path) == r"60 30 'cell_1\u03b2'"


def test_the_apple_gpu_is_not_offered(monkeypatch):
    """It has no double precision: every training there would end in a mistake of the program."""
    monkeypatch.setattr(devices.torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(devices.torch.cuda, "is_available", lambda: False)
    assert devices.choose_device("auto").type == "cpu"


def test_names_with_any_letter_reach_a_redirected_output(emulated):
    """Windows would encode it in cp1252, and fail after the training."""
    code = """
import sys
from ldvae_core import __main__
from ldvae_core.commands import sources
@__main__.cli.command()
def greek():
    __main__._answer({"name": "IFN-β ↑ 细胞"})
sys.exit(__main__.main(["greek"]))
"""
    assert json.loads(emulated("windows", code)) == {"name": "IFN-β ↑ 细胞"}


def test_a_stream_in_utf_8_is_left_alone(monkeypatch):
    """What works is not touched, and neither is a stream that is none of Python's."""
    kept = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(kept, "reconfigure", lambda **options: pytest.fail("changed"), raising=False)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(sys, "stdout", kept)
    __main__._write_utf8()


def test_a_mac_stays_awake_while_it_trains(monkeypatch):
    """caffeinate, for idle sleep, until this very process ends, however it does."""
    started = []

    class Helper:
        def __init__(self, command, **options):
            started.append(command)

        def terminate(self):
            started.append("ended")

        wait = terminate

    monkeypatch.setattr(system.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(system.subprocess, "Popen", Helper)
    with system.kept_awake():
        assert started == [["/usr/bin/caffeinate", "-i", "-w", str(system.os.getpid())]]
    assert started[1:] == ["ended", "ended"]


def test_windows_is_told_to_stay_awake_and_told_when_that_is_over(monkeypatch):
    """ES_CONTINUOUS | ES_SYSTEM_REQUIRED, then ES_CONTINUOUS alone."""
    told = []
    monkeypatch.setattr(system.platform, "system", lambda: "Windows")
    monkeypatch.setattr(system, "_tell_windows", told.append)
    with system.kept_awake():
        assert told == [0x80000001]
    assert told == [0x80000001, 0x80000000]


def test_a_mac_without_caffeinate_trains_all_the_same(monkeypatch, caplog):
    """It says that it may fall asleep."""

    def fail(*command, **options):
        raise FileNotFoundError

    monkeypatch.setattr(system.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(system.subprocess, "Popen", fail)
    with system.kept_awake():
        pass
    assert "may fall asleep" in caplog.text


def test_a_training_keeps_the_machine_awake(tmp_path, monkeypatch):
    """From its first file to its last."""
    from contextlib import contextmanager

    from ldvae_core.runs import execute

    seen = []

    @contextmanager
    def awake():
        seen.append("awake")
        yield
        seen.append("asleep")

    monkeypatch.setattr(execute, "kept_awake", awake)
    run = SimpleNamespace(go=lambda resume: seen.append("run"))
    monkeypatch.setattr(execute, "_Run", lambda *given: run)
    execute.execute(tmp_path, open_counts=lambda: None)
    assert seen == ["awake", "run", "asleep"]
