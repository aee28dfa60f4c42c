"""One gene or a list: who loads like it, where it is expressed, and in which cells."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.numbers import fold, three_digits
from ldvae_core.analysis.programs import Use, effects
from ldvae_core.analysis.raster import Raster, Window, mean_raster

PER = 10_000  # counts to which every cell is brought before the logarithm
UNIT = "ln(1 + CP10k)"  # counts per 10,000 counts of the cell
FEWEST_TO_NAME = 20  # cells of a group, before a sentence names it


class GeneCounts(NamedTuple):
    """The counts of one gene that are not zero."""

    cells: np.ndarray  # (n_found,) int32 or int64, ascending
    counts: np.ndarray  # (n_found,)


def genes_of(columns: sparse.csc_matrix, genes: Sequence[int]) -> dict[int, GeneCounts]:
    """Columns (n_cells, len(genes)), taken apart under the positions that they are known by."""
    pieces = zip(genes, pairwise(columns.indptr.tolist()), strict=True)
    return {gene: GeneCounts(columns.indices[low:high], columns.data[low:high]) for gene, (low, high) in pieces}


def log_expression(found: GeneCounts, library_size: np.ndarray) -> np.ndarray:
    """ln(1 + counts per 10,000) in the cells where the gene has counts: (n_found,) float64.

    library_size: (n_cells,), counts of a cell over all genes, as far as they are known; above zero.
    """
    return np.log1p(PER * found.counts.astype(np.float64) / library_size[found.cells])


def mean_expression(
    found: GeneCounts, x: np.ndarray, y: np.ndarray, library_size: np.ndarray, raster: Raster
) -> np.ndarray:
    """Mean of ln(1 + counts per 10,000) over the cells of each bin of a plane: (bins, bins), NaN without cells.

    x, y: (n_cells,), positions on two factors; raster: density_raster of the same. Only the cells with counts of the
    gene are placed: the others add nothing to a bin but their number, which the raster knows.
    """
    window = Window(*(float(edges[end]) for edges in (raster.x_edges, raster.y_edges) for end in (0, -1)))
    own, bins = log_expression(found, library_size), len(raster.x_edges) - 1
    mean, seen = mean_raster(x[found.cells], y[found.cells], own, bins=bins, extent=window)
    total = np.where(seen.counts > 0, mean, 0.0) * seen.counts
    return np.divide(total, raster.counts, out=np.full(total.shape, np.nan), where=raster.counts > 0)


def expression_by_group(
    found: Mapping[int, GeneCounts], labels: pd.Series, library_size: np.ndarray, gene_names: np.ndarray
) -> pd.DataFrame:
    """Every gene in every group of cells. labels: categorical (n_cells,).

    Columns: gene, position (of the gene), group, n_cells, share (of the group's cells with counts of the gene), mean
    (of ln(1 + counts per 10,000) over all cells of the group, zeros included). Groups without cells are left out.
    """
    codes, groups = labels.cat.codes.to_numpy(), [str(name) for name in labels.cat.categories]
    size = np.bincount(codes[codes >= 0], minlength=len(groups))
    tables = []
    for gene, column in found.items():
        own = codes[column.cells]
        known = own >= 0
        with_counts = np.bincount(own[known], minlength=len(groups))
        total = np.bincount(own[known], weights=log_expression(column, library_size)[known], minlength=len(groups))
        row = {"gene": str(gene_names[gene]), "position": gene, "group": groups, "n_cells": size}
        tables.append(pd.DataFrame({**row, "share": with_counts / np.maximum(size, 1),
                                    "mean": total / np.maximum(size, 1)}))  # fmt: skip
    if not tables:
        return pd.DataFrame(columns=["gene", "position", "group", "n_cells", "share", "mean"])
    table = pd.concat(tables, ignore_index=True)
    return table[table["n_cells"] > 0].reset_index(drop=True)


def partners(factors: Factors, gene: int, *, use: Use = "shrunken") -> pd.DataFrame:
    """All other genes by the cosine of their loadings with this gene's, over all factors, the most alike first.

    Loadings are per sd of each factor, so that factors count by how much they move genes. Columns: gene, position,
    cosine, strength (length of the gene's vector of loadings, log fold change), factor (from 0) and loading: where it
    loads most. Genes without any loading point nowhere and are left out; so is every gene when this one has none.
    """
    loading = np.asarray(effects(factors, use=use)[0], np.float64)
    length = np.linalg.norm(loading, axis=1)
    others = np.flatnonzero(length > 0)
    others = others[others != gene] if length[gene] > 0 else others[:0]
    cosine = np.clip(loading[others] @ loading[gene] / (length[others] * (length[gene] or 1.0)), -1.0, 1.0)
    order = np.lexsort((-length[others], -np.round(cosine, 9)))
    chosen = others[order]
    strongest = np.abs(loading[chosen]).argmax(axis=1) if len(chosen) else np.empty(0, int)
    return pd.DataFrame(
        {
            "gene": factors.gene_names[chosen].astype(object),
            "position": chosen,
            "cosine": cosine[order],
            "strength": length[chosen],
            "factor": strongest,
            "loading": loading[chosen, strongest],
        }
    )


def loading_table(factors: Factors, genes: Sequence[int], *, use: Use = "shrunken") -> pd.DataFrame:
    """Several genes in every factor. Columns: gene, position, factor (from 0), loading (log fold change per sd)."""
    loading = effects(factors, use=use)[0][list(genes)]
    n = factors.n_factors
    return pd.DataFrame(
        {
            "gene": np.repeat(factors.gene_names[list(genes)].astype(object), n),
            "position": np.repeat(np.asarray(genes, np.int64), n),
            "factor": np.tile(np.arange(n), len(genes)),
            "loading": np.asarray(loading, np.float64).ravel(),
        }
    )


def strongest_factors(factors: Factors, gene: int) -> np.ndarray:
    """Factors by how strongly the gene loads on them (shrunken, per sd), strongest first: (n_factors,) int."""
    return np.argsort(-np.abs(effects(factors)[0][gene]), kind="stable")


def gene_finding(factors: Factors, gene: int, alike: pd.DataFrame | None = None, *, use: Use = "shrunken") -> str:
    """One sentence: where the gene loads most, and the genes that load like it. alike: from partners."""
    name = str(factors.gene_names[gene])
    loading, error = (values[gene] for values in effects(factors, use=use))
    best = int(np.abs(loading).argmax())
    if not np.abs(loading[best]) > 0:
        return f"{name} loads on no factor."
    times = f"{fold(float(np.exp(abs(loading[best]))), 1)}-fold {'higher' if loading[best] > 0 else 'lower'} per SD"
    sure = "" if np.isnan(error[best]) or abs(loading[best]) > 1.645 * error[best] else ", an interval that includes 0"
    first = f"{name} loads most on {factors.label(best)} (share of molecules {times}{sure})"
    near = [] if alike is None else alike[alike["cosine"] > 0.5]["gene"].head(3).tolist()
    return f"{first}; the genes most like it are {', '.join(near)}." if near else f"{first}."


def group_finding(table: pd.DataFrame, column: str) -> str:
    """One sentence on the first gene of expression_by_group: the group with the highest mean.

    Groups of fewer than FEWEST_TO_NAME cells are not told, for their means are high by luck; "" where all are so small.
    """
    if table.empty:
        return ""
    own = table[(table["position"] == table["position"].iloc[0]) & (table["n_cells"] >= FEWEST_TO_NAME)]
    if own.empty:
        return ""
    top = own.loc[own["mean"].idxmax()]
    if top["mean"] <= 0:
        return f"No group of {column} with {FEWEST_TO_NAME} cells or more has counts of {top['gene']}."
    return (
        f"{top['gene']} is highest in {top['group']}: {top['share']:.0%} of its {int(top['n_cells']):,} cells have "
        f"counts of it, mean {three_digits(float(top['mean']))} {UNIT}."
    )
