"""The child process that reads a stranger's GMT file, and writes it again as what it was understood to be.

Started by gmt.py as `python -m ldvae_core.data.gmt_process SOURCE TARGET TITLE MEMORY_BYTES SECONDS`. Its answer:
{"notices": [...]} or {"problems": [...], "remedy": "..."}.
"""

import sys
from pathlib import Path
from typing import Any

from ldvae_core.data.gmt import FEWER, LARGEST_TEXT, read_gmt, write_gmt
from ldvae_core.data.limits import answer, expect, limit_process
from ldvae_core.errors import LdvaeError


def check_file(source: Path, target: Path, title: str) -> dict[str, Any]:
    """Read `source`, write `target`; the answer for the parent."""
    try:
        found = read_gmt(source.read_bytes(), title)
        target.write_bytes(write_gmt(found))
    except LdvaeError as refusal:
        return {"problems": list(refusal.problems), "remedy": refusal.remedy}
    except MemoryError:
        return {"problems": [f"{title} is too large to be read."], "remedy": FEWER}
    return {"notices": list(found.notices)}


def main() -> None:
    """As the command line says."""
    source, target, title, memory_bytes, seconds = sys.argv[1:]
    limit_process(memory_bytes=int(memory_bytes), seconds=int(seconds))
    expect(LARGEST_TEXT)
    answer(lambda: check_file(Path(source), Path(target), title))


if __name__ == "__main__":
    main()
