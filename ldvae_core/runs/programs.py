"""The programs of a run without its cells: all that places other cells on them, and says how unlike they are."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import ldvae_core
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.strange import Reference, reference_of
from ldvae_core.data.counts import sum_by_gene
from ldvae_core.errors import RunError
from ldvae_core.model.describe import model_words
from ldvae_core.runs.network import Network, read_network
from ldvae_core.runs.opened import NOT_LABELLED, OpenRun

OF_THE_DATA = ("name", "data_source", "reading")  # of the settings: where the data lay is nobody else's business


@dataclass(frozen=True, eq=False)
class Programs:
    """What a run has learned, as it is shared.

    factors: on the axes people see first; their representation has no rows. gene_ids: (n_genes,) str or None. mean:
    (n_genes,) float32, molecules per 10,000 of a cell, over all cells of the run. notes: one a factor, "" without.
    is_refined: whether cells move from where the encoder puts them. params: the settings, without where the data lay.
    """

    name: str
    data_name: str
    version: str  # of the program
    factors: Factors
    gene_ids: np.ndarray | None
    mean: np.ndarray
    notes: tuple[str, ...]
    network: Network
    is_refined: bool
    reference: Reference
    params: dict[str, Any]
    notices: tuple[str, ...] = ()

    @property
    def n_genes(self) -> int:
        """Modelled genes."""
        return self.factors.n_genes


def programs_of(opened: OpenRun, folder: Path) -> Programs:
    """The programs of an opened run. folder: where its network lies.

    Raises RunError: a baseline, a run made before its network was kept, a damaged file.
    """
    if opened.settings.model.is_baseline:
        raise RunError(
            f"The run {opened.name!r} is a baseline ({model_words(opened.settings.model)}), which keeps no network "
            "that could place new cells.",
            "Choose an LDVAE run.",
        )
    factors, counts = opened.factors[opened.axes], opened.counts
    params = {key: value for key, value in opened.settings.to_dict().items() if key not in OF_THE_DATA}
    if str(params["choices"].get("cells", "")).startswith("@"):
        params["choices"] = params["choices"] | {"cells": "a list of cells"}
    return Programs(
        name=opened.name,
        data_name=opened.data_name,
        version=ldvae_core.__version__,
        factors=without_cells(factors),
        gene_ids=counts.gene_ids,
        mean=(1e4 * sum_by_gene(counts.counts) / counts.molecules.sum()).astype(np.float32),
        notes=opened.notes_of(factors),
        network=read_network(folder),
        is_refined=opened.has_refined_positions,
        reference=reference_of_run(opened),
        params=params,
        notices=counts.notices,
    )


def reference_of_run(opened: OpenRun) -> Reference:
    """Where the run's cells lie on the axes people see first, by the annotation that it is coloured by."""
    labels = None if opened.label_column is None else opened.labels()
    positions = opened.factors[opened.axes].representation
    return reference_of(positions, np.asarray(opened.split), labels, unlabelled=NOT_LABELLED)


def without_cells(factors: Factors) -> Factors:
    """The same factors, whole in memory, with no cell on them."""
    arrays: dict[str, Any] = {
        name: np.array(getattr(factors, name))
        for name in ("loadings", "loadings_se", "loadings_shrunken", "loadings_shrunken_sd", "intercept",
                     "inverse_dispersion", "explained_deviance", "active", "flipped", "trained_as", "rotation")
    }  # fmt: skip
    return replace(factors, representation=np.zeros((0, factors.n_factors), np.float32), **arrays)
