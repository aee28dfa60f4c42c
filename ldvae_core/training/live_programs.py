"""Programs as they form: what the live display names while a model is still learning."""

import numpy as np
import torch
from scipy.special import logsumexp

from ldvae_core.model.ldvae import LDVAE, LinearDecoder

TOP_GENES = 5  # a factor


@torch.no_grad()
def top_genes_so_far(model: LDVAE, gene_names: np.ndarray) -> list[list[str]]:
    """Genes of every factor while training, those first on which it says most: nearly the order of a finished run.

    What a gene carries of the explained deviance is, for small effects, the information that a mean cell's count of it
    holds, m / (1 + m / theta), times the square of its loading; no cell has to be looked at.
    """
    if not isinstance(model.decoder, LinearDecoder):
        return []
    loadings, intercept = (part.double().cpu().numpy() for part in model.decoder.folded())
    loadings = loadings - loadings.mean(axis=0)
    mean = np.exp(model.log_library_prior[0] + intercept - logsumexp(intercept))  # (genes,), counts of a mean cell
    information = mean
    if model.likelihood.has_dispersion:
        information = mean / (1 + mean / np.exp(model.bounded_log_theta().double().cpu().numpy()))
    carried = loadings**2 * information[:, None]
    return [gene_names[np.argsort(-carried[:, k])[:TOP_GENES]].tolist() for k in range(loadings.shape[1])]
