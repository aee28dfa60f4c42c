"""A run with results, opened: arrays memory-mapped and shared read-only by everyone who looks at it."""

import json
import uuid
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ldvae_core import durable
from ldvae_core.analysis.certificates import Certificates, Program
from ldvae_core.analysis.factors import Axes, Factors, as_noted, load_factors
from ldvae_core.data.annotations import guess_roles, label_columns
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.demo import DEMO_RUN, load_demo
from ldvae_core.data.folder import load_counts
from ldvae_core.errors import RunError
from ldvae_core.runs.additions import LEIDEN, Additions
from ldvae_core.runs.gene_order import WHILE_OPENING, with_gene_order
from ldvae_core.runs.search import CERTIFICATES_FILE, read_certificates
from ldvae_core.runs.settings import RunFile, RunSettings
from ldvae_core.workspace.folders import DEMO

HISTORY_COLUMNS = (
    "epoch", "step", "train_reconstruction_error", "train_kl", "train_elbo", "validation_reconstruction_error",
    "validation_kl", "validation_elbo", "kl_weight", "learning_rate", "seconds",
)  # fmt: skip
NOT_LABELLED = "not labelled"


@dataclass(frozen=True, eq=False)
class OpenRun:
    """Everything an exploring page or an export needs. Treat as read-only: it is shared."""

    run_id: str
    counts: CountMatrix  # of the modelled genes, (n_cells, n_genes)
    factors: dict[Axes, Factors]  # "as_trained" always; "readable" too under a normal prior, "gene_sparse" where kept
    split: np.ndarray  # int8 (n_cells,), positions in data.split.SPLIT_NAMES
    history: pd.DataFrame  # columns HISTORY_COLUMNS, nats per cell
    metrics: dict[str, Any]  # figures on the test cells and the summary of the training
    settings: RunSettings
    data_name: str
    covariate_loadings: pd.DataFrame | None  # genes x levels, None without covariates
    certificates: Certificates | None = None  # which programs come back; of runs whose number was found
    stamp: str = field(default_factory=lambda: uuid.uuid4().hex)  # of this opening; additions leave it as it is
    added: dict[str, str] = field(default_factory=dict)  # annotations that people added -> what tells their versions
    planes: dict[str, str] = field(default_factory=dict)  # those of them drawn in a figure -> the plane's name, or ""
    data_fingerprint: str = ""  # of the data set that it was made from; "" where that is not known
    kept: Additions | None = None  # where all that people added lies; None before it was looked at

    @property
    def name(self) -> str:
        """The run's name as people see it."""
        return self.settings.name

    @property
    def axes(self) -> Axes:
        """The axes to show unless asked otherwise."""
        return "readable" if "readable" in self.factors else "as_trained"

    def certified(self, factors: Factors) -> tuple[Program, ...]:
        """What is known of how each of these factors comes back, () where that is not known: of other axes, say."""
        found = self.certificates
        known = found is not None and factors.axes == self.axes and len(found.programs) == factors.n_factors
        return found.programs if found is not None and known else ()

    @property
    def has_refined_positions(self) -> bool:
        """Whether its cells were refined after the encoder had placed them; new cells then are, too."""
        return self.metrics.get("positions") == "refined"

    def notes_of(self, factors: Factors) -> tuple[str, ...]:
        """What people have noted to each of these factors, "" without."""
        notes = self.kept.factor_notes(factors.axes) if self.kept is not None else {}
        return tuple(notes[k].notes if k in notes else "" for k in range(factors.n_factors))

    @cached_property
    def label_columns(self) -> tuple[str, ...]:
        """The annotations that group the cells; looked for once, since it reads every column."""
        return label_columns(self.counts.annotations)

    @cached_property
    def label_column(self) -> str | None:
        """The annotation to colour by: as chosen for the run, else what looks like cell types, else None."""
        chosen = self.settings.label_column
        return (
            chosen if chosen in self.counts.annotations.columns else guess_roles(self.counts.annotations)["cell_type"]
        )

    @cached_property
    def _labels(self) -> dict[str, pd.Series]:
        return {}

    def given_colours(self, column: str) -> dict[str, str]:
        """Colours by category that came with the data, "#RRGGBB"; {} where none came."""
        try:
            given = json.loads(self.counts.about.get("colours", "{}"))
            return {str(name): str(colour) for name, colour in given.get(column, {}).items()}
        except (ValueError, AttributeError):
            return {}

    def labels(self, column: str | None = None) -> pd.Series:
        """One annotation as categories of text, indexed by cell id; cells without one are NOT_LABELLED, listed last.

        column: by default label_column. Raises RunError when there is no such annotation, naming those there are.
        """
        annotations = self.counts.annotations
        name = self.label_column if column is None else column
        if name in self._labels:
            return self._labels[name]
        if name is None or name not in annotations.columns:
            known = ", ".join(map(str, annotations.columns)) or "none"
            asked = "annotation of cell types" if name is None else f"annotation {name!r}"
            raise RunError(f"The data of this run has no {asked}.", f"It has: {known}.")
        values = annotations[name]
        if not isinstance(values.dtype, pd.CategoricalDtype):
            values = values.astype("category")
        values = values.cat.remove_unused_categories()
        texts = [str(category) for category in values.cat.categories]
        missing = values.isna().to_numpy()
        names = list(dict.fromkeys([*texts, *([NOT_LABELLED] if missing.any() else [])]))
        place = {text: position for position, text in enumerate(names)}
        by_code = np.array([*(place[text] for text in texts), place.get(NOT_LABELLED, -1)])
        shown = pd.Categorical.from_codes(by_code[values.cat.codes.to_numpy()], pd.Index(names))
        self._labels[str(name)] = pd.Series(shown, index=annotations.index, name=str(name))
        return self._labels[str(name)]


def open_run_folder(folder: Path, *, run_id: str | None = None) -> OpenRun:
    """Open a run folder with results. Raises RunError when it has none yet, is damaged, or is of a newer format."""
    about = RunFile.read(folder)
    if not (folder / "metrics.json").exists() or not (folder / "factors").is_dir():
        raise RunError(f"The run {about.settings.name!r} has no results yet.", "Wait until its training has finished.")
    kinds: tuple[Axes, ...] = ("readable", "gene_sparse", "as_trained")
    factors = {axes: load_factors(folder / "factors" / axes) for axes in kinds if (folder / "factors" / axes).exists()}
    if not factors:
        raise RunError(f"The run {about.settings.name!r} has no factors.", "The folder is incomplete.")
    shown = next(iter(factors.values()))
    counts, split, covariates = _counts(folder, shown), durable.read_array(folder / "split.npy"), _covariates(folder)
    opened = OpenRun(
        run_id=run_id or folder.name,
        counts=counts,
        factors=factors,
        split=split,
        history=read_history(folder),
        metrics=read_metrics(folder),
        settings=about.settings,
        data_name=about.data_name,
        data_fingerprint=about.fingerprint,
        covariate_loadings=covariates,
        certificates=read_certificates(folder / CERTIFICATES_FILE),
    )
    if lost := frozenset(k for k, program in enumerate(opened.certified(shown)) if not program.certified):
        factors[shown.axes] = replace(shown, uncertified=lost)
    shape = (shown.n_cells, shown.n_genes)
    if opened.counts.counts.shape != shape or opened.split.shape != shape[:1]:
        raise RunError(f"The parts of the run {folder.name} do not fit together.", "The folder is damaged.")
    return ordered(opened)


def ordered(opened: OpenRun, *, most: int | None = WHILE_OPENING) -> OpenRun:
    """The run with what each gene carries of its factors' explained deviance; `most` as of with_gene_order."""
    factors = with_gene_order(
        opened.factors,
        counts=opened.counts,
        split=opened.split,
        settings=opened.settings,
        covariate_loadings=opened.covariate_loadings,
        most=most,
    )
    return opened if factors is opened.factors else replace(opened, factors=factors)


def with_additions(opened: OpenRun, additions: Additions) -> OpenRun:
    """The run as people have annotated it: names of factors, turned axes, selections and clusters as annotations.

    The arrays stay shared with `opened`, but for axes that somebody has turned round.
    """
    factors = {axes: noted(found, additions) for axes, found in opened.factors.items()}
    counts, cells = opened.counts, opened.counts.annotations.index
    columns = {
        name: pd.Series(values, index=cells)
        for name, values in additions.annotations(counts.n_cells).items()
        if name not in counts.annotations.columns
    }
    if columns:
        derived = [counts.about.get("derived_labels", ""), LEIDEN if LEIDEN in columns else ""]
        derived = [name for name in derived if name]
        counts = replace(
            counts,
            annotations=pd.concat([counts.annotations, pd.DataFrame(columns)], axis=1),
            about={**counts.about, **({"derived_labels": ",".join(derived)} if derived else {})},
        )
    added = {name: additions.versions()[name] for name in columns}
    planes = {selection.name: selection.plane for selection in additions.selections()}
    return replace(opened, factors=factors, counts=counts, added=added, planes=planes, kept=additions)


def noted(factors: Factors, additions: Additions) -> Factors:
    """The factors under the names, and turned the way, that people have given those on the same axes."""
    notes = additions.factor_notes(factors.axes)
    names = {factor: note.name for factor, note in notes.items()}
    return as_noted(factors, names=names, flipped=[k for k, note in notes.items() if note.flipped])


def open_demo_run() -> OpenRun:
    """The finished run that comes with the program."""
    return open_run_folder(DEMO_RUN, run_id=DEMO)


def read_history(folder: Path) -> pd.DataFrame:
    """The curves so far, columns HISTORY_COLUMNS; no rows before the first point, or when the file cannot be read."""
    empty = pd.DataFrame({name: pd.Series(dtype="int64" if name == "step" else "float64") for name in HISTORY_COLUMNS})
    try:
        table = durable.read_table(folder / "history.parquet")
    except (RunError, OSError):
        return empty
    return table if set(HISTORY_COLUMNS) <= set(table.columns) else empty


def _counts(folder: Path, factors: Factors) -> CountMatrix:
    """The modelled counts; the shipped run leaves them out, because the program ships them once already."""
    if (folder / "counts").exists():
        return load_counts(folder / "counts")
    whole = load_demo()
    cells = None
    if (folder / "cell_ids.npy").exists():
        cells = _places(durable.read_array(folder / "cell_ids.npy"), whole.cell_ids, folder)
    kept = whole.subset(cells=cells)
    modelled = kept.subset(genes=_places(factors.gene_names, whole.gene_names, folder))
    return replace(modelled, whole_library=kept.library_size)


def _places(names: np.ndarray, among: np.ndarray, folder: Path) -> np.ndarray:
    place = {name: position for position, name in enumerate(among.tolist())}
    try:
        return np.array([place[name] for name in names.tolist()])
    except KeyError:
        raise RunError(f"The run {folder.name} has lost its counts.", "The folder is incomplete.") from None


def read_metrics(folder: Path) -> dict[str, Any]:
    """Figures on the test cells and the summary of the training. Raises RunError when there are none, or damaged."""
    metrics = durable.read_json(folder / "metrics.json")
    if not isinstance(metrics, dict):
        raise RunError(f"metrics.json in {folder.name} cannot be understood.", "The file is damaged.")
    return metrics


def _covariates(folder: Path) -> pd.DataFrame | None:
    path = folder / "covariates.parquet"
    return durable.read_table(path) if path.exists() else None
