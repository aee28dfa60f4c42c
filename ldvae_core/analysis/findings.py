"""Sentences of finding: what a figure shows, computed from the data, in words."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from ldvae_core.analysis.comparison import CovarianceView
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.factors import factor_label as factor_label  # one name for a factor, everywhere
from ldvae_core.analysis.following import FEWEST_CELLS, SEPARATES, closest, strongest
from ldvae_core.analysis.following import FOLLOWS as FOLLOWS  # of groups of cells too
from ldvae_core.analysis.matching import REPLICATES
from ldvae_core.analysis.numbers import explained
from ldvae_core.analysis.programs import require_factors, strongest_genes, top_genes
from ldvae_core.analysis.separation import BestPair
from ldvae_core.analysis.type_genes import Named

AGREE, DIFFER = 20.0, 45.0  # degrees: median angle up to which subspaces agree, and from which they differ


def factor_finding(factors: Factors, factor: int, following: pd.DataFrame | None = None, *, n: int = 3) -> str:
    """One sentence on one factor: what it follows, with the strongest genes of that end; and what it also follows.

    following: from following_table, or None without annotations. Raises SettingsError when there is no such factor.
    """
    require_factors(factors, [factor])
    name = factors.label(factor)
    if not factors.active[factor]:
        return f"{name} is inactive: it hardly varies between cells, so its genes carry no meaning."
    best = None if following is None else closest(following, factor)
    if following is None or best is None:
        return f"{name} {_worth(float(factors.explained_deviance[factor]))}; {_both_ends(factors, factor, n)}."
    told = strongest(following, factor)
    if not told:
        near = f"{_levels(best)}, AUC {auc_words(best['auc'])}"
        few = f"of at least {FEWEST_CELLS} cells"
        return f"{name} follows no group {few} of any annotation (closest: {near}); {_both_ends(factors, factor, n)}."
    high = told[0]["end"] == "high"
    genes = top_genes(factors, factor, n, end="positive" if high else "negative").gene.tolist()
    where = "its strongest genes" if high else "the strongest genes of that end"
    also = f"; it also {_follows(told[1])}" if len(told) > 1 else ""
    return f"{name} {_follows(told[0])}; {where} {_are(genes)}{also}."


def follow_words(row: Mapping[str, Any]) -> str:
    """'IFN-beta against control: AUC 0.90, above 0.99 within CD14+ Monocytes'. row: of following_table."""
    end = "" if row["end"] == "high" else " at the low end"
    return f"{_levels(row)}{end}: {_how_well(row)}"


def pair_finding(factors: Factors, pair: tuple[int, int], following: pd.DataFrame | None = None, *, n: int = 3) -> str:
    """One sentence on the plane of two factors: what each axis follows, with the n first genes of that end.

    following: from following_table, or None without annotations.
    """
    said = [_axis_words(factors, factor, following, n) for factor in pair]
    return f"{'; '.join(said)}."


def _axis_words(factors: Factors, factor: int, following: pd.DataFrame | None, n: int) -> str:
    """'Factor 1 is high in ExE endoderm, with Rbp4, Ttr and Apoc2'."""
    name = factors.label(factor)
    if not factors.active[factor]:
        return f"{name} is inactive"
    told = strongest(following, factor) if following is not None else []
    if not told:
        return f"{name} {_worth(float(factors.explained_deviance[factor]))}: {_both_ends(factors, factor, n)}"
    genes = strongest_genes(factors, factor, n, end="positive" if told[0]["end"] == "high" else "negative")
    within = "" if told[0]["auc"] >= FOLLOWS else f" within {told[0]['within']}"
    return f"{name} is {told[0]['end']} in {told[0]['level']}{within}" + (f", with {join(genes)}" if genes else "")


def association_finding(associations: pd.DataFrame, factors: Factors, *, value: Literal["correlation", "auc"]) -> str:
    """The factor that follows one type most closely, by the measure that is shown; "" without types to judge.

    associations: from association_table; types of fewer than 20 cells, and inactive factors, are not told.
    """
    able = associations[(associations["n_cells"] >= FEWEST_CELLS) & associations[value].notna()]
    able = able[np.asarray(factors.active, bool)[able["factor"]]]
    if able.empty:
        return ""
    size = (able[value] - (0.5 if value == "auc" else 0.0)).abs()
    top = able.iloc[int(size.to_numpy().argmax())]
    name = factors.label(int(top["factor"]))
    if value == "correlation":
        most = f"correlation {top['correlation']:+.2f}".replace("-", "−")
        return f"By correlation, {name} follows one type most closely: {top['cell_type']} ({most})."
    end = "high" if top["auc"] >= 0.5 else "low"
    auc = auc_words(max(top["auc"], 1 - top["auc"]))
    return f"By AUC, {name} follows one type most closely: {top['cell_type']} at its {end} end (AUC {auc})."


def best_pair_finding(
    best: BestPair, factors: Factors | None = None, named: Named | None = None, *, n: int = 4, chosen_here: bool = False
) -> str:
    """How well the best pair tells the chosen types apart; if it does, where each lies; the genes of each type.

    named: from named_genes, whose first n a type are told; None while the counts are not compared. chosen_here: people
    or a clustering chose the groups on the factors themselves, and then no test of genes applies.
    """
    x, y = (factors.label(factor) if factors else factor_label(factor) for factor in best.pair)
    said = [
        f"Factors {best.pair[0] + 1} and {best.pair[1] + 1} {'tell' if best.tells_apart else 'hardly tell'} "
        f"{join(best.types)} apart: {_percent(best.balanced_accuracy)} of cells on the right side (balanced accuracy)."
    ]
    if best.tells_apart:
        places = (
            f"{cell_type} towards {_towards(direction.to_numpy(float), (x, y))}"
            for cell_type, direction in best.directions.iterrows()
        )
        said.append(f"Where they lie: {'; '.join(places)}.")
    if chosen_here:
        said.append("These groups were chosen on the factors, where p values do not apply: no gene is named for them.")
    elif named is not None:
        said.append(named_genes_finding(named, n=n))
    return " ".join(said)


def named_genes_finding(named: Named, *, n: int = 4) -> str:
    """The genes that the counts put higher in one type than in each other one; where there are none, its lowest."""
    others = "each other one of these types" if len(named.high) > 2 else "the other one"
    if not any(named.high.values()) and not any(named.low.values()):
        return "No gene that these factors show is higher in one of the types than in " + others + " (q < 5%)."
    parts = []
    for kind, genes in named.high.items():
        if genes:
            parts.append(f"{', '.join(genes[:n])} in {kind}")
        elif named.low[kind]:
            parts.append(f"none in {kind}, where {', '.join(named.low[kind][:n])} {_is(named.low[kind][:n])} lower")
        else:
            parts.append(f"none in {kind}")
    return f"Higher than in {others}, by the counts (q < 5%): {'; '.join(parts)}."


def matching_finding(table: pd.DataFrame, angles: np.ndarray, names: tuple[str, str]) -> str:
    """How many programs of the first run the second one found, and whether the two span the same subspace.

    table: from matching_table; angles: from principal_angles, radians; names: of the two runs.
    """
    active, found, angle = int(table["active"].sum()), int(table["found"].sum()), float(np.degrees(np.median(angles)))
    programs = f"{found} of {active} active program{'s' * (active != 1)} of {names[0]}"
    first = f"{programs} {'is' if found == 1 else 'are'} found in {names[1]} (match at least {REPLICATES:g})"
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


def _follows(row: Mapping[str, Any]) -> str:
    """'separates IFN-beta from control (AUC ...)': among all cells, or where only that is sure, within a level."""
    inside = "" if row["auc"] >= FOLLOWS else f" within {row['within']}"
    verb = "separates" if (row["within_auc"] if inside else row["auc"]) >= SEPARATES else "follows"
    against = f" {'from' if verb == 'separates' else 'against'} {row['against']}" if row["against"] else ""
    end = "" if row["end"] == "high" else " at its low end"
    how = f"AUC {auc_words(row['within_auc'])}; {auc_words(row['auc'])} over all cells" if inside else _how_well(row)
    return f"{verb} {row['level']}{against}{end}{inside} ({how})"


def _levels(row: Mapping[str, Any]) -> str:
    return f"{row['level']} against {row['against']}" if row["against"] else str(row["level"])


def _how_well(row: Mapping[str, Any]) -> str:
    """The AUC among all cells; the one within a level of another annotation, where it is clearer; and what is lost."""
    if row["auc"] < FOLLOWS:
        if not row["follows"]:
            return f"AUC {auc_words(row['auc'])}"
        return f"AUC {auc_words(row['within_auc'])} within {row['within']}, {auc_words(row['auc'])} over all cells"
    said = f"AUC {auc_words(row['auc'])}"
    if row["left_auc"] - 0.5 < (row["auc"] - 0.5) / 2:
        return f"{said}, but {auc_words(row['left_auc'])} among cells of one {row['left_column']}"
    if row["within_auc"] >= row["auc"] + 0.03:
        return f"{said}, {auc_words(row['within_auc'])} within {row['within']}"
    return said


def _worth(share: float) -> str:
    return f"accounts for {explained(share)} of the held-out deviance"


def _both_ends(factors: Factors, factor: int, n: int) -> str:
    high, low = (top_genes(factors, factor, n, end=end).gene.tolist() for end in ("positive", "negative"))
    parts = [f"{', '.join(genes)} at its {side} end" for genes, side in ((high, "high"), (low, "low")) if genes]
    return f"its strongest genes are {' and '.join(parts)}" if parts else "no gene stands out"


def _are(genes: Sequence[str]) -> str:
    return f"are {', '.join(genes)}" if len(genes) > 1 else f"is {genes[0]}" if genes else "are not known"


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


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


def placement_finding(found: Mapping[str, Mapping[str, Any]]) -> str:
    """That the figures of some runs are of refined positions and those of others not; "" where they are alike.

    found: metrics of each run by its name, of LDVAE runs only: baselines have no encoder to be refined after.
    """
    refined = [name for name, metrics in found.items() if metrics.get("positions") == "refined"]
    others = [name for name in found if name not in refined]
    if not refined or not others:
        return ""
    return (
        f"The cells of {join(refined)} are refined, those of {join(others)} stand where the encoder alone puts them: "
        "the figures differ by that, too, not only by what the models have learned."
    )
