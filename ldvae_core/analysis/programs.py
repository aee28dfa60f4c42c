"""Gene programs as tables: the strongest genes of a factor, the biplot of a pair, one row per factor."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Literal

import numpy as np
import pandas as pd

from ldvae_core.analysis.factors import Factors, GeneOrder
from ldvae_core.analysis.separation import association_table, best_types
from ldvae_core.analysis.uncertainty import INTERVAL_90
from ldvae_core.errors import SettingsError

Use = Literal["shrunken", "raw"]
End = Literal["both", "positive", "negative"]
ALL = slice(None)
LEAST_ARROW = 0.2  # of the first gene's place in gene_ranking: 4% of what it carries
SIGNS: dict[Literal["positive", "negative"], float] = {"positive": 1.0, "negative": -1.0}


def effects(
    factors: Factors, *, use: Use = "shrunken", of: int | list[int] | slice = ALL
) -> tuple[np.ndarray, np.ndarray]:
    """Loading and its uncertainty, log fold change per standard deviation of the factor: both (n_genes, n_factors).

    use: "shrunken" (posterior mean and sd) or "raw" (estimate and standard error). of: some factors only; for one
    number both are (n_genes,).
    """
    loading, error = (
        (factors.loadings, factors.loadings_se)
        if use == "raw"
        else (factors.loadings_shrunken, factors.loadings_shrunken_sd)
    )
    scale = factors.scale[of]
    return np.asarray(loading)[:, of] * scale, np.asarray(error)[:, of] * scale


def genes_at(factors: Factors, factor: int, end: Literal["positive", "negative"], *, use: Use = "shrunken",
             order: GeneOrder | None = None) -> np.ndarray:  # fmt: skip
    """The genes whose effect points to this end, the one that leads first: their places, int.

    order: "deviance", by what each carries of the factor's explained deviance on held-out cells; "effect", by the
    effect, which also serves where the deviance is not known; None: as factors.gene_order says. A gene with effect 0
    belongs to neither end.
    """
    effect = effects(factors, use=use, of=factor)[0] * SIGNS[end]
    there = np.flatnonzero(effect > 0)
    carried = led_by_deviance(factors, order)
    by = effect if carried is None else np.asarray(carried)[:, factor]
    return there[np.argsort(-by[there], kind="stable")]


def led_by_deviance(factors: Factors, order: GeneOrder | None = None) -> np.ndarray | None:
    """factors.gene_deviance where it decides the order of genes; None where effects do."""
    return factors.gene_deviance if (order or factors.gene_order) == "deviance" else None


def gene_ranking(factors: Factors) -> np.ndarray:
    """Every factor's genes from the high end to the low one, as numbers: (n_genes, n_factors) float64.

    The root of what a gene carries of the explained deviance, signed by its effect: the root, because deviance grows
    with the square of an effect. At least a thousandth of the largest, so that genes that carry nothing keep a side and
    a weight. The effects themselves where these decide the order.
    """
    effect, carried = np.asarray(effects(factors)[0], np.float64), led_by_deviance(factors)
    if carried is None:
        return effect
    root = np.sqrt(np.maximum(np.asarray(carried, np.float64), 0.0))
    return np.sign(effect) * np.maximum(root, root.max(axis=0, keepdims=True, initial=0.0) / 1000)


def deviance_shares(factors: Factors, of: int) -> np.ndarray:
    """Share of the factor's explained deviance that each gene carries, signed by its effect: (n_genes,) float64.

    Times the sign of the effect they sum to 1. NaN where unknown, and of a factor that explains nothing.
    """
    explained = float(factors.explained_deviance[of])
    if factors.gene_deviance is None or not explained > 0:
        return np.full(factors.n_genes, np.nan)
    by_gene = np.asarray(factors.gene_deviance[:, of], np.float64)
    return np.sign(effects(factors, of=of)[0]) * by_gene / explained


def top_genes(factors: Factors, factor: int, n: int = 25, *, use: Use = "shrunken", end: End = "both",
              order: GeneOrder | None = None) -> pd.DataFrame:  # fmt: skip
    """The n first genes at each asked-for end of one factor, as from genes_at, positive end first.

    Columns: gene; end ("positive" or "negative"); rank from 1 within its end; loading, low, high: log fold change per
    sd of the factor, with its 90% interval; deviance_share: as from deviance_shares. Raises SettingsError when there is
    no such factor.
    """
    require_factors(factors, [factor])
    loading, error = effects(factors, use=use, of=factor)
    share = deviance_shares(factors, factor)
    tables = []
    for name in SIGNS if end == "both" else [end]:
        best = genes_at(factors, factor, name, use=use, order=order)[: max(n, 0)]
        tables.append(
            pd.DataFrame(
                {
                    "gene": factors.gene_names[best].astype(object),
                    "end": name,
                    "rank": np.arange(1, len(best) + 1),
                    "loading": loading[best],
                    "low": loading[best] - INTERVAL_90 * error[best],
                    "high": loading[best] + INTERVAL_90 * error[best],
                    "deviance_share": share[best],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def strongest_genes(
    factors: Factors,
    factor: int,
    n: int,
    *,
    end: Literal["positive", "negative"],
    use: Use = "shrunken",
    order: GeneOrder | None = None,
) -> list[str]:
    """The names of top_genes at one end, without their table. Raises SettingsError when there is no such factor."""
    require_factors(factors, [factor])
    best = genes_at(factors, factor, end, use=use, order=order)[: max(n, 0)]
    return [str(gene) for gene in factors.gene_names[best]]


def gene_table(factors: Factors, gene: int, *, use: Use = "shrunken") -> pd.DataFrame:
    """One gene's loading in every factor. Columns: factor, label, loading, low, high (per sd, 90% interval), active."""
    loading, error = (values[gene] for values in effects(factors, use=use))
    return pd.DataFrame(
        {
            "factor": np.arange(factors.n_factors),
            "label": [factors.label(factor) for factor in range(factors.n_factors)],
            "loading": loading,
            "low": loading - INTERVAL_90 * error,
            "high": loading + INTERVAL_90 * error,
            "active": np.asarray(factors.active),
        }
    )


def biplot_table(factors: Factors, pair: tuple[int, int], *, use: Use = "shrunken", n_arrows: int = 8) -> pd.DataFrame:
    """Every gene's place in the plane of two factors, in the order of the genes.

    Columns: gene; x, y: loading on the first and second factor, log fold change per sd; length: of the arrow, always of
    the shrunken effect, so that a rare gene's noise earns no arrow; lead: what it carries of the two factors' explained
    deviance, or its length where effects decide the order; arrow: whether it is among the n_arrows that the four ends
    of the axes name in turn, their first genes first, as in genes_at. Raises SettingsError when a factor does not
    exist.
    """
    require_factors(factors, pair)
    columns = list(pair)
    shown, shrunken = effects(factors, use=use, of=columns)[0], effects(factors, of=columns)[0]
    length = np.hypot(*shrunken.T)
    carried = led_by_deviance(factors)
    lead = length if carried is None else np.asarray(carried, np.float64)[:, columns].sum(axis=1)
    arrow = np.zeros(len(length), bool)
    arrow[_named_in_turn(factors, pair, n_arrows)] = True
    names = factors.gene_names.astype(object)
    places = {"x": shown[:, 0], "y": shown[:, 1]}
    return pd.DataFrame({"gene": names, **places, "length": length, "lead": lead, "arrow": arrow})


def _named_in_turn(factors: Factors, pair: tuple[int, int], n: int) -> list[int]:
    """n genes, or as many as there are: the ends of both factors take turns, so that no axis takes all arrows.

    A gene that is far below the first one of its factor gives its end's place to the others: an arrow too short to see
    names nothing.
    """
    ends = []
    for factor in dict.fromkeys(pair):
        weight = np.abs(gene_ranking(factors)[:, factor])
        least = LEAST_ARROW * float(weight.max(initial=0.0))
        for end in SIGNS:
            genes = genes_at(factors, factor, end)
            ends.append([int(gene) for gene in genes[: max(n, 0)] if weight[gene] > least])
    turns = (gene for genes in zip_longest(*ends) for gene in genes if gene is not None)
    return list(dict.fromkeys(turns))[: max(n, 0)]


def factor_table(
    factors: Factors, labels: Sequence[str] | pd.Series | None = None, *, n: int = 5, use: Use = "shrunken"
) -> pd.DataFrame:
    """One row per factor: what a card shows.

    Columns: factor (from 0); explained_deviance (share); active; scale (sd of the factor over cells); positive_genes,
    negative_genes (the n strongest, joined by ", "); and, with labels (n_cells,), cell_type, correlation, auc of the
    best-matching type (missing values where no type has enough cells).
    """
    ends = [top_genes(factors, factor, n, use=use) for factor in range(factors.n_factors)]
    table = pd.DataFrame(
        {
            "factor": np.arange(factors.n_factors),
            "explained_deviance": np.asarray(factors.explained_deviance),
            "active": np.asarray(factors.active),
            "scale": factors.scale,
            **{
                f"{name}_genes": [", ".join(genes.gene[genes.end == name]) for genes in ends]
                for name in ("positive", "negative")
            },
        }
    )
    if labels is None:
        return table
    return table.merge(best_types(association_table(factors, labels)), on="factor", how="left")


def require_factors(factors: Factors, wanted: Sequence[int]) -> None:
    """Raise SettingsError when one of the factors (from 0) does not exist."""
    if absent := [f"Factor {factor + 1}" for factor in wanted if not 0 <= factor < factors.n_factors]:
        raise SettingsError(f"This run has no {' or '.join(absent)}.", f"It has factors 1 to {factors.n_factors}.")
