"""What each gene carries of a factor's explained deviance, for runs that were made before it was saved with them."""

import numpy as np
import pandas as pd

from ldvae_core.analysis.factors import Axes, Factors, with_gene_deviance
from ldvae_core.analysis.importance import held_out_cells
from ldvae_core.data.counts import CountMatrix
from ldvae_core.errors import LdvaeError
from ldvae_core.runs.prepare import completed_for, covariate_columns
from ldvae_core.runs.settings import RunSettings

WHILE_OPENING = 120_000_000  # held-out counts x (factors + 1): about three seconds of one core


def with_gene_order(
    factors: dict[Axes, Factors],
    *,
    counts: CountMatrix,
    split: np.ndarray,
    settings: RunSettings,
    covariate_loadings: pd.DataFrame | None,
    most: int | None = WHILE_OPENING,
) -> dict[Axes, Factors]:
    """The same factors, each with gene_deviance; as they are where it cannot be known, or takes more than `most`.

    Baselines predict in ways of their own and are left as they are. most: held-out counts times factors, None for any.
    """
    if settings.model.is_baseline or all(found.gene_deviance is not None for found in factors.values()):
        return factors
    missing = [found for found in factors.values() if found.gene_deviance is None]
    work = len(held_out_cells(split)) * counts.n_genes * sum(found.n_factors + 1 for found in missing)
    if most is not None and work > most:
        return factors
    try:
        levels = None
        if covariate_loadings is not None:
            levels = covariate_columns(counts.annotations, completed_for(settings.model, counts).covariates)
    except LdvaeError:  # an annotation that is no more what it was
        return factors
    return {
        axes: found
        if found.gene_deviance is not None
        else with_gene_deviance(
            found,
            counts=counts.counts,
            library_size=counts.library_size,
            split=split,
            likelihood=settings.model.likelihood,
            covariates=levels,
            covariate_loadings=None if covariate_loadings is None else covariate_loadings.to_numpy(),
        )
        for axes, found in factors.items()
    }
