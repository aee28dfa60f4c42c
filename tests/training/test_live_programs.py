"""What the live display names while a model learns."""

import numpy as np
import torch
from scipy.stats import nbinom

from ldvae_core.model.config import ModelConfig
from ldvae_core.model.ldvae import LDVAE, StartValues
from ldvae_core.training.live_programs import TOP_GENES, top_genes_so_far


def test_the_genes_come_as_a_finished_run_would_list_them():
    """By the deviance that a small move along the factor costs, from the distribution itself; the sign is no matter."""
    random, n = np.random.default_rng(0), 30
    log_fraction = torch.tensor(np.log(random.dirichlet(np.ones(n))), dtype=torch.float32)
    start = StartValues(log_fraction=log_fraction, log_theta=torch.zeros(n), log_library=(float(np.log(500)), 0.1))
    model = LDVAE(ModelConfig(n_genes=n, n_factors=2), start, torch.Generator().manual_seed(0)).eval()
    names = np.array([f"Gene{number}" for number in range(n)])
    loadings, intercept = (part.detach().double().numpy() for part in model.decoder.folded())
    loadings, counts = loadings - loadings.mean(axis=0), np.arange(4000)
    mean = 500 * np.exp(intercept) / np.exp(intercept).sum()
    for factor, found in enumerate(top_genes_so_far(model, names)):
        moved = mean * np.exp(0.01 * loadings[:, factor] / np.abs(loadings[:, factor]).max())
        lost = [(nbinom.pmf(counts, 1, 1 / (1 + m)) * (nbinom.logpmf(counts, 1, 1 / (1 + m))
                                                       - nbinom.logpmf(counts, 1, 1 / (1 + other)))).sum()
                for m, other in zip(mean, moved, strict=True)]  # fmt: skip
        assert found == names[np.argsort(lost)[::-1][:TOP_GENES]].tolist()
