"""What a run keeps of the gene sets that guided its factors: which of them hold, and what the data changed in them."""

from pathlib import Path
from typing import Any

import numpy as np

from ldvae_core.analysis.factors import Factors, load_factors
from ldvae_core.analysis.guided import Borne, GuidedAxes, borne_out, changes_of
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.guide import Guide, Matched, match_guide


def guide_for(guide: Guide, counts: CountMatrix) -> Matched | None:
    """The sets among the modelled genes; None without any. Raises SettingsError for sets that cannot guide."""
    return match_guide(guide, counts.gene_names) if guide else None


def judged_sets(
    guide: Matched | None, loadings: np.ndarray, counts: CountMatrix
) -> tuple[list[Borne], GuidedAxes | None]:
    """Every set judged, and the axes of those that are borne out. loadings (n_genes, n_factors): as trained."""
    if guide is None:
        return [], None
    abundance = np.asarray(counts.counts.mean(axis=0), np.float64).ravel()
    weights = np.asarray(loadings, np.float64)
    judged = borne_out(weights - weights.mean(axis=0), abundance, guide.member)
    return judged, GuidedAxes.of(judged, guide.names, guide.member, loadings.shape[1])


def guided_sets(guide: Matched, judged: list[Borne], factors: Factors) -> list[dict[str, Any]]:
    """One dictionary a set, for metrics.json; genes by name, factors on axes that hold the guided ones."""
    rows = []
    for s, (name, found) in enumerate(zip(guide.names, judged, strict=True)):
        row = {"set": name, "active": found.active, "share": found.share, "chance": found.chance,
               "n_modelled": int(guide.member[:, s].sum()), "not_modelled": list(guide.missing[s])}  # fmt: skip
        if found.active:
            k = factors.guided_by.index(name)
            changes = changes_of(factors.loadings[:, k], factors.loadings_se[:, k], guide.member[:, s])
            row |= {kind: factors.gene_names[genes].tolist() for kind, genes in changes._asdict().items()}
        rows.append(row)
    return rows


def guided_summary(folder: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same for the last line of `train`: with the number of the factor on the readable axes, None for inactive."""
    sets = load_factors(folder / "factors" / "readable").guided_by if rows else ()
    return [{"set": row["set"], "factor": sets.index(row["set"]) + 1 if row["set"] in sets else None,
             **{key: value for key, value in row.items() if key != "set"}} for row in rows]  # fmt: skip
