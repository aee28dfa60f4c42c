"""Sentences of finding: what a figure shows, computed from the data, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ldvae_core.analysis.comparison import REPLICATES, CovarianceView
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.factors import factor_label as factor_label  # one name for a factor, everywhere
from ldvae_core.analysis.programs import biplot_table, require_factors, top_genes
from ldvae_core.analysis.separation import BestPair, best_types

SEPARATES = 0.9  # AUC from which a factor is said to separate a type from the rest
FOLLOWS = 0.75  # from here on it is said to follow it
AGREE, DIFFER = 20.0, 45.0  # degrees: median angle up to which subspaces agree, and from which they differ


def factor_finding(factors: Factors, factor: int, associations: pd.DataFrame | None = None, *, n: int = 3) -> str:
    """One sentence on one factor: the cell type it separates and the strongest genes of that end.

    associations: from association_table, or None without labels. Raises SettingsError when there is no such factor.
    """
    require_factors(factors, [factor])
    name = factors.label(factor)
    if not factors.active[factor]:
        return f"{name} is inactive: it hardly varies between cells, so its genes carry no meaning."
    best = None if associations is None else best_types(associations).query("factor == @factor")
    if best is None or best.empty:
        share = f"{name} accounts for {factors.explained_deviance[factor]:.1%} of the held-out deviance"
        return f"{share}; {_both_ends(factors, factor, n)}."
    match = best.iloc[0]
    auc, high = max(match.auc, 1 - match.auc), match.auc >= 0.5
    if auc < FOLLOWS:
        return (
            f"{name} follows no single cell type (closest: {match.cell_type}, AUC {auc_words(auc)}); "
            f"{_both_ends(factors, factor, n)}."
        )
    genes = top_genes(factors, factor, n, end="positive" if high else "negative").gene.tolist()
    verb = "separates" if auc >= SEPARATES else "follows"
    end = "" if high else " at its low end"
    where = "its strongest genes" if high else "the strongest genes of that end"
    return f"{name} {verb} {match.cell_type}{end} (AUC {auc_words(auc)}); {where} {_are(genes)}."


def pair_finding(
    factors: Factors, pair: tuple[int, int], associations: pd.DataFrame | None = None, *, n: int = 4
) -> str:
    """One sentence on the plane of two factors: the types its axes separate, and the genes with the longest arrows."""
    table = biplot_table(factors, pair, n_arrows=n)
    arrows = table[table.arrow].sort_values("length", ascending=False, kind="stable")
    names = f"Factors {pair[0] + 1} and {pair[1] + 1}"
    genes = f"the longest arrows are {join(arrows.gene.tolist())}" if len(arrows) else "no gene stands out"
    matches = pd.DataFrame() if associations is None else best_types(associations)
    parts = []
    for factor in pair:
        found = matches[matches.factor == factor] if len(matches) else matches
        if len(found) and factors.active[factor] and max(found.auc.iloc[0], 1 - found.auc.iloc[0]) >= FOLLOWS:
            side = "high" if found.auc.iloc[0] >= 0.5 else "low"
            parts.append(f"{factors.label(factor)} is {side} in {found.cell_type.iloc[0]}")
    if not parts:
        share = " and ".join(f"{factors.explained_deviance[factor]:.1%}" for factor in pair)
        return f"{names} account for {share} of the held-out deviance; {genes}."
    return f"{' and '.join(parts)}; {genes}."


def best_pair_finding(best: BestPair, factors: Factors | None = None) -> str:
    """Two sentences: how well the best pair of factors tells the chosen types apart, and where each type lies."""
    x, y = (factors.label(factor) if factors else factor_label(factor) for factor in best.pair)
    apart = "tell" if best.balanced_accuracy >= 0.5 + 0.5 / len(best.types) else "hardly tell"
    first = (
        f"Factors {best.pair[0] + 1} and {best.pair[1] + 1} {apart} {join(best.types)} apart: "
        f"{_percent(best.balanced_accuracy)} of cells on the right side (balanced accuracy)."
    )
    places = [
        f"{cell_type} towards {_towards(direction.to_numpy(float), (x, y))}"
        for cell_type, direction in best.directions.iterrows()
    ]
    return f"{first} Where they lie: {'; '.join(places)}."


def matching_finding(table: pd.DataFrame, angles: np.ndarray, names: tuple[str, str]) -> str:
    """How many programs of the first run the second one found, and whether the two span the same subspace.

    table: from matching_table; angles: from principal_angles, radians; names: of the two runs.
    """
    active, found, angle = int(table["active"].sum()), int(table["found"].sum()), float(np.degrees(np.median(angles)))
    programs = f"{found} of {active} active program{'s' * (active != 1)} of {names[0]}"
    first = f"{programs} {'is' if found == 1 else 'are'} found in {names[1]} (|cosine| at least {REPLICATES:g})"
    said = f"median angle {angle:.0f}°"
    if angle <= AGREE:
        rest = "" if found >= 0.8 * active else ", so the axes are turned, not the programs lost"
        return f"{first}; the subspaces agree ({said}){rest}."
    if angle >= DIFFER:
        return f"{first}; the subspaces differ ({said}): the two models describe the cells differently."
    return f"{first}; the subspaces agree in part ({said})."


def spectrum_finding(view: CovarianceView, *, usage: bool) -> str:
    """What the eigenvalues say: how much the first component takes, how many take 90%, and the zero of usages."""
    shares, n = view.eigenvalue_share, len(view.eigenvalue_share)
    most = int(np.searchsorted(np.cumsum(shares), 0.9 - 1e-9) + 1)
    even = f"an even spread would be {1 / n:.0%} each"
    said = f"The first component takes {_percent(float(shares[0]))} of the standardised variance, and {most} of {n}"
    said = f"{said} take 90% of it; {even}."
    off = np.abs(view.correlation - np.eye(n))
    if n > 1:
        a, b = sorted(np.unravel_index(int(off.argmax()), off.shape))
        said = f"Factors {a + 1} and {b + 1} correlate most ({view.correlation[a, b]:+.2f}). {said}"
    if usage:
        said = f"{said} One eigenvalue is zero, because usages sum to 1 in every cell."
    return said


def structure_finding(metrics: Mapping[str, Any]) -> str:
    """Why a run is not to be read, when it predicts no better than each gene's mean; "" when it does or is not known.

    metrics: of a finished run; structure_found, gain and gain_se (nats per cell) where it has them.
    """
    if metrics.get("structure_found") is not False:
        return ""
    gain, error, than = metrics.get("gain"), metrics.get("gain_se"), "each gene's mean"
    if metrics.get("chance_gain") is not None and gain is not None and gain > 0:
        gain, error = metrics["chance_gain"], metrics.get("chance_gain_se")
        than = "genes that vary independently of each other"
    known = isinstance(gain, int | float) and isinstance(error, int | float)
    figure = f" (gain {gain:+.2f} ± {error:.2f} nats per cell)".replace("-", "−") if known else ""
    return f"No structure found: on held-out cells this model predicts no better than {than}{figure}."


def _towards(direction: np.ndarray, names: tuple[str, str]) -> str:
    """'high Factor 2', and the other axis too when it counts for more than half as much."""
    notable = np.flatnonzero(np.abs(direction) > 0.5 * np.abs(direction).max())
    return " and ".join(f"{'high' if direction[axis] > 0 else 'low'} {names[axis]}" for axis in notable) or "the centre"


def join(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def _both_ends(factors: Factors, factor: int, n: int) -> str:
    high, low = (top_genes(factors, factor, n, end=end).gene.tolist() for end in ("positive", "negative"))
    parts = [f"{', '.join(genes)} at its {side} end" for genes, side in ((high, "high"), (low, "low")) if genes]
    return f"its strongest genes are {' and '.join(parts)}" if parts else "no gene stands out"


def _are(genes: Sequence[str]) -> str:
    return f"are {', '.join(genes)}" if len(genes) > 1 else f"is {genes[0]}" if genes else "are not known"


def auc_words(value: float) -> str:
    """Two decimals, but never a rounded 1: "above 0.99"."""
    return "above 0.99" if 0.995 <= value < 1 else f"{value:.2f}"


def _percent(share: float) -> str:
    """Whole percent, but never a rounded 100%."""
    return "over 99%" if 0.995 <= share < 1 else f"{np.round(100 * share):.0f}%"


def position_findings(metrics: Mapping[str, Any]) -> list[str]:
    """What a reader of a run's programs must know of their axes and positions, a sentence each; often none."""
    found = []
    if metrics.get("programs_overlap"):
        found.append(
            "Programs overlap: by their genes, some of them go together in the same cells (correlation up to "
            f"{float(metrics.get('program_correlation', 0)):.2f}), which factors, uncorrelated by construction, cannot "
            "show one by one. A factor here can be a sum or a difference of programs, and the intervals of its "
            "loadings hold for the factor, not for a program."
        )
    if why := metrics.get("not_refined"):
        found.append(f"The cells stand where the encoder alone puts them, not refined: {why}.")
    return found
