"""Take it with you: a run as one .h5ad that scanpy and every other tool of the field opens.

The one place, beside data/read.py, that says obs and var. A stranger with this file alone recomputes the reconstruction
error of the test cells: library_size * softmax(X_ldvae @ LDVAE_loadings.T + ldvae_intercept) are the expected counts of
an LDVAE. Baselines predict in ways of their own: uns["ldvae"] says the method, and how expected counts follow.
"""

import os
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

import ldvae_core
from ldvae_core.analysis.factors import Factors
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.split import SPLIT_NAMES
from ldvae_core.durable import rename
from ldvae_core.errors import RunError
from ldvae_core.plots.theme import type_colours
from ldvae_core.runs.gene_set_results import GeneSetResults
from ldvae_core.runs.projection import Projection
from ldvae_core.runs.store import OpenRun

RESERVED = "_index"  # by .h5ad, for the names of the rows
LARGEST_IN_FLOAT32 = 2**24
SPLIT_COLUMN, ERROR_COLUMN = "ldvae_split", "ldvae_reconstruction_error"
EXPECTED_COUNTS = {  # by method: how they follow from what is in the file
    "ldvae": "library_size * softmax over genes of X_ldvae @ LDVAE_loadings.T + ldvae_intercept, for a linear decoder "
    "with the library size observed and no covariates",
    "pca": "not from this file: the components are those of log1p counts, and a softmax of them means nothing",
    "nmf": "library_size * X_ldvae @ programs.T, with programs = softmax over genes of ldvae_intercept + each "
    "column of LDVAE_loadings; a softmax of X_ldvae @ LDVAE_loadings.T means nothing",
    "gene_mean": "library_size * softmax over genes of ldvae_intercept; there are no factors",
}
MOST_COLOURED = 102  # categories: beyond, the field's tools have no palette either


def write_h5ad(opened: OpenRun, path: Path, *, axes: str | None = None) -> None:
    """Write the run as .h5ad, in one step: an existing file is replaced only by a whole one.

    axes: "readable", "gene_sparse" or "as_trained"; None takes the readable ones where the prior has them. Raises
    RunError when these axes do not exist or the folder cannot be written to.
    """
    chosen = axes or ("readable" if "readable" in opened.factors else "as_trained")
    if chosen not in opened.factors:
        raise RunError(
            "This run has no readable axes: usages and the factors of baselines are never rotated.",
            "Export it as trained.",
        )
    _write_whole(as_anndata(opened, opened.factors[chosen]), path)


def write_projection(opened: OpenRun, projection: Projection, path: Path) -> None:
    """Write new cells on the programs of a run as .h5ad, in one step.

    obs: the new cells' annotations and `ldvae_reconstruction_error` (nats); obsm["X_ldvae"]; X: counts of the modelled
    genes; var["ldvae_measured"]: whether the new data has the gene; varm["LDVAE_loadings"] of the run.
    """
    cells, factors = projection.cells, projection.factors
    annotations = cells.annotations.copy()
    annotations[ERROR_COLUMN] = projection.reconstruction_error
    genes = _gene_table(cells, factors)
    genes["ldvae_measured"] = projection.measured
    placed = anndata.AnnData(
        X=cells.counts.astype(_exact_float(cells.counts)),
        obs=annotations,
        var=genes,
        obsm={"X_ldvae": projection.representation},
        varm={"LDVAE_loadings": np.array(factors.loadings)},
        uns={
            "ldvae": {
                "projected_on": opened.name,
                "params": _storable(opened.settings.to_dict()),
                "factors": _factors(factors),
                "version": ldvae_core.__version__,
            },
            **_colours(annotations),
        },
    )
    _write_whole(placed, path)


def _write_whole(table: anndata.AnnData, path: Path) -> None:
    """To a neighbour first, which is renamed when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(descriptor)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=UserWarning)  # anndata's, about names that read_counts has settled
            table.write_h5ad(temporary, compression="gzip")
        rename(Path(temporary), path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def writable(annotations: pd.DataFrame) -> pd.DataFrame:
    """A copy that .h5ad can hold: columns without any value as empty categories, the reserved name _index spelt out."""
    table = annotations.copy()
    for name in table.columns[table.isna().all().to_numpy()]:
        if not pd.api.types.is_numeric_dtype(table[name].dtype):
            table[name] = pd.Categorical([None] * len(table), categories=["none"])
    if RESERVED in table.columns:
        spelt = "index_column"
        while spelt in table.columns:
            spelt += "_"
        table = table.rename(columns={RESERVED: spelt})
    return table


def _exact_float(counts: sparse.csr_matrix) -> type[np.floating]:
    """The smaller type that holds every count exactly."""
    return np.float32 if counts.data.max(initial=0) <= LARGEST_IN_FLOAT32 else np.float64


def as_anndata(opened: OpenRun, factors: Factors) -> anndata.AnnData:
    """The run in the field's container; slots as anndata's readers expect them."""
    counts = opened.counts
    annotations = writable(counts.annotations)
    split = np.asarray(opened.split)
    annotations[SPLIT_COLUMN] = pd.Categorical(np.array(SPLIT_NAMES)[split], categories=SPLIT_NAMES)
    return anndata.AnnData(
        X=counts.counts.astype(_exact_float(counts.counts)),
        obs=annotations,
        var=_gene_table(counts, factors),
        layers={"counts": _whole_numbers(counts.counts)},
        obsm={"X_ldvae": np.array(factors.representation)},
        varm={
            "LDVAE_loadings": np.array(factors.loadings),
            "LDVAE_loadings_se": np.array(factors.loadings_se),
            "LDVAE_loadings_shrunken": np.array(factors.loadings_shrunken),
        },
        uns={"ldvae": _about(opened, factors), **_colours(annotations, opened.given_colours)},
    )


def _about(opened: OpenRun, factors: Factors) -> dict[str, Any]:
    """Settings, history, figures and factors, in types that every reader of .h5ad knows."""
    method = opened.settings.model.method
    notes = opened.kept.factor_notes(factors.axes) if opened.kept is not None else {}
    written = _texts(notes[k].notes if k in notes else "" for k in range(factors.n_factors))
    about = {
        "method": method,
        "expected_counts": EXPECTED_COUNTS[method],
        "params": _storable(opened.settings.to_dict()),
        "history": opened.history.reset_index(drop=True).rename(index=str),
        "metrics": {key: value for key, value in opened.metrics.items() if isinstance(value, int | float | str)},
        "factors": {**_factors(factors), "notes": written},
        "version": ldvae_core.__version__,
    }
    results = GeneSetResults(opened.kept).of(factors) if opened.kept is not None else []
    return about | ({"enrichment": _enrichment(results)} if results else {})


def _enrichment(results: list[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """All results kept with the run as one table; collection: which gene sets; factors from 1, ends high and low."""
    tables = [table.assign(collection=title) for title, table in results]
    whole = pd.concat(tables, ignore_index=True)
    whole = whole.assign(factor=whole["factor"] + 1, end=whole["end"].map({"positive": "high", "negative": "low"}))
    return whole.rename(index=str)


def _whole_numbers(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """int32, or int64 where a count is beyond."""
    fits = counts.nnz == 0 or counts.data.max() <= np.iinfo(np.int32).max
    return counts.astype(np.int32 if fits else np.int64)


def _gene_table(counts: CountMatrix, factors: Factors) -> pd.DataFrame:
    genes = pd.DataFrame(index=pd.Index(counts.gene_names.astype(object)))
    if counts.gene_ids is not None:
        genes["gene_ids"] = counts.gene_ids.astype(object)
    genes["ldvae_intercept"] = np.array(factors.intercept)
    genes["ldvae_inverse_dispersion"] = np.array(factors.inverse_dispersion)
    return genes


def _factors(factors: Factors) -> dict[str, Any]:
    return {
        "names": _texts(factors.label(k) for k in range(factors.n_factors)),
        "explained_deviance": np.array(factors.explained_deviance, dtype=np.float64),
        "active": np.array(factors.active),
        "axes": factors.axes,
    }


def _texts(values: Iterable[str]) -> np.ndarray:
    return np.array(list(values), dtype=object)


def _storable(value: Any) -> Any:
    """Nested settings in what .h5ad can hold: no None, no empty list; lists as arrays."""
    if isinstance(value, dict):
        return {key: _storable(item) for key, item in value.items() if item is not None and item != []}
    return np.array(value) if isinstance(value, list) else value


def _colours(
    annotations: pd.DataFrame, given: Callable[[str], dict[str, str]] = lambda name: {}
) -> dict[str, np.ndarray]:
    """<column>_colors in category order, so that other tools draw the cell types as we do."""
    found = {}
    for name in annotations.columns:
        column = annotations[name]
        if name == SPLIT_COLUMN:
            continue
        if isinstance(column.dtype, pd.CategoricalDtype) and 1 < len(column.cat.categories) <= MOST_COLOURED:
            colours = type_colours([str(category) for category in column.cat.categories], given(str(name)))
            found[f"{name}_colors"] = np.array(list(colours.values()), dtype=object)
    return found
