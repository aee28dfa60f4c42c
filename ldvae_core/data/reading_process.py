"""The child process that opens an untrusted file: limited in memory and time, it writes the counts or says why not.

Started by read.py as `python -m ldvae_core.data.reading_process SOURCE FOLDER MEMORY_BYTES SECONDS OPTIONS`, options
as JSON. The last thing on
its standard output is one JSON object: {} or {"problems": [...], "remedy": "..."}.
"""

import contextlib
import json
import os
import shutil
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

from ldvae_core.data.assemble import assemble
from ldvae_core.data.opened import Opening
from ldvae_core.data.opening import open_source, opener_of
from ldvae_core.data.progress import ProgressFile, Report, silent
from ldvae_core.data.reading_options import ReadingOptions
from ldvae_core.errors import CountsError, LdvaeError

SCRATCH = ".scratch"  # in the folder that is filled, so that what lies in it can be moved instead of copied

LONGEST_DETAIL = 200  # characters of a library's message that are passed on


def read_file(
    source: Path, folder: Path, *, options: ReadingOptions, memory_bytes: int, seconds: int
) -> dict[str, Any]:
    """Read `source` and fill `folder`; the answer for the parent."""
    progress = ProgressFile(folder)
    try:
        opener_of(source)  # its libraries are loaded before the limits hold
        _limit(memory_bytes, seconds)
        fill_folder(source, folder, options, report=progress)
    except LdvaeError as refusal:
        offers = refusal.offers if isinstance(refusal, CountsError) else {}
        return {"problems": list(refusal.problems), "remedy": refusal.remedy, "offers": offers}
    except MemoryError:
        return {
            "problems": [f"Reading {source.name} needs more than {memory_bytes / 2**30:.1f} GB of memory."],
            "remedy": "Load a smaller part of the cells, or save the matrix in sparse form.",
        }
    except Exception as fault:  # noqa: BLE001  # a library's error about a malformed file; the whole of it goes to the log
        traceback.print_exc()
        detail = str(fault).replace(str(source), source.name).splitlines() or [""]
        return {
            "problems": [f"{source.name} could not be read: {detail[0][:LONGEST_DETAIL] or type(fault).__name__}"],
            "remedy": "The file is damaged or of an unusual kind. Write it again.",
        }
    finally:
        progress.remove()
    return {}


def fill_folder(source: Path, folder: Path, options: ReadingOptions, *, report: Report = silent) -> None:
    """Open `source` and write its counts into `folder`. Raises CountsError as open_source and assemble do."""
    scratch = folder / SCRATCH
    scratch.mkdir()
    report("opening", 0, 1)
    try:
        with contextlib.ExitStack() as stack:
            assemble(open_source(source, Opening(stack, scratch)), folder, options, scratch=scratch, report=report)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _limit(memory_bytes: int, seconds: int) -> None:
    """Bound what comes after the imports. Windows and macOS know or heed no such limits: there the parent watches."""
    try:
        import resource
    except ImportError:  # Windows
        return
    space = _address_space() + memory_bytes
    limits = {"RLIMIT_CORE": (0, 0), "RLIMIT_CPU": (seconds, seconds + 5), "RLIMIT_AS": (space, space)}
    for name, soft_and_hard in limits.items():
        try:
            resource.setrlimit(getattr(resource, name), soft_and_hard)
        except (AttributeError, ValueError, OSError):
            continue


def _address_space() -> int:
    """Bytes of address space already taken by the interpreter and the libraries, or a generous guess."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 4 << 30


def main() -> None:
    """Keep standard output for the answer: whatever a library prints goes to standard error."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    source, folder, memory_bytes, seconds, said = sys.argv[1:]
    options = ReadingOptions.from_dict(json.loads(said))
    answer = read_file(
        Path(source), Path(folder), options=options, memory_bytes=int(memory_bytes), seconds=int(seconds)
    )
    with os.fdopen(answer_to, "w", encoding="utf-8") as out:
        out.write(json.dumps(answer))


if __name__ == "__main__":
    main()
