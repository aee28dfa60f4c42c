"""Runs by how well they predict unseen cells: what is known of each, the order, and how many programs are enough."""

import functools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ldvae_core.analysis.standing import Loss, Standing, mean_loss, standing_of
from ldvae_core.analysis.standing_words import enough_sentence
from ldvae_core.runs.cards import RunCard
from ldvae_core.runs.comparable import Basis
from ldvae_core.runs.table import METRICS, Metric, figure_of, method_of

ByCell = Mapping[str, pd.DataFrame | None]  # run id -> what read_by_cell gives
UNSEEN = ("iwll", "test_error")  # what tells models apart, the fairest first
NO_MATTER = {"seed", "device", "threads"}  # of the training: they change no model


def metric_of(column: str) -> Metric:
    """The figure of a column of the table."""
    return next(metric for metric in METRICS if metric.column == column)


def losses_of(cards: Sequence[RunCard], metric: Metric, by_cell: ByCell) -> dict[str, Loss]:
    """Of runs on the same test cells, by id, those that have the figure; lower is better."""
    means = {card.run_id: figure_of(card, metric) for card in cards}
    known = [card for card in cards if math.isfinite(means[card.run_id][0])]
    errors, cells = _errors(known, metric), _common_cells([card.run_id for card in known], metric, by_cell)
    sign = 1.0 if metric.lower_is_better else -1.0
    return {card.run_id: Loss(sign * means[card.run_id][0], errors[card.run_id], cells.get(card.run_id))
            for card in known}  # fmt: skip


def standing_in(cards: Sequence[RunCard], metric: Metric, by_cell: ByCell) -> Standing | None:
    """The order of comparable runs in one figure; None without two that have it."""
    return standing_of(losses_of(cards, metric, by_cell))


def leaders(cards: Sequence[RunCard], metric: Metric, groups: Mapping[str, int], by_cell: ByCell) -> dict[str, str]:
    """The first of each group of comparable runs and those that cannot be told from it, by run id, in words.

    "best" where the lead over each other run is sure, "tied" where some are level within error, "ahead" where
    the error of a lead is not known. The first comes first of its group.
    """
    found: dict[str, str] = {}
    for group in sorted({*groups.values()} - {0}):
        standing = standing_in([card for card in cards if groups.get(card.run_id) == group], metric, by_cell)
        if standing is not None:
            level = [name for name, verdict in standing.verdicts.items() if verdict == "level"]
            found[standing.best] = "tied" if level else "best" if standing.is_sure else "ahead"
            found |= dict.fromkeys(level, "tied")
    return found


def by_model(cards: Sequence[RunCard], losses: Mapping[str, Loss]) -> tuple[dict[str, Loss], float]:
    """Runs that differ in their seed only as one, by the id of the first; and by how much such runs differ at most.

    losses: by run id, of the cards that have the figure. The second is NaN where each model has one seed.
    """
    alike: dict[str, list[str]] = {}
    for card in cards:
        if card.run_id in losses:
            alike.setdefault(_all_but_seed(card), []).append(card.run_id)
    spreads = [max(means) - min(means) for run_ids in alike.values()
               if len(means := [losses[run_id].mean for run_id in run_ids]) > 1]  # fmt: skip
    models = {run_ids[0]: mean_loss([losses[run_id] for run_id in run_ids]) for run_ids in alike.values()}
    return models, max(spreads, default=math.nan)


def best_figure(cards: Sequence[RunCard]) -> Metric:
    """The figure that tells most of these runs apart: IWLL where two have it, else the test error."""
    known = {column: sum(math.isfinite(figure_of(card, metric_of(column))[0]) for card in cards) for column in UNSEEN}
    return metric_of(next((column for column in UNSEEN if known[column] > 1), UNSEEN[-1]))


def programs_enough(cards: Sequence[RunCard], by_cell: ByCell) -> str:
    """How many programs are enough, in words, by comparable LDVAE that differ in their number only; "" when unknown.

    Several seeds of one number count as their mean. The reconstruction error is not asked: it always favours more.
    """
    families: dict[str, list[RunCard]] = {}
    for card in cards:
        if card.settings is not None and method_of(card) == "ldvae":
            families.setdefault(_all_but_number(card), []).append(card)
    members = max(families.values(), key=lambda family: len({card.n_factors for card in family}), default=[])
    losses = losses_of(members, metric_of("iwll"), by_cell)
    together: dict[int, list[Loss]] = {}
    for card in members:
        if card.run_id in losses and card.n_factors:
            together.setdefault(card.n_factors, []).append(losses[card.run_id])
    gains = [value for card in members if math.isfinite(value := figure_of(card, metric_of("gain"))[0])]
    found = {number: mean_loss(alike) for number, alike in sorted(together.items())}
    return enough_sentence(found, gain=max(gains, default=math.nan))


def learned_from(first: Basis, others: Sequence[Basis]) -> str:
    """Whether other runs learned from other cells than the first, in words; "" where some did and some did not."""
    kinds = {"other cells" if other.cells != first.cells else
             "partly other cells" if other.split != first.split else "the same cells" for other in others}  # fmt: skip
    return kinds.pop() if len(kinds) == 1 else ""


def _common_cells(run_ids: Sequence[str], metric: Metric, by_cell: ByCell) -> dict[str, np.ndarray]:
    """One figure of the test cells that it is known for in every run that kept it, turned so that lower is better.

    The gain differs from the IWLL by the same in every run, so that its cells serve.
    """
    name = {"test_error": "error", "gain": "iwll"}.get(metric.column, metric.column)
    tables = {run_id: table for run_id in run_ids if (table := by_cell.get(run_id)) is not None}
    kept = {run_id: table[name].dropna() for run_id, table in tables.items()}
    kept = {run_id: values for run_id, values in kept.items() if len(values)}
    if not kept:
        return {}
    shared = functools.reduce(lambda a, b: a.intersection(b), [values.index for values in kept.values()])
    sign = 1.0 if metric.lower_is_better else -1.0
    return {run_id: sign * values.loc[shared].to_numpy() for run_id, values in kept.items() if len(shared)}


def _errors(cards: Sequence[RunCard], metric: Metric) -> dict[str, float]:
    """Standard errors of a figure; of the IWLL those of the gain, where all have one.

    A gain is taken cell by cell against one model, so its error is smaller, and it differs from the IWLL by the same in
    all runs. Not so where a library size was learned.
    """
    errors = {card.run_id: figure_of(card, metric)[1] for card in cards}
    gains = {card.run_id: figure_of(card, metric_of("gain"))[1] for card in cards}
    observed = all(card.settings is not None and card.settings.model.library == "observed" for card in cards)
    return gains if metric.column == "iwll" and observed and all(map(math.isfinite, gains.values())) else errors


def _all_but_number(card: RunCard) -> str:
    """Everything of the settings that makes the model, but the number of factors."""
    assert card.settings is not None
    values: dict[str, Any] = card.settings.to_dict()
    return _as_text({**values, "model": {**values["model"], "n_factors": None}})


def _all_but_seed(card: RunCard) -> str:
    """Everything of the settings that makes the model; of a run whose settings are not known, its id."""
    return card.run_id if card.settings is None else _as_text(card.settings.to_dict())


def _as_text(values: dict[str, Any]) -> str:
    training = {name: value for name, value in values["training"].items() if name not in NO_MATTER}
    return json.dumps([values["model"], training, values["choices"]], sort_keys=True)
