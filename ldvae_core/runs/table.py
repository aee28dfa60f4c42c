"""Runs side by side: one row each, with settings in plain words and figures on the test cells."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ldvae_core.model.config import Method
from ldvae_core.model.describe import model_words
from ldvae_core.model.families import LIKELIHOODS
from ldvae_core.runs.cards import RunCard

WITHOUT_BOUND = ("pca", "nmf")  # no distribution over factors, so no ELBO, no IWLL and no gain


class Metric(NamedTuple):
    """A figure on the test cells."""

    column: str  # of the table; f"{column}_se" beside it
    key: str  # in metrics.json; f"{key}_se" beside it
    title: str
    lower_is_better: bool
    meaning: str


METRICS = (
    Metric("test_error", "test_reconstruction_error", "Fit to unseen cells", True,
           "reconstruction error: how badly counts of test cells are predicted from their factors; lower is better"),
    Metric("elbo", "test_elbo", "ELBO", False,
           "lower bound of the log-likelihood of test cells; higher is better"),
    Metric("iwll", "test_iwll", "IWLL", False,
           "importance-weighted log-likelihood of test cells, a closer bound; higher is better"),
    Metric("gain", "gain", "Gain over the gene mean", False,
           "log-likelihood of test cells above that of a model that knows only each gene's mean; higher is better"),
)  # fmt: skip


def method_of(card: RunCard) -> Method:
    """'ldvae', 'pca', 'nmf' or 'gene_mean'."""
    return card.settings.model.method if card.settings else "ldvae"


def runs_table(cards: Sequence[RunCard], groups: Mapping[str, int]) -> pd.DataFrame:
    """One row per run, in the order given.

    groups: number of each run's group of comparable runs, 0 while not known. Columns: run_id, name, data, model,
    factors, cells, genes, likelihood; test_error, elbo, iwll, gain (nats per cell), each with its standard error in
    <column>_se, NaN where not known; seconds (of training), device, state, seed, group, and missing: why a figure is
    not known.
    """
    return pd.DataFrame([_row(card, groups.get(card.run_id, 0)) for card in cards], columns=_columns())


def figure_of(card: RunCard, metric: Metric) -> tuple[float, float]:
    """A figure of a run and its standard error, each NaN where it is not known."""
    found = (_number(card.metrics.get(key)) for key in (metric.key, f"{metric.key}_se"))
    value, error = (math.nan if number is None else number for number in found)
    return value, error


def missing_words(card: RunCard, metric: Metric) -> str:
    """Why a run has no such figure; "" when it has it."""
    if _number(card.metrics.get(metric.key)) is not None:
        return ""
    if not card.has_results:
        return f"the run is {card.state}"
    if metric.column != "test_error" and method_of(card) in WITHOUT_BOUND:
        return "PCA and NMF have no distribution over factors, hence no bound of the likelihood"
    return "the run was made before this was measured: train it again to have it"


def _columns() -> list[str]:
    figures = [name for metric in METRICS for name in (metric.column, f"{metric.column}_se")]
    first = ["run_id", "name", "data", "model", "factors", "cells", "genes", "likelihood"]
    return [*first, *figures, "seconds", "device", "state", "seed", "group", "missing"]


def _row(card: RunCard, group: int) -> dict[str, Any]:
    model, metrics = (card.settings.model if card.settings else None), card.metrics
    covered = {}
    for metric in METRICS:
        for name, key in ((metric.column, metric.key), (f"{metric.column}_se", f"{metric.key}_se")):
            covered[name] = math.nan if (value := _number(metrics.get(key))) is None else value
    gaps = {metric.title: words for metric in METRICS if (words := missing_words(card, metric))}
    seconds = _number(metrics.get("seconds_training"))
    return {
        "run_id": card.run_id,
        "name": card.name,
        "data": card.data_name,
        "model": model_words(model) if model else "unknown",
        "factors": card.n_factors,
        "cells": card.n_cells,
        "genes": card.n_genes,
        "likelihood": LIKELIHOODS[model.likelihood].words if model else "unknown",
        **covered,
        "seconds": math.nan if seconds is None else seconds,
        "device": {"cpu": "CPU", "cuda": "NVIDIA GPU"}.get(str(metrics.get("device", "")), ""),
        "state": card.state,
        "seed": card.settings.training.seed if card.settings else None,
        "group": group,
        "missing": "; ".join(f"{title}: {words}" for title, words in gaps.items()),
    }


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None
