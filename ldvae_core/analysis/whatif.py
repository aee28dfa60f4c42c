"""What if a cell moved along its factors: the fractions that the model predicts before and after, gene by gene."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import softmax

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.findings import join
from ldvae_core.analysis.programs import Use, require_factors
from ldvae_core.errors import SettingsError
from ldvae_core.model.config import ModelConfig

PER = 10_000  # molecules of a cell that fractions are shown for
FEWEST = 0.1  # molecules per 10,000, before or after: of rarer genes a fold change says nothing anyone could see


def softmax_problem(model: ModelConfig) -> str:
    """Why a run's model has no such prediction, in one sentence; "" when it has."""
    if model.is_baseline:
        name = {"pca": "a PCA", "nmf": "an NMF", "gene_mean": "the gene-mean model"}[model.method]
        return f"This run is {name}, a baseline: it has no softmax that turns factors into fractions."
    if model.decoder == "neural":
        return "This run has a neural decoder: its loadings are mean slopes and predict no cell."
    return ""


def moved(factors: Factors, start: np.ndarray, changes: Mapping[int, float]) -> np.ndarray:
    """The position after moving: (n_factors,) float64.

    start: (n_factors,), in prior standard deviations, or usages; changes: factor -> standard deviations of that factor
    over cells. Usages stay usages: a moved one stays within 0 and 1, moved ones that exceed 1 together are scaled to
    1, and the others share the rest in their old proportions (in those of the average cell where they had nothing).
    Raises SettingsError when there is no such factor.
    """
    require_factors(factors, list(changes))
    z = np.array(start, np.float64)
    chosen = np.array([factor for factor, change in changes.items() if change], int)
    if not len(chosen):
        return z
    z[chosen] += [changes[factor] * factors.scale[factor] for factor in chosen]
    return _on_simplex(z, chosen, factors.centre) if factors.are_usages else z


def fractions(factors: Factors, z: np.ndarray, *, use: Use = "raw") -> np.ndarray:
    """softmax(W z + b): (n_genes,) float64, sums to 1; covariates at their average.

    z: (n_factors,). use: "raw", the fitted loadings, or "shrunken".
    """
    weights = factors.loadings if use == "raw" else factors.loadings_shrunken
    return softmax(np.asarray(weights, np.float64) @ z + np.asarray(factors.intercept, np.float64))


def change_table(factors: Factors, start: np.ndarray, end: np.ndarray, *, use: Use = "raw") -> pd.DataFrame:
    """Every gene before and after, the largest change of molecules first.

    start, end: (n_factors,). Columns: gene; before, after, change: molecules per 10,000 of the cell; log2_fold.
    """
    before, after = (PER * fractions(factors, z, use=use) for z in (start, end))
    with np.errstate(divide="ignore", invalid="ignore"):  # a fraction that underflows to 0
        fold = np.log2(after) - np.log2(before)
    table = pd.DataFrame(
        {"gene": factors.gene_names, "before": before, "after": after, "change": after - before, "log2_fold": fold}
    )
    order = np.argsort(-np.abs(table["change"].to_numpy()), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def largest_changes(table: pd.DataFrame, n: int = 10, *, by: str = "change") -> pd.DataFrame:
    """The n genes that rise most, the largest rise first, then the n that fall most, the largest fall last.

    table: from change_table. by: "change", or "log2_fold", then only of genes with at least 0.1 molecules per 10,000
    before or after. Raises SettingsError for another measure.
    """
    if by not in ("change", "log2_fold"):
        raise SettingsError(f"Changes cannot be ordered by {by!r}.", "Choose change or log2_fold.")
    seen = table[np.isfinite(table[by].to_numpy(float))]
    if by == "log2_fold":
        seen = seen[seen[["before", "after"]].max(axis=1) >= FEWEST]
    ordered = seen.sort_values(by, ascending=False, kind="stable")
    notable = ordered[by].abs() > 1e-9
    rising, falling = ordered[notable & (ordered[by] > 0)].head(n), ordered[notable & (ordered[by] < 0)].tail(n)
    return pd.concat([rising, falling]).reset_index(drop=True)


def whatif_finding(
    factors: Factors, changes: Mapping[int, float], table: pd.DataFrame, *, start: str, by: str = "change"
) -> str:
    """One sentence: what was moved, and which gene it raises and lowers most. start: "the mean cell", "cell AAAC-1".

    by: as in largest_changes.
    """
    moves = [
        f"{'raising' if change > 0 else 'lowering'} {factors.label(factor)} by {abs(change):g} SD"
        for factor, change in changes.items()
        if change
    ]
    if not moves:
        return f"Nothing has changed yet: move a slider, and see how the genes of {start} follow."
    said = join(moves) if len(moves) <= 3 else f"moving {len(moves)} factors"
    shown = largest_changes(table, 1, by=by)
    parts = [
        f"{'raises' if after > before else 'lowers'} {gene} most ({_number(before)} to {_number(after)} "
        f"molecules per 10,000{_times(after / before)})"
        for gene, before, after in zip(shown["gene"], shown["before"], shown["after"], strict=True)
        if before > 0
    ]
    if not parts:
        return f"From {start}, {said} changes no gene."
    return f"From {start}, {said} {join(parts)}."


def _on_simplex(z: np.ndarray, chosen: np.ndarray, average: np.ndarray) -> np.ndarray:
    z[chosen] = np.clip(z[chosen], 0.0, 1.0)
    taken = z[chosen].sum()
    others = np.setdiff1d(np.arange(len(z)), chosen)
    if taken > 1 or not len(others):
        z[chosen] = z[chosen] / taken if taken > 0 else 1 / len(chosen)
        taken = 1.0
    shares = np.maximum(z[others], 0.0)
    if len(others) and not shares.sum() > 0:
        shares = np.maximum(average[others], 1e-12)
    z[others] = (1 - taken) * shares / (shares.sum() or 1.0)
    return z


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.2g}" if value < 9.95 else f"{value:.3g}"


def _times(ratio: float) -> str:
    """', 2.4 times as many', only where the fold says more than the numbers."""
    return f", {ratio:.2g} times" if np.isfinite(ratio) and (ratio >= 1.05 or ratio <= 0.95) else ""
