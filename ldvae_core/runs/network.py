"""The trained network of a finished run as plain arrays, model.npz: what it takes to place new cells."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ldvae_core.durable import write_arrays
from ldvae_core.errors import LdvaeError, RunError
from ldvae_core.model.config import ModelConfig

MODEL_FILE = "model.npz"
FORMAT_VERSION = 1
ABOUT = "about.json"  # its name among the arrays
OF_DAMAGE = (OSError, EOFError, BadZipFile, ValueError, KeyError, TypeError, AttributeError, RuntimeError, LdvaeError)


@dataclass(frozen=True, eq=False)
class Network:
    """Settings and weights. log_library_prior: mean and variance. weights: by name, batch norm's statistics too."""

    config: ModelConfig
    log_library_prior: tuple[float, float]
    weights: dict[str, np.ndarray]

    def about(self) -> dict[str, Any]:
        """All but the weights, as JSON values."""
        return {"config": self.config.to_dict(), "log_library_prior": list(self.log_library_prior)}

    @classmethod
    def of(cls, about: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> "Network":
        """What about() and the weights say. Raises one of OF_DAMAGE."""
        mean, variance = (float(value) for value in about["log_library_prior"])
        return cls(ModelConfig.from_dict(about["config"]), (mean, variance), dict(weights))


def write_network(network: Network, folder: Path) -> None:
    """Write folder/model.npz in one durable step, without pickle. Raises OSError when the disk refuses."""
    about = json.dumps({"format_version": FORMAT_VERSION, **network.about()})
    write_arrays(folder / MODEL_FILE, {**network.weights, ABOUT: np.frombuffer(about.encode(), np.uint8)})


def read_network(folder: Path) -> Network:
    """Read what write_network wrote.

    Raises RunError when the folder has no such file (runs made before it was kept, baselines), when the file is
    damaged, or when a newer version of the program wrote it.
    """
    path = folder / MODEL_FILE
    if not path.exists():
        raise RunError(
            f"This run does not keep its trained network ({MODEL_FILE}): it was made before that was kept.",
            "Train it again.",
        )
    try:
        with np.load(path, allow_pickle=False) as stored:
            about = json.loads(stored[ABOUT].tobytes())
            weights = {name: stored[name] for name in stored.files if name != ABOUT}
        version = int(about["format_version"])
        network = Network.of(about, weights) if version <= FORMAT_VERSION else None
    except OF_DAMAGE:
        raise damaged(folder) from None
    if network is None:
        raise RunError(
            f"{MODEL_FILE} in {folder.name} has format {version}; this program reads up to {FORMAT_VERSION}.",
            "Update the program.",
        )
    return network


def damaged(folder: Path) -> RunError:
    """The words for a file that is not what write_network wrote."""
    return RunError(f"{MODEL_FILE} in {folder.name} cannot be read.", "The file is damaged: train the run again.")
