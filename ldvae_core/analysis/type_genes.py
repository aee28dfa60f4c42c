"""Which genes the counts themselves put higher, or lower, in one cell type than in each other type it is set beside.

A direction in the plane of two factors says where the model raises a gene, and nothing of the types that lie elsewhere
in it. So a gene is named for a type, and its arrow coloured, only where the counts confirm it.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core.analysis.effects import FOUND, gene_effects
from ldvae_core.analysis.numbers import fold
from ldvae_core.analysis.sums import Leading, ReportShare, Sums, group_sums, ignore_share

NAMED = 10  # genes a type that may be named
ALL_GENES = 20  # times as many genes as are modelled may be tested in a data set: what holds here holds there too


class Named(NamedTuple):
    """Genes to be named for every type, those first that the two factors of a plane change most in it."""

    high: dict[str, list[str]]  # higher in the type than in each other chosen one
    low: dict[str, list[str]]  # lower than in each other; of three or more types


def sums_by_type(
    counts: sparse.csr_matrix,
    library_size: np.ndarray,
    codes: np.ndarray,
    n_types: int,
    *,
    report: ReportShare = ignore_share,
) -> tuple[Sums, Leading]:
    """What any choice of types is compared by: one pass over the counts, (n_types, n_genes).

    counts: (n_cells, n_genes) CSR; library_size: (n_cells,) molecules of a cell, above zero; codes: (n_cells,) from 0
    to n_types - 1, -1 for cells of no type.
    """
    return group_sums(counts, library_size, codes, n_types, report=report)


def type_genes(
    sums: tuple[Sums, Leading], gene_names: np.ndarray, kinds: Sequence[int], types: Sequence[str]
) -> pd.DataFrame:
    """single_out for the chosen types, each compared with each other one.

    sums: from sums_by_type; kinds: the rows of the chosen types in it; types: their names. q counts as if 20 times as
    many genes were tested, so that a comparison of all genes of the data set finds what is named here.
    """
    comparisons = {}
    for a, b in combinations(range(len(kinds)), 2):
        two = [kinds[a], kinds[b]]
        totals, leading = (type(part)(*(values[two] for values in part)) for part in sums)
        found = gene_effects(Sums(*totals), gene_names, Leading(*leading))
        comparisons[a, b] = found.assign(q=found["q"] * ALL_GENES)
    return single_out(comparisons, gene_names, types)


def single_out(
    comparisons: Mapping[tuple[int, int], pd.DataFrame], gene_names: np.ndarray, types: Sequence[str]
) -> pd.DataFrame:
    """One row a gene: the one type, if any, in which the counts put it above, or below, each other one.

    comparisons: for every two types, by their places, a table with gene, mean_first, mean_second, log2_fold_change, q
    and carried_by_one_cell; a gene that it lacks, or whose q is not known, is not told. Columns: gene; high_in, low_in:
    the type whose mean lies above (below) that of each other type with q < .05 in each comparison, none of them carried
    by a single cell, "" when there is none; high_fold, low_fold: how many times, in the smallest of the comparisons
    (NaN when there is none); high_next, low_next: the other type of that comparison. Of two types, a gene is high in
    one exactly when it is low in the other.
    """
    n_types, n_genes = len(types), len(gene_names)
    above = np.zeros((n_types, n_types, n_genes), bool)  # the first is above the second
    fold = np.full((n_types, n_types, n_genes), np.nan)  # log2, first over second
    names = np.asarray(gene_names).astype(object)
    for (a, b), table in comparisons.items():
        found = table.set_index("gene").reindex(names)
        alone = (found["carried_by_one_cell"] == True).to_numpy()  # noqa: E712  (a missing gene has none)
        sure, more = (found["q"] < FOUND).to_numpy() & ~alone, (found["mean_first"] - found["mean_second"]).to_numpy()
        above[a, b], above[b, a] = sure & (more > 0), sure & (more < 0)
        fold[a, b] = found["log2_fold_change"]
        fold[b, a] = -fold[a, b]
    high, low = _singled_out(above, fold, types), _singled_out(above.transpose(1, 0, 2), -fold, types)
    columns = {f"{side}_{name}": values for side, found in (("high", high), ("low", low)) for name, values in found}
    return pd.DataFrame({"gene": names} | columns)


def named_genes(biplot: pd.DataFrame, directions: pd.DataFrame, genes: pd.DataFrame, *, n_each: int) -> Named:
    """At most n_each genes for every type that the counts single out and the plane of two factors shows.

    biplot: from biplot_table; directions: BestPair.directions; genes: from single_out. A high gene is one that the two
    factors raise in the type, against the types' common centre, and a low gene one that they lower there; judged by
    shrunken lengths, as the longest arrows are.
    """
    known, rise = genes.set_index("gene").reindex(biplot["gene"]), _rise(biplot, directions)
    name = biplot["gene"].to_numpy(object)
    high, low = {}, {}
    for number, kind in enumerate(map(str, directions.index)):
        own, lowest = (known[side].to_numpy(object) == kind for side in ("high_in", "low_in"))
        high[kind] = name[_most(np.where(own, rise[:, number], 0.0), n_each)].tolist()
        lowest &= len(directions) > 2
        low[kind] = name[_most(np.where(lowest, -rise[:, number], 0.0), n_each)].tolist()
    return Named(high, low)


def point_arrows(
    biplot: pd.DataFrame, directions: pd.DataFrame, genes: pd.DataFrame | None, *, n_each: int
) -> pd.DataFrame:
    """biplot_table with arrows to n_each genes of every type: its high genes, then its low ones where these are fewer.

    genes: from single_out; None while the counts are not compared: the n_each that the two factors raise most in each.
    Further columns: cell_type, the type that a gene is high in, "" where there is none or not known; told: what the
    counts say of the gene, in words.
    """
    if genes is None:
        rise = _rise(biplot, directions)
        own = [np.where(rise.argmax(axis=1) == kind, rise[:, kind], 0.0) for kind in range(len(directions))]
        arrow = np.isin(np.arange(len(biplot)), np.concatenate([_most(strength, n_each) for strength in own]))
        return biplot.assign(cell_type="", told="", arrow=arrow)
    named = named_genes(biplot, directions, genes, n_each=n_each)
    chosen = {gene for kind, high in named.high.items() for gene in (high + named.low[kind])[:n_each]}
    known = genes.set_index("gene").reindex(biplot["gene"]).reset_index()
    return biplot.assign(
        cell_type=known["high_in"].fillna("").to_numpy(object),
        told=_told(known),
        arrow=biplot["gene"].isin(chosen).to_numpy(),
    )


def _rise(biplot: pd.DataFrame, directions: pd.DataFrame) -> np.ndarray:
    """(n_genes, n_types): the inner product of the gene's arrow, as long as its shrunken effect, with the direction."""
    places = biplot[["x", "y"]].to_numpy(np.float64)
    drawn = np.hypot(*places.T)
    shrink = np.divide(biplot["length"].to_numpy(np.float64), drawn, out=np.zeros_like(drawn), where=drawn > 0)
    return places @ directions[["x", "y"]].to_numpy(np.float64).T * shrink[:, None]


def _most(strength: np.ndarray, n: int) -> np.ndarray:
    """The places of the n largest above zero."""
    best = np.argsort(-strength, kind="stable")[: max(n, 0)]
    return best[strength[best] > 0]


def _singled_out(beyond: np.ndarray, size: np.ndarray, types: Sequence[str]) -> list[tuple[str, np.ndarray]]:
    """The type beyond each other one. beyond, size: (n_types, n_types, n_genes), of the first against the second."""
    n_types, _, n_genes = beyond.shape
    kind, fold, nearest = np.full(n_genes, "", object), np.full(n_genes, np.nan), np.full(n_genes, "", object)
    for own in range(n_types):
        others = [other for other in range(n_types) if other != own]
        genes = np.flatnonzero(beyond[own, others].all(axis=0))
        sizes = size[own, others][:, genes]
        kind[genes], fold[genes] = types[own], 2.0 ** sizes.min(axis=0)
        nearest[genes] = [types[others[place]] for place in sizes.argmin(axis=0)]
    return [("in", kind), ("fold", fold), ("next", nearest)]


def _told(genes: pd.DataFrame) -> list[str]:
    """'high in B cells: 3.1-fold against NK cells, the next'."""
    told = []
    for row in genes.fillna({"high_in": "", "low_in": ""}).to_dict("records"):
        sides = [side for side in ("high", "low") if row[f"{side}_in"]]
        told.append("; ".join(
            f"{side} in {row[f'{side}_in']}: {fold(row[f'{side}_fold'])}-fold against {row[f'{side}_next']}, the next"
            for side in sides
        ))  # fmt: skip
    return told
