"""Which devices this machine can train on, and the faults of a device in words.

Asked by processes that train and by the job that looks at the machine (runs/machine.py), which writes the answer down
for the page server: that never has to load torch itself.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch

from ldvae_core.errors import DeviceLostError, LdvaeError, SettingsError

APPLE = (
    "Training does not run on Apple GPUs: they lack double precision, and PyTorch's random numbers of full range fail "
    "on them."
)
LONGEST_FAULT = 120  # characters of a library's message that are shown
LIBRARY_FAULTS = ("CUDA error", "CUBLAS", "cuBLAS", "cuDNN", "CUDNN", "HIP error")  # how PyTorch's messages name them


def found_devices() -> dict[str, Any]:
    """{"devices": [{"name", "label"}], "best": name, "reason": one sentence, "unusable": {name: why not}}."""
    devices = [{"name": "cpu", "label": f"CPU, {os.cpu_count()} cores"}]
    best, reason = "cpu", "No GPU that PyTorch can use was found, so training runs on the processor."
    unusable = {}
    if torch.backends.mps.is_available():
        unusable["mps"] = APPLE
        reason = f"{APPLE} So it runs on the processor."
    if torch.cuda.is_available():
        if fault := _trial("cuda"):
            unusable["cuda"] = f"There is a GPU, but PyTorch cannot compute on it ({fault})."
            reason = f"{unusable['cuda']} So training runs on the processor."
        else:
            name = torch.cuda.get_device_name(0)
            memory = torch.cuda.get_device_properties(0).total_memory / 2**30
            devices.insert(0, {"name": "cuda", "label": f"{name}, {memory:.0f} GB"})
            best, reason = "cuda", f"Found the GPU {name}."
    return {"devices": devices, "best": best, "reason": reason, "unusable": unusable}


def choose_device(asked: str) -> torch.device:
    """The device to train on. Raises SettingsError when the one asked for is not there, or cannot be used."""
    if asked == "cpu":
        return torch.device(asked)
    if asked == "mps":
        raise SettingsError(APPLE, "Choose the processor (cpu), or 'auto'.")
    found = found_devices()
    names = [device["name"] for device in found["devices"]]
    if asked == "auto":
        return torch.device(found["best"])
    if asked not in names:
        missing = f"The device {asked!r} was asked for, but this machine has only: {', '.join(names)}."
        raise SettingsError(found["unusable"].get(asked, missing), f"Choose one of {', '.join(names)}, or 'auto'.")
    return torch.device(asked)


@contextlib.contextmanager
def device_faults_in_words() -> Iterator[None]:
    """Turn what an accelerator raises into LdvaeError: a full memory, and every fault that loses the device.

    Raises DeviceLostError after the latter: this process must end, because CUDA refuses everything from then on.
    """
    try:
        yield
    except torch.OutOfMemoryError as fault:
        raise out_of_memory() from fault
    except RuntimeError as fault:
        if not _loses_device(fault):
            raise
        raise DeviceLostError(
            f"The GPU failed during this run ({_first_line(fault)}).",
            "Resume the run. If it fails again, choose the processor as its device.",
        ) from fault


def out_of_memory(minibatch_size: int | None = None) -> LdvaeError:
    """The refusal of a run that the memory of a GPU cannot hold; with the size of the smallest minibatch tried."""
    tried = "" if minibatch_size is None else f", even with minibatches of {minibatch_size:,} cells"
    return LdvaeError(
        f"The memory of the GPU is too small for this run{tried}.",
        "Choose the processor as its device, model fewer genes, or close what else uses the GPU.",
    )


def _trial(name: str) -> str:
    """Compute a little of what training needs; "" when that worked, else the first line of the error.

    is_available() says yes for cards that are older than anything this build of PyTorch was compiled for.
    """
    try:
        generator = torch.Generator(name).manual_seed(0)
        bits = torch.empty(4, dtype=torch.int64, device=name).random_(-(2**63), None, generator=generator)
        values = torch.ones(4, 4, device=name)
        ((values @ values).double().exp().sum() + bits.double().sum()).item()
    except (RuntimeError, AssertionError) as fault:
        return _first_line(fault)
    return ""


def _loses_device(fault: RuntimeError) -> bool:
    return isinstance(fault, torch.AcceleratorError) or any(words in str(fault) for words in LIBRARY_FAULTS)


def _first_line(fault: BaseException) -> str:
    return str(fault).strip().partition("\n")[0].rstrip(".")[:LONGEST_FAULT] or type(fault).__name__
