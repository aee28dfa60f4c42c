"""What a run was asked to do: run.json, the first file of a run folder, written before anything else happens."""

import datetime
import functools
import json
import platform
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Self

import ldvae_core
from ldvae_core import durable
from ldvae_core.data.choices import DataChoices
from ldvae_core.data.guide import Guide
from ldvae_core.data.reading_options import ReadingOptions
from ldvae_core.errors import LdvaeError, RunError, SettingsError
from ldvae_core.model.config import ModelConfig, TrainingConfig, may_be_guided
from ldvae_core.runs.options import PARTS
from ldvae_core.runs.search import Search, unsearchable

FORMAT_VERSION = 1
RUN_FILE = "run.json"
LONGEST_NAME = 120
PACKAGES = ("torch", "numpy", "scipy", "pandas", "anndata")


@dataclass(frozen=True)
class RunSettings:
    """Everything that decides a run's outcome. Raises SettingsError with every problem at once."""

    name: str  # as people see it; may be changed later
    data_source: str  # "demo", the id of a data set, or (command line only) a path
    label_column: str | None = None  # annotation that the pages colour by
    choices: DataChoices = field(default_factory=DataChoices)
    model: ModelConfig = field(default_factory=ModelConfig)  # not yet completed for the data, see runs/prepare.py
    training: TrainingConfig = field(default_factory=TrainingConfig)
    reading: ReadingOptions = field(default_factory=ReadingOptions)  # of a file; a data set has been read
    guide: Guide = field(default_factory=Guide)  # gene sets that inform the first factors
    search: Search = field(default_factory=Search)  # for the number of programs; model.n_factors until it is found

    def __post_init__(self) -> None:
        problems = _naming_problems(self.name, self.data_source)
        problems += self.model.factor_problems(self.choices.n_genes + len(self.choices.keep_genes))
        problems += _guiding_problems(self.guide, self.model)
        problems += unsearchable(self.model) if self.search.auto else []
        if problems:
            raise SettingsError(problems)

    @property
    def n_factors(self) -> int:
        """Latent dimension; none for the gene means."""
        return 0 if self.model.method == "gene_mean" else self.model.n_factors

    def to_dict(self) -> dict[str, Any]:
        """Plain values, every default among them, as run.json holds them; from_dict reads them back."""
        values = {
            "name": self.name,
            "data_source": self.data_source,
            "label_column": self.label_column,
            "reading": self.reading.to_dict(),
            "choices": self.choices.to_dict(),
            "model": self.model.to_dict(),
            "training": self.training.to_dict(),
            "guide": self.guide.to_dict() if self.guide else {},
            "search": self.search.to_dict(),
        }
        plain: dict[str, Any] = json.loads(json.dumps(values))  # tuples become lists now: equal to what is read later
        return plain

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what to_dict wrote, of any version; what is not there is the default.

        Raises SettingsError on bad or unknown values, with every problem at once.
        """
        problems: list[str] = []
        given: dict[str, Any] = dict(values)
        for name, part in PARTS.items():
            try:
                given[name] = part.from_dict(values.get(name, {}))
            except LdvaeError as fault:
                problems.extend(fault.problems)
            except (TypeError, AttributeError, ValueError) as fault:
                problems.append(f"The settings cannot be understood ({fault}).")
        if problems:
            raise SettingsError([*_naming_problems(values.get("name"), values.get("data_source")), *problems])
        try:
            return cls(**given)
        except (TypeError, AttributeError) as fault:
            raise SettingsError(f"The settings cannot be understood ({fault}).") from None

    def write(self, folder: Path, *, data_name: str = "", fingerprint: str = "") -> None:
        """Make the run folder, with run.json in it, in one durable step; an existing folder only gets the file."""
        content = {
            "format_version": FORMAT_VERSION,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),  # to be read, never sorted by
            "versions": dict(versions()),
            "data_name": data_name or Path(self.data_source).name,
            "fingerprint": fingerprint,
            "settings": self.to_dict(),
        }
        if folder.exists():
            durable.write_json(folder / RUN_FILE, content)
        else:
            durable.write_folder(folder, lambda part: durable.write_json(part / RUN_FILE, content))

    @classmethod
    def read(cls, folder: Path) -> "RunSettings":
        """The settings of a run folder. Raises RunError when run.json is missing, damaged or of a newer format."""
        return RunFile.read(folder).settings


@dataclass(frozen=True)
class RunFile:
    """What run.json says beside the settings."""

    settings: RunSettings
    created: str  # ISO 8601, UTC
    versions: dict[str, str]
    data_name: str
    fingerprint: str  # of the data set, "" when it was not known at the start

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises RunError when run.json is missing, damaged or of a newer format; unknown further keys are let be."""
        try:
            content = durable.read_json(folder / RUN_FILE)
        except RecursionError:
            content = None  # nested so deep that it was made to do harm
        version = content.get("format_version") if isinstance(content, dict) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise NewerFormatError(
                f"The run {folder.name} was made by a newer version of this program (run format {version}; this one "
                f"reads up to {FORMAT_VERSION}).",
                "Update the program to open it.",
            )
        if not isinstance(version, int) or version < 1 or not isinstance(content.get("settings"), dict):
            raise RunError(f"{RUN_FILE} in {folder.name} does not describe a run.", "The file is damaged.")
        try:
            settings = RunSettings.from_dict(content["settings"])
        except SettingsError as fault:
            raise RunError([f"{RUN_FILE} in {folder.name} holds bad settings.", *fault.problems]) from None
        found = content.get("versions")
        return cls(
            settings=settings,
            created=str(content.get("created", "")),
            versions=dict(found) if isinstance(found, dict) else {},
            data_name=str(content.get("data_name") or Path(settings.data_source).name),
            fingerprint=str(content.get("fingerprint") or ""),
        )


class NewerFormatError(RunError):
    """A run written by a version of the program that this one cannot know."""


def rename_in(folder: Path, name: str) -> None:
    """Give the run another name, and leave everything else as it was. Raises SettingsError, RunError."""
    renamed = replace(RunSettings.read(folder), name=name.strip())
    content = durable.read_json(folder / RUN_FILE)
    content["settings"]["name"] = renamed.name
    durable.write_json(folder / RUN_FILE, content)


def note_fingerprint(folder: Path, fingerprint: str) -> None:
    """Say which data the run is made from, where that was not known when its settings were written. Raises RunError."""
    content = durable.read_json(folder / RUN_FILE)
    if not content.get("fingerprint"):
        durable.write_json(folder / RUN_FILE, {**content, "fingerprint": fingerprint})


def settle_number(folder: Path, n_factors: int) -> RunSettings:
    """Put down the number of programs that was found; returns the settings with it. Raises RunError."""
    content = durable.read_json(folder / RUN_FILE)
    content["settings"]["model"]["n_factors"] = n_factors
    durable.write_json(folder / RUN_FILE, content)
    return RunSettings.read(folder)


def _naming_problems(name: object, data_source: object) -> list[str]:
    problems = []
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
        length = len(name.strip()) if isinstance(name, str) else 0
        problems.append(f"The name of a run has 1 to {LONGEST_NAME} characters; this one has {length}.")
    elif not name.isprintable():
        problems.append("The name of a run holds characters that cannot be shown, such as line breaks.")
    if not isinstance(data_source, str) or not data_source:
        problems.append("The run names no data set.")
    return problems


def _guiding_problems(guide: Guide, model: ModelConfig) -> list[str]:
    """Why these sets cannot guide factors of this model."""
    if not guide:
        return []
    problems = []
    if not may_be_guided(model):
        problems.append("Gene sets guide factors of a linear decoder under a normal prior.")
    if len(guide.sets) > model.n_factors:
        problems.append(
            f"{guide.title} holds {len(guide.sets)} gene sets, one factor each, and the model has {model.n_factors} "
            "factors: ask for more factors, or leave sets out."
        )
    return problems


@functools.cache
def versions() -> dict[str, str]:
    """Versions of the program, of Python and of the packages that decide the numbers; none of them is loaded for it."""
    found = {"gene-program-explorer": ldvae_core.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
