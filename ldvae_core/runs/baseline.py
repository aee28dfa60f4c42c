"""A baseline run: PCA, NMF or the gene means, kept in the same kind of folder as every run. It needs no torch."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ldvae_core.analysis.factors import Factors, build_factors, save_factors
from ldvae_core.analysis.gain import fit_null_model, gain_figures
from ldvae_core.analysis.metrics import log_likelihood_at, mean_and_error
from ldvae_core.answer import Answer
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.split import TEST, TRAIN
from ldvae_core.durable import write_table
from ldvae_core.jobs.progress import Progress, write_progress
from ldvae_core.model.baselines import NMF_ROUNDS, Baseline, fit_baseline
from ldvae_core.model.config import ModelConfig
from ldvae_core.model.dispersion import fit_inverse_dispersion
from ldvae_core.runs.by_cell import write_by_cell
from ldvae_core.runs.opened import HISTORY_COLUMNS
from ldvae_core.runs.prepare import Steps
from ldvae_core.runs.states import write_folder_state

STEPS = {"pca": 3, "nmf": NMF_ROUNDS + 2, "gene_mean": 3}  # looks at what is asked of the run, before its results
Report = Callable[[dict[str, Any]], None]


def run_baseline(
    steps: Steps,
    config: ModelConfig,
    counts: CountMatrix,
    split: np.ndarray,
    *,
    note: dict[str, Any],
    on_progress: Report = lambda progress: None,
) -> dict[str, Any]:
    """Fit the baseline on the training cells, save the results in the run folder, return the summary.

    note: device, device_reason, threads, and seconds_reading. on_progress gets the fields of progress.json. Asked to
    stop, NMF keeps what it has learned so far; a pause or a cancel takes effect between two steps, and a resumed
    baseline starts anew. Raises SettingsError when there are fewer training cells than factors.
    """
    fitting = _Fitting(steps, config, note, on_progress)
    write_folder_state(steps.folder, "training")
    write_table(steps.folder / "history.parquet", _no_history())
    if fitting.fit(counts, np.flatnonzero(split == TRAIN)) in ("pause", "cancel"):
        return steps.end_without_results(fitting.answer)
    seconds = fitting.seconds
    write_folder_state(steps.folder, "analysing")
    factors = _factors(fitting, counts, split, config)
    save_factors(factors, steps.folder / "factors" / "as_trained")
    summary = {
        "n_cells": counts.n_cells,
        "n_genes": counts.n_genes,
        "n_factors": factors.n_factors,
        "epochs": 0,
        "device": note["device"],
        "threads": note["threads"],
        "seconds_reading": note["seconds_reading"],
        "seconds_training": round(seconds, 3),
    }
    return steps.finish(_metrics(steps.folder, fitting, counts, split, config), summary, fitting.answer)


class _Fitting:
    """A baseline being fitted, and what the run's owner asks meanwhile."""

    model: Baseline
    representation: np.ndarray  # (n_cells, n_factors)
    inverse_dispersion: np.ndarray  # (n_genes,)

    def __init__(self, steps: Steps, config: ModelConfig, note: dict[str, Any], on_progress: Report) -> None:
        self._steps, self._config, self._note, self._on_progress = steps, config, note, on_progress
        self._began, self._done = time.monotonic(), 0
        self.answer: Answer = "go"

    @property
    def seconds(self) -> float:
        """Since the fit began."""
        return time.monotonic() - self._began

    def fit(self, counts: CountMatrix, train: np.ndarray) -> Answer:
        """Programs, positions, inverse dispersions, with a look at the owner's wishes after each."""
        x, method = counts.counts, self._config.method
        learned = x[train]
        settings = {"n_factors": self._config.n_factors, "seed": self._steps.training.seed}
        self._look(0)
        if self._goes_on:
            on_round = lambda done, of: self._look(done) == "go"  # noqa: E731
            self.model = fit_baseline(method, learned, **settings, on_round=on_round)
            self._look(STEPS[method] - 2)
        if self._goes_on:
            self.representation = self.model.represent(x)
            self._look(STEPS[method] - 1)
        if self._goes_on:
            place = self.representation[train]
            library = counts.library_size[train]
            self.inverse_dispersion = fit_inverse_dispersion(
                learned, lambda cells: library[cells, None] * self.model.fractions(place[cells]), seed=settings["seed"]
            )
            self._look(STEPS[method])
        return self.answer

    @property
    def _goes_on(self) -> bool:
        return self.answer in ("go", "stop")  # stop: no more rounds, but the results are wanted

    def _look(self, done: int) -> Answer:
        """Say where the fit is, and take up what is asked; a cancel is never taken back."""
        self._done, n_steps = done, STEPS[self._config.method]
        progress = {
            "epoch": done,
            "n_epochs": n_steps,
            "step": done,
            "n_steps": n_steps,
            "seconds": self.seconds,
            "seconds_left": self.seconds / done * (n_steps - done) if done else float("nan"),
            "cells_per_second": 0.0,
            "kl_weight": 1.0,
        }
        shown = {name: self._note[name] for name in ("device", "device_reason", "threads")}
        more = {**progress, **shown, "top_genes": []}
        told = Progress("training", done, n_steps, progress["seconds"], progress["seconds_left"], more)
        write_progress(self._steps.folder / "progress.json", told)
        self._on_progress(progress)
        asked = self._steps.should_stop()
        self.answer = asked if asked != "go" else self.answer
        return self.answer


def _factors(fitting: _Fitting, counts: CountMatrix, split: np.ndarray, config: ModelConfig) -> Factors:
    return build_factors(
        representation=fitting.representation,
        posterior_variance=None,
        loadings=fitting.model.loadings,
        intercept=fitting.model.intercept,
        inverse_dispersion=fitting.inverse_dispersion,
        counts=counts.counts,
        library_size=counts.library_size,
        split=split,
        prior="logistic_normal" if config.method == "nmf" else "normal",  # usages: never flipped, never rotated
        axes="as_trained",
        gene_names=counts.gene_names,
        fractions=fitting.model.fractions,
    )


def _metrics(
    folder: Path, fitting: _Fitting, counts: CountMatrix, split: np.ndarray, config: ModelConfig
) -> dict[str, Any]:
    """Figures on the test cells. Only the gene means have a likelihood; the others place a cell by its own counts."""
    test = np.flatnonzero(split == TEST)
    x, size, place = counts.counts[test], counts.library_size[test], fitting.representation[test]
    null = fit_null_model(counts.counts, np.flatnonzero(split == TRAIN))
    if config.method == "gene_mean":  # the null model itself: then its gain is exactly 0
        likelihood = null.log_likelihood(x)
    else:
        expected = lambda cells: size[cells, None] * fitting.model.fractions(place[cells])  # noqa: E731
        likelihood = log_likelihood_at(x, expected, fitting.inverse_dispersion)
    bound = likelihood if config.method == "gene_mean" else None
    bounds = {} if bound is None else {"elbo": (test, bound), "iwll": (test, bound)}
    write_by_cell(folder, test, error=-likelihood, **bounds)
    error, error_se = mean_and_error(-likelihood)
    mean, mean_se = (None, None) if bound is None else mean_and_error(bound)
    return {
        "test_reconstruction_error": error,
        "test_reconstruction_error_se": error_se,
        "test_elbo": mean,
        "test_elbo_se": mean_se,
        "test_iwll": mean,
        "test_iwll_se": mean_se,
        "iwll_draws": None,
        "test_cells": len(test),
        "iwll_cells": None if bound is None else len(test),
        "null_error": -float(null.log_likelihood(x).mean()),
        **gain_figures(bound, null, x),
        "best_epoch": 0,
        "cells_per_second": 0.0,
        "rollbacks": 0,
    }


def _no_history() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype="int64" if name == "step" else "float64") for name in HISTORY_COLUMNS})
