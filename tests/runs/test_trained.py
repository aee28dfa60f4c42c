"""model.npz holds the whole trained network, and nothing that could run code."""

import io

import numpy as np
import pytest
import torch

from ldvae_core.errors import RunError
from ldvae_core.model.config import Covariate, ModelConfig
from ldvae_core.model.ldvae import LDVAE, Minibatch, StartValues
from ldvae_core.runs.network import MODEL_FILE
from ldvae_core.runs.trained import load_model, save_model

DONOR = (Covariate("donor", ("anna", "bert")),)
FAMILY = {
    "normal": {},
    "batch norm": {"batch_norm": True, "prior": "logistic_normal"},
    "everything": {"library": "latent", "likelihood": "zinb", "covariates": DONOR, "dispersion": "gene_level"},
    "VAE": {"decoder": "neural", "covariates": DONOR},
    "Poisson": {"likelihood": "poisson"},
}


def a_model(**settings) -> LDVAE:
    """Random weights, and batch norm's statistics away from where they start."""
    drawn = torch.Generator().manual_seed(1)
    start = StartValues(torch.randn(30, generator=drawn), torch.randn(30, generator=drawn), (6.0, 0.3))
    model = LDVAE(ModelConfig(30, n_factors=3, **settings), start, drawn)
    with torch.no_grad():
        for value in (*model.parameters(), *(buffer for buffer in model.buffers() if buffer.is_floating_point())):
            value.add_(torch.rand(value.shape, generator=drawn))
    return model.eval()


@pytest.mark.parametrize("settings", FAMILY.values(), ids=FAMILY)
def test_a_saved_model_computes_the_same(settings, tmp_path):
    """Every part of the ELBO, bit by bit, from the same draws."""
    model = a_model(**settings)
    save_model(model, tmp_path)
    counts = torch.arange(60.0).reshape(2, 30) % 7
    levels = torch.eye(2)[:, : 2 if model.config.covariates else 0]
    batch = Minibatch(counts, counts.sum(dim=1), levels)
    for ours, theirs in zip(*(each.elbo(batch, torch.Generator().manual_seed(4)) for each in
                              (model, load_model(tmp_path))), strict=True):  # fmt: skip
        assert torch.equal(ours, theirs)
    assert load_model(tmp_path).config == model.config


def test_a_folder_without_the_file_says_what_to_do(tmp_path):
    """Runs of earlier versions have none."""
    with pytest.raises(RunError, match=r"does not keep its trained network .* Train it again\."):
        load_model(tmp_path)


def _other_shape(path):
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["log_theta"] = arrays["log_theta"][:-1]
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    path.write_bytes(buffer.getvalue())


def _pickled(path):
    np.savez(path, **{"about.json": np.array([{"a": 1}], dtype=object)})


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b"not a file of arrays"),
        lambda path: path.write_bytes(b""),
        lambda path: np.savez(path, a=np.zeros(3)),
        _other_shape,
        _pickled,
    ],
    ids=["cut off", "other bytes", "empty", "other arrays", "other shapes", "pickled"],
)
def test_a_damaged_file_is_refused(damage, tmp_path):
    """In words, whatever happened to it; nothing in it is ever unpickled."""
    save_model(a_model(), tmp_path)
    damage(tmp_path / MODEL_FILE)
    with pytest.raises(RunError, match=r"cannot be read\. The file is damaged: train the run again\."):
        load_model(tmp_path)
