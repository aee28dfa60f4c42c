"""What every run does, whatever it fits: prepared counts, the split, and the words of its state."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ldvae_core.answer import Answer
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.folder import load_counts, save_counts
from ldvae_core.data.levels import levels_of
from ldvae_core.data.prepare import missing_words, prepare
from ldvae_core.data.split import split_cells
from ldvae_core.durable import read_array, remove_file, write_array, write_json
from ldvae_core.errors import SettingsError
from ldvae_core.model.config import MOST_LEVELS, Covariate, ModelConfig
from ldvae_core.runs.settings import RunSettings, note_fingerprint
from ldvae_core.runs.states import write_folder_state
from ldvae_core.workspace.folders import DEMO


class Steps:
    """A run folder in work: its settings, and what to do at its beginning and its end."""

    def __init__(self, folder: Path, open_counts: Callable[[], CountMatrix], should_stop: Callable[[], Answer]) -> None:
        self.folder, self.should_stop, self._open_counts = folder, should_stop, open_counts
        self.settings = RunSettings.read(folder)
        self.training = self.settings.training

    @property
    def checkpoint(self) -> Path:
        """Where an interrupted training goes on from."""
        return self.folder / "checkpoint.npz"

    def counts(self) -> CountMatrix:
        """The modelled counts, prepared once and then read from the folder."""
        saved = self.folder / "counts"
        if not saved.exists():
            whole = self._open_counts()
            if self.settings.data_source != DEMO:  # the program's version stands for it
                note_fingerprint(self.folder, whole.fingerprint)
            counts = prepare(whole, self.settings.choices)
            said = filter(None, (missing_words(counts, each.name) for each in self.settings.model.covariates))
            save_counts(counts.with_notices(*said), saved)
        return load_counts(saved)

    def split(self, n_cells: int) -> np.ndarray:
        """int8 (n_cells,), made once."""
        path = self.folder / "split.npy"
        if not path.exists():
            shares = {"validation_share": self.training.validation_share, "test_share": self.training.test_share}
            write_array(path, split_cells(n_cells, seed=self.training.split_seed, **shares))
        return np.array(read_array(path))

    def end_without_results(self, answer: Answer) -> dict[str, Any]:
        """End a run that was paused or cancelled; returns its summary."""
        write_folder_state(self.folder, "paused" if answer == "pause" else "cancelled")
        return {"run": str(self.folder), "state": answer}

    def finish(self, metrics: dict[str, Any], summary: dict[str, Any], answer: Answer) -> dict[str, Any]:
        """Write metrics.json and the last state; returns the summary with the run and its main figures."""
        main = {name: metrics[name] for name in ("test_reconstruction_error", "test_elbo")}
        write_json(self.folder / "metrics.json", {**metrics, **summary})
        write_folder_state(self.folder, "stopped" if answer == "stop" else "finished")
        remove_file(self.checkpoint)
        return {"run": str(self.folder), **summary, **main}


def completed_for(model: ModelConfig, counts: CountMatrix) -> ModelConfig:
    """The model with what only the data knows: the number of genes, and the levels of the covariates.

    Raises SettingsError when a covariate is no annotation of the data, has one level, or too many.
    """
    problems, covariates = [], []
    for name in (covariate.name for covariate in model.covariates):
        if name not in counts.annotations.columns:
            there = ", ".join(map(str, counts.annotations.columns)) or "none"
            problems.append(f"The data has no annotation {name!r} to correct for; it has: {there}.")
            continue
        levels = tuple(sorted(set(levels_of(counts.annotations[name]).tolist())))
        if not 2 <= len(levels) <= MOST_LEVELS:
            problems.append(f"The annotation {name!r} has {len(levels):,} levels; a covariate has 2 to {MOST_LEVELS}.")
        covariates.append(Covariate(name, levels))
    if problems:
        raise SettingsError(problems)
    return replace(model, n_genes=counts.n_genes, covariates=tuple(covariates))


def levels_as_learned(column: pd.Series, learned: tuple[str, ...]) -> np.ndarray:
    """Levels as the model knows them: earlier runs called missing values "nan", "None" or "<NA>"."""
    earlier = column.astype(str).to_numpy(dtype=object)
    return earlier if set(earlier.tolist()) <= set(learned) else levels_of(column)


def one_hot(annotations: pd.DataFrame, covariates: tuple[Covariate, ...]) -> np.ndarray:
    """Levels of all covariates side by side: float32 (n_cells, levels); (n_cells, 0) without any."""
    columns = [np.zeros((len(annotations), 0), np.float32)]
    for covariate in covariates:
        values = levels_as_learned(annotations[covariate.name], covariate.levels)
        columns.append((values[:, None] == np.array(covariate.levels)).astype(np.float32))
    return np.concatenate(columns, axis=1)
