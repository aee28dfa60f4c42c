"""Which programs come back: with another seed, and in other cells; and how many programs there are, told from that.

A generous model (many factors) is trained on all cells, and again with other seeds, on disjoint halves of the cells (of
the samples), and on counts that were shuffled within every gene. A factor that is a program is found again in both
halves; one that is fitted noise is not. Found again: matched one to one in the information metric (matching.py), with
and without the gene that counts most in it: one gene of many molecules makes a factor of its own, which any cells show.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.matching import cosines, match_factors, unit_columns

Unit = Literal["cells", "samples"]
METRIC = "information"
WORTH = 0.0045  # of the deviance: programs that come back and explain less are not counted, where others explain more
BAR = 0.6  # match in both halves from which a factor is a program: docs/certified.md
AS_HEAVY = 0.5  # a factor that shuffled counts give too, explaining at least so much of what it explains, is doubtful:
# where few genes hold many molecules, their noise comes back in any cells


class Siblings(NamedTuple):
    """Loadings (n_genes, any number), shrunken, of trainings beside one model."""

    seeds: Sequence[np.ndarray]  # of the same cells, other seeds
    halves: Sequence[tuple[np.ndarray, np.ndarray]]  # of disjoint halves


class Shuffled(NamedTuple):
    """A model of shuffled counts."""

    loadings: np.ndarray  # (n_genes, any number), shrunken
    programs: "tuple[Program, ...]"  # its factors; none is certified


class Replication(NamedTuple):
    """How well every factor is found again, 0 to 1: both (n_factors,)."""

    seed_match: np.ndarray  # with another seed: median over seeds
    half_match: np.ndarray  # in other cells: the smaller one of both halves, median over the ways of halving


@dataclass(frozen=True)
class Program:
    """What is known of one factor."""

    seed_match: float  # NaN where no other seed was tried
    half_match: float
    certified: bool
    explained_deviance: float


@dataclass(frozen=True)
class Certificates:
    """Which programs of one model come back, in its order."""

    programs: tuple[Program, ...]
    bar: float
    unit: Unit  # what was halved
    shuffled: tuple[Program, ...] = ()  # of the generous model, trained on shuffled counts; none is certified

    @property
    def noise(self) -> float:
        """The highest half_match of shuffled counts."""
        return max((program.half_match for program in self.shuffled), default=0.0)

    @property
    def n_certified(self) -> int:
        """How many programs come back in other cells."""
        return sum(program.certified for program in self.programs)

    @property
    def n_programs(self) -> int:
        """The number to train: those that come back and explain something; without such, all that come back."""
        weighty = sum(each.certified and each.explained_deviance >= WORTH for each in self.programs)
        return weighty or self.n_certified

    def to_dict(self) -> dict[str, Any]:
        """Plain values; from_dict reads them back."""
        return {**asdict(self), "metric": METRIC}

    @classmethod
    def from_dict(cls, values: Any) -> Self | None:
        """What to_dict gave; None for anything else, for certificates are never needed."""
        try:
            unit: Unit = "samples" if values["unit"] == "samples" else "cells"
            programs, shuffled = (tuple(map(_program, values[name])) for name in ("programs", "shuffled"))
            return cls(programs, float(values["bar"]), unit, shuffled)
        except (KeyError, TypeError, ValueError):
            return None


def _program(values: Any) -> Program:
    given = (values[name] for name in ("seed_match", "half_match", "explained_deviance"))
    seed_match, half_match, explained = (math.nan if value is None else float(value) for value in given)
    return Program(seed_match, half_match, values["certified"] is True, explained)


def replication(factors: Factors, siblings: Siblings) -> Replication:
    """How well each factor is found again in trainings on the same genes. Raises ValueError when genes differ."""
    seeds = [found_again(factors, loadings) for loadings in siblings.seeds]
    halves = [np.minimum(*(found_again(factors, half) for half in pair)) for pair in siblings.halves]
    unknown = np.full(factors.n_factors, np.nan)
    return Replication(np.median(seeds, axis=0) if seeds else unknown, np.median(halves, axis=0) if halves else unknown)


def found_again(factors: Factors, loadings: np.ndarray) -> np.ndarray:
    """Match of each factor with its partner among other loadings (n_genes, any number): (n_factors,), 0 without one.

    The smaller one of the match over all genes and that without the gene that counts most in the factor.
    """
    share, own = factors.molecule_share, factors.loadings_shrunken
    matching, found = match_factors(own, loadings, share), np.zeros(factors.n_factors)
    leaders = np.abs(unit_columns(own, share)).argmax(axis=0)
    for (factor, partner), match in zip(matching.pairs, matching.match, strict=True):
        others = np.where(np.arange(len(share)) == leaders[factor], 0.0, share)
        without = abs(float(cosines(own[:, [factor]], loadings[:, [partner]], others)[0, 0]))
        found[factor] = min(match, without)
    return found


def certify(factors: Factors, siblings: Siblings, *, unit: Unit, shuffled: Shuffled | None = None) -> Certificates:
    """The certificates of a model, in its order."""
    found, doubtful = _programs(factors, siblings), _doubtful(factors, shuffled)
    programs = tuple(
        replace(program, certified=bool(factors.active[k]) and program.half_match >= BAR and not doubtful[k])
        for k, program in enumerate(found)
    )
    return Certificates(programs, BAR, unit, () if shuffled is None else shuffled.programs)


def shuffled_model(factors: Factors, siblings: Siblings) -> Shuffled:
    """factors: of shuffled counts; siblings: of the same shuffled counts."""
    return Shuffled(np.asarray(factors.loadings_shrunken), _programs(factors, siblings))


def _programs(factors: Factors, siblings: Siblings) -> tuple[Program, ...]:
    found = replication(factors, siblings)
    figures = zip(found.seed_match, found.half_match, factors.explained_deviance, strict=True)
    return tuple(Program(float(seed), float(half), False, float(share)) for seed, half, share in figures)


def _doubtful(factors: Factors, shuffled: Shuffled | None) -> np.ndarray:
    """Which factors shuffled counts give too, and hardly lighter: (n_factors,) bool."""
    if shuffled is None:
        return np.zeros(factors.n_factors, bool)
    alike = np.abs(cosines(factors.loadings_shrunken, shuffled.loadings, factors.molecule_share)) >= BAR
    weights = np.array([program.explained_deviance for program in shuffled.programs])
    heaviest = np.where(alike, weights, 0.0).max(axis=1)
    return (heaviest > 0) & (heaviest >= AS_HEAVY * np.asarray(factors.explained_deviance))


def certified_words(found: Certificates) -> str:
    """When a factor is certified, to follow "a factor is certified when": what certify asks, and nothing else."""
    said = (
        f"it is active and matches a factor of each of two disjoint halves of the {found.unit} by at least "
        f"{found.bar:.2f}, over all genes and without the gene that counts most in it (the smaller of both halves, "
        "median over the ways of halving)"
    )
    if not found.shuffled:
        return said
    return (
        f"{said}, and no factor of shuffled counts that matches it by at least {found.bar:.2f} explains at least "
        f"{AS_HEAVY:.0%} of what it explains"
    )


def number_reason(found: Certificates, *, n_sets: int = 0, final: Certificates | None = None) -> str:
    """Why this many programs are recommended, in words; and what came of training them.

    found: of the generous model; n_sets: gene sets that guide, each of which takes a factor; final: of the model that
    was trained with this number, None where it is not known.
    """
    said = [_number_told(found)]
    if found.n_programs and n_sets > found.n_programs:
        said.append(f"Trained with {n_sets} factors, one for each gene set that guides.")
    if final is not None and final.n_certified < len(final.programs):
        n, m = final.n_certified, len(final.programs)
        factors = "factor" if m == 1 else "factors"
        said.append(
            f"Of the {m} {factors} of the final model only {n} {_is(n)} certified."
            if n
            else f"But none of the {m} {factors} of the final model is certified: its programs do not come back."
        )
    return " ".join(said)


def _number_told(found: Certificates) -> str:
    n, most, where = found.n_certified, len(found.programs), f"disjoint halves of the {found.unit}"
    left_out = n - found.n_programs
    asked = f"match at least {found.bar:.2f} in the information metric"
    highest = max((program.half_match for program in found.programs), default=0.0)
    refused = sum(program.half_match >= found.bar and not program.certified for program in found.programs)
    if n == 0 and refused:
        return (
            f"None of {most} factors is certified: {refused} {_come(refused)} back in {where} ({asked}), but "
            f"{_no_proof(refused)}: no structure is found beyond each gene's mean."
        )
    if n == 0:
        return (
            f"None of {most} factors comes back in {where} (the best matches {highest:.2f}; {asked} is asked for): no "
            "structure is found beyond each gene's mean."
        )
    said = f"{n} of {most} factors {_come(n)} back in {where} ({asked}; shuffled counts reach {found.noise:.2f})."
    if refused:
        said += f" {refused} more {_come(refused)} back, but {_no_proof(refused)}."
    if left_out:
        explain = "explains" if left_out == 1 else "explain"
        said += f" Of these {left_out} {explain} less than {WORTH:.2%} of the deviance and {_is(left_out)} not counted."
    return said if n < most else f"{said} There may be more: allow more factors."


def _no_proof(n: int) -> str:
    """Why factors that match are not certified all the same."""
    each = "it" if n == 1 else "each"
    return f"shuffled counts give the same, explaining at least {AS_HEAVY:.0%} as much, or {each} is inactive"


def _come(n: int) -> str:
    return "comes" if n == 1 else "come"


def _is(n: int) -> str:
    return "is" if n == 1 else "are"
