"""A training snapshot as one .npz file, without pickle: tensors as arrays, the rest as JSON beside them."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ldvae_core.durable import write_arrays
from ldvae_core.errors import RunError

REST = "rest.json"


def write_checkpoint(path: Path, snapshot: dict[str, Any]) -> None:
    """Write a snapshot (nested dictionaries and lists of tensors and plain values) in one durable step."""
    arrays: dict[str, np.ndarray] = {}
    rest = _take_tensors(snapshot, arrays)
    arrays[REST] = np.frombuffer(json.dumps(rest).encode(), dtype=np.uint8)
    write_arrays(path, arrays)


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Read what write_checkpoint wrote, tensors on `device`. Raises RunError when the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            rest = json.loads(arrays[REST].tobytes())
            tensors = {name: torch.from_numpy(arrays[name]).to(device) for name in arrays.files if name != REST}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as fault:
        raise RunError(f"The checkpoint {path.name} cannot be read ({fault}).", "Train this run anew.") from None
    snapshot = _put_tensors(rest, tensors)
    snapshot["noise"] = snapshot["noise"].cpu()  # the state of a generator lives on the processor
    return snapshot


def _take_tensors(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """`value` with every tensor moved into `arrays`; dictionaries become lists of pairs, to keep the type of keys."""
    if isinstance(value, torch.Tensor):
        name = f"t{len(arrays)}"
        arrays[name] = value.detach().cpu().numpy()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"pairs": [[key, _take_tensors(item, arrays)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_take_tensors(item, arrays) for item in value]
    return value


def _put_tensors(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, dict):
        if "tensor" in value:
            return tensors[value["tensor"]]
        return {key: _put_tensors(item, tensors) for key, item in value["pairs"]}
    if isinstance(value, list):
        return [_put_tensors(item, tensors) for item in value]
    return value
