"""Programs over samples as tables and as the answer of `samples`: factors and programs count from 1."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ldvae_core.analysis.pooling import pooled_loadings
from ldvae_core.analysis.samples import Matched, Sample
from ldvae_core.runs.opened import OpenRun
from ldvae_core.runs.programs import Programs

GENES = 10  # named of a program
PROGRAM_COLUMNS = ("program", "sample", "factor", "direction", "match", "explained_deviance")


def sample_of_run(opened: OpenRun, name: str) -> Sample:
    """A run's factors on the axes people see first, as one sample."""
    factors = opened.factors[opened.axes]
    return Sample(name, factors, np.asarray(opened.counts.counts.mean(axis=0), np.float64).ravel())


def sample_of_pack(programs: Programs, name: str) -> Sample:
    """Those of a program pack: no cells are needed."""
    return Sample(name, programs.factors, np.asarray(programs.mean, np.float64))


def program_table(found: Matched, samples: Sequence[Sample]) -> pd.DataFrame:
    """Which factor of which sample a shared program is: a row each, columns PROGRAM_COLUMNS.

    direction: -1 where the factor points the other way than in the program's first sample; match: of the program.
    """
    rows = [
        (number, samples[s].name, k + 1, sign, program.match, float(samples[s].factors.explained_deviance[k]))
        for number, program in enumerate(found.shared, start=1)
        for s, k, sign in zip(program.samples, program.factors, program.signs, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(PROGRAM_COLUMNS))


def loadings_table(found: Matched, samples: Sequence[Sample]) -> pd.DataFrame:
    """The pooled loadings of all shared programs, with the number of the program first."""
    tables = [
        pooled_loadings(program, samples).assign(program=number) for number, program in enumerate(found.shared, start=1)
    ]
    if not tables:
        return pd.DataFrame(columns=["program"])
    whole = pd.concat(tables, ignore_index=True)
    return whole[["program", *(name for name in whole.columns if name != "program")]]


def answer(found: Matched, samples: Sequence[Sample], pooled: pd.DataFrame) -> dict[str, Any]:
    """What `samples` says; genes: the ten of the stronger end that are surest to be strong."""
    return {
        "n_samples": len(samples),
        "shared": [
            {
                "program": number,
                "factors": {samples[s].name: k + 1 for s, k in zip(program.samples, program.factors, strict=True)},
                "match": program.match,
                "genes": _surest(pooled[pooled["program"] == number]),
            }
            for number, program in enumerate(found.shared, start=1)
        ],
        "private": [
            {
                "sample": samples[program.samples[0]].name,
                "factor": program.factors[0] + 1,
                "genes": _strongest(samples[program.samples[0]], program.factors[0]),
            }
            for program in found.private
        ],
        "too_weak": {sample.name: n for sample, n in zip(samples, found.weak, strict=True)},
    }


def _surest(pooled: pd.DataFrame) -> list[str]:
    """By the end of the interval that lies nearer to 0."""
    sure = np.where(pooled["low"] > 0, pooled["low"], np.where(pooled["high"] < 0, pooled["high"], 0.0))
    return _stronger_end(pooled["gene"].to_numpy(), sure)


def _strongest(sample: Sample, factor: int) -> list[str]:
    shrunken = np.asarray(sample.factors.loadings_shrunken[:, factor], np.float64)
    return _stronger_end(sample.factors.gene_names, shrunken)


def _stronger_end(names: np.ndarray, effect: np.ndarray) -> list[str]:
    ranked = np.argsort(-effect, kind="stable")
    high, low = ranked[:GENES], ranked[::-1][:GENES]
    end = high if effect[high].sum() >= -effect[low].sum() else low
    return [str(names[gene]) for gene in end if effect[gene] != 0]
