"""Are the p values of programs against a design honest, and what do they find? Simulated donors on the demo's programs.

    python -m benchmarks.design [--repetitions N] [--quick] [--normal] [--to FILE]

Samples are random partitions of the demo's cells, each with a mix of cell types of its own, and every gene of every
sample multiplied by a log-normal factor of its own, as donors differ. Their cells are placed on the demo's programs as
new cells are. Half of the samples are called treated: nothing differs with that, and whatever is found is false; or one
program is planted, every molecule of the treated multiplied by what a shift along that program makes of it.
"""

import argparse
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from benchmarks.calibration import multiplied
from ldvae_core.analysis.design import ALL, Means, design_effects, sample_means
from ldvae_core.analysis.effects import FOUND
from ldvae_core.analysis.variables import Variable, read_variable
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.demo import DEMO_RUN, load_demo
from ldvae_core.errors import SettingsError
from ldvae_core.runs.opened import OpenRun, open_demo_run
from ldvae_core.runs.programs import Programs, programs_of
from ldvae_core.runs.projection import project

SAMPLES = (6, 8, 12)
DONOR_SDS = (0.3, 0.5)  # of the natural log of the factor by which a gene differs between donors
MIX_SD = 0.7  # of the natural log of a type's weight in a sample
SHIFTS = (0.5, 1.0)  # prior SD, of the planted program
CELLS_A_SAMPLE, N_TYPES = 120, 4
REPETITIONS, QUICK, NORMAL = 120, 3, 1000
PROGRAM_SD = 0.3  # of the natural log of a program's sd between samples
EVERY = 3  # repetition with planted programs


class Setting(NamedTuple):
    """A kind of simulated experiment."""

    n: int  # samples
    donor_sd: float
    shift: float  # 0: null


def simulated(
    cells: CountMatrix, kinds: np.ndarray, setting: Setting, loading: np.ndarray, rng: np.random.Generator
) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    """Cells of n samples, and of each its place in `cells` and its sample; the first half of the samples is shifted."""
    weight = rng.lognormal(0, MIX_SD, (setting.n, N_TYPES))
    chosen, sample = [], []
    for number in range(setting.n):
        chance = weight[number][kinds] / np.bincount(kinds, minlength=N_TYPES)[kinds]
        chosen.append(rng.choice(len(kinds), CELLS_A_SAMPLE, replace=False, p=chance / chance.sum()))
        sample += [number] * CELLS_A_SAMPLE
    rows, sample = np.concatenate(chosen), np.array(sample)
    counts = sparse.csr_matrix(cells.counts[rows].astype(np.int64))
    donors = rng.lognormal(-(setting.donor_sd**2) / 2, setting.donor_sd, (setting.n, counts.shape[1]))
    donors[: setting.n // 2] *= np.exp(setting.shift * loading)
    drawn = multiplied(counts, donors[np.repeat(sample, np.diff(counts.indptr)), counts.indices], rng)
    return drawn, rows, sample


def once(
    opened: OpenRun,
    programs: Programs,
    cells: CountMatrix,
    kinds: np.ndarray,
    setting: Setting,
    rng: np.random.Generator,
) -> list[dict[str, object]]:
    """What is found in one experiment, over all cells and by type, moderated and not."""
    factors = opened.factors[opened.axes]
    planted = int(rng.integers(factors.n_factors))
    drawn, rows, sample = simulated(cells, kinds, setting, np.asarray(factors.loadings[:, planted], np.float64), rng)
    kept = np.flatnonzero(np.diff(drawn.indptr) > 0)
    drawn, rows, sample = drawn[kept], rows[kept], sample[kept]
    names = [f"s{number}" for number in range(setting.n)]
    matrix = replace(
        cells.subset(cells=rows), counts=drawn.astype(cells.counts.dtype), cell_ids=np.arange(len(rows)).astype(str),
        annotations=pd.DataFrame(index=np.arange(len(rows)).astype(str)), whole_library=None,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        z = project(programs, matrix, Path(folder) / "placed", threads=1).representation
    arm = pd.Series(np.where(sample < setting.n // 2, "treated", "control"), name="arm")
    condition = read_variable(arm, sample, names, is_condition=True)
    found = []
    for levels, places in (([ALL], np.zeros(len(z), np.int64)), ([str(k) for k in range(N_TYPES)], kinds[rows])):
        means = sample_means(z, sample, places, n_samples=setting.n, n_levels=len(levels))
        for moderated in (True, False):
            try:
                table = design_effects(
                    means, condition, [], samples=names, levels=levels, scale=factors.scale,
                    tested=np.asarray(factors.active, bool), moderated=moderated,
                ).table  # fmt: skip
            except SettingsError:
                continue
            own = table["factor"] == planted
            tests = table if setting.shift == 0 else table[own]
            found.append({
                **setting._asdict(), "within": "all cells" if len(levels) == 1 else "each type", "moderated": moderated,
                "below": (tests["p"] < FOUND).mean(), "found": (tests["q"] < FOUND).mean(),
                "any": (table["q"] < FOUND).any(), "effect": tests["effect"].mean(),
            })  # fmt: skip
    return found


def of_normal_means(
    n: int, n_programs: int, n_levels: int, *, moderated: bool, repetitions: int
) -> tuple[float, float]:
    """Share of p < .05 in nulls of normal sample means: of all programs, and of the one that varies most.

    Programs differ in their sd by a log-normal factor; half of a sample's variance is shared by all levels.
    """
    rng, all_of_them, loudest = np.random.default_rng([n, n_programs, n_levels]), [], []
    names, levels = [f"s{k}" for k in range(n)], [f"l{k}" for k in range(n_levels)]
    condition = Variable("arm", ("a", "b"), np.arange(n) % 2.0)
    for _ in range(repetitions):
        sd = rng.lognormal(0, PROGRAM_SD, n_programs)
        shared, own = rng.normal(size=(1, n, n_programs)), rng.normal(size=(n_levels, n, n_programs))
        means = Means((shared + own) * sd * rng.lognormal(0, PROGRAM_SD, (n_levels, 1, 1)), np.full((n_levels, n), 50))
        table = design_effects(means, condition, [], samples=names, levels=levels, scale=np.ones(n_programs),
                               tested=np.ones(n_programs, bool), moderated=moderated).table  # fmt: skip
        below = table["p"] < FOUND
        all_of_them.append(below.mean())
        loudest.append(below[table["factor"] == sd.argmax()].mean())
    return float(np.mean(all_of_them)), float(np.mean(loudest))


def report_of_normal_means(repetitions: int) -> str:
    """A table in markdown."""
    lines = ["| samples | programs | levels | moderated: all | the most variable | own: all | the most variable |",
             "|" + " --- |" * 7]  # fmt: skip
    for n, n_programs, n_levels in product(SAMPLES, (2, 4, 10, 20), (1, 8)):
        found: list[float] = []
        for moderated in (True, False):
            found += of_normal_means(n, n_programs, n_levels, moderated=moderated, repetitions=repetitions)
        lines.append(f"| {n} | {n_programs} | {n_levels} | {' | '.join(f'{share:.3f}' for share in found)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--normal", action="store_true", help="Only of normal sample means, which takes a minute.")
    parser.add_argument("--to", type=Path)
    given = parser.parse_args()
    n = QUICK if given.quick else given.repetitions
    torch.set_num_threads(1)
    if given.normal:
        print(report_of_normal_means(QUICK if given.quick else NORMAL))
        return
    opened, whole = open_demo_run(), load_demo()
    programs = programs_of(opened, DEMO_RUN)
    labels = whole.annotations["cell_type"].astype(str)
    types = labels.value_counts().index[:N_TYPES].tolist()
    places = np.flatnonzero(labels.isin(types))
    cells, kinds = whole.subset(cells=places), np.array([types.index(name) for name in labels.iloc[places]])
    settings = [Setting(size, sd, shift) for size in SAMPLES for sd in DONOR_SDS for shift in (0.0, *SHIFTS)]
    found: list[dict[str, object]] = []
    for repetition in range(n):
        for number, setting in enumerate(settings):
            if setting.shift and repetition % EVERY:
                continue
            found += once(opened, programs, cells, kinds, setting, np.random.default_rng([repetition, number]))
        if (repetition + 1) % 10 == 0 or repetition + 1 == n:
            text = report(pd.DataFrame(found))
            print(f"{repetition + 1} repetitions", text, sep="\n", flush=True)
            if given.to:
                given.to.write_text(text, encoding="utf-8")


def report(found: pd.DataFrame) -> str:
    """A table in markdown: null rates with their standard errors over repetitions, and power."""
    lines = ["| samples | donor sd | within | variances | null p < .05 | null with a finding | "
             + " | ".join(f"found of a shift of {shift:g}" for shift in SHIFTS) + " |", "|" + " --- |" * 8]  # fmt: skip
    for (n, sd, within, moderated), rows in found.groupby(["n", "donor_sd", "within", "moderated"]):
        null = rows[rows["shift"] == 0]
        power = [rows.loc[rows["shift"] == shift, "found"].mean() for shift in SHIFTS]
        lines.append(
            f"| {n} | {sd:g} | {within} | {'moderated' if moderated else 'own'} | {null['below'].mean():.3f} ± "
            f"{null['below'].sem():.3f} | {null['any'].mean():.3f} | {' | '.join(f'{value:.2f}' for value in power)} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
