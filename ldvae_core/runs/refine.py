"""Refine a finished run that was made before cells were refined, as a run of its own beside it. Loads torch."""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ldvae_core.data.folder import load_counts
from ldvae_core.data.split import TRAIN, VALIDATION
from ldvae_core.durable import read_array, write_folder, write_json
from ldvae_core.errors import RunError
from ldvae_core.model.refinable import unrefinable
from ldvae_core.runs.guided import guide_for
from ldvae_core.runs.opened import read_metrics
from ldvae_core.runs.prepare import covariate_columns
from ldvae_core.runs.results import save_results
from ldvae_core.runs.settings import LONGEST_NAME, RunFile
from ldvae_core.runs.states import read_folder_state, write_folder_state
from ldvae_core.runs.trained import load_model
from ldvae_core.training.devices import choose_device, device_faults_in_words
from ldvae_core.training.minibatches import MinibatchSource
from ldvae_core.training.refining import refined_model

COPIED = ("counts", "split.npy", "history.parquet")  # what refining does not change
Report = Callable[[str, float], None]  # stage of STAGES, share of it done
FIGURES = ("n_cells", "n_genes", "n_factors", "seconds_refining", "test_reconstruction_error", "test_elbo")
ENDING = " (refined)"  # of its name
STAGES = ("refining", "analysing")


def refine_run(folder: Path, target: Path, *, on_progress: Report = lambda stage, share: None) -> dict[str, Any]:
    """Refine the run in `folder`, and save the refined one in the new folder `target`; returns its summary.

    The run in `folder` stays as it is: its links, its names of factors and its selections keep meaning its axes.
    `target` appears at the end, whole. Takes as long as it takes. Raises RunError: no results, no trained network
    (runs made before it was kept), no counts (the demo), refined already, cannot be refined, or `target` exists.
    """
    about, metrics = RunFile.read(folder), read_metrics(folder)
    _require_refinable(folder, target, about, metrics)
    with device_faults_in_words():
        model, device = load_model(folder), choose_device(about.settings.training.device)
        counts, split = load_counts(folder / "counts"), np.array(read_array(folder / "split.npy"))
        covariates = covariate_columns(counts.annotations, model.config.covariates)
        source, began = MinibatchSource(counts.counts, counts.library_size, covariates, device), time.monotonic()

        def go_on(share: float) -> bool:
            on_progress(STAGES[0], share)
            return True

        outcome = refined_model(
            model.to(device),
            source,
            counts.counts,
            train=np.flatnonzero(split == TRAIN),
            validation=np.flatnonzero(split == VALIDATION),
            cells_trained=sys.maxsize,
            go_on=go_on,
        )
        seconds = round(time.monotonic() - began, 3)
        on_progress(STAGES[1], 0.0)

        def fill(place: Path) -> None:
            settings = replace(about.settings, name=about.settings.name[: LONGEST_NAME - len(ENDING)] + ENDING)
            settings.write(place, data_name=about.data_name, fingerprint=about.fingerprint)
            for name in COPIED:
                if (folder / name).exists():
                    (shutil.copytree if (folder / name).is_dir() else shutil.copy2)(folder / name, place / name)
            found = save_results(
                place, source, outcome, counts=counts, split=split, covariates=covariates,
                guide=guide_for(about.settings.guide, counts, place),
            )  # fmt: skip
            write_json(place / "metrics.json", {**metrics, **found, "seconds_refining": seconds})
            write_folder_state(place, "stopped" if read_folder_state(folder).stage == "stopped" else "finished")

        write_folder(target, fill)
    kept = read_metrics(target)
    return {"run": str(target), **{name: kept[name] for name in FIGURES if name in kept}}


def _require_refinable(folder: Path, target: Path, about: RunFile, metrics: dict[str, Any]) -> None:
    name, reason = about.settings.name, unrefinable(about.settings.model)
    problems = {
        f"The run {name!r} is refined already.": metrics.get("positions") == "refined",
        f"The run {name!r} cannot be refined: {reason}.": bool(reason),
        f"The run {name!r} cannot be refined: its folder holds no counts.": not (folder / "counts").exists(),
        f"There is a folder {target.name} already.": target.exists(),
    }
    if found := [words for words, holds in problems.items() if holds]:
        raise RunError(found)
