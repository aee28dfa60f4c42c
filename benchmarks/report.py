"""docs/benchmarks.md: each benchmark writes its own section, so that every number stands as it was measured."""

import datetime
import os
import platform
import re
from importlib import metadata
from pathlib import Path

REPORT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Measured by the scripts in `benchmarks/`, which write this page. Compare ratios within one run: machines differ, and so
do their other users.
"""
PACKAGES = ("torch", "numba", "numpy", "scipy", "scikit-learn", "scvi-tools")


def write_section(title: str, text: str) -> None:
    """Put `text` under the heading `title`, in place of what stood there, and print it."""
    print(text, flush=True)
    whole = REPORT.read_text(encoding="utf-8") if REPORT.exists() else HEAD
    section = f"## {title}\n\n{text.strip()}\n"
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    stands = pattern.search(whole) is not None
    whole = pattern.sub(lambda _: section + "\n", whole) if stands else whole.rstrip() + "\n\n" + section
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(whole.rstrip() + "\n", encoding="utf-8")


def table(columns: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def conditions(command: str) -> str:
    """Machine, versions, date and command, as a line under a table."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    today = datetime.datetime.now(datetime.UTC).date()
    return (
        f"`{command}`, {today}; {_processor()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, {', '.join(found)}."
    )


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = re.findall(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return names[0].strip() if names else platform.machine()
