"""The trained network of a finished run as the model that it is. Loads torch; its file is network.py's."""

from pathlib import Path

import torch

from ldvae_core.model.ldvae import LDVAE, StartValues
from ldvae_core.runs.network import OF_DAMAGE, Network, damaged, read_network, write_network


def save_model(model: LDVAE, folder: Path) -> None:
    """Write folder/model.npz in one durable step: weights, batch norm's statistics, and the settings.

    The best weights must be in place already, as they are when training has ended. Raises OSError when the disk
    refuses.
    """
    weights = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
    mean, variance = model.log_library_prior
    write_network(Network(model.config, (float(mean), float(variance)), weights), folder)


def load_model(folder: Path) -> LDVAE:
    """Read what save_model wrote: on the processor, in evaluation mode. Raises RunError as read_network does."""
    network = read_network(folder)
    try:
        return model_of(network)
    except OF_DAMAGE:
        raise damaged(folder) from None


def model_of(network: Network) -> LDVAE:
    """The model with these weights. Raises RuntimeError when they do not fit its settings."""
    nothing = torch.zeros(network.config.n_genes)
    start = StartValues(log_fraction=nothing, log_theta=nothing, log_library=network.log_library_prior)
    model = LDVAE(network.config, start, torch.Generator())
    model.load_state_dict({name: torch.from_numpy(values) for name, values in network.weights.items()})
    return model.eval()
