"""What this machine can train on, as the process found out that asks it once a start."""

from typing import Any

import streamlit as st

from ldvae_core.runs import machine
from pages.parts.runs import store

KINDS = {"cpu": "CPU", "cuda": "NVIDIA GPU"}


def found_devices() -> dict[str, Any] | None:
    """{"devices": [{"name", "label"}], "best", "reason"}; None while they are looked for: no page waits for it."""
    return machine.found_devices(store().workspace)


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
