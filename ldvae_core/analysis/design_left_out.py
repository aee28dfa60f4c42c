"""Which levels of a condition, and which samples, do not count where programs are tested against a design, and why."""

import numpy as np

from ldvae_core.analysis.design import DesignEffects
from ldvae_core.analysis.pseudobulk import FEWEST_CELLS
from ldvae_core.analysis.terms import FEWEST, MOST_NAMED
from ldvae_core.data.names import listing


def left_out_of(effects: DesignEffects, level: str) -> list[str]:
    """Of a tested level: 'control (1 sample with enough cells: s0; 2 are needed)', 's3 (fewer than 10 cells)'."""
    condition, used = effects.condition, set(effects.used[level].tolist())
    reasons = {sample: _unknown(effects, level, sample) for sample in range(len(effects.samples)) if sample not in used}
    told = []
    for place, name in enumerate(condition.levels):
        if name in effects.arms[level]:
            continue
        own = np.flatnonzero(condition.values == place).tolist()
        told.append(f"{name} ({_too_few([effects.samples[each] for each in own if not reasons[each]])})")
        for each in own:
            del reasons[each]
    why: dict[str, list[str]] = {}
    for sample, reason in reasons.items():
        why.setdefault(reason or "alone at its level of a covariate", []).append(effects.samples[sample])
    return [*told, *(f"{listing(names, MOST_NAMED)} ({reason})" for reason, names in why.items())]


def _unknown(effects: DesignEffects, level: str, sample: int) -> str:
    """What is not known of a sample; "" for one that could count."""
    if effects.means.n_cells[effects.levels.index(level), sample] < FEWEST_CELLS:
        return f"fewer than {FEWEST_CELLS} cells"
    unknown = [each.name for each in (effects.condition, *effects.covariates) if np.isnan(each.values[sample])]
    return f"{unknown[0]} not known" if unknown else ""


def _too_few(names: list[str]) -> str:
    """Of a level of the condition; names: its samples that could count."""
    if len(names) >= FEWEST:
        return f"too few of its samples share their covariates with others: {listing(names, MOST_NAMED)}"
    one = f"1 sample with enough cells: {listing(names)}" if names else "no sample with enough cells"
    return f"{one}; {FEWEST} are needed"
