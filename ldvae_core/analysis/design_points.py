"""The samples behind one row of a design's table, to be drawn as points."""

import numpy as np
import pandas as pd

from ldvae_core.analysis.design import DesignEffects
from ldvae_core.analysis.variables import Variable


def sample_points(effects: DesignEffects, factor: int, level: str) -> pd.DataFrame:
    """Of a program in a level: columns sample, condition, x, y (mean position), n_cells, pair, note; no row untested.

    x: the place of the condition's level, or its number. pair: the level of the covariate that pairs the samples, ""
    without one. Means are as they are, not adjusted for covariates.
    """
    used = effects.used.get(level, np.zeros(0, np.int64)).tolist()
    place = effects.levels.index(level)
    pairs = next((each for each in effects.covariates if _is_pair(each, effects.condition, used)), None)
    rows = [
        {
            "sample": effects.samples[sample],
            "condition": effects.condition.text(sample),
            "x": float(effects.condition.values[sample]),
            "y": float(effects.means.values[place, sample, factor]),
            "n_cells": int(effects.means.n_cells[place, sample]),
            "pair": "" if pairs is None else pairs.text(sample),
            "note": ", ".join(f"{each.name}: {each.text(sample)}" for each in (effects.condition, *effects.covariates)),
        }
        for sample in used
    ]
    return pd.DataFrame(rows, columns=["sample", "condition", "x", "y", "n_cells", "pair", "note"])


def _is_pair(covariate: Variable, condition: Variable, used: list[int]) -> bool:
    """Whether each of its levels has at most one sample of each level of the condition, and some have two."""
    if covariate.is_number or condition.is_number or not used:
        return False
    both = list(zip(covariate.values[used].tolist(), condition.values[used].tolist(), strict=True))
    return len(set(both)) == len(both) and len({pair for pair, _ in both}) < len(both)
