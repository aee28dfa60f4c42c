"""What an export says of its run, in types that every reader of .h5ad knows: uns["ldvae"], and colours."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata.io import write_elem

import ldvae_core
from ldvae_core.analysis.factors import Factors, factor_label
from ldvae_core.data.stored_names import encode
from ldvae_core.data.stored_types import storable_text
from ldvae_core.export.tables import write_table
from ldvae_core.plots.theme import type_colours
from ldvae_core.runs.opened import OpenRun

EXPECTED_COUNTS = {  # by method: how they follow from what is in the file
    "ldvae": "library_size * softmax over genes of X_ldvae @ LDVAE_loadings.T + ldvae_intercept, for a linear decoder "
    "with the library size observed and no covariates",
    "pca": "not from this file: the components are those of log1p counts, and a softmax of them means nothing",
    "nmf": "library_size * X_ldvae @ programs.T, with programs = softmax over genes of ldvae_intercept + each "
    "column of LDVAE_loadings; a softmax of X_ldvae @ LDVAE_loadings.T means nothing",
    "gene_mean": "library_size * softmax over genes of ldvae_intercept; there are no factors",
}
MOST_COLOURED = 102  # categories: beyond, the field's tools have no palette either
CERTIFICATES = ("seed_match", "half_match", "certified")  # numbers; NaN in runs whose number of factors was given


def write_about(
    file: h5py.File,
    factors: Factors,
    *,
    params: Mapping[str, Any],
    notices: Iterable[str],
    notes: Sequence[str],
    results: Sequence[tuple[str, pd.DataFrame]],
    more: Mapping[str, Any],
    certificates: Mapping[str, Any] | None = None,
) -> None:
    """uns["ldvae"]: params, with what was changed while reading, factors, enrichment, version, and more.

    notes: one a factor. results: of gene sets, with their titles. certificates: as from certificates_of.
    """
    about = {
        "params": {**params, "notices": list(notices)},
        "factors": _factors(factors, notes, certificates or {}),
        "version": ldvae_core.__version__,
        **more,
    }
    if results:
        about["enrichment"] = _enrichment(results)
    _write(file, "uns", {"ldvae": about})


def write_colours(
    file: h5py.File, stored: pd.DataFrame, given: Callable[[str], dict[str, str]], names: Mapping[str, str]
) -> None:
    """<column>_colors in category order, so that other tools draw the cell types as we do.

    stored: the annotations as from write_table; names: stored name -> name in the run, of those to be coloured.
    """
    for spelt, name in names.items():
        column = stored[spelt]
        if isinstance(column.dtype, pd.CategoricalDtype) and 1 < len(column.cat.categories) <= MOST_COLOURED:
            colours = type_colours([str(category) for category in column.cat.categories], given(name))
            _write(file["uns"], f"{spelt}_colors", list(colours.values()))


def _factors(factors: Factors, notes: Sequence[str], certificates: Mapping[str, Any]) -> dict[str, Any]:
    everyone = range(factors.n_factors)
    return {
        "names": _texts(factor_label(k, factors.name_of(k)) for k in everyone),
        "notes": _texts(notes),
        "explained_deviance": np.array(factors.explained_deviance, dtype=np.float64),
        "active": np.array(factors.active),
        "guided_by": _texts(factors.set_of(k) for k in everyone),
        "axes": factors.axes,
        **{name: np.full(factors.n_factors, np.nan) for name in CERTIFICATES},
        **certificates,
    }


def certificates_of(opened: OpenRun, factors: Factors) -> dict[str, Any]:
    """How each factor comes back, for write_about; certified is 1 or 0; {} where that is not known."""
    programs = opened.certified(factors)
    if not programs:
        return {}
    found = {name: np.array([getattr(program, name) for program in programs], np.float64) for name in CERTIFICATES}
    return {**found, "bar": opened.certificates.bar if opened.certificates else np.nan}


def _enrichment(results: Sequence[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """All results kept with the run as one table; collection: which gene sets; factors from 1, ends high and low."""
    tables = [table.assign(collection=title) for title, table in results]
    whole = pd.concat(tables, ignore_index=True)
    return whole.assign(factor=whole["factor"] + 1, end=whole["end"].map({"positive": "high", "negative": "low"}))


def _write(group: h5py.Group, key: str, value: Any) -> None:
    """Whatever is said of a run: dicts as groups, tables, lists of one kind as arrays; without None and empty lists."""
    if value is None or (isinstance(value, list) and not value):
        return
    if isinstance(value, Mapping):
        write_elem(group, key, {})
        for name, item in value.items():
            _write(group[key], encode(storable_text(name)), item)
    elif isinstance(value, pd.DataFrame):
        write_table(group, key, value)
    elif isinstance(value, str):
        write_elem(group, key, storable_text(value))
    elif isinstance(value, list):
        _write_list(group, key, value)
    else:
        write_elem(group, key, value)


def _write_list(group: h5py.Group, key: str, values: list[Any]) -> None:
    """Numbers and texts as arrays; anything else by its place, from "0"."""
    if all(isinstance(value, str) for value in values):
        write_elem(group, key, _texts(values))
    elif all(isinstance(value, int | float) for value in values):
        write_elem(group, key, np.array(values))
    else:
        _write(group, key, {str(place): value for place, value in enumerate(values)})


def _texts(values: Iterable[str]) -> np.ndarray:
    return np.array([storable_text(value) for value in values], dtype=object)
