"""The numerical tests as other machines would run them: `python -m benchmarks.machines [--quick] [--python PATH ...]`.

One row a setting: narrower processors (for torch, and for the compiled loops), no numba, one thread and two, nothing
compiled yet and everything compiled. --quick takes the tests of the model, of training and of a whole run, under those
settings that differ most from the machine it runs on, two at a time: what continuous integration runs. Each --python is
the path of an interpreter, which gets an environment of its own in a temporary folder and runs all tests but the
browser's there. Ends with 1 when a test failed anywhere.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
SLOW = ("tests/training/test_beside_linearscvi.py", "tests/training/test_recovery.py")
QUICK = ("tests/model", "tests/training", "tests/runs/test_execute.py", *(f"--ignore={path}" for path in SLOW))
NUMERICAL = ("tests/model", "tests/training", "tests/analysis", "tests/commands", "tests/runs/test_execute.py")
# what stands on numba itself: the compiled step, the search for neighbours, and who else compiles
OF_NUMBA = (
    "--ignore=tests/training/test_compiled.py",
    "--ignore=tests/training/test_engines.py",
    "--ignore=tests/analysis/test_neighbours.py",
    "--ignore=tests/training/test_beside_linearscvi.py",
    "--deselect=tests/commands/test_selfcheck.py",
    "--deselect=tests/training/test_threads.py::test_the_compiled_engine_works_on_one_thread",
)
WIDTHS = ("default", "avx2", "avx512")  # torch's names, the wider last
BLOCKED = "import sys\nsys.modules['numba'] = None\n"  # importing it then raises ImportError
SECONDS = 3600  # for one setting


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One kind of machine: how its tests are started, and what is left out of them."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    quick: bool = False


def settings(folder: Path) -> list[Setting]:
    """All of them; `folder` holds what they compile, and the module that hides numba."""
    (folder / "sitecustomize.py").write_text(BLOCKED, encoding="utf-8")
    paths = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    generic = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(folder / "generic")}
    cache = {"NUMBA_CACHE_DIR": str(folder / "compiled")}
    return [
        *(
            Setting(name=f"torch: {width}", environment={"ATEN_CPU_CAPABILITY": width}, quick=width == "default")
            for width in WIDTHS
        ),
        Setting(name="numba: generic processor", environment=generic, quick=True),
        Setting(name="no numba", environment={"PYTHONPATH": paths}, without=OF_NUMBA, quick=True),
        Setting(name="two threads", environment={"TEST_THREADS": "2", "OMP_NUM_THREADS": "2"}, quick=True),
        Setting(name="nothing compiled", environment=cache),
        Setting(name="everything compiled", environment=cache),
    ]


def missing(setting: Setting) -> str:
    """Why this processor cannot run a setting; empty where it can."""
    width = setting.environment.get("ATEN_CPU_CAPABILITY", WIDTHS[0])
    ours = torch.backends.cpu.get_cpu_capability().lower()
    reach = WIDTHS.index(ours) if ours in WIDTHS else 0
    return f"skipped: this processor has {ours} at most" if WIDTHS.index(width) > reach else ""


def run_tests(python: str, tests: Sequence[str], environment: dict[str, str]) -> tuple[int, int, float, str]:
    """Passed and failed tests, seconds, and the end of the output where something failed."""
    began, one_thread = time.monotonic(), {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env={**os.environ, **one_thread, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    last = done.stdout.strip().rsplit("\n", 1)[-1]
    passed, failed, broken = (
        int(found[1]) if (found := re.search(rf"(\d+) {word}", last)) else 0 for word in ("passed", "failed", "error")
    )
    failed += broken or int(done.returncode != 0 and not failed)
    trouble = "" if done.returncode == 0 else (done.stdout[-3000:] + done.stderr[-1000:])
    return passed, failed, time.monotonic() - began, trouble


def another_python(python: str, folder: Path) -> str:
    """An environment with all requirements for another interpreter; the path of its Python."""
    home = folder / f"python-{len(list(folder.iterdir()))}"
    subprocess.run([python, "-m", "venv", str(home)], check=True)
    own = str(home / ("Scripts" if os.name == "nt" else "bin") / "python")
    wanted = ["-r", "requirements.txt", "-r", "requirements-dev.txt"]
    subprocess.run([own, "-m", "pip", "install", "--quiet", *wanted], cwd=ROOT, check=True)
    return own


class Table:
    """Rows printed as they come."""

    def __init__(self) -> None:
        self.failed = 0
        print(f"{'setting':<28}{'passed':>8}{'failed':>8}{'seconds':>9}", flush=True)

    def add(self, name: str, passed: int, failed: int, seconds: float, trouble: str) -> None:
        """One setting's figures; what went wrong is printed below them."""
        self.failed += failed
        print(f"{name:<28}{passed:>8,}{failed:>8,}{seconds:>9.0f}", flush=True)
        if trouble:
            print(trouble, flush=True)


def main() -> None:
    """The settings asked for, one after another; exit status 1 when a test failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer tests and settings, about eight minutes")
    parser.add_argument("--python", action="append", default=[], metavar="PATH", help="run all tests there too")
    parser.add_argument("--only", metavar="WORD", default="", help="only settings with this word in their name")
    asked = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory(prefix="machines-") as name:
        chosen = [s for s in settings(Path(name)) if asked.only in s.name and (s.quick or not asked.quick)]
        for setting in chosen:
            if missing(setting):
                print(f"{setting.name:<28}{missing(setting)}", flush=True)
        runnable = [setting for setting in chosen if not missing(setting)]
        tests = QUICK if asked.quick else NUMERICAL
        with ThreadPoolExecutor(2 if asked.quick else 1) as pool:  # one after another where seconds are compared
            found = pool.map(lambda s: run_tests(sys.executable, (*tests, *s.without), s.environment), runnable)
            for setting, figures in zip(runnable, found, strict=True):
                table.add(setting.name, *figures)
        for python in asked.python:
            own = another_python(python, Path(name))
            table.add(python, *run_tests(own, ("tests", "--ignore=tests/browser"), {}))
    sys.exit(1 if table.failed else 0)


if __name__ == "__main__":
    main()
