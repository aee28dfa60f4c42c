"""Programs of several samples, each from a model of its own: which are shared, and which one sample alone has.

Programs are compared as matching.py does, over the genes that all samples model. They are joined one by one, the most
alike first, each group held by the mean of its members' unit vectors, which noise of single samples leaves better
than any of them; a group has one program of a sample at most. Joining ends below BAR, and a member that is less like
the mean of the others than that is let go again. Programs that explain less than LEAST of their sample's deviance do
not take part: noise explains as much (docs/certified.md).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.matching import unit_columns
from ldvae_core.errors import SettingsError

BAR = 0.6  # as for certified programs
LEAST = 0.002  # explained deviance
FEWEST_GENES = 50  # that all samples model


class Sample(NamedTuple):
    """What one sample's model says, on readable axes."""

    name: str
    factors: Factors  # its representation is not looked at
    share: np.ndarray  # (n_genes,) mean expression of the genes, in any unit


class Program(NamedTuple):
    """One program in the samples that have it, in the order of the samples."""

    samples: tuple[int, ...]
    factors: tuple[int, ...]  # from 0
    signs: tuple[int, ...]  # 1 or -1: what turns each to the direction of the first
    match: float  # mean over samples of the match with the mean of the others; NaN for one alone


class Matched(NamedTuple):
    """All programs of all samples."""

    shared: tuple[Program, ...]  # of two samples or more; those of most samples first, then the strongest
    private: tuple[Program, ...]  # of one sample
    weak: tuple[int, ...]  # of each sample, factors that explain too little to take part


def match_samples(samples: Sequence[Sample]) -> Matched:
    """Join the programs of the samples. Raises SettingsError: fewer than two samples, or too few genes in common."""
    if len(samples) < 2:
        raise SettingsError("Programs are matched over two samples or more.")
    taking_part = [_strong(sample.factors) for sample in samples]
    units = _units(samples, taking_part)
    owner = np.repeat(np.arange(len(samples)), [len(found) for found in taking_part])
    factor = np.concatenate([*taking_part, np.empty(0, np.int64)]).astype(int)
    groups = _joined(units, owner)
    programs = [_program(units, group, owner, factor) for group in groups]
    explained = [_explained(program, samples) for program in programs]
    order = sorted(range(len(programs)), key=lambda k: (-len(programs[k].samples), -explained[k]))
    ordered = [programs[k] for k in order]
    return Matched(
        tuple(program for program in ordered if len(program.samples) > 1),
        tuple(program for program in ordered if len(program.samples) == 1),
        tuple(sample.factors.n_factors - len(found) for sample, found in zip(samples, taking_part, strict=True)),
    )


def _strong(factors: Factors) -> np.ndarray:
    return np.flatnonzero(np.asarray(factors.active, bool) & (np.asarray(factors.explained_deviance) >= LEAST))


def _units(samples: Sequence[Sample], taking_part: list[np.ndarray]) -> np.ndarray:
    """Unit vectors of all programs, over the genes in common: (n_common, n_programs)."""
    names = [sample.factors.gene_names.tolist() for sample in samples]
    common = set(names[0]).intersection(*names[1:])
    if len(common) < FEWEST_GENES:
        raise SettingsError(
            f"Only {len(common):,} genes are modelled in all samples; at least {FEWEST_GENES} are needed.",
            "Name the genes alike in all of them, and model the same ones.",
        )
    places = [np.array([place for place, gene in enumerate(each) if gene in common]) for each in names]
    for number, (each, place) in enumerate(zip(names, places, strict=True)):
        places[number] = place[np.argsort([each[gene] for gene in place], kind="stable")]
    share = np.mean([sample.share[place] / max(sample.share.sum(), 1e-300)
                     for sample, place in zip(samples, places, strict=True)], axis=0)  # fmt: skip
    parts = [unit_columns(np.asarray(sample.factors.loadings_shrunken)[np.ix_(place, found)], share)
             for sample, place, found in zip(samples, places, taking_part, strict=True)]  # fmt: skip
    return np.column_stack(parts)


def _joined(units: np.ndarray, owner: np.ndarray) -> list[list[int]]:
    """Groups of programs, by positions among the columns of units."""
    groups = [[k] for k in range(units.shape[1])]
    centres = units.copy()
    alike = np.abs(centres.T @ centres)
    alike[owner[:, None] == owner[None, :]] = -1.0
    while alike.size and alike.max() >= BAR:
        a, b = np.unravel_index(int(alike.argmax()), alike.shape)
        sign = np.sign(centres[:, a] @ centres[:, b]) or 1.0
        centre = centres[:, a] / _length(centres[:, a]) * len(groups[a])
        centre = centre + sign * centres[:, b] / _length(centres[:, b]) * len(groups[b])
        centres[:, a] = centre / _length(centre)
        groups[a], groups[b] = groups[a] + groups[b], []
        alike[b], alike[:, b] = -1.0, -1.0
        apart = [bool(group) and not set(owner[group]) & set(owner[groups[a]]) for group in groups]
        row = np.where(apart, np.abs(centres[:, a] @ centres), -1.0)
        alike[a], alike[:, a] = row, row
    held = [_held(units, group) for group in groups if group]
    return [group for kept, _ in held if (group := kept)] + [[k] for _, let_go in held for k in let_go]


def _held(units: np.ndarray, group: list[int]) -> tuple[list[int], list[int]]:
    """The members that are like the mean of the others, and those that are not, the least alike let go first."""
    kept, let_go = list(group), []
    while len(kept) > 1:
        matches = _matches(units, kept)
        worst = int(matches.argmin())
        if matches[worst] >= BAR:
            break
        let_go.append(kept.pop(worst))
    return kept, let_go


def _aligned(units: np.ndarray, group: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The group's vectors in one direction, that of the first, and the signs that turn them there."""
    vectors = units[:, group]
    lead = np.linalg.svd(vectors, full_matrices=False)[0][:, 0]
    signs = np.where(lead @ vectors >= 0, 1, -1)
    signs = signs * signs[0]
    return vectors * signs, signs


def _matches(units: np.ndarray, group: list[int]) -> np.ndarray:
    """Of each member with the mean of the others, (n_members,)."""
    vectors, _ = _aligned(units, group)
    others = vectors.sum(axis=1, keepdims=True) - vectors
    lengths = np.linalg.norm(others, axis=0)
    cosines = np.einsum("gk,gk->k", vectors, others) / np.where(lengths > 0, lengths, 1.0)
    return np.minimum(cosines, 1.0)  # equal ones come out a rounding above


def _program(units: np.ndarray, group: list[int], owner: np.ndarray, factor: np.ndarray) -> Program:
    group = sorted(group, key=lambda k: owner[k])
    _, signs = _aligned(units, group)
    match = float(_matches(units, group).mean()) if len(group) > 1 else float("nan")
    return Program(
        tuple(int(owner[k]) for k in group),
        tuple(int(factor[k]) for k in group),
        tuple(int(sign) for sign in signs),
        match,
    )


def _explained(program: Program, samples: Sequence[Sample]) -> float:
    values = [samples[s].factors.explained_deviance[k] for s, k in zip(program.samples, program.factors, strict=True)]
    return float(np.mean(values))


def _length(vector: np.ndarray) -> float:
    return float(np.linalg.norm(vector)) or 1.0
