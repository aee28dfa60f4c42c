"""From counts to named programs: what was planted is what is read."""

import numpy as np
import pytest

from ldvae_core.analysis.comparison import match_factors
from ldvae_core.analysis.factors import build_factors
from ldvae_core.data.split import split_cells
from ldvae_core.training.score import folded_decoder, represent


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch norm"])
def test_each_planted_program_is_one_readable_factor(planted, trainer_for, batch_norm):
    """Every planted program is matched by one factor, loadings and cells alike, whatever its sign or place."""
    trainer = trainer_for(planted, model={"batch_norm": batch_norm}, n_epochs=80)
    trainer.train()
    counts, posterior = planted.counts, represent(trainer.model, trainer.source)
    loadings, intercept = folded_decoder(trainer.model, posterior.mean, np.zeros((counts.n_cells, 0)))
    theta = trainer.model.bounded_log_theta().detach().exp().numpy()
    factors = build_factors(
        representation=posterior.mean, posterior_variance=posterior.variance, loadings=loadings, intercept=intercept,
        inverse_dispersion=theta, counts=counts.counts, library_size=counts.library_size, prior="normal",
        split=split_cells(counts.n_cells, seed=0), axes="readable", gene_names=counts.gene_names,
    )  # fmt: skip
    matching = match_factors(factors.loadings, planted.loadings)
    cells = [np.corrcoef(factors.representation[:, a], planted.representation[:, b])[0, 1] for a, b in matching.pairs]
    assert matching.match.min() >= 0.95
    assert np.abs(cells).min() >= 0.95
