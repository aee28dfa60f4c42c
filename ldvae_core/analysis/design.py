"""Programs against the design of an experiment: sample means ~ condition + covariates, the sample as the unit.

Ordinary least squares on the mean position of every sample's cells, over all cells or within each group of them.
Samples count alike, however many cells they have: between donors differs more than cells tell. Variances are moderated
(analysis/moderation.py) over all programs and groups together, each in units of its program's variance over cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ldvae_core.analysis.effects import FOUND
from ldvae_core.analysis.moderation import fit_prior, squeeze
from ldvae_core.analysis.pseudobulk import FEWEST_CELLS
from ldvae_core.analysis.terms import Arms, Terms, arms_of, terms_of
from ldvae_core.analysis.variables import Variable
from ldvae_core.errors import SettingsError

ALL = "all"  # the level of all cells together
COLUMNS = ("factor", "level", "term", "effect", "low", "high", "df", "p", "q", "n_samples")
ROWS_TO_TRUST = 4  # variances that may lend as much as one of them knows: docs/calibration.md


class Means(NamedTuple):
    """What is known of the cells of every sample, in every level."""

    values: np.ndarray  # (n_levels, n_samples, n_factors) mean positions; NaN without cells
    n_cells: np.ndarray  # (n_levels, n_samples)


@dataclass(frozen=True, eq=False)
class DesignEffects:
    """What differs with a condition between samples, program by program, in each level."""

    samples: tuple[str, ...]
    levels: tuple[str, ...]  # of the annotation within which samples are compared; (ALL,) without one
    condition: Variable
    covariates: tuple[Variable, ...]
    means: Means
    table: pd.DataFrame  # COLUMNS, factor from 0; effect, low, high in units of the position
    left_out: dict[str, str]  # level -> why it could not be tested
    used: dict[str, np.ndarray] = field(default_factory=dict)  # tested level -> positions of its samples
    moderated: bool = True
    arms: dict[str, tuple[str, ...]] = field(default_factory=dict)  # tested level -> the condition's; reference first

    @property
    def found(self) -> pd.DataFrame:
        """The rows with q < 5%, the surest first."""
        found = self.table[self.table["q"] < FOUND]
        return found.sort_values("p", kind="stable")

    @property
    def n_tested(self) -> int:
        """Rows with a p value."""
        return int(self.table["p"].notna().sum())


def sample_means(
    representation: np.ndarray, samples: np.ndarray, levels: np.ndarray, *, n_samples: int, n_levels: int
) -> Means:
    """Mean positions of each sample's cells within each level.

    representation: (n_cells, n_factors); samples, levels: (n_cells,) positions, -1 for cells that count for none.
    """
    cells = np.flatnonzero((samples >= 0) & (levels >= 0))
    place, n = levels[cells].astype(np.int64) * n_samples + samples[cells], n_levels * n_samples
    n_cells = np.bincount(place, minlength=n)
    sums = np.column_stack(
        [np.bincount(place, np.asarray(column[cells], np.float64), minlength=n) for column in representation.T]
    )
    values = np.where(n_cells[:, None] > 0, sums / np.maximum(n_cells, 1)[:, None], np.nan)
    return Means(values.reshape(n_levels, n_samples, -1), n_cells.reshape(n_levels, n_samples))


class _Fit(NamedTuple):
    """Of one level."""

    terms: Terms
    arms: Arms  # its samples
    effect: np.ndarray  # (n_terms, n_factors)
    variance: np.ndarray  # (n_factors,) of one sample
    df: int


def design_effects(
    means: Means,
    condition: Variable,
    covariates: Sequence[Variable],
    *,
    samples: Sequence[str],
    levels: Sequence[str],
    scale: np.ndarray,
    tested: np.ndarray,
    moderated: bool = True,
) -> DesignEffects:
    """Test every program in every level against the condition, adjusted for the covariates.

    samples, levels: their names; scale: (n_factors,) sd of each program over cells; tested: (n_factors,) bool, the
    others get no p. A sample counts in a level where it has at least FEWEST_CELLS cells there. q is Benjamini and
    Hochberg's over all rows with a p. Raises SettingsError where no level can be tested, with the reason.
    """
    terms_of(arms_of(np.ones(len(samples), bool), condition, covariates, samples))  # or no level can be tested
    fits: dict[str, _Fit] = {}
    left_out: dict[str, SettingsError] = {}
    for number, level in enumerate(levels):
        try:
            arms = arms_of(means.n_cells[number] >= FEWEST_CELLS, condition, covariates, samples)
            fits[level] = _fitted(means.values[number], arms, terms_of(arms))
        except SettingsError as fault:
            left_out[level] = fault
    if not fits:
        level, reason = next(iter(left_out.items()))
        where = f"No level can be tested; in {level}: " if len(levels) > 1 else ""
        raise SettingsError(f"{where}{reason.problems[0]}", reason.remedy)
    return DesignEffects(
        tuple(samples), tuple(levels), condition, tuple(covariates), means,
        table=_table(fits, np.where(scale > 0, scale, 1.0), tested, moderated=moderated),
        left_out={level: reason.problems[0] for level, reason in left_out.items()},
        used={level: fit.arms.used for level, fit in fits.items()},
        moderated=moderated,
        arms={level: fit.arms.condition.levels for level, fit in fits.items()},
    )  # fmt: skip


def _fitted(values: np.ndarray, arms: Arms, terms: Terms) -> _Fit:
    """Ordinary least squares; values: (n_samples, n_factors)."""
    y = values[arms.used]
    coefficients = np.linalg.pinv(terms.matrix) @ y
    residuals = y - terms.matrix @ coefficients
    return _Fit(terms, arms, coefficients[terms.columns] / terms.unit[:, None],
                (residuals**2).sum(axis=0) / terms.df, terms.df)  # fmt: skip


def _table(fits: dict[str, _Fit], scale: np.ndarray, tested: np.ndarray, *, moderated: bool) -> pd.DataFrame:
    """All rows: level by level, program by program, term by term."""
    variance = np.array([fit.variance for fit in fits.values()])  # (n_levels, n_factors)
    df = np.broadcast_to(np.array([[float(fit.df)] for fit in fits.values()]), variance.shape)
    if moderated:
        variance, df = _moderated(variance, df, scale, tested & (variance > 0))
    rows = [
        pd.DataFrame({
            "factor": np.repeat(np.arange(len(scale)), len(fit.terms.names)),
            "level": level,
            "term": np.tile(fit.terms.names, len(scale)),
            "effect": fit.effect.T.ravel(),
            "error": np.sqrt(np.outer(variance[number], fit.terms.variance)).ravel(),
            "df": np.repeat(df[number], len(fit.terms.names)),
            "tested": np.repeat(tested & (variance[number] > 0), len(fit.terms.names)),
            "n_samples": len(fit.arms.used),
        })
        for number, (level, fit) in enumerate(fits.items())
    ]  # fmt: skip
    table = pd.concat(rows, ignore_index=True)
    half = stats.t.ppf(0.95, table["df"]) * table["error"]
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stats.t.sf(np.abs(table["effect"] / table["error"]), table["df"])
    p = np.where(table["tested"], p, np.nan)
    q = np.full(len(p), np.nan)
    if np.isfinite(p).any():
        q[np.isfinite(p)] = stats.false_discovery_control(p[np.isfinite(p)])
    return table.assign(low=table["effect"] - half, high=table["effect"] + half, p=p, q=q)[list(COLUMNS)]


def _moderated(
    variance: np.ndarray, df: np.ndarray, scale: np.ndarray, among: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Variances and their degrees of freedom, (n_levels, n_factors) each; those outside the mask stay as they are."""
    own, own_df = (variance / scale**2)[among], df[among]
    prior = fit_prior(own, own_df)
    if len(own):  # what few variances have in common is known badly: they lend less
        prior = prior._replace(df=min(prior.df, (len(own) - 1) / ROWS_TO_TRUST * float(own_df.mean())))
    found, df_found = squeeze(own, own_df, prior)
    new_variance, new_df = variance / scale**2, df.copy()
    new_variance[among], new_df[among] = found, df_found
    return new_variance * scale**2, new_df
