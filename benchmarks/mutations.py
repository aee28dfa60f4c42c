"""Deliberate bugs in the mathematics, one at a time: `python -m benchmarks.mutations [--only NAME ...] [--list]`.

Each bug is written into a copy of the repository in a temporary folder, never in place, and the tests that should
notice are run there. Prints a table, and ends with 1 when more than two bugs survive. Before the first bug the copy's
own tests must pass, and every text to be changed must stand in its file exactly once.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.bugs import BUGS, Bug
from benchmarks.bugs_compiled import OF_THE_COMPILED_STEP

ROOT = Path(__file__).parents[1]
COPIED = ("ldvae_core", "tests", "pages", "pyproject.toml", "app.py")
EVERY_BUG = [*BUGS, *OF_THE_COMPILED_STEP]
MOST_SURVIVORS = 2
SECONDS = 600  # for the tests of one bug; a bug that makes them hang is caught


class Copy:
    """The repository in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            here, there = ROOT / name, folder / name
            if here.is_dir():
                shutil.copytree(here, there, ignore=shutil.ignore_patterns("__pycache__"))
            elif here.exists():
                shutil.copy2(here, there)

    def misplaced(self, bugs: list[Bug]) -> list[str]:
        """One line for every bug whose old text is not there exactly once."""
        counts = [(bug, (self.folder / bug.file).read_text().count(bug.old)) for bug in bugs]
        return [f"{bug.name}: {bug.old!r} stands {n} times in {bug.file}" for bug, n in counts if n != 1]

    def test(self, arguments: tuple[str, ...]) -> tuple[bool, str]:
        """Whether these tests pass, and the name of the first that does not. Raises RuntimeError when none ran."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *arguments]
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}  # a .pyc could be stale
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return False, f"no end within {SECONDS} s"
        if done.returncode not in (0, 1):
            raise RuntimeError(f"pytest {' '.join(arguments)} did not run:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
        first = re.search(r"^(?:FAILED|ERROR) \S*::(\w+)", done.stdout, re.MULTILINE)
        return done.returncode == 0, first[1] if first else ""

    def survives(self, bug: Bug) -> tuple[bool, str]:
        """Seed the bug, run its tests, take it out again."""
        path = self.folder / bug.file
        right, written = path.read_text(), path.stat()
        path.write_text(right.replace(bug.old, bug.new))
        try:
            return self.test(bug.tests)
        finally:
            path.write_text(right)
            os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))  # compiled kernels stay valid


def main() -> int:
    """Seed them all, or those named; 1 when more than two survive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="bugs whose name contains one of these")
    parser.add_argument("--list", action="store_true", help="name the bugs and end")
    parser.add_argument("--skip-sound", action="store_true", help="do not run the tests without any bug first")
    asked = parser.parse_args()
    bugs = [bug for bug in EVERY_BUG if not asked.only or any(part in bug.name for part in asked.only)]
    if asked.list:
        print("\n".join(f"{bug.name}: {bug.breaks} ({bug.file})" for bug in bugs))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder))
        if problems := copy.misplaced(bugs):
            print("These bugs no longer fit the code:", *problems, sep="\n")
            return 2
        if not asked.skip_sound and (failing := first_failure(copy, bugs)):
            print(f"Without any bug, {failing} fails already: nothing can be judged.")
            return 2
        return judge(copy, bugs)


def first_failure(copy: Copy, bugs: list[Bug]) -> str:
    """The first test that fails without any bug, empty when all pass."""
    passed, failing = copy.test(tuple(dict.fromkeys(name for bug in bugs for name in bug.tests)))
    return "" if passed else failing or "a test"


def judge(copy: Copy, bugs: list[Bug]) -> int:
    """Print one row a bug and the sum."""
    survivors = []
    print("| bug | what it breaks | caught by | seconds |\n|---|---|---|---|")
    for bug in bugs:
        began = time.monotonic()
        survived, caught_by = copy.survives(bug)
        survivors += [bug.name] * survived
        shown = "SURVIVED" if survived else caught_by
        print(f"| {bug.name} | {bug.breaks} | {shown} | {time.monotonic() - began:.0f} |", flush=True)
    print(f"\n{len(bugs) - len(survivors)} of {len(bugs)} caught.", *survivors)
    return int(len(survivors) > MOST_SURVIVORS)


if __name__ == "__main__":
    sys.exit(main())
