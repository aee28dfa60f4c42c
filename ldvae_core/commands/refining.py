"""`refine`: an older run with refined positions and loadings, as a run of its own."""

import sys
from pathlib import Path
from typing import Any

from ldvae_core.errors import RunError
from ldvae_core.workspace.folders import DEMO


def refine_older_run(run: Path, out: Path) -> dict[str, Any]:
    """Refine the run in the folder `run` into the new folder `out`; returns the command's last line.

    Raises RunError for the demo, which has no counts of its own, and as runs/refine.py does.
    """
    from ldvae_core.runs.refine import refine_run

    if str(run) == DEMO:
        raise RunError("The demo run comes with the program without its counts.", "Give the folder of a run.")
    terminal, told = sys.stderr.isatty(), -1

    def say(stage: str, share: float) -> None:
        nonlocal told
        if (tenth := int(10 * share)) != told or terminal:
            told = tenth
            line = f"{stage} {share:.0%}" if stage == "refining" else stage
            sys.stderr.write(f"\r{line}\x1b[K" if terminal else f"{line}\n")
            sys.stderr.flush()

    return refine_run(run, out, on_progress=say)
