"""What every run does, whatever it fits: prepared counts, the split, and the words of its state."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ldvae_core.answer import Answer
from ldvae_core.data.annotations import is_amount
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
            said = filter(None, (_missing_words(counts, each) for each in self.settings.model.covariates))
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
    for asked in model.covariates:
        name = asked.name
        if name not in counts.annotations.columns:
            there = ", ".join(map(str, counts.annotations.columns)) or "none"
            problems.append(f"The data has no annotation {name!r} to correct for; it has: {there}.")
            continue
        column = counts.annotations[name]
        if asked.kind != "levels" and is_amount(column):
            covariates.append(_number(column))
            continue
        levels = tuple(sorted(set(levels_of(column).tolist())))
        if not 2 <= len(levels) <= MOST_LEVELS:
            problems.append(f"The annotation {name!r} has {len(levels):,} levels; a covariate has 2 to {MOST_LEVELS}.")
        covariates.append(Covariate(name, levels))
    if problems:
        raise SettingsError(problems)
    return replace(model, n_genes=counts.n_genes, covariates=tuple(covariates))


def _number(column: pd.Series) -> Covariate:
    """Its mean and sd over the cells that have it."""
    values = finite_numbers(column)
    return Covariate(str(column.name), kind="number", mean=float(np.nanmean(values)), sd=float(np.nanstd(values)))


def levels_as_learned(column: pd.Series, learned: tuple[str, ...]) -> np.ndarray:
    """Levels as the model knows them: earlier runs called missing values "nan", "None" or "<NA>"."""
    earlier = column.astype(str).to_numpy(dtype=object)
    return earlier if set(earlier.tolist()) <= set(learned) else levels_of(column)


def covariate_columns(annotations: pd.DataFrame, covariates: tuple[Covariate, ...]) -> np.ndarray:
    """All covariates side by side, levels one-hot, numbers standardised: float32 (n_cells, columns).

    A cell without a number is taken to have the mean.
    """
    columns = [np.zeros((len(annotations), 0), np.float32)]
    for covariate in covariates:
        if covariate.kind == "number":
            values = (finite_numbers(annotations[covariate.name]) - covariate.mean) / covariate.sd
            columns.append(np.nan_to_num(values)[:, None].astype(np.float32))
            continue
        levels = levels_as_learned(annotations[covariate.name], covariate.levels)
        columns.append((levels[:, None] == np.array(covariate.levels)).astype(np.float32))
    return np.concatenate(columns, axis=1)


def finite_numbers(column: pd.Series) -> np.ndarray:
    """float64 (n_cells,), NaN where there is none. Raises ValueError for text that is no number."""
    values = pd.to_numeric(column).astype("float64").to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _missing_words(counts: CountMatrix, covariate: Covariate) -> str:
    """A notice of the cells without a value; "" when all have one, or there is no such annotation."""
    column = counts.annotations.get(covariate.name)
    if column is None or covariate.kind == "levels" or not is_amount(column):
        return missing_words(counts, covariate.name)
    missing = int(np.isnan(finite_numbers(column)).sum())
    return f"{missing:,} cells have no value of '{covariate.name}': taken as its mean." if missing else ""
