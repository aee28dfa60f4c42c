"""What this machine can train on, asked once a server in a process of its own: the page server never loads torch."""

import json
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import streamlit as st

from ldvae_core.workspace.folders import PROJECT

LONGEST_SECONDS = 120.0
KINDS = {"cpu": "CPU", "cuda": "NVIDIA GPU"}
UNKNOWN = {
    "devices": [{"name": "cpu", "label": "CPU"}],
    "best": "cpu",
    "reason": "This machine could not be asked for a GPU, so training runs on the processor.",
}


def ask_devices() -> dict[str, Any]:
    """What training/devices.py prints: {"devices": [{"name", "label"}], "best", "reason"}; takes a few seconds."""
    try:
        asked = subprocess.run(
            [sys.executable, "-m", "ldvae_core.training.devices"],
            cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST_SECONDS, check=True,
        )  # fmt: skip
        found = json.loads(asked.stdout.splitlines()[-1])
        return found if found["devices"] and found["best"] and found["reason"] else UNKNOWN
    except (subprocess.SubprocessError, OSError, ValueError, KeyError, IndexError):
        return UNKNOWN


@st.cache_resource(show_spinner=False)
def _asking() -> "Future[dict[str, Any]]":
    return ThreadPoolExecutor(1, thread_name_prefix="devices").submit(ask_devices)


def found_devices() -> dict[str, Any] | None:
    """The answer; None while it is on its way, so that no page waits for it."""
    asking = _asking()
    return asking.result() if asking.done() else None


def await_devices() -> None:
    """Where the answer is still missing: say so, and draw the page again when it is there."""

    @st.fragment(run_every=1.0)
    def wait() -> None:
        if found_devices() is not None:
            st.rerun()
        st.caption("Looking for a GPU.")

    wait()


def kind_of(device: str) -> str:
    """'cpu' -> 'CPU'."""
    return KINDS.get(device, "CPU")
