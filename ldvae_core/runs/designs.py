"""A run's programs against the design of the experiment: the one way that pages and commands share."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from ldvae_core.analysis.confounding import confounded
from ldvae_core.analysis.design import ALL, DesignEffects, design_effects, sample_means
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.variables import Variable, read_variable
from ldvae_core.data.annotations import is_amount
from ldvae_core.errors import SettingsError
from ldvae_core.runs.groups import samples_of
from ldvae_core.runs.opened import OpenRun

MOST_SAMPLES, MOST_LEVELS = 5_000, 500  # more are cells, not samples; more are no groups of cells
JOINED = " / "  # between the parts of a sample's name that stand in several columns


@dataclass(frozen=True)
class Design:
    """What is compared: names of annotations."""

    samples: tuple[str, ...]  # one, or several whose combinations are the samples
    condition: str
    covariates: tuple[str, ...] = ()
    by: str | None = None  # within whose levels; None: over all cells
    moderated: bool = True

    def __post_init__(self) -> None:
        sample = JOINED.join(self.samples)
        wrong = [
            *([f"The condition {self.condition} is a covariate too."] if self.condition in self.covariates else []),
            *([f"{sample} is both the sample and the condition."] if self.samples == (self.condition,) else []),
            *([f"{self.by} is both the condition and the groups of cells."] if self.by == self.condition else []),
            *([f"{self.by} is both the sample and the groups of cells."] if self.by in self.samples else []),
        ]
        if wrong:
            raise SettingsError(wrong, "Name different columns.")


def tested_design(opened: OpenRun, factors: Factors, design: Design) -> DesignEffects:
    """The programs of a run against a design; inactive ones get no p.

    Raises RunError where there is no such annotation, SettingsError where the run has no programs or the design cannot
    tell, with the reason.
    """
    if factors.n_factors == 0:
        raise SettingsError("This run has no programs that could differ with anything.", "Train a run with factors.")
    _refuse_corrected(opened, design.condition)
    codes, names = combined_samples(opened, design.samples)
    condition = _variable(opened, design.condition, codes, names, is_condition=True)
    covariates = [_variable(opened, name, codes, names) for name in dict.fromkeys(design.covariates)]
    places, levels = _levels(opened, design.by)
    means = sample_means(factors.representation, codes, places, n_samples=len(names), n_levels=len(levels))
    return design_effects(
        means, condition, covariates, samples=names, levels=levels, scale=factors.scale,
        tested=np.asarray(factors.active, bool), moderated=design.moderated,
    )  # fmt: skip


def design_table(effects: DesignEffects) -> pd.DataFrame:
    """The table as files hold it: factors count from 1."""
    return effects.table.assign(factor=effects.table["factor"] + 1)


def combined_samples(opened: OpenRun, columns: tuple[str, ...]) -> tuple[np.ndarray, list[str]]:
    """Every cell's sample as a position, -1 where one of the columns does not say it, and the names of the samples.

    Raises RunError where there is no such annotation, SettingsError where there are more samples than can be.
    """
    labels = [samples_of(opened, column) for column in columns]
    sizes = [len(label.cat.categories) for label in labels]
    if np.prod([float(size) for size in sizes]) > MOST_SAMPLES * 20 or max(sizes) > MOST_SAMPLES:
        raise SettingsError(
            f"{JOINED.join(columns)} has {max(sizes):,} values: it tells cells apart, not samples.",
            "Name the column of samples or donors.",
        )
    parts = np.array([label.cat.codes.to_numpy(np.int64) for label in labels])
    known = (parts >= 0).all(axis=0)
    place = np.ravel_multi_index(np.maximum(parts, 0), tuple(max(size, 1) for size in sizes))
    names = [JOINED.join(map(str, each)) for each in product(*(label.cat.categories for label in labels))]
    kept = np.unique(place[known])
    codes = np.full(len(names) + 1, -1)
    codes[kept] = np.arange(len(kept))
    return np.where(known, codes[place], -1), [names[number] for number in kept]


def _variable(
    opened: OpenRun, name: str, codes: np.ndarray, names: list[str], *, is_condition: bool = False
) -> Variable:
    if name not in opened.counts.annotations.columns:
        opened.labels(name)  # refuses, naming those there are
    return read_variable(opened.counts.annotations[name], codes, names, is_condition=is_condition)


def _levels(opened: OpenRun, by: str | None) -> tuple[np.ndarray, list[str]]:
    if by is None:
        return np.zeros(opened.counts.n_cells, np.int64), [ALL]
    labels = samples_of(opened, by)
    names = [str(name) for name in labels.cat.categories]
    if not names:
        raise SettingsError(
            f"No cell has a value of {by}: there are no groups of cells.", "Name a column of cell types."
        )
    if len(names) > MOST_LEVELS:
        raise SettingsError(f"{by} has {len(names):,} values: no groups of cells.", "Name a column of cell types.")
    return labels.cat.codes.to_numpy(np.int64), names


def _refuse_corrected(opened: OpenRun, condition: str) -> None:
    """A run that takes the condition out of its programs cannot find it there."""
    for covariate in opened.settings.model.covariates:
        same = covariate.name == condition
        if covariate.kind != "levels" and not same and is_amount(opened.counts.annotations[covariate.name]):
            continue  # a slope takes out what goes with it, not what its values tell
        if same or confounded(opened.counts.annotations, covariate.name, [condition]):
            rest = "" if same else f", and with it {condition}, which follows from it"
            raise SettingsError(
                f"This run corrects its programs for {covariate.name}{rest}: what {condition} does was taken out.",
                f"Train a run that does not correct for {covariate.name}.",
            )
