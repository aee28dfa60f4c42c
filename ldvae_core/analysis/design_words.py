"""Programs against a design in sentences, which say what was tested and no more."""

from collections.abc import Hashable, Mapping
from typing import Any

from ldvae_core.analysis.design import ALL, DesignEffects
from ldvae_core.analysis.design_left_out import left_out_of
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.findings import join
from ldvae_core.analysis.numbers import three_digits
from ldvae_core.analysis.pseudobulk import FEWEST_CELLS
from ldvae_core.analysis.terms import term_name
from ldvae_core.data.names import listing

MOST_TOLD = 3  # findings


def design_sentence(effects: DesignEffects, factors: Factors) -> str:
    """How many programs differ, the surest of them, and in which samples this was tested."""
    return f"{found_sentence(effects, factors)} {tested_sentence(effects)}"


def found_sentence(effects: DesignEffects, factors: Factors) -> str:
    """The rows that differ, the surest with their effects."""
    total, found, name = effects.n_tested, effects.found, effects.condition.name
    tests = f"{total:,} test{'' if total == 1 else 's'}"
    if found.empty:
        return (
            f"None of {tests} finds a program that differs with {name} (false discovery rate 5%); the intervals "
            "say how large a difference may still be."
        )
    told = "; ".join(row_words(row, effects, factors) for row in found.head(MOST_TOLD).to_dict("records"))
    verb = "finds" if len(found) == 1 else "find"
    return f"{len(found):,} of {tests} {verb} a program that differs with {name} (false discovery rate 5%): {told}."


def row_words(row: Mapping[Hashable, Any], effects: DesignEffects, factors: Factors) -> str:
    """'Factor 3 in B cells, 0.82 higher in stim than in control (90% interval 0.51 to 1.13)'."""
    where = "" if row["level"] == ALL and effects.levels == (ALL,) else f" in {row['level']}"
    size, way = three_digits(abs(row["effect"])), "higher" if row["effect"] > 0 else "lower"
    low, high = sorted(row[end] * (1 if row["effect"] > 0 else -1) for end in ("low", "high"))
    if effects.condition.is_number:
        how = f"{size} {way} for every 1 more of {effects.condition.name}"
    else:
        reference, *others = effects.arms[row["level"]]
        first = next(level for level in others if term_name(level, reference) == row["term"])
        how = f"{size} {way} in {first} than in {reference}"
    interval = f"90% interval {three_digits(low)} to {three_digits(high)}"
    return f"{factors.label(int(row['factor']))}{where}, {how} ({interval})"


def tested_sentence(effects: DesignEffects) -> str:
    """What the unit is, how many samples there were, what was adjusted for, and what was left out."""
    numbers = sorted({len(used) for used in effects.used.values()})
    n = f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    adjusted = join([covariate.name for covariate in effects.covariates])
    beside = f"adjusted for {adjusted}" if adjusted else "not adjusted for anything else that differs between them"
    how = "variances moderated" if effects.moderated else "variances not moderated"
    unit = f"Unit: the sample. {n} samples with at least {FEWEST_CELLS} cells, {beside}; t test of their means, {how}."
    unit += _left_out(effects)
    if not effects.left_out:
        return unit
    level, why = next(iter(effects.left_out.items()))
    more = f" The same or another reason holds for {listing([*effects.left_out][1:], 4)}." if (
        len(effects.left_out) > 1) else ""  # fmt: skip
    return f"{unit} Not tested in {level}: {why}{more}"


def reading_sentences(effects: DesignEffects) -> list[str]:
    """How columns of numbers were read, and which samples a condition is not known of."""
    said = [variable.said for variable in (effects.condition, *effects.covariates) if variable.said]
    if not effects.condition.is_number:
        said.append(f"What the others are compared with is {_references(effects)}.")
    return said


def _references(effects: DesignEffects) -> str:
    """'control'; 'control in B and T, low in NK' where a group of cells has too few samples of the control."""
    where: dict[str, list[str]] = {}
    for level, (reference, *_) in effects.arms.items():
        where.setdefault(reference, []).append(level)
    if len(where) == 1:
        return next(iter(where))
    return ", and ".join(f"{reference} in {listing(levels, 4)}" for reference, levels in where.items())


def _left_out(effects: DesignEffects) -> str:
    """Which levels of the condition and which samples do not count, and why: " Left out: ..."; "" for none."""
    where: dict[str, list[str]] = {}
    for level in effects.used:
        for what in left_out_of(effects, level):
            where.setdefault(what, []).append(level)
    told = [
        what if len(levels) == len(effects.used) else f"in {listing(levels, 4)}, {what}"
        for what, levels in where.items()
    ]
    more = f"; and {len(told) - MOST_TOLD:,} more" if len(told) > MOST_TOLD else ""
    return f" Left out: {'; '.join(told[:MOST_TOLD])}{more}." if told else ""
