"""Run tests as on another platform: `python -m tests.platforms.run --emulate windows|macos [PYTEST ARGUMENTS]`.

Unless tests are named: everything numerical, everything about runs, and the platforms' own tests.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests.platforms import emulation

ROOT = Path(__file__).parents[2]
TESTED = (
    "data", "model", "training", "analysis", "workspace", "jobs", "runs", "commands", "platforms",
    "test_command_line.py",
)  # fmt: skip


def main() -> int:
    """Start pytest as a process of that platform; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--emulate", choices=emulation.SYSTEMS, required=True)
    asked, arguments = parser.parse_known_args()
    named = any((ROOT / argument.partition("::")[0]).exists() for argument in arguments)
    usual = [f"tests/{name}" for name in TESTED if (ROOT / "tests" / name).exists()]
    command = [sys.executable, "-m", "pytest", *arguments, *([] if named else usual)]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **emulation.environment(asked.emulate)}).returncode


if __name__ == "__main__":
    sys.exit(main())
