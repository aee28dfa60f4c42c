"""What a quick training says of the factors: all of it, or only the loadings that are matched. Loads torch."""

import numpy as np

from ldvae_core.analysis.factors import Factors, build_factors, turned
from ldvae_core.analysis.rotation import varimax
from ldvae_core.analysis.uncertainty import loading_standard_errors, shrink_loadings
from ldvae_core.data.split import TRAIN, VALIDATION
from ldvae_core.training.siblings import Ask, Cells, Quick, fit_quickly

STARTS = 2  # of the axes' rotation, of a training that only serves to be matched
HELD_OUT = 0.1  # of the cells of such a training, for its validation


def quick_factors(cells: Cells, split: np.ndarray, quick: Quick, ask: Ask, *, gene_names: np.ndarray) -> Factors:
    """Everything about the factors, on readable axes. split: (n_cells,) of data/split.py. Raises Told."""
    found = fit_quickly(cells, split, quick, ask)
    return build_factors(
        representation=found.mean,
        posterior_variance=found.variance,
        loadings=found.loadings,
        intercept=found.intercept,
        inverse_dispersion=found.theta,
        counts=cells.counts,
        library_size=cells.library_size,
        split=split,
        prior=quick.model.prior,
        axes="readable",
        gene_names=gene_names,
        likelihood=quick.model.likelihood,
        covariates=None if found.effects is None else cells.covariates,
        covariate_loadings=found.effects,
        posterior_covariance=found.covariance,
    )


def quick_loadings(cells: Cells, quick: Quick, ask: Ask) -> np.ndarray:
    """Shrunken loadings on readable axes, in no order: float32 (n_genes, n_factors). Raises Told."""
    n_cells = len(cells.library_size)
    split = np.full(n_cells, TRAIN, np.int8)
    held_out = np.random.default_rng([quick.training.split_seed, 1]).permutation(n_cells)
    split[held_out[: max(1, round(HELD_OUT * n_cells))]] = VALIDATION
    found, fitted = fit_quickly(cells, split, quick, ask), np.flatnonzero(split == TRAIN)
    weights = found.loadings - found.loadings.mean(axis=0)
    rotation = varimax(found.mean, weights, n_starts=STARTS)
    z, weights = found.mean[fitted] @ rotation, weights @ rotation
    errors = loading_standard_errors(
        z if found.effects is None else np.hstack([z, cells.covariates[fitted]]),
        weights if found.effects is None else np.hstack([weights, found.effects]),
        found.intercept,
        found.theta,
        cells.library_size[fitted],
        likelihood=quick.model.likelihood,
        n_factors=quick.model.n_factors,
        covariance=None if found.covariance is None else turned(found.covariance[fitted], rotation),
    )
    return shrink_loadings(weights, errors).mean.astype(np.float32)
