"""Programs as they form: what the live display names while a model is still learning."""

import numpy as np
import torch

from ldvae_core.model.ldvae import LDVAE, LinearDecoder

TOP_GENES = 5  # a factor


@torch.no_grad()
def top_genes_so_far(model: LDVAE, gene_names: np.ndarray) -> list[list[str]]:
    """Top genes of every factor while training: loadings discounted by how little the counts of a rare gene say."""
    if not isinstance(model.decoder, LinearDecoder):
        return []
    loadings, intercept = (part.cpu().numpy() for part in model.decoder.folded())
    loadings = loadings - loadings.mean(axis=0)
    weight = np.exp(intercept - intercept.max())
    trust = weight / (weight + np.median(weight))
    strength = np.abs(loadings) * trust[:, None]
    return [gene_names[np.argsort(-strength[:, k])[:TOP_GENES]].tolist() for k in range(loadings.shape[1])]
