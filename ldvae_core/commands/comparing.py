"""`compare`: runs side by side, and which programs of one are which of another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ldvae_core.analysis.comparison import matching_table, principal_angles
from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.findings import factor_label, placement_finding
from ldvae_core.analysis.matching import REPLICATES, on_genes_of, stability
from ldvae_core.data.demo import DEMO_RUN
from ldvae_core.errors import RunError
from ldvae_core.model.describe import BASELINES
from ldvae_core.runs.additions import Additions
from ldvae_core.runs.by_cell import read_by_cell
from ldvae_core.runs.cards import RunCard, read_card
from ldvae_core.runs.comparable import Basis, groups, left_out, read_basis
from ldvae_core.runs.standings import leaders
from ldvae_core.runs.store import open_demo_run, open_run_folder
from ldvae_core.runs.table import METRICS, method_of, runs_table
from ldvae_core.workspace.folders import DEMO

SETTINGS_SHOWN = ("name", "data", "model", "factors", "cells", "genes", "likelihood", "seed", "device", "state")


@dataclass(frozen=True)
class _Member:
    """A run to compare; its place on the command line is its name in the answer."""

    run: str
    card: RunCard
    basis: Basis | None
    factors: Factors | None  # on the axes people see first; None without results
    by_cell: pd.DataFrame | None = None  # figures of every test cell, where they were kept


def compare_runs(runs: Sequence[str]) -> dict[str, Any]:
    """The command's last line: "runs", "groups" of comparable ones, and "pairs" with the same genes.

    runs: run folders, or "demo". Runs without results are listed, with the reason why they stand in no group. Raises
    RunError when fewer than two different runs are given, when one is no run, or when its files are damaged.
    """
    given = {_resolved(run): run for run in runs}
    if len(given) < 2:
        raise RunError("Comparing takes at least two different runs.", "Give their folders one after the other.")
    members = [_member(run) for run in given.values()]
    numbers = groups({member.run: member.basis for member in members})
    table = runs_table([member.card for member in members], numbers)
    pairs = [_pair(a, b) for a, b in combinations(members, 2)]
    return {
        "runs": [_run(member, row, members) for member, (_, row) in zip(members, table.iterrows(), strict=True)],
        "groups": [_group(number, members, numbers) for number in sorted({*numbers.values()} - {0})],
        "pairs": [pair for pair in pairs if pair is not None],
    }


def _resolved(run: str) -> str:
    return DEMO if run == DEMO else str(Path(run).resolve())


def _member(run: str) -> _Member:
    folder = DEMO_RUN if run == DEMO else Path(run)
    if not (folder / "run.json").exists():
        raise RunError(f"{run} is not a run: it has no run.json.", "Give folders that `train --out` named.")
    card = read_card(folder, None, additions=Additions.beside(folder), run_id=run, demo=run == DEMO)
    if card.settings is None:
        raise RunError(card.error)
    if not card.has_results:
        return _Member(run, card, None, None)
    opened = open_demo_run() if run == DEMO else open_run_folder(folder)
    return _Member(run, card, read_basis(folder), opened.factors[opened.axes], read_by_cell(folder))


def _run(member: _Member, row: pd.Series, members: Sequence[_Member]) -> dict[str, Any]:
    """Settings in words and figures with standard errors; which factors come back in the others on the same genes."""
    figures = {
        metric.key: {"value": _number(row[metric.column]), "standard_error": _number(row[f"{metric.column}_se"])}
        for metric in METRICS
    }
    settings = {name: _plain(row[name]) for name in SETTINGS_SHOWN}
    epochs = {"epochs": member.card.epoch, "seconds_training": _number(row["seconds"])}
    said = {"group": int(row["group"]), "figures": figures, "missing": row["missing"]}
    return {"run": member.run, **settings, **epochs, **said, "replication": _replication(member, members)}


def _replication(member: _Member, members: Sequence[_Member]) -> list[dict[str, Any]]:
    """Per factor the median match over all other runs on the same genes; [] where there is none."""
    own = member.factors
    found = [_in_order(other.factors, own) for other in members if other is not member]
    others = [other for other in found if other is not None]
    if own is None or not others:
        return []
    medians = stability([own, *others])
    return [
        {
            "factor": factor_label(k),
            "active": bool(own.active[k]),
            "median_match": _number(median),
            "replicates": bool(own.active[k] and median >= REPLICATES),
        }
        for k, median in enumerate(medians)
    ]


def _group(number: int, members: Sequence[_Member], numbers: dict[str, int]) -> dict[str, Any]:
    """Runs whose figures may stand side by side, the best of each figure, and why the others are left out.

    Beside the best one stand those that differ from it by less than the error over cells.
    """
    inside = [member for member in members if numbers[member.run] == number]
    outside = {member.run: member.basis for member in members if numbers[member.run] != number}
    basis = next(member.basis for member in inside if member.basis is not None)
    reasons = left_out(basis, outside)
    for member in members:
        if member.run in reasons and not member.card.has_results:
            reasons[member.run] = f"it has no results: the run is {member.card.state}"
    alike, cells = {member.run: 1 for member in inside}, {member.run: member.by_cell for member in inside}
    best = {metric.key: list(leaders([member.card for member in inside], metric, alike, cells)) for metric in METRICS}
    placed = {member.run: member.card.metrics for member in inside if method_of(member.card) not in BASELINES}
    return {
        "group": number,
        "runs": [member.run for member in inside],
        "placement": placement_finding(placed),
        "best": {key: runs[0] for key, runs in best.items() if runs},
        "not_told_from_best": {key: runs[1:] for key, runs in best.items() if runs},
        "left_out": reasons,
    }


def _pair(a: _Member, b: _Member) -> dict[str, Any] | None:
    """Factors of run a beside their partners in run b, blind to sign and order; None without the same genes."""
    ours, theirs = a.factors, _in_order(b.factors, a.factors)
    if ours is None or theirs is None:
        return None
    table = matching_table(ours, theirs)
    matched = table[table["partner"].notna()]
    counted = matched[matched["active"]]
    return {
        "runs": [a.run, b.run],
        "axes": [ours.axes, theirs.axes],
        "matches": [
            {
                "factor": factor_label(row["factor"]),
                "partner": factor_label(int(row["partner"])),
                "match": float(row["match"]),
                "raw_cosine": float(row["raw_cosine"]),
                "same_sign": bool(row["same_sign"]),
                "replicates": bool(row["found"]),
                "genes": row["genes"],
                "partner_genes": row["partner_genes"],
            }
            for row in matched.to_dict("records")
        ],
        "median_match": float(counted["match"].median()) if len(counted) else None,
        "replicating": int(matched["found"].sum()),
        "unmatched": [factor_label(k) for k in table[table["partner"].isna()]["factor"]],
        "principal_angles_degrees": np.degrees(principal_angles(ours.loadings, theirs.loadings)).round(3).tolist(),
    }


def _in_order(factors: Factors | None, like: Factors | None) -> Factors | None:
    """The same factors with their genes in the other run's order; None where that cannot be."""
    return None if factors is None or like is None else on_genes_of(factors, like)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """A cell of the table as JSON has it."""
    if isinstance(value, float | np.floating):
        return None if not math.isfinite(value) else int(value) if float(value).is_integer() else float(value)
    return int(value) if isinstance(value, np.integer) else value
