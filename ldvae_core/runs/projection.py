"""New cells on the programs of a trained run: placed as the run's own cells were, turned by its rotation."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ldvae_core.analysis.factors import Factors
from ldvae_core.data.align import align_genes
from ldvae_core.data.chunks import cell_chunks
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.names import listing
from ldvae_core.errors import CountsError
from ldvae_core.model.config import Covariate
from ldvae_core.runs.opened import OpenRun
from ldvae_core.runs.prepare import covariate_columns, levels_as_learned

if TYPE_CHECKING:
    from ldvae_core.model.ldvae import LDVAE


@dataclass(frozen=True, eq=False)
class Projection:
    """New cells placed on a run's factors."""

    cells: CountMatrix  # of the run's genes, in its order; missing ones have no counts
    measured: np.ndarray  # (n_genes,) bool: whether the new data has this gene
    factors: Factors  # of the run, on the axes used
    representation: np.ndarray  # (n_cells, n_factors) float32: rotation, sign and order are those of `factors`
    reconstruction_error: np.ndarray  # (n_cells,) float64, nats: -log p(x | z) over the run's genes


def project(opened: OpenRun, model: "LDVAE", data: CountMatrix) -> Projection:
    """Place the cells of `data` on the axes people see first; the run's own cells come out where they were.

    model: of runs/trained.py. Library sizes are sums over the run's genes, missing ones counted as 0. Raises
    CountsError when fewer than half of the genes are there (see align_genes), when an annotation that the run corrects
    for is not there, or when it has levels that the run has not learned.
    """
    import torch

    from ldvae_core.training.minibatches import MinibatchSource
    from ldvae_core.training.refine import refine
    from ldvae_core.training.score import reconstruction_errors, refined_representation, represent

    factors = opened.factors[opened.axes]
    _require_levels(data.annotations, model.config.covariates)
    cells, measured = align_genes(data, factors.gene_names, opened.counts.gene_ids)
    design = covariate_columns(cells.annotations, model.config.covariates)
    source = MinibatchSource(cells.counts, cells.library_size, design, torch.device("cpu"))
    everyone = np.arange(cells.n_cells)
    refined = refine(model, source, everyone) if opened.has_refined_positions else None
    placed = (represent(model, source) if refined is None else refined_representation(model, refined)).mean
    error = reconstruction_errors(model, source, everyone, placed)
    rotated = np.empty_like(placed)
    for chunk in cell_chunks(*placed.shape):
        rotated[chunk] = placed[chunk].astype(np.float64) @ factors.rotation
    return Projection(cells, measured, factors, rotated, error)


def _require_levels(annotations: pd.DataFrame, covariates: tuple[Covariate, ...]) -> None:
    problems = []
    for covariate in covariates:
        number = covariate.kind == "number"
        known = "It is a number." if number else f"The run has learned: {listing(covariate.levels, 20)}."
        if covariate.name not in annotations.columns:
            problems.append(f"The run corrects for {covariate.name!r}, which the data has no annotation of. {known}")
            continue
        if number:
            if not pd.api.types.is_numeric_dtype(annotations[covariate.name].dtype):
                problems.append(f"The run corrects for the number {covariate.name!r}; the data has text there.")
            continue
        found = levels_as_learned(annotations[covariate.name], covariate.levels)
        if unknown := sorted(set(found.tolist()) - set(covariate.levels)):
            problems.append(
                f"The annotation {covariate.name!r} has levels that the run has not learned: {listing(unknown)}. "
                f"{known}"
            )
    if problems:
        raise CountsError(problems, "Name the levels as the run does, or train a run with these cells.")
