"""scvi-tools' LinearSCVI under our conditions, and a scorer that shares no code with either program."""

import logging
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import sparse

CELLS_AT_A_TIME = 256


class Fitted(NamedTuple):
    """A linear negative binomial model, whoever trained it: mean = library_size * softmax(z W' + b)."""

    representation: np.ndarray  # (n_cells, n_factors), posterior mean of z
    loadings: np.ndarray  # (n_genes, n_factors), batch norm folded in
    intercept: np.ndarray  # (n_genes,)
    inverse_dispersion: np.ndarray  # (n_genes,)


def held_out_error(counts: sparse.csr_matrix, cells: np.ndarray, fitted: Fitted) -> float:
    """Mean over `cells` of -log NB(x) at the posterior mean of z, nats per cell, by scipy.stats."""
    from scipy.special import log_softmax
    from scipy.stats import nbinom  # takes a second to load, which neither program's start-up should be charged with

    total = 0.0
    for first in range(0, len(cells), CELLS_AT_A_TIME):
        chosen = cells[first : first + CELLS_AT_A_TIME]
        x = counts[chosen].toarray().astype(np.float64)
        logits = fitted.representation[chosen].astype(np.float64) @ fitted.loadings.T + fitted.intercept
        mean = np.exp(log_softmax(logits, axis=1)) * x.sum(axis=1, keepdims=True)
        theta = fitted.inverse_dispersion.astype(np.float64)
        total -= nbinom.logpmf(x, theta, theta / (theta + mean)).sum()
    return total / len(cells)


def train_linearscvi(
    counts: sparse.csr_matrix,
    split: np.ndarray,
    *,
    n_factors: int,
    n_epochs: int,
    minibatch_size: int,
    seed: int,
    accelerator: str = "cpu",
    mark: Callable[[], None] = lambda: None,
) -> Fitted:
    """LinearSCVI with its own defaults, on the training cells of our split (0 train, 1 validation, 2 test).

    Only the library size is the observed one, as in our default, so that both predict the same thing. mark is called
    before and after the training proper.
    """
    warnings.filterwarnings("ignore")
    import anndata
    import scvi
    import torch

    scvi.settings.seed, scvi.settings.verbosity = seed, logging.ERROR
    for name in ("lightning", "lightning.pytorch", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    data = anndata.AnnData(counts.astype(np.float32))
    scvi.model.LinearSCVI.setup_anndata(data)
    model = scvi.model.LinearSCVI(data, n_latent=n_factors, use_observed_lib_size=True)
    indices = [np.flatnonzero(split == share).tolist() for share in (0, 1, 2)]
    mark()
    model.train(
        max_epochs=n_epochs,
        batch_size=minibatch_size,
        accelerator=accelerator,
        enable_progress_bar=False,
        logger=False,
        enable_checkpointing=False,
        datasplitter_kwargs={"external_indexing": [np.array(part) for part in indices]},
    )
    mark()
    z = model.get_latent_representation()
    decoder = model.module.decoder
    norm = decoder.factor_regressor.fc_layers[0][1]
    weight = decoder.factor_regressor.fc_layers[0][0].weight
    with torch.no_grad():
        if isinstance(norm, torch.nn.BatchNorm1d):
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            loadings, intercept = weight * scale[:, None], norm.bias - scale * norm.running_mean
        else:
            loadings, intercept = weight, torch.zeros(weight.shape[0])
        theta = model.module.px_r.exp()
    return Fitted(z, loadings.double().numpy(), intercept.double().numpy(), theta.double().numpy())
