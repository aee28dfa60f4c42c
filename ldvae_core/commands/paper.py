"""`paper`: the five models of the paper's Fig. 1b on one data set, beside the numbers its authors published."""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ldvae_core import durable
from ldvae_core.commands.several import counts_for, require_same, train_one
from ldvae_core.commands.sources import source_of
from ldvae_core.commands.training import Asked
from ldvae_core.data.choices import DataChoices
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.reading_options import NOTHING_SAID, ReadingOptions
from ldvae_core.model.config import ModelConfig, TrainingConfig
from ldvae_core.model.describe import model_words
from ldvae_core.model.presets import PAPERS_MODELS, as_published
from ldvae_core.runs.additions import Additions
from ldvae_core.runs.cards import read_card
from ldvae_core.runs.settings import RunSettings
from ldvae_core.runs.table import METRICS, runs_table

GENES = 1000  # of highest variance of raw counts, as in the notebooks
MINIBATCH = 128  # the same
TABLE = "paper.csv"
MODELS = {each.key: each for each in PAPERS_MODELS}  # by folder
SAME_DATA = 0.02  # relative difference in cells up to which a data set is taken for the published one


class Published(NamedTuple):
    """Fit to unseen cells of the authors' models, nats per cell, in the order of PAPERS_MODELS."""

    name: str
    n_cells: int
    errors: tuple[float, ...]
    setting: str


PUBLISHED = (
    Published("pijuan_sala", 125_775, (2239.5, 2260.8, 2277.4, 2275.2, 2275.1), "20 factors, 100 epochs"),
    Published("cao", 1_949_131, (597.07, 608.03, 609.47, 608.27, 611.52), "10 factors, 10 epochs"),
)


def train_papers_models(
    data: str,
    out: Path,
    *,
    n_factors: int,
    n_epochs: int | None,
    seed: int,
    published: bool = False,
    reading: ReadingOptions = NOTHING_SAID,
) -> dict[str, Any]:
    """Train the five models as run folders inside `out`, write paper.csv there; returns the command's last line.

    All share genes, split and seed. A finished run is not trained again and an interrupted one goes on; exits with 130
    when interrupted. Raises LdvaeError when a setting or the data is refused, or `out` holds runs of other settings.
    """
    source = source_of(data)
    wanted = {}
    model = ModelConfig(n_factors=n_factors)
    training = TrainingConfig(n_epochs=n_epochs, minibatch_size=MINIBATCH, seed=seed)
    if published:
        model, training = as_published(model, training)
    choices = DataChoices(gene_selection="variance", n_genes=GENES)
    for key, each in MODELS.items():
        settings = RunSettings(key, source, reading=reading, choices=choices, model=each.of(model), training=training)
        require_same(out / key, settings)
        wanted[key] = settings
    asked = Asked().listen()
    with contextlib.ExitStack() as stack:
        for position, (key, settings) in enumerate(wanted.items(), start=1):
            title = f"{position} of {len(wanted)}, {model_words(settings.model)}"
            _train(out / key, settings, counts_for(data, reading, stack), asked, title)
    return _answer(out, seed)


def _train(
    folder: Path, settings: RunSettings, open_counts: Callable[[], CountMatrix], asked: Asked, title: str
) -> None:
    """Train one run, unless it is finished, on the counts of those before it."""
    train_one(folder, settings, open_counts, asked, title, before=_take_counts)


def _take_counts(folder: Path) -> None:
    """Link the counts of a run beside it: the five model the same ones, which are prepared and stored only once."""
    ready = next((path for path in sorted(folder.parent.glob("*/counts")) if path.parent.name in MODELS), None)
    if ready is None or (folder / "counts").exists():
        return

    def link(part: Path) -> None:
        for file in ready.iterdir():
            try:
                os.link(file, part / file.name)
            except OSError:  # a disk without hard links
                shutil.copy2(file, part / file.name)

    durable.write_folder(folder / "counts", link)


def _answer(out: Path, seed: int) -> dict[str, Any]:
    """Write paper.csv; the same table and how to read it as one JSON object."""
    table, published = paper_table(out)
    durable.write_bytes(out / TABLE, table.to_csv(index=False).encode())
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    words = (
        f"These are the published data: {published.setting} there." if published
        else "Published errors are of other data: compare the order of the models, not nats per cell."
    )  # fmt: skip
    return {"folder": str(out), "table": str(out / TABLE), "seed": seed, "models": rows, "published": words}


def paper_table(out: Path) -> tuple[pd.DataFrame, Published | None]:
    """One row a model, and the published data set that this is by its number of cells, if any.

    Columns: run, model, cells, genes, factors, epochs; each figure on the test cells with its standard error, nats per
    cell; above_vae_percent: the fit to unseen cells above the VAE's, in percent of it; published_error, where these are
    the published data; and for both published data sets <name>_error with <name>_above_vae_percent.
    """
    cards = [read_card(out / key, None, additions=Additions.beside(out / key), run_id=key) for key in MODELS]
    found = runs_table(cards, dict.fromkeys(MODELS, 1))
    n_cells = float(found["cells"].iloc[0])
    same = next((each for each in PUBLISHED if abs(n_cells / each.n_cells - 1) < SAME_DATA), None)
    figures = [name for metric in METRICS for name in (metric.column, f"{metric.column}_se")]
    table = found[["run_id", "model", "cells", "genes", "factors", *figures, "seconds"]].rename(
        columns={"run_id": "run"} | {metric.column: metric.key for metric in METRICS}
        | {f"{metric.column}_se": f"{metric.key}_se" for metric in METRICS}
    )  # fmt: skip
    table.insert(5, "epochs", [card.epoch for card in cards])
    table["above_vae_percent"] = _above_first(table["test_reconstruction_error"])
    table["published_error"] = same.errors if same else float("nan")
    for each in PUBLISHED:
        table[f"{each.name}_error"] = each.errors
        table[f"{each.name}_above_vae_percent"] = _above_first(pd.Series(each.errors))
    return table, same


def _above_first(errors: pd.Series) -> pd.Series:
    above: pd.Series = 100.0 * (errors / errors.iloc[0] - 1.0)
    return above.round(3)
