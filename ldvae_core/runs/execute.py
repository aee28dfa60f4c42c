"""One run from its settings to its saved results. Loads torch, as results.py, refine.py and trained.py beside it do.

Called by the worker process and by the command line, never by the page server. Everything a page shows is a file in the
run folder; see FILES for what is written when.
"""

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ldvae_core.analysis.certificates import number_reason
from ldvae_core.analysis.factors import load_factors
from ldvae_core.answer import Answer
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.split import TRAIN
from ldvae_core.durable import write_table
from ldvae_core.errors import LdvaeError
from ldvae_core.jobs.progress import Progress as JobProgress
from ldvae_core.model.budget import seconds_after_training
from ldvae_core.model.config import ModelConfig
from ldvae_core.model.ldvae import LDVAE
from ldvae_core.runs.guided import guide_for, guided_summary
from ldvae_core.runs.prepare import Steps, completed_for, covariate_columns
from ldvae_core.runs.results import save_results
from ldvae_core.runs.search import ADVICE_FILE, CERTIFICATES_FILE, NoStructureError, write_certificates
from ldvae_core.runs.searching import WORKS, Found, Searching
from ldvae_core.runs.settings import settle_number
from ldvae_core.runs.states import Stage, write_folder_state
from ldvae_core.runs.under_way import Speed, UnderWay
from ldvae_core.training.checkpoint import read_checkpoint, write_checkpoint
from ldvae_core.training.devices import choose_device, device_faults_in_words, found_devices
from ldvae_core.training.live_programs import top_genes_so_far
from ldvae_core.training.loop import SECONDS_BETWEEN_TICKS, Trainer
from ldvae_core.training.refining import Outcome, refined_model
from ldvae_core.training.reports import HistoryPoint, Progress, Reports
from ldvae_core.training.siblings import Told
from ldvae_core.training.threads import choose_threads, usable_cores
from ldvae_core.workspace.system import kept_awake

log = logging.getLogger(__name__)

FILES = {
    "state.json": "stage and, when it failed, why; written whenever the stage changes",
    "counts": "the modelled counts: folder of data/folder.py",
    "split.npy": "int8 (n_cells,): train, validation, test",
    "progress.json": "where training stands, about twice a second",
    "guide.gmt": "the gene sets that guide factors, of a guided run",
    "history.parquet": "one row per reported point of the curves",
    "checkpoint.npz": "everything needed to go on; removed when the run is finished",
    "model.npz": "the trained network, which places new cells (runs/trained.py)",
    "factors": "readable, gene_sparse and as_trained: folders of analysis/factors.py",
    "metrics.json": "figures on the test cells",
    "search": "the trainings from which the number of programs is told (runs/searching.py)",
    "advice.json": "what they said: certificates of the generous model (analysis/certificates.py)",
    "certificates.json": "which programs of the run come back; runs whose number was found have it",
    "test_cells.parquet": "the same figures of every test cell (runs/by_cell.py)",
    "covariates.parquet": "loadings of the covariates by name: genes x levels",
    "dispersion_levels.parquet": "what each level adds to log inverse dispersion: genes x levels",
}
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
        self.under_way = UnderWay(folder / "progress.json")

    def go(self, *, resume: bool) -> dict[str, Any]:
        began = time.monotonic()
        write_folder_state(self.folder, "preparing")
        device = choose_device(self.training.device)
        counts = self.steps.counts()
        model_config = completed_for(self.steps.settings.model, counts)
        split = self.steps.split(counts.n_cells)
        if model_config.is_baseline:
            return self._baseline(model_config, counts, split, time.monotonic() - began)
        guide = guide_for(self.steps.settings.guide, counts, self.folder)  # sets that are refused cost no search
        found = None
        if self.steps.settings.search.auto:
            try:
                found = self._search(counts, split, model_config)
            except Told as told:
                return self.steps.end_without_results("pause" if told.answer == "pause" else "cancel")
            model_config = replace(model_config, n_factors=self.steps.settings.n_factors)
        covariates = covariate_columns(counts.annotations, model_config.covariates)
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
            self.under_way = UnderWay(self.folder / "progress.json", before=trainer.state.seconds)
        write_folder_state(self.folder, "training")
        self.device_note = {"device": device.type, "device_reason": found_devices()["reason"], "threads": threads}
        answer = trainer.train(Reports(self._tick(trainer, counts), self._point(counts.gene_names), self._keep))
        if answer == "pause":
            write_checkpoint(self.steps.checkpoint, trainer.snapshot())
        if answer in ("pause", "cancel"):
            return self.steps.end_without_results(answer)
        self._begin("refining")
        began = time.monotonic()
        trained = trainer.state.epochs_done * len(trainer.train_cells)
        outcome, asked = self._refine(trainer, counts, split, told=answer, at_most=trained)
        if asked == "pause":
            write_checkpoint(self.steps.checkpoint, trainer.snapshot())
        if asked in ("pause", "cancel"):
            return self.steps.end_without_results(asked)
        seconds_refining = time.monotonic() - began
        self._begin("analysing")
        self._write_history(trainer.state.history)
        figures = save_results(
            self.folder,
            trainer.source,
            outcome,
            counts=counts,
            split=split,
            covariates=covariates,
            guide=guide,
            on_share=lambda done: self.under_way.reached("analysing", done),
        )
        metrics = {**figures, **_of_training(trainer)}
        reason = {} if found is None else {"reason": self._certify(found)}
        summary = {
            "n_cells": counts.n_cells,
            "n_genes": counts.n_genes,
            "n_factors": model_config.n_factors,
            "epochs": trainer.state.epochs_done,
            "device": device.type,
            "threads": threads,
            "seconds_reading": round(seconds_reading, 3),
            "seconds_training": round(trainer.state.seconds, 3),
            **guided_summary(self.folder, figures),
            **reason,
        }
        return self.steps.finish({**metrics, "seconds_refining": round(seconds_refining, 3)}, summary, answer)

    def _search(self, counts: CountMatrix, split: np.ndarray, model: ModelConfig) -> Found:
        """Find the number of programs and put it down. Raises Told, and NoStructureError where there is none."""
        self._begin("searching")
        searching = Searching(
            self.folder, counts, split, model=model, training=self.training, search=self.steps.settings.search
        )
        began = time.monotonic()

        def reached(share: float) -> None:
            self.under_way.searching(share)
            seconds, done, n = time.monotonic() - began, int(share * len(WORKS)), len(WORKS)
            left = seconds / share * (1 - share) if share > 0 else math.nan
            self.on_progress(Progress(min(done + 1, n), n, done, n, seconds, left, 0.0, 0.0))

        found = searching.go(should_stop=self.should_stop, on_share=reached)
        write_certificates(self.folder / ADVICE_FILE, found.generous)
        if not found.generous.n_certified:
            raise NoStructureError(found.generous)
        n_factors = max(found.generous.n_programs, len(self.steps.settings.guide.sets))  # each set takes one
        self.steps.settings = settle_number(self.folder, n_factors)
        return found

    def _certify(self, found: Found) -> str:
        """Keep the certificates of the run; why it has this many factors, and what came of them."""
        certified = found.certify(load_factors(self.folder / "factors" / "readable"))
        write_certificates(self.folder / CERTIFICATES_FILE, certified)
        return number_reason(found.generous, n_sets=len(self.steps.settings.guide.sets), final=certified)

    def _begin(self, stage: Stage) -> None:
        write_folder_state(self.folder, stage)
        self.under_way.begin(stage)

    def _refine(
        self, trainer: Trainer, counts: CountMatrix, split: np.ndarray, *, told: Answer, at_most: int
    ) -> tuple[Outcome, Answer]:
        """Refine, and what was asked meanwhile; told: how training ended, "stop" is not heard a second time.

        at_most: the work it may take, in cells gone through in training.
        """
        asked, looked = told, time.monotonic()

        def go_on(done: float) -> bool:
            nonlocal asked, looked
            self.under_way.reached("refining", done)
            if time.monotonic() - looked > SECONDS_BETWEEN_TICKS:
                asked, looked = self.should_stop(), time.monotonic()
            return asked in ("go", told)

        outcome = refined_model(
            trainer.model,
            trainer.source,
            counts.counts,
            train=np.flatnonzero(split == TRAIN),
            validation=trainer.validation_cells,
            cells_trained=at_most,
            go_on=go_on,
        )
        return outcome, asked

    def _baseline(
        self, config: ModelConfig, counts: CountMatrix, split: np.ndarray, seconds_reading: float
    ) -> dict[str, Any]:
        threads = self.training.threads or min(usable_cores(), 4)
        note = {"device": "cpu", "device_reason": "Baselines need no GPU.", "threads": threads}
        from ldvae_core.runs.baseline import run_baseline  # its libraries take a second to load, which no model needs

        with threadpool_limits(threads):
            return run_baseline(
                self.steps,
                config,
                counts,
                split,
                note={**note, "seconds_reading": round(seconds_reading, 3)},
                on_progress=lambda progress: self.on_progress(Progress(**progress)),
            )

    def _tick(self, trainer: Trainer, counts: CountMatrix) -> Callable[[Progress, LDVAE], Answer]:
        n_train, speed = len(trainer.train_cells), Speed()

        def tick(progress: Progress, model: LDVAE) -> Answer:
            steps_per_second = speed.of(progress.step, progress.seconds)
            left = (progress.n_steps - progress.step) / steps_per_second
            after = seconds_after_training(
                model.config,
                n_cells=counts.n_cells,
                n_train=n_train,
                n_genes=counts.n_genes,
                cells_trained=trainer.n_epochs * n_train,
                cells_per_second=steps_per_second * trainer.minibatch_size,
            )
            more = {**asdict(progress), **self.device_note, "top_genes": top_genes_so_far(model, counts.gene_names)}
            told = JobProgress("training", progress.step, progress.n_steps, progress.seconds, left, more)
            self.under_way.training(told, after)
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
        write_table(self.folder / "history.parquet", pd.DataFrame([vars(point) for point in history]))


def _of_training(trainer: Trainer) -> dict[str, Any]:
    """Figures that tell how the training went."""
    state = trainer.state
    return {
        "best_epoch": state.best_epoch,
        "cells_per_second": state.epochs_done * len(trainer.train_cells) / max(state.seconds, 1e-9),
        "rollbacks": state.rollbacks,
        "notices": state.notices,
    }


@contextlib.contextmanager
def _not_fatal(name: str) -> Iterator[None]:
    """What only shows where training stands may fail to be written: the next time says it anew."""
    try:
        yield
    except OSError:
        log.warning("%s could not be written", name, exc_info=True)
