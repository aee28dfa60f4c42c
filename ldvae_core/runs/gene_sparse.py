"""Gene-sparse axes of runs that were made before these were saved with them, from the arrays that such a run keeps."""

from dataclasses import replace

import numpy as np

from ldvae_core.analysis.factors import Axes, Factors, build_factors
from ldvae_core.analysis.importance import held_out_cells
from ldvae_core.analysis.positions import position_covariance
from ldvae_core.data.split import TRAIN
from ldvae_core.errors import LdvaeError
from ldvae_core.model.families import LIKELIHOODS
from ldvae_core.model.packed import unpacked
from ldvae_core.model.priors import PRIORS
from ldvae_core.runs.opened import OpenRun, noted
from ldvae_core.runs.prepare import completed_for, covariate_columns

AXES: Axes = "gene_sparse"
WHILE_WAITING = 20_000_000_000  # multiplications, see _work: about half a minute of one core


def offers_gene_sparse(opened: OpenRun, *, most: float = WHILE_WAITING) -> bool:
    """Whether the run has these axes, or they can be computed while somebody waits."""
    if AXES in opened.factors:
        return True
    model = opened.settings.model
    may = not model.is_baseline and PRIORS[model.prior].may_rotate and "readable" in opened.factors
    return may and opened.factors["as_trained"].n_factors > 1 and _work(opened) <= most


def gene_sparse_factors(opened: OpenRun) -> Factors:
    """The factors on gene-sparse axes, as kept with the run or computed as they are at the end of a training.

    The run must have readable axes. The posterior covariance of positions, which is not kept, is Laplace's at the
    positions kept. Raises SettingsError when an annotation that the run corrects for has changed.
    """
    if AXES in opened.factors:
        return opened.factors[AXES]
    kept, counts, model = opened.factors["as_trained"], opened.counts, opened.settings.model
    levels, effects, placed, loadings = None, None, kept.representation, kept.loadings
    if opened.covariate_loadings is not None:
        effects = opened.covariate_loadings.to_numpy()
        levels = covariate_columns(counts.annotations, completed_for(model, counts).covariates)
        placed, loadings = np.column_stack([placed, levels]), np.column_stack([loadings, effects])
    theta = np.asarray(kept.inverse_dispersion) if LIKELIHOODS[model.likelihood].has_dispersion else None
    covariance = position_covariance(
        placed, loadings, kept.intercept, theta, counts.library_size,
        likelihood=model.likelihood, n_factors=kept.n_factors,
    )  # fmt: skip
    found = build_factors(
        representation=np.asarray(kept.representation),
        posterior_variance=np.einsum("nkk->nk", unpacked(covariance, kept.n_factors)).astype(np.float32),
        loadings=np.asarray(kept.loadings),
        intercept=np.asarray(kept.intercept),
        inverse_dispersion=theta,
        counts=counts.counts,
        library_size=counts.library_size,
        split=opened.split,
        prior=model.prior,
        axes=AXES,
        gene_names=kept.gene_names,
        likelihood=model.likelihood,
        covariates=levels,
        covariate_loadings=effects,
        posterior_covariance=covariance,
    )
    return replace(found, rotation=kept.rotation @ found.rotation)


def with_gene_sparse(opened: OpenRun) -> OpenRun:
    """The run with these axes among its factors, where it may have them, as people annotated them; takes its time."""
    if AXES in opened.factors or not offers_gene_sparse(opened, most=float("inf")):
        return opened
    try:
        found = gene_sparse_factors(opened)
    except LdvaeError:  # an annotation that is no more what it was
        return opened
    found = found if opened.kept is None else noted(found, opened.kept)
    return replace(opened, factors={**opened.factors, AXES: found})


def _work(opened: OpenRun) -> float:
    """Multiplications: the information of cells about their positions, of genes about their loadings, and deviance."""
    factors, trained = opened.factors["as_trained"], int(np.count_nonzero(opened.split == TRAIN))
    pairs, held_out = factors.n_factors * (factors.n_factors + 1) / 2, len(held_out_cells(opened.split))
    per_gene = (factors.n_cells + trained) * pairs + 30 * held_out * (factors.n_factors + 1)
    return float(factors.n_genes * per_gene)
