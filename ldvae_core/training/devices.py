"""Which devices this machine can train on, asked once in a process of its own: `python -m ldvae_core.training.devices`.

The page server reads the JSON that this prints, so that it never has to load torch itself.
"""

import json
import os
import sys
from typing import Any

import torch

from ldvae_core.errors import SettingsError


def found_devices() -> dict[str, Any]:
    """{"devices": [{"name", "label"}], "best": name, "reason": one sentence}."""
    devices = [{"name": "cpu", "label": f"CPU, {os.cpu_count()} cores"}]
    best, reason = "cpu", "No GPU that PyTorch can use was found, so training runs on the processor."
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        devices.insert(0, {"name": "cuda", "label": f"{torch.cuda.get_device_name(0)}, {memory:.0f} GB"})
        best, reason = "cuda", f"Found the GPU {torch.cuda.get_device_name(0)}."
    elif torch.backends.mps.is_available():
        devices.insert(0, {"name": "mps", "label": "Apple GPU"})
        best, reason = "mps", "Found the Apple GPU."
    return {"devices": devices, "best": best, "reason": reason}


def choose_device(asked: str) -> torch.device:
    """The device to train on. Raises SettingsError when the one asked for is not there."""
    found = found_devices()
    names = [device["name"] for device in found["devices"]]
    if asked == "auto":
        return torch.device(found["best"])
    if asked not in names:
        raise SettingsError(
            f"The device {asked!r} was asked for, but this machine has only: {', '.join(names)}.",
            "Choose one of these, or 'auto'.",
        )
    return torch.device(asked)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(found_devices()) + "\n")
