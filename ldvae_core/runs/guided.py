"""What a run keeps of the gene sets that guided its factors: which of them hold, and what the data changed in them."""

from pathlib import Path
from typing import Any

import numpy as np

from ldvae_core.analysis.factors import Factors, load_factors
from ldvae_core.analysis.guided import Borne, GuidedAxes, borne_out, changes_of
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.guide import Guide, Matched, match_guide
from ldvae_core.durable import write_bytes
from ldvae_core.runs.recipe import GUIDE_FILE


def guide_for(guide: Guide, counts: CountMatrix, folder: Path) -> Matched | None:
    """The sets among the modelled genes, kept in the run's folder as a GMT file; None without any.

    Raises SettingsError for sets that cannot guide.
    """
    if not guide:
        return None
    found = match_guide(guide, counts.gene_names)
    write_bytes(folder / GUIDE_FILE, guide.as_gmt())
    return found


def judged_sets(
    guide: Matched | None, loadings: np.ndarray, counts: CountMatrix
) -> tuple[list[Borne], GuidedAxes | None]:
    """Every set judged, and the axes of those that are borne out. loadings (n_genes, n_factors): as trained."""
    if guide is None:
        return [], None
    abundance = np.asarray(counts.counts.mean(axis=0), np.float64).ravel()
    weights = np.asarray(loadings, np.float64)
    judged = borne_out(weights - weights.mean(axis=0), abundance, guide.member, n_cells=counts.n_cells)
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
            found_genes = {"kept": changes.kept, "added": changes.added, "dropped": changes.dropped}
            row |= {kind: factors.gene_names[genes].tolist() for kind, genes in found_genes.items()}
            row["added_can_be_told"] = changes.added_can_be_told
        rows.append(row)
    return rows


def guided_summary(folder: Path, figures: dict[str, Any]) -> dict[str, Any]:
    """The same for the last line of `train`: with the number of the factor on the readable axes, None for inactive."""
    rows = figures.get("guided", [])
    if not rows:
        return {}
    sets = load_factors(folder / "factors" / "readable").guided_by
    numbers = {name: place + 1 for place, name in enumerate(sets) if name}
    return {"guided": [{"set": row["set"], "factor": numbers.get(row["set"]), **row} for row in rows]}
