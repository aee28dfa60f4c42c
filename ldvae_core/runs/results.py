"""The results of a trained model, as files of its run folder: the network, factors on all axes, figures on test cells.

Loads torch.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ldvae_core.analysis.factors import Axes, Factors, build_factors, save_factors
from ldvae_core.analysis.gain import fit_null_model, gain_figures
from ldvae_core.analysis.metrics import mean_and_error, reconstruction_error
from ldvae_core.analysis.overlap import program_overlap
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.guide import Matched
from ldvae_core.data.split import TEST, TRAIN
from ldvae_core.durable import write_table
from ldvae_core.model.families import LikelihoodName
from ldvae_core.model.ldvae import LDVAE, centred_levels
from ldvae_core.runs.by_cell import write_by_cell
from ldvae_core.runs.guided import guided_sets, judged_sets
from ldvae_core.runs.trained import save_model
from ldvae_core.training.minibatches import MinibatchSource
from ldvae_core.training.refining import Outcome
from ldvae_core.training.score import (
    IWLL_DRAWS,
    covariate_effects,
    folded_decoder,
    likelihood_bounds,
    reconstruction_errors,
    refined_representation,
    represent,
    scored_cells,
    tighter_proposal,
)

ALL_AXES: tuple[Axes, ...] = ("as_trained", "gene_sparse", "readable")  # the first under every prior


def save_results(
    folder: Path,
    source: MinibatchSource,
    outcome: Outcome,
    *,
    counts: CountMatrix,
    split: np.ndarray,
    covariates: np.ndarray,
    guide: Matched | None = None,
    on_share: Callable[[float], object] = lambda _done: None,
) -> dict[str, Any]:
    """Write all but metrics.json, and return the figures for it that are not about how training went.

    source: holds the same counts and covariates (n_cells, levels). guide: the gene sets that informed factors.
    on_share: told how much is done, 0 to 1, now and then. Raises OSError when the disk refuses.
    """
    model, refined = outcome.model, outcome.refined
    save_model(model, folder)
    posterior = represent(model, source) if refined is None else refined_representation(model, refined)
    loadings, intercept = folded_decoder(model, posterior.mean, covariates)
    config = model.config
    theta = None
    if model.likelihood.has_dispersion:
        theta = model.bounded_log_theta().detach().double().exp().cpu().numpy()
    effects = covariate_effects(model)
    judged, guided = judged_sets(guide, loadings, counts)
    wanted = ALL_AXES if model.prior.may_rotate else ALL_AXES[:1]
    for number, axes in enumerate(wanted):
        on_share(0.5 * number / len(wanted))
        factors = build_factors(
            representation=posterior.mean,
            posterior_variance=posterior.variance,
            loadings=loadings,
            intercept=intercept,
            inverse_dispersion=theta,
            counts=counts.counts,
            library_size=counts.library_size,
            split=split,
            prior=config.prior,
            axes=axes,
            gene_names=counts.gene_names,
            likelihood=config.likelihood,
            covariates=None if effects is None else covariates,
            covariate_loadings=effects,
            posterior_covariance=None if refined is None else refined.covariance,
            guided=guided,
        )
        save_factors(factors, folder / "factors" / axes)
    if effects is not None:
        names = [name for item in config.covariates for name in item.columns]
        write_table(folder / "covariates.parquet", pd.DataFrame(effects, counts.gene_names, names))
    _write_dispersion_levels(model, counts.gene_names, folder)
    on_share(0.5)
    figures = _figures(folder, source, outcome, factors, counts, split, posterior.mean)
    told = {} if guide is None else {"guided": guided_sets(guide, judged, factors)}
    return {**figures, **outcome.figures(), **_overlap(factors), **told}


def _figures(
    folder: Path,
    source: MinibatchSource,
    outcome: Outcome,
    factors: Factors,
    counts: CountMatrix,
    split: np.ndarray,
    representation: np.ndarray,
) -> dict[str, Any]:
    """Figures on the test cells: error of all of them, bounds and gain of at most 5,000, each with its error.

    Those of every test cell are kept in `folder`.
    """
    model, refined, test = outcome.model, outcome.refined, np.flatnonzero(split == TEST)
    if model.config.is_recomputable:  # from the very numbers exported, so that a stranger finds the same figure
        error = _recomputed_error(factors, counts, test, model.config.likelihood)
    else:
        error = reconstruction_errors(model, source, test, representation)
    scored = scored_cells(test)
    around = None if refined is None else tighter_proposal(model, source, scored, refined.of(scored))
    bounds = likelihood_bounds(model, source, scored, around=around)
    null = fit_null_model(counts.counts, np.flatnonzero(split == TRAIN))
    write_by_cell(folder, test, error=error, elbo=(scored, bounds.elbo), iwll=(scored, bounds.iwll))
    values = {"test_reconstruction_error": error, "test_elbo": bounds.elbo, "test_iwll": bounds.iwll}
    means = {name: mean_and_error(per_cell) for name, per_cell in values.items()}
    return {
        **{name: mean for name, (mean, _) in means.items()},
        **{f"{name}_se": spread for name, (_, spread) in means.items()},
        "iwll_draws": IWLL_DRAWS,
        "drawn_from": "encoder" if around is None else "refined",
        "test_cells": len(test),
        "iwll_cells": len(scored),
        "null_error": -float(null.log_likelihood(counts.counts[test]).mean()),
        **gain_figures(bounds.iwll, null, counts.counts[scored], knows_library=model.config.library == "observed"),
    }


def _write_dispersion_levels(model: LDVAE, gene_names: np.ndarray, folder: Path) -> None:
    """What each level adds to log inverse dispersion, where the model has that."""
    if model.config.dispersion != "gene_level":
        return
    effects = centred_levels(model.dispersion_levels, model.level_counts).detach().double().cpu().numpy()
    names = [name for item in model.config.covariates for name in item.columns]
    write_table(folder / "dispersion_levels.parquet", pd.DataFrame(effects, gene_names, names))


def _overlap(factors: Factors) -> dict[str, Any]:
    """Whether orthogonal axes can be the programs; {} for usages, which may be correlated."""
    if factors.are_usages:
        return {}
    overlap = program_overlap(factors.loadings)
    return {"programs_overlap": overlap.is_strong, "program_correlation": overlap.correlation}


def _recomputed_error(
    factors: Factors, counts: CountMatrix, cells: np.ndarray, likelihood: LikelihoodName
) -> np.ndarray:
    return reconstruction_error(
        counts.counts[cells],
        factors.representation[cells],
        factors.loadings,
        factors.intercept,
        factors.inverse_dispersion,
        likelihood=likelihood,
    )
