"""What the form asks for, as settings of runs: on which data, which models, what names, and how long it takes."""

import hashlib
import json
import math
from dataclasses import dataclass, replace

import streamlit as st

from ldvae_core.data.annotations import guess_roles, is_amount, label_columns
from ldvae_core.data.choices import DataChoices
from ldvae_core.data.guide import Guide
from ldvae_core.errors import LdvaeError
from ldvae_core.model.budget import seconds_after_training, seconds_searching
from ldvae_core.model.config import MOST_LEVELS, ModelConfig, TrainingConfig
from ldvae_core.model.describe import BASELINE_TITLES, run_name
from ldvae_core.model.presets import OF_SEVERAL, PAPERS_MODELS, Plan, baselines
from ldvae_core.runs.cards import RunCard
from ldvae_core.runs.search import Search
from ldvae_core.runs.settings import LONGEST_NAME, RunSettings
from ldvae_core.runs.store import RunStore
from ldvae_core.workspace.datasets import DatasetCard, Datasets
from ldvae_core.workspace.folders import DEMO, Workspace
from pages.parts.text import plain
from pages.parts.train.devices import found_devices

DATA_CHOICE = "data_choice"  # what the Data page leaves in the session
ACTIVE = ("queued", "running", "paused", "interrupted")
TRAIN_SHARE = 0.8  # of the cells; a tenth each for validation and test
# Gene values (cells x genes) a second, until a run of this machine and kind says better; without the fast path a tenth.
SPEED = {"cpu": 80e6, "cuda": 400e6}
FEWEST_SEEN = 20_000  # cells that a run must have gone through: before, its speed is that of starting
STARTING = 4.0  # seconds that a worker takes to start
BASELINE_PASSES = 5  # over the counts, about, that fitting a baseline takes


@dataclass(frozen=True)
class Data:
    """What is trained on: a data set and what of it is modelled."""

    card: DatasetCard
    choices: DataChoices
    label_column: str | None
    annotations: dict[str, int]  # that group the cells: name -> number of levels
    numbers: tuple[str, ...] = ()  # annotations that can be corrected for by a slope

    @property
    def n_genes(self) -> int:
        """Genes modelled, at most."""
        return min(self.choices.n_genes + len(self.choices.keep_genes), self.card.n_genes)

    @property
    def n_train(self) -> int:
        """Cells trained on, before cell filters."""
        return max(int(self.card.n_cells * TRAIN_SHARE), 1)


def data_of(card: DatasetCard) -> Data:
    """The data set with the choices made for it on the Data page, else with good ones. Raises LdvaeError if damaged."""
    annotations, numbers, guessed = _annotations(str(Workspace.default().root), card.dataset_id, card.identity)
    left = st.session_state.get(DATA_CHOICE) or {}
    if left.get("data_source") == card.dataset_id:
        return Data(card, DataChoices.from_dict(left["choices"]), left.get("label_column"), annotations, numbers)
    if card.dataset_id == DEMO:
        return Data(card, DataChoices(n_genes=2000, gene_selection="variance"), "cell_type", annotations, numbers)
    return Data(card, DataChoices(n_genes=min(1000, max(card.n_genes, 2))), guessed, annotations, numbers)


@st.cache_data(max_entries=32, show_spinner="Reading the data set")
def _annotations(root: str, dataset_id: str, identity: str) -> tuple[dict[str, int], tuple[str, ...], str | None]:
    table = Datasets(Workspace.default()).open(dataset_id).annotations
    levels = {name: int(table[name].nunique()) for name in label_columns(table)}
    known = {name: n for name, n in levels.items() if 2 <= n <= MOST_LEVELS}
    numbers = tuple(str(name) for name in table.columns if is_amount(table[name]))
    return known, numbers, guess_roles(table)["cell_type"]


def settings_of(
    data: Data,
    name: str,
    model: ModelConfig,
    training: TrainingConfig,
    *,
    search: Search | None = None,
    guide: Guide | None = None,
) -> RunSettings:
    """One run. name: "" for one made of its settings. Raises SettingsError with every problem at once."""
    asked = search or Search()
    return RunSettings(
        name=name.strip() or run_name(model, training, plain(data.card.name, longest=50), searched=asked.auto),
        data_source=data.card.dataset_id,
        label_column=data.label_column,
        choices=data.choices,
        model=model,
        training=training,
        search=asked,
        guide=guide or Guide(),
    )


def runs_of(
    plan: Plan,
    data: Data,
    name: str,
    model: ModelConfig,
    training: TrainingConfig,
    *,
    search: Search | None = None,
    guide: Guide | None = None,
) -> list[RunSettings]:
    """What the plan trains: one run, the five models of Fig. 1b, or the baselines. Raises SettingsError.

    search, guide: of a single run.
    """
    if plan not in OF_SEVERAL:
        return [settings_of(data, name, model, training, search=search, guide=guide)]
    end = name.strip() or plain(data.card.name, longest=60)
    if plan == "five":
        named = {each.title: each.of(model) for each in PAPERS_MODELS}
    else:
        named = {_title(each): each for each in baselines(model.n_factors)}
    return [settings_of(data, f"{title} · {end}"[:LONGEST_NAME], each, training) for title, each in named.items()]


def _title(baseline: ModelConfig) -> str:
    """'PCA, 10 factors', 'Gene mean'."""
    factors = "" if baseline.method == "gene_mean" else f", {baseline.n_factors} factors"
    return BASELINE_TITLES[baseline.method] + factors


def submit_once(store: RunStore, settings: RunSettings) -> tuple[str, bool]:
    """Queue the run; (its id, whether it is new). The same settings, pressed twice or in two tabs, are one run.

    The token is made of the settings and of the equal runs that have ended, so that training anew stays possible.
    """
    cards = store.cards()
    ended = [card.run_id for card in cards if card.state not in ACTIVE and _same(card, settings)]
    words = json.dumps([settings.to_dict(), sorted(ended)], sort_keys=True)
    run_id = store.jobs.submit(settings, token=hashlib.sha256(words.encode()).hexdigest())
    return run_id, run_id not in {card.run_id for card in cards}


def _same(card: RunCard, settings: RunSettings) -> bool:
    """Whether it asks for the same, whatever its name is by now."""
    return (
        card.settings is not None
        and replace(card.settings, name="-").to_dict() == replace(settings, name="-").to_dict()
    )


def seconds_expected(
    data: Data,
    n_epochs: int,
    device: str,
    cards: list[RunCard],
    store: RunStore,
    model: ModelConfig,
    *,
    search: Search | None = None,
) -> float:
    """Seconds from Train to results, roughly: by the latest run of this kind on this kind of device, or experience."""
    speed = _speed(device, cards, store, fast=model.is_fusable)
    training = data.n_train * data.n_genes * n_epochs / speed
    if model.is_baseline:
        return STARTING + training
    after = seconds_after_training(
        model,
        n_cells=data.card.n_cells,
        n_train=data.n_train,
        n_genes=data.n_genes,
        cells_trained=data.n_train * n_epochs,
        cells_per_second=speed / data.n_genes,
    )
    searching = 0.0
    if search is not None and search.auto:
        searching = seconds_searching(n_cells=data.card.n_cells, cells_per_second=speed / data.n_genes)
    return STARTING + searching + training + sum(after)


def expected_left(card: RunCard, cards: list[RunCard], store: RunStore) -> float:
    """Seconds that a run which has not reported yet will still take; NaN where that cannot be said."""
    settings = card.settings
    if settings is None or settings.model.is_baseline:
        return math.nan
    try:
        data = Data(Datasets(store.workspace).card(settings.data_source), settings.choices, None, {})
    except LdvaeError:  # deleted meanwhile
        return math.nan
    found = found_devices()
    device = settings.training.device if settings.training.device != "auto" else found["best"] if found else "cpu"
    epochs = settings.training.epochs_for(data.n_train)
    total = seconds_expected(data, epochs, device, cards, store, settings.model, search=settings.search)
    return max(total - store.progress(card.run_id).stage_seconds, 0.0)


def _speed(device: str, cards: list[RunCard], store: RunStore, *, fast: bool) -> float:
    for card in cards[:10]:
        if card.run_id == DEMO or not card.n_genes or card.settings is None or card.settings.model.is_fusable != fast:
            continue
        try:
            progress = store.progress(card.run_id)
        except LdvaeError:  # deleted meanwhile
            continue
        seen = progress.seconds * progress.cells_per_second
        if progress.device == device and progress.seconds > 2 and seen > FEWEST_SEEN:
            return progress.cells_per_second * card.n_genes
    return SPEED.get(device, SPEED["cpu"]) * (1.0 if fast else 0.1)


def duration(seconds: float) -> str:
    """'40 s', '4 min', '2.1 h': as rough as the estimate is."""
    if seconds < 90:
        return f"{max(round(seconds, -1), 5):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
