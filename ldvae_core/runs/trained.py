"""The trained network of a finished run as one file, model.npz: what it takes to place new cells on its programs."""

import json
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch

from ldvae_core.durable import write_arrays
from ldvae_core.errors import LdvaeError, RunError
from ldvae_core.model.config import ModelConfig
from ldvae_core.model.ldvae import LDVAE, StartValues

MODEL_FILE = "model.npz"
FORMAT_VERSION = 1
ABOUT = "about.json"  # its name among the arrays


def save_model(model: LDVAE, folder: Path) -> None:
    """Write folder/model.npz in one durable step, without pickle: weights, batch norm's statistics, and the settings.

    The best weights must be in place already, as they are when training has ended. Raises OSError when the disk
    refuses.
    """
    about = {
        "format_version": FORMAT_VERSION,
        "config": model.config.to_dict(),
        "log_library_prior": list(model.log_library_prior),
    }
    arrays = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
    write_arrays(folder / MODEL_FILE, {**arrays, ABOUT: np.frombuffer(json.dumps(about).encode(), np.uint8)})


def load_model(folder: Path) -> LDVAE:
    """Read what save_model wrote: on the processor, in evaluation mode.

    Raises RunError when the folder has no such file (runs made before it was kept, baselines), when the file is
    damaged, or when a newer version of the program wrote it.
    """
    path = folder / MODEL_FILE
    if not path.exists():
        raise RunError(
            f"This run does not keep its trained network ({MODEL_FILE}): it was made before that was kept.",
            "Train it again.",
        )
    damaged = RunError(f"{MODEL_FILE} in {folder.name} cannot be read.", "The file is damaged: train the run again.")
    try:
        with np.load(path, allow_pickle=False) as stored:
            about = json.loads(stored[ABOUT].tobytes())
            weights = {name: torch.from_numpy(stored[name]) for name in stored.files if name != ABOUT}
        version = int(about["format_version"])
        if version > FORMAT_VERSION:
            raise RunError(
                f"{MODEL_FILE} in {folder.name} has format {version}; this program reads up to {FORMAT_VERSION}.",
                "Update the program.",
            )
        config = ModelConfig.from_dict(about["config"])
        mean, variance = (float(value) for value in about["log_library_prior"])
        nothing = torch.zeros(config.n_genes)
        start = StartValues(log_fraction=nothing, log_theta=nothing, log_library=(mean, variance))
        model = LDVAE(config, start, torch.Generator())
        model.load_state_dict(weights)
    except RunError:
        raise
    except (OSError, EOFError, BadZipFile, ValueError, KeyError, TypeError, RuntimeError, LdvaeError):
        raise damaged from None
    return model.eval()
