"""The child process that reads a stranger's table about cells, and writes it again as columns of text.

Started by cell_table.py as `python -m ldvae_core.data.cell_table_process SOURCE TARGET TITLE MEMORY_BYTES SECONDS`. Its
answer: {"rows": n} or {"problems": [...], "remedy": "..."}.
"""

import sys
import zlib
from pathlib import Path
from typing import Any

from ldvae_core import durable
from ldvae_core.data.cell_table import FEWER, LARGEST_TEXT, REMEDY, read_table_file
from ldvae_core.data.limits import answer, expect, limit_process
from ldvae_core.data.names import tidy_names
from ldvae_core.errors import LdvaeError


def check_file(source: Path, target: Path, title: str) -> dict[str, Any]:
    """Read `source`, write `target`; the answer for the parent."""
    try:
        table = read_table_file(source, title)
        names, problems, _ = tidy_names(table.columns, kind="column")
        if problems:
            return {"problems": problems, "remedy": REMEDY}
        durable.write_table(target, table.set_axis(names.tolist(), axis=1))
    except LdvaeError as refusal:
        return {"problems": list(refusal.problems), "remedy": refusal.remedy}
    except MemoryError:
        return {"problems": [f"{title} is too large to be read."], "remedy": FEWER}
    except zlib.error as fault:
        return {"problems": [f"{title} cannot be unpacked ({fault})."], "remedy": "Write the file again."}
    return {"rows": len(table)}


def main() -> None:
    """As the command line says."""
    source, target, title, memory_bytes, seconds = sys.argv[1:]
    limit_process(memory_bytes=int(memory_bytes), seconds=int(seconds))
    expect(LARGEST_TEXT)
    answer(lambda: check_file(Path(source), Path(target), title))


if __name__ == "__main__":
    main()
