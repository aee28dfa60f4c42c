"""A design as columns of numbers: which samples can be compared, what a condition's terms are, and what they can tell.

Levels are coded against the first one (treatment contrasts); a number is centred.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ldvae_core.analysis.variables import Variable
from ldvae_core.data.names import listing
from ldvae_core.errors import SettingsError

FEWEST = 2  # samples of each level of the condition
MOST_NAMED = 5  # samples in a sentence
MORE_SAMPLES = "Load data with more samples, or leave covariates out."


class Arms(NamedTuple):
    """The samples that are compared, with what is known of them."""

    used: np.ndarray  # (n,) positions of samples
    condition: Variable  # of these samples; its first level is what the others are compared with
    covariates: tuple[Variable, ...]


class Terms(NamedTuple):
    """The columns of the design, (n, n_columns), and those of them that are terms of the condition."""

    matrix: np.ndarray
    names: list[str]
    columns: np.ndarray  # (n_terms,) of the matrix
    unit: np.ndarray  # (n_terms,) of the variable, in a unit of the column
    variance: np.ndarray  # (n_terms,) of the effect, per unit of a sample's variance
    df: int  # residual


def term_name(level: str, reference: str) -> str:
    """Of a level of the condition and the one that it is compared with."""
    return f"{level} vs {reference}"


def arms_of(enough: np.ndarray, condition: Variable, covariates: Sequence[Variable], samples: Sequence[str]) -> Arms:
    """The samples with enough cells, (n_samples,) bool, whose condition and covariates are known.

    A sample alone at its level of a covariate, the half of a pair say, tells nothing of the condition and is left out;
    so are levels of the condition with a single sample. Raises SettingsError where fewer than two levels are left.
    """
    known = enough & np.isfinite(condition.values)
    for covariate in covariates:
        known = known & np.isfinite(covariate.values)
    used = _shared(np.flatnonzero(known), condition, covariates)
    if len(np.unique(condition.values[used])) < FEWEST:
        raise SettingsError(_too_few(known, condition, covariates, samples), MORE_SAMPLES)
    return Arms(used, _only(condition, used), tuple(_only(covariate, used) for covariate in covariates))


def terms_of(arms: Arms) -> Terms:
    """The design of these samples. Raises SettingsError where it cannot tell the condition, with the reason."""
    condition = arms.condition
    own, names, unit = _coded(condition)
    beside = [part for part in (_coded(covariate)[0] for covariate in arms.covariates) if part.shape[1]]
    n = len(arms.used)
    matrix = np.hstack([np.ones((n, 1)), own, *beside])
    rank = int(np.linalg.matrix_rank(matrix))
    columns = np.arange(1, 1 + own.shape[1])
    if np.linalg.matrix_rank(np.delete(matrix, columns, axis=1)) + own.shape[1] > rank:
        raise SettingsError(_not_apart(arms), "Leave that covariate out, or load samples in which the two come apart.")
    if n <= rank:
        raise SettingsError(
            f"{n} samples are no more than the {rank} numbers that {condition.name} and the covariates are fitted "
            "with: nothing is left to tell how much samples differ by chance.",
            MORE_SAMPLES,
        )
    inverse = np.linalg.pinv(matrix)
    return Terms(matrix, names, columns, unit, (inverse[columns] ** 2).sum(axis=1) / unit**2, n - rank)


def _shared(used: np.ndarray, condition: Variable, covariates: Sequence[Variable]) -> np.ndarray:
    """Those of these samples that share each of their levels with another one, among those that do."""
    while True:
        kept = np.ones(len(used), bool)
        for variable in (condition, *covariates):
            if variable.levels:
                level = variable.values[used].astype(np.int64)
                kept &= np.bincount(level, minlength=1)[level] >= FEWEST
        if kept.all():
            return used
        used = used[kept]


def _coded(variable: Variable) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Columns (n, n_columns), their names, and what of the variable one unit of each is."""
    values = variable.values
    if variable.is_number:
        spread = float(values.std())
        if spread == 0:
            return np.zeros((len(values), 0)), [], np.zeros(0)
        return ((values - values.mean()) / spread)[:, None], [variable.name], np.array([spread])
    others = range(1, len(variable.levels))
    columns = np.array([values == level for level in others], np.float64).reshape(len(others), len(values)).T
    names = [term_name(variable.levels[level], variable.levels[0]) for level in others]
    return columns, names, np.ones(len(names))


def _only(variable: Variable, used: np.ndarray) -> Variable:
    """The variable of these samples, with the levels that they have."""
    values = variable.values[used]
    if variable.is_number:
        return Variable(variable.name, (), values)
    found, places = np.unique(values, return_inverse=True)
    return Variable(variable.name, tuple(variable.levels[int(level)] for level in found), places.astype(np.float64))


def _not_apart(arms: Arms) -> str:
    """Which covariates the condition cannot be told from."""
    own = _coded(arms.condition)[0]
    guilty = []
    for covariate in arms.covariates:
        other = np.hstack([np.ones((len(own), 1)), _coded(covariate)[0]])
        if np.linalg.matrix_rank(np.hstack([other, own])) < np.linalg.matrix_rank(other) + own.shape[1]:
            guilty.append(covariate)
    if not guilty:
        together = listing([covariate.name for covariate in arms.covariates])
        return f"{arms.condition.name} cannot be told from {together} together: one follows from the others."
    first = guilty[0]
    if len(first.levels) == len(arms.condition.levels):
        return f"{arms.condition.name} and the covariate {first.name} are the same grouping of the samples."
    return f"{arms.condition.name} cannot be told from the covariate {first.name}: the one follows from the other."


def _too_few(known: np.ndarray, condition: Variable, covariates: Sequence[Variable], samples: Sequence[str]) -> str:
    """How many samples each level has; or, where they are enough, which covariate leaves none to be compared."""
    used = np.flatnonzero(known)
    if len(np.unique(condition.values[_shared(used, condition, ())])) >= FEWEST:
        alone = [each.name for each in covariates if each.levels and not len(_shared(used, condition, [each]))]
        if alone:
            return f"Every sample has a {alone[0]} of its own: with it as a covariate nothing is left to be compared."
        together = listing([each.name for each in covariates])
        return f"Too few samples share their {together} with another one for {condition.name} to be compared."
    if condition.is_number:
        return f"{condition.name} is the same in all samples with enough cells."
    found = []
    for number, level in enumerate(condition.levels):
        names = [samples[place] for place in used[condition.values[used] == number]]
        said = f" ({listing(names, MOST_NAMED)})" if names else ""
        found.append(f"{level} has {len(names) or 'no'} sample{'s' if len(names) > 1 else ''}{said}")
    more = f" and {len(found) - MOST_NAMED} more levels" if len(found) > MOST_NAMED else ""
    return f"{' and '.join(found[:MOST_NAMED])}{more} with enough cells; {FEWEST} are needed of each."
