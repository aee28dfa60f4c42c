"""One run from its settings to its saved results: the only module of `runs` that loads torch.

Called by the worker process and by the command line, never by the page server. Everything a page shows is a file in the
run folder; see FILES for what is written when.
"""

import contextlib
import logging
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ldvae_core.analysis.factors import Axes, Factors, build_factors, save_factors
from ldvae_core.analysis.gain import fit_null_model, gain_figures
from ldvae_core.analysis.metrics import mean_and_error, reconstruction_error
from ldvae_core.analysis.overlap import program_overlap
from ldvae_core.answer import Answer
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.folder import load_counts
from ldvae_core.data.split import TEST, TRAIN
from ldvae_core.durable import write_table
from ldvae_core.errors import LdvaeError, RunError
from ldvae_core.jobs.progress import Progress as JobProgress
from ldvae_core.jobs.progress import write_progress
from ldvae_core.model.config import ModelConfig
from ldvae_core.model.families import LikelihoodName
from ldvae_core.model.ldvae import LDVAE, LinearDecoder, centred_levels
from ldvae_core.runs.baseline import run_baseline
from ldvae_core.runs.by_cell import write_by_cell
from ldvae_core.runs.opened import HISTORY_COLUMNS, read_history, read_metrics
from ldvae_core.runs.prepare import Steps, completed_for, one_hot
from ldvae_core.runs.settings import LONGEST_NAME, RunFile
from ldvae_core.runs.states import write_folder_state
from ldvae_core.runs.trained import load_model, save_model
from ldvae_core.training.checkpoint import read_checkpoint, write_checkpoint
from ldvae_core.training.devices import choose_device, device_faults_in_words, found_devices
from ldvae_core.training.live_programs import top_genes_so_far
from ldvae_core.training.loop import SECONDS_BETWEEN_TICKS, Trainer
from ldvae_core.training.minibatches import MinibatchSource
from ldvae_core.training.refine import unrefinable
from ldvae_core.training.refining import Outcome, refined_model
from ldvae_core.training.reports import HistoryPoint, Progress, Reports
from ldvae_core.training.score import (
    IWLL_DRAWS,
    folded_decoder,
    likelihood_bounds,
    reconstruction_errors,
    refined_representation,
    represent,
    scored_cells,
    tighter_proposal,
)
from ldvae_core.training.threads import choose_threads, usable_cores
from ldvae_core.workspace.system import kept_awake

log = logging.getLogger(__name__)

FILES = {
    "state.json": "stage and, when it failed, why; written whenever the stage changes",
    "counts": "the modelled counts: folder of data/folder.py",
    "split.npy": "int8 (n_cells,): train, validation, test",
    "progress.json": "where training stands, about twice a second",
    "history.parquet": "one row per reported point of the curves",
    "checkpoint.npz": "everything needed to go on; removed when the run is finished",
    "model.npz": "the trained network, which places new cells (runs/trained.py)",
    "factors": "readable, gene_sparse and as_trained: folders of analysis/factors.py",
    "metrics.json": "figures on the test cells",
    "test_cells.parquet": "the same figures of every test cell (runs/by_cell.py)",
    "covariates.parquet": "loadings of the covariates by name: genes x levels",
    "dispersion_levels.parquet": "what each level adds to log inverse dispersion: genes x levels",
}
MADE_ANEW = ("run.json", "state.json", "progress.json", "checkpoint.npz", "model.npz", "factors", "metrics.json",
             "test_cells.parquet", "covariates.parquet", "dispersion_levels.parquet", "kept",
             "map")  # fmt: skip  # by refine_run
OF_TRAINING = ("best_epoch", "cells_per_second", "rollbacks", "notices")  # figures that refining does not change
ALL_AXES: tuple[Axes, ...] = ("as_trained", "gene_sparse", "readable")  # the first under every prior
CHECKPOINT_SECONDS = 10.0  # at most this much training is done again after a crash, or one epoch if that is longer


def execute(
    folder: Path,
    *,
    open_counts: Callable[[], CountMatrix],
    should_stop: Callable[[], Answer] = lambda: "go",
    resume: bool = False,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> dict[str, Any]:
    """Train the model that folder/run.json describes and save all results in the folder; returns the summary.

    open_counts: gives the whole data set, called only when the folder has no prepared counts yet. should_stop: asked
    about twice a second; "stop" keeps what was learned, "pause" keeps a checkpoint, "cancel" keeps nothing. The summary
    has the keys of the command line's last line. Raises LdvaeError in words for people; state.json then holds them.
    """
    try:
        with kept_awake(), device_faults_in_words():
            return _Run(folder, open_counts, should_stop, on_progress).go(resume=resume)
    except LdvaeError as fault:
        write_folder_state(folder, "failed", error=str(fault))
        raise


def refine_run(folder: Path, target: Path, *, should_stop: Callable[[], Answer] = lambda: "go") -> dict[str, Any]:
    """Refine a finished run that was not, as a run of its own in the new folder `target`; returns its summary.

    The run in `folder` stays as it is: its links, its names of factors and its selections keep meaning its axes.
    Takes as long as it takes; any answer but "go" ends it without results. Raises RunError: no results, no trained
    network (baselines, runs made before it was kept), refined already, cannot be refined, or `target` exists.
    """
    about, metrics, model = RunFile.read(folder), read_metrics(folder), load_model(folder)
    problems = {
        f"The run {about.settings.name!r} is refined already.": metrics.get("positions") == "refined",
        f"The run {about.settings.name!r} cannot be refined: {unrefinable(model)}.": bool(unrefinable(model)),
        f"There is a folder {target.name} already.": target.exists(),
    }
    if found := [words for words, holds in problems.items() if holds]:
        raise RunError(found)
    ending = " (refined)"
    settings = replace(about.settings, name=about.settings.name[: LONGEST_NAME - len(ending)] + ending)
    settings.write(target, data_name=about.data_name, fingerprint=about.fingerprint)
    for entry in folder.iterdir():
        if entry.name not in MADE_ANEW:
            (shutil.copytree if entry.is_dir() else shutil.copy2)(entry, target / entry.name)
    try:
        with device_faults_in_words():
            run = _Run(target, lambda: load_counts(folder / "counts"), should_stop, lambda progress: None)
            return run.refine_only(model, metrics)
    except LdvaeError as fault:
        write_folder_state(target, "failed", error=str(fault))
        raise


class _Run:
    """The steps of execute, sharing the folder and the callbacks."""

    def __init__(
        self,
        folder: Path,
        open_counts: Callable[[], CountMatrix],
        should_stop: Callable[[], Answer],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self.folder, self.should_stop, self.on_progress = folder, should_stop, on_progress
        self.steps = Steps(folder, open_counts, should_stop)
        self.training = self.steps.training
        self.checkpointed = time.monotonic()

    def go(self, *, resume: bool) -> dict[str, Any]:
        began = time.monotonic()
        write_folder_state(self.folder, "preparing")
        device = choose_device(self.training.device)
        counts = self.steps.counts()
        model_config = completed_for(self.steps.settings.model, counts)
        split = self.steps.split(counts.n_cells)
        if model_config.is_baseline:
            return self._baseline(model_config, counts, split, time.monotonic() - began)
        covariates = one_hot(counts.annotations, model_config.covariates)
        seconds_reading = time.monotonic() - began
        trainer = Trainer(
            counts.counts,
            counts.library_size,
            split,
            covariates,
            model_config=model_config,
            training_config=self.training,
            device=device,
        )
        threads = choose_threads(trainer, self.training.threads)
        if resume and self.steps.checkpoint.exists():
            trainer.restore(read_checkpoint(self.steps.checkpoint, device))
        write_folder_state(self.folder, "training")
        self.device_note = {"device": device.type, "device_reason": found_devices()["reason"], "threads": threads}
        answer = trainer.train(Reports(self._tick(counts.gene_names), self._point(counts.gene_names), self._keep))
        if answer == "pause":
            write_checkpoint(self.steps.checkpoint, trainer.snapshot())
        if answer in ("pause", "cancel"):
            return self.steps.end_without_results(answer)
        write_folder_state(self.folder, "refining")
        began = time.monotonic()
        trained = trainer.state.epochs_done * len(trainer.train_cells)
        outcome, asked = self._refine(trainer, counts, split, told=answer, at_most=trained)
        if asked == "pause":
            write_checkpoint(self.steps.checkpoint, trainer.snapshot())
        if asked in ("pause", "cancel"):
            return self.steps.end_without_results(asked)
        seconds_refining = time.monotonic() - began
        write_folder_state(self.folder, "analysing")
        metrics = self._save_results(trainer, outcome, counts, split, covariates)
        summary = {
            "n_cells": counts.n_cells,
            "n_genes": counts.n_genes,
            "n_factors": model_config.n_factors,
            "epochs": trainer.state.epochs_done,
            "device": device.type,
            "threads": threads,
            "seconds_reading": round(seconds_reading, 3),
            "seconds_training": round(trainer.state.seconds, 3),
        }
        return self.steps.finish({**metrics, "seconds_refining": round(seconds_refining, 3)}, summary, answer)

    def refine_only(self, model: LDVAE, metrics: dict[str, Any]) -> dict[str, Any]:
        """Refine a model that was trained elsewhere, and save all results; see refine_run."""
        write_folder_state(self.folder, "refining")
        counts, device = self.steps.counts(), choose_device(self.training.device)
        split, covariates = self.steps.split(counts.n_cells), one_hot(counts.annotations, model.config.covariates)
        history = read_history(self.folder)
        trainer = Trainer(
            counts.counts, counts.library_size, split, covariates, model_config=model.config,
            training_config=self.training, device=device, fast=False,
        )  # fmt: skip
        trainer.model = model.to(device)
        trainer.state.history = [HistoryPoint(*row) for row in history[list(HISTORY_COLUMNS)].itertuples(index=False)]
        began = time.monotonic()
        outcome, asked = self._refine(trainer, counts, split, told="go", at_most=None)
        if asked != "go":
            return self.steps.end_without_results("cancel")
        seconds = round(time.monotonic() - began, 3)
        write_folder_state(self.folder, "analysing")
        found = self._save_results(trainer, outcome, counts, split, covariates)
        of_training = {name: value for name, value in metrics.items() if name not in found or name in OF_TRAINING}
        return self.steps.finish({**found, **of_training}, {"seconds_refining": seconds}, "go")

    def _refine(
        self, trainer: Trainer, counts: CountMatrix, split: np.ndarray, *, told: Answer, at_most: int | None
    ) -> tuple[Outcome, Answer]:
        """Refine, and what was asked meanwhile; told: how training ended, "stop" is not heard a second time.

        at_most: the work it may take, in cells gone through in training; None: any.
        """
        asked, looked = told, time.monotonic()

        def go_on(done: float) -> bool:
            nonlocal asked, looked
            if time.monotonic() - looked > SECONDS_BETWEEN_TICKS:
                asked, looked = self.should_stop(), time.monotonic()
            return asked in ("go", told)

        outcome = refined_model(
            trainer.model,
            trainer.source,
            counts.counts,
            train=np.flatnonzero(split == TRAIN),
            validation=trainer.validation_cells,
            cells_trained=sys.maxsize if at_most is None else at_most,
            go_on=go_on,
        )
        return outcome, asked

    def _baseline(
        self, config: ModelConfig, counts: CountMatrix, split: np.ndarray, seconds_reading: float
    ) -> dict[str, Any]:
        threads = self.training.threads or min(usable_cores(), 4)
        note = {"device": "cpu", "device_reason": "Baselines need no GPU.", "threads": threads}
        with threadpool_limits(threads):
            return run_baseline(
                self.steps,
                config,
                counts,
                split,
                note={**note, "seconds_reading": round(seconds_reading, 3)},
                on_progress=lambda progress: self.on_progress(Progress(**progress)),
            )

    def _tick(self, gene_names: np.ndarray) -> Callable[[Progress, LDVAE], Answer]:
        def tick(progress: Progress, model: LDVAE) -> Answer:
            self._write_progress(progress, model, gene_names)
            self.on_progress(progress)
            return self.should_stop()

        return tick

    def _point(self, gene_names: np.ndarray) -> Callable[[list[HistoryPoint], LDVAE], None]:
        written = -np.inf

        def point(history: list[HistoryPoint], model: LDVAE) -> None:
            nonlocal written
            if time.monotonic() - written > 0.5:  # short epochs come faster than anyone can look
                written = time.monotonic()
                with _not_fatal("history.parquet"):
                    self._write_history(history)

        return point

    def _keep(self, trainer: Trainer) -> None:
        if time.monotonic() - self.checkpointed > CHECKPOINT_SECONDS:
            write_checkpoint(self.steps.checkpoint, trainer.snapshot())
            self.checkpointed = time.monotonic()

    def _write_history(self, history: list[HistoryPoint]) -> None:
        write_table(self.folder / "history.parquet", pd.DataFrame([asdict(point) for point in history]))

    def _write_progress(self, progress: Progress, model: LDVAE, gene_names: np.ndarray) -> None:
        forming = top_genes_so_far(model, gene_names)
        more = {**asdict(progress), **self.device_note, "top_genes": forming}
        told = JobProgress("training", progress.step, progress.n_steps, progress.seconds, progress.seconds_left, more)
        with _not_fatal("progress.json"):
            write_progress(self.folder / "progress.json", told)

    def _save_results(
        self, trainer: Trainer, outcome: Outcome, counts: CountMatrix, split: np.ndarray, covariates: np.ndarray
    ) -> dict[str, Any]:
        """Representation, factors on both axes, and figures on the test cells."""
        self._write_history(trainer.state.history)
        model, refined = outcome.model, outcome.refined
        save_model(model, self.folder)
        posterior = represent(model, trainer.source) if refined is None else refined_representation(model, refined)
        loadings, intercept = folded_decoder(model, posterior.mean, covariates)
        config = model.config
        theta = None
        if model.likelihood.has_dispersion:
            theta = model.bounded_log_theta().detach().double().exp().cpu().numpy()
        effects = _covariate_effects(model)
        for axes in ALL_AXES if model.prior.may_rotate else ALL_AXES[:1]:
            factors = build_factors(
                representation=posterior.mean,
                posterior_variance=posterior.variance,
                loadings=loadings,
                intercept=intercept,
                inverse_dispersion=theta,
                counts=counts.counts,
                library_size=counts.library_size,
                split=split,
                prior=config.prior,
                axes=axes,
                gene_names=counts.gene_names,
                likelihood=config.likelihood,
                covariates=None if effects is None else covariates,
                covariate_loadings=effects,
                posterior_covariance=None if refined is None else refined.covariance,
            )
            save_factors(factors, self.folder / "factors" / axes)
        if effects is not None:
            names = [f"{item.name}: {level}" for item in config.covariates for level in item.levels]
            write_table(self.folder / "covariates.parquet", pd.DataFrame(effects, counts.gene_names, names))
        self._write_dispersion_levels(model, counts.gene_names)
        return self._figures(trainer.source, outcome, factors, counts, split, posterior.mean) | {
            **outcome.figures(),
            **_overlap(factors),
            "best_epoch": trainer.state.best_epoch,
            "cells_per_second": trainer.state.epochs_done * len(trainer.train_cells) / max(trainer.state.seconds, 1e-9),
            "rollbacks": trainer.state.rollbacks,
            "notices": trainer.state.notices,
        }

    def _figures(
        self,
        source: MinibatchSource,
        outcome: Outcome,
        factors: Factors,
        counts: CountMatrix,
        split: np.ndarray,
        representation: np.ndarray,
    ) -> dict[str, Any]:
        """Figures on the test cells: error of all of them, bounds and gain of at most 5,000, each with its error."""
        model, refined, test = outcome.model, outcome.refined, np.flatnonzero(split == TEST)
        if model.config.is_recomputable:  # from the very numbers exported, so that a stranger finds the same figure
            error = _recomputed_error(factors, counts, test, model.config.likelihood)
        else:
            error = reconstruction_errors(model, source, test, representation)
        scored = scored_cells(test)
        around = None if refined is None else tighter_proposal(model, source, scored, refined.of(scored))
        bounds = likelihood_bounds(model, source, scored, around=around)
        null = fit_null_model(counts.counts[np.flatnonzero(split == TRAIN)])
        write_by_cell(self.folder, test, error=error, elbo=(scored, bounds.elbo), iwll=(scored, bounds.iwll))
        values = {"test_reconstruction_error": error, "test_elbo": bounds.elbo, "test_iwll": bounds.iwll}
        means = {name: mean_and_error(per_cell) for name, per_cell in values.items()}
        return {
            **{name: mean for name, (mean, _) in means.items()},
            **{f"{name}_se": spread for name, (_, spread) in means.items()},
            "iwll_draws": IWLL_DRAWS,
            "drawn_from": "encoder" if around is None else "refined",
            "test_cells": len(test),
            "iwll_cells": len(scored),
            "null_error": -float(null.log_likelihood(counts.counts[test]).mean()),
            **gain_figures(bounds.iwll, null, counts.counts[scored], knows_library=model.config.library == "observed"),
        }

    def _write_dispersion_levels(self, model: LDVAE, gene_names: np.ndarray) -> None:
        """What each level adds to log inverse dispersion, where the model has that."""
        if model.config.dispersion != "gene_level":
            return
        effects = centred_levels(model.dispersion_levels, model.level_counts).detach().double().cpu().numpy()
        names = [f"{item.name}: {level}" for item in model.config.covariates for level in item.levels]
        write_table(self.folder / "dispersion_levels.parquet", pd.DataFrame(effects, gene_names, names))


def _overlap(factors: Factors) -> dict[str, Any]:
    """Whether orthogonal axes can be the programs; {} for usages, which may be correlated."""
    if factors.are_usages:
        return {}
    overlap = program_overlap(factors.loadings)
    return {"programs_overlap": overlap.is_strong, "program_correlation": overlap.correlation}


@contextlib.contextmanager
def _not_fatal(name: str) -> Iterator[None]:
    """What only shows where training stands may fail to be written: the next time says it anew."""
    try:
        yield
    except OSError:
        log.warning("%s could not be written", name, exc_info=True)


def _covariate_effects(model: LDVAE) -> np.ndarray | None:
    """Loadings of the covariates' levels, (n_genes, n_levels); None without covariates or with a neural decoder."""
    if not isinstance(model.decoder, LinearDecoder) or not model.config.covariates:
        return None
    return model.decoder.centred_covariates().detach().double().cpu().numpy()


def _recomputed_error(
    factors: Factors, counts: CountMatrix, cells: np.ndarray, likelihood: LikelihoodName
) -> np.ndarray:
    return reconstruction_error(
        counts.counts[cells],
        factors.representation[cells],
        factors.loadings,
        factors.intercept,
        factors.inverse_dispersion,
        likelihood=likelihood,
    )
