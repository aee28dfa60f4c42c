"""Where new cells lie on a trained model, a block of them at a time: several threads may ask one Placing at once."""

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from ldvae_core.model.ldvae import LDVAE
from ldvae_core.training.minibatches import MinibatchSource
from ldvae_core.training.refine import (
    Block,
    Decoder,
    block_of,
    block_size,
    climb,
    log_library_of,
    objective,
)
from ldvae_core.training.score import reconstruction_errors, represent


class Placing:
    """A model that cells are placed on. is_refined: whether they move from where the encoder puts them.

    In evaluation mode, and on the processor.
    """

    def __init__(self, model: LDVAE, *, is_refined: bool) -> None:
        self.model, self.is_refined = model.eval(), is_refined
        self._decoder = Decoder.of(model) if is_refined else None

    @torch.no_grad()
    def place(
        self, counts: sparse.csr_matrix, library_size: np.ndarray, covariates: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean of z, float32 (n_cells, n_factors), and -log p(x | z), float64 (n_cells,) nats.

        counts: CSR (n_cells, n_genes) of whole numbers, no cell without any; library_size (n_cells,); covariates
        (n_cells, levels). What a refined cell gets does not depend on the cells beside it; without refining, under a
        prior whose mean is drawn, all cells have to come at once.
        """
        source = MinibatchSource(counts, library_size, covariates, torch.device("cpu"))
        everyone = np.arange(source.n_cells)
        if self._decoder is None:
            mean = represent(self.model, source).mean
            return mean, reconstruction_errors(self.model, source, everyone, mean)
        means, errors = np.empty((source.n_cells, self.model.config.n_factors), np.float32), np.empty(source.n_cells)
        first = 0
        for batch in source.in_order(everyone, block_size(source.n_genes, source.device)):
            piece = slice(first, first + batch.counts.shape[0])
            first = piece.stop
            block = block_of(self._decoder, batch, log_library_of(self.model, batch))
            found = climb(self._decoder, block, self.model.encode(batch)[0].double())
            means[piece] = self.model.factors_of(found.v).numpy()
            of_prior = 0.5 * found.v.square().sum(dim=1)
            errors[piece] = -(objective(block, found.means, found.v) + of_prior + _left_out(block)).numpy()
        return means, errors


def _left_out(block: Block) -> Tensor:
    """What refine.objective leaves out of log p(x | z), (cells,) nats: it depends on counts and dispersion alone."""
    cell, gene = block.counts.nonzero(as_tuple=True)
    counts = block.counts[cell, gene]
    terms = -torch.lgamma(counts + 1)
    if block.theta is not None:
        theta = block.theta[0, gene] if len(block.theta) == 1 else block.theta[cell, gene]
        terms = terms + torch.lgamma(counts + theta) - torch.lgamma(theta) - counts * theta.log()
    return counts.new_zeros(len(block.counts)).index_add_(0, cell, terms)
