"""A run as .h5ad.

A stranger with this file alone recomputes the reconstruction error of the test cells: library_size * softmax(X_ldvae @
LDVAE_loadings.T + ldvae_intercept) are the expected counts of an LDVAE. Baselines predict in ways of their own:
uns["ldvae"] says the method, and how expected counts follow.
"""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.sums import ReportShare, ignore_share
from ldvae_core.data.split import SPLIT_NAMES
from ldvae_core.data.stored_names import CLUSTER_COLUMN, SPLIT_COLUMN, encode
from ldvae_core.errors import RunError
from ldvae_core.export.about import EXPECTED_COUNTS, certificates_of, write_about, write_colours
from ldvae_core.export.file import new_h5ad, write_counts, write_loadings, write_positions
from ldvae_core.export.tables import respelt, write_table
from ldvae_core.runs.additions import LEIDEN
from ldvae_core.runs.gene_set_results import GeneSetResults
from ldvae_core.runs.maps import map_in
from ldvae_core.runs.store import OpenRun


def write_h5ad(opened: OpenRun, path: Path, *, axes: str | None = None, report: ReportShare = ignore_share) -> None:
    """Write the run as .h5ad, in one step: an existing file is replaced only by a whole one.

    axes: "readable", "gene_sparse" or "as_trained"; None takes the readable ones where the prior has them. Needs the
    memory of the table of cells and of a block of counts. Raises RunError when these axes do not exist or the disk or
    the folder refuses.
    """
    factors = _chosen(opened, axes)
    counts = opened.counts
    annotations, own = counts.annotations, pd.DataFrame(index=counts.annotations.index)
    own[SPLIT_COLUMN] = pd.Categorical(np.array(SPLIT_NAMES)[np.asarray(opened.split)], categories=SPLIT_NAMES)
    if LEIDEN in opened.added:
        own[CLUSTER_COLUMN] = annotations[LEIDEN]
        annotations = annotations.drop(columns=LEIDEN)
    with new_h5ad(path) as new:
        write_counts(new, counts.counts, report=report)
        stored = write_table(new.file, "obs", annotations, own)
        write_table(new.file, "var", gene_table(factors, counts.gene_ids))
        write_positions(new, "X_ldvae", factors.representation)
        if (positions := _map(opened)) is not None:
            write_positions(new, "X_umap", positions)
        for name, places in counts.maps.items():
            write_positions(new, _free_name(encode(name), new.file["obsm"]), places)
        names = ("loadings", "loadings_se", "loadings_shrunken")
        write_loadings(new, {f"LDVAE_{name}": getattr(factors, name) for name in names})
        method = opened.settings.model.method
        about = {
            "method": method,
            "expected_counts": EXPECTED_COUNTS[method],
            "history": opened.history,
            "metrics": {key: value for key, value in opened.metrics.items() if isinstance(value, int | float | str)},
        }
        write_about(new.file, factors, params=opened.settings.to_dict(), notices=counts.notices,
                    notes=opened.notes_of(factors), results=results_of(opened, factors),
                    more=about | respelt(annotations), certificates=certificates_of(opened, factors))  # fmt: skip
        coloured = {encode(str(name)): str(name) for name in annotations.columns}
        if CLUSTER_COLUMN in own:
            coloured[CLUSTER_COLUMN] = LEIDEN
        write_colours(new.file, stored, opened.given_colours, coloured)


def results_of(opened: OpenRun, factors: Factors) -> list[tuple[str, pd.DataFrame]]:
    """Gene set results kept with the run, with the titles of their sets."""
    return [] if opened.kept is None else GeneSetResults(opened.kept).of(factors)


def gene_table(factors: Factors, gene_ids: np.ndarray | None) -> pd.DataFrame:
    """Names as the index, ids where known, and what the model has of every gene beside its loadings."""
    genes = pd.DataFrame(index=pd.Index(factors.gene_names.astype(object)))
    if gene_ids is not None:
        genes["gene_ids"] = gene_ids.astype(object)
    genes["ldvae_intercept"] = np.array(factors.intercept)
    genes["ldvae_inverse_dispersion"] = np.array(factors.inverse_dispersion)
    return genes


def _chosen(opened: OpenRun, axes: str | None) -> Factors:
    chosen = axes or ("readable" if "readable" in opened.factors else "as_trained")
    if chosen == "gene_sparse" and "readable" in opened.factors and chosen not in opened.factors:
        raise RunError("This run was made before there were gene-sparse axes.", "Export it on its readable axes.")
    if chosen not in opened.factors:
        raise RunError(
            "This run has no readable axes: usages and the factors of baselines are never rotated.",
            "Export it as trained.",
        )
    return opened.factors[chosen]


def _free_name(name: str, taken: Collection[str]) -> str:
    """The name of a map that came with the data, another one where the export has a map of that name itself."""
    while name in taken:
        name = f"{name}_of_file"
    return name


def _map(opened: OpenRun) -> np.ndarray | None:
    """Places on the map; None without one, or when it is damaged, which the pages say."""
    with suppress(RunError):
        found = None if opened.kept is None else map_in(opened.kept, opened.counts.n_cells)
        return None if found is None else found.positions
    return None
