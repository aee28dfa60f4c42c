"""The child process that opens an untrusted file: limited in memory and time, it writes the counts or says why not.

Started by read.py as `python -m ldvae_core.data.reading_process SOURCE FOLDER OPTIONS MEMORY_BYTES SECONDS`, options
as JSON. The last thing on
its standard output is one JSON object: {} or {"problems": [...], "remedy": "..."}.
"""

import contextlib
import errno
import json
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

from ldvae_core.data.assemble import assemble
from ldvae_core.data.damage import OF_THE_DISK, REMEDY
from ldvae_core.data.limits import answer, limit_process
from ldvae_core.data.opened import Opening
from ldvae_core.data.opening import open_source, opener_of
from ldvae_core.data.progress import ProgressFile, Report, silent
from ldvae_core.data.reading_options import NOTHING_SAID, ReadingOptions
from ldvae_core.errors import CountsError, LdvaeError

SCRATCH = ".scratch"  # in the folder that is filled, so that what lies in it can be moved instead of copied

LONGEST_DETAIL = 200  # characters of a library's message that are passed on


def read_file(
    source: Path, folder: Path, *, memory_bytes: int, seconds: int, options: ReadingOptions = NOTHING_SAID
) -> dict[str, Any]:
    """Read `source` and fill `folder`; the answer for the parent."""
    progress = ProgressFile(folder)
    try:
        opener_of(source)  # its libraries are loaded before the limits hold
        limit_process(memory_bytes=memory_bytes, seconds=seconds)
        fill_folder(source, folder, options, report=progress)
    except LdvaeError as refusal:
        offers = refusal.offers if isinstance(refusal, CountsError) else {}
        return {"problems": list(refusal.problems), "remedy": refusal.remedy, "offers": offers}
    except MemoryError:
        return _too_large(source, memory_bytes)
    except Exception as fault:  # noqa: BLE001  # a library's error about a malformed file; the whole of it goes to the log
        if isinstance(fault, OSError) and fault.errno == errno.ENOMEM:
            return _too_large(source, memory_bytes)
        if isinstance(fault, OSError) and fault.errno in OF_THE_DISK:
            return {
                "problems": ["The disk is full where data sets are kept."],
                "remedy": "Nothing was loaded. Make room, then try again.",
            }
        if isinstance(fault, OSError) and fault.errno == errno.EFBIG:
            return {"problems": [f"{source.name} unfolds to far more than it declares."], "remedy": REMEDY}
        traceback.print_exc()
        detail = str(fault).replace(str(source), source.name).splitlines() or [""]
        return {
            "problems": [f"{source.name} could not be read: {detail[0][:LONGEST_DETAIL] or type(fault).__name__}"],
            "remedy": "The file is damaged or of an unusual kind. Write it again.",
        }
    finally:
        progress.remove()
    return {}


def _too_large(source: Path, memory_bytes: int) -> dict[str, Any]:
    return {
        "problems": [f"Reading {source.name} needs more than {memory_bytes / 2**30:.1f} GB of memory."],
        "remedy": "Load a smaller part of the cells, or save the matrix in sparse form.",
    }


def fill_folder(source: Path, folder: Path, options: ReadingOptions, *, report: Report = silent) -> None:
    """Open `source` and write its counts into `folder`. Raises CountsError as open_source and assemble do."""
    scratch = folder / SCRATCH
    scratch.mkdir()
    report("opening", 0, 1)
    try:
        with contextlib.ExitStack() as stack:
            opening = Opening(stack, scratch, options.kinds())
            assemble(open_source(source, opening), folder, options, scratch=scratch, report=report)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def main() -> None:
    """Read what the arguments name."""
    source, folder, said, memory_bytes, seconds = sys.argv[1:]
    options = ReadingOptions.from_dict(json.loads(said))
    bounds = {"memory_bytes": int(memory_bytes), "seconds": int(seconds)}
    answer(lambda: read_file(Path(source), Path(folder), options=options, **bounds))


if __name__ == "__main__":
    main()
