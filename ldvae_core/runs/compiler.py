"""Has the training step compiled in the background when the program starts for the first time on a machine."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import ldvae_core

log = logging.getLogger(__name__)

MODULE = "ldvae_core.training.compile"
COMPILED_FOLDER = Path(ldvae_core.__file__).parent / "training" / "__pycache__"


def compile_in_background() -> subprocess.Popen | None:
    """Start the compiling process at the lowest priority, unless its result stands already; never raises."""
    if any(COMPILED_FOLDER.glob("kernels.*.nbi")):
        return None
    try:
        return subprocess.Popen(
            [sys.executable, "-m", MODULE],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_lowest_priority if hasattr(os, "nice") else None,
        )
    except OSError:
        log.warning("the training step could not be compiled ahead; the first run does it", exc_info=True)
        return None


def _lowest_priority() -> None:
    os.nice(19)
