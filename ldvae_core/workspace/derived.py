"""Data sets made of others: with a table joined, several as one, some of the cells, other names. The others stay."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ldvae_core.data.cell_table import read_own_table
from ldvae_core.data.chosen_cells import FILE, chosen_cells
from ldvae_core.data.combining import combine
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.folder import load_counts, save_counts
from ldvae_core.data.joining import join_table, write_joined
from ldvae_core.data.progress import Report, silent
from ldvae_core.data.renaming import copy_gene_columns, rename
from ldvae_core.data.taking import take_cells
from ldvae_core.errors import RunError
from ldvae_core.workspace.datasets import LONGEST_TITLE, Datasets, Parent, stem
from ldvae_core.workspace.folders import DEMO


@dataclass(frozen=True)
class Join:
    """Annotations of a table joined. upload_id: of the table, as Datasets.keep_upload gave it; gone afterwards."""

    dataset_id: str
    upload_id: str


@dataclass(frozen=True)
class Combine:
    """Several data sets as one. samples: name of the sample -> id of its data set."""

    samples: Mapping[str, str]


@dataclass(frozen=True)
class Take:
    """Some of the cells, as a child. cells: as DataChoices.cells, or "@" and the id of a kept upload that lists them.

    words: which cells these are, for people; "" for those that `cells` gives.
    """

    dataset_id: str
    cells: str
    words: str = ""


@dataclass(frozen=True)
class Rename:
    """Genes and cells named otherwise, by what renaming.rename takes; "" leaves names as they are."""

    dataset_id: str
    genes: str = ""
    cells: str = ""


Recipe = Join | Combine | Take | Rename
_KINDS: dict[str, type[Join] | type[Combine] | type[Take] | type[Rename]] = {
    "join": Join, "combine": Combine, "take": Take, "rename": Rename,
}  # fmt: skip


class Made(NamedTuple):
    """What has come of a recipe: a data set, new or known, and the sentence that tells it."""

    dataset_id: str
    said: str


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """Plain values, for JSON."""
    kind = next(name for name, one in _KINDS.items() if isinstance(recipe, one))
    return {"make": kind, **asdict(recipe)}


def recipe_from_dict(values: Mapping[str, Any]) -> Recipe:
    """What recipe_to_dict gave. Raises RunError for what this version does not know."""
    try:
        return _KINDS[values["make"]](**{name: value for name, value in values.items() if name != "make"})
    except (KeyError, TypeError):
        raise RunError("What is to be made of this data set is not known.", "Update the program.") from None


def make(datasets: Datasets, recipe: Recipe, *, report: Report = silent) -> Made:
    """Do what a recipe says. report: told how far it is; what it raises ends the work, and nothing is kept.

    Raises RunError when a data set is unknown or damaged or an upload is gone, CountsError as join_table, combine and
    take_cells do, SettingsError as chosen_cells does; nothing is kept then.
    """
    try:
        report("opening", 0, 1)
        if isinstance(recipe, Join):
            return _join(datasets, recipe, report)
        if isinstance(recipe, Combine):
            return _combine(datasets, recipe, report)
        if isinstance(recipe, Take):
            return _take(datasets, recipe, report)
        return _rename(datasets, recipe, report)
    finally:
        if upload_id := _upload_of(recipe):
            datasets.drop_upload(upload_id)


def _upload_of(recipe: Recipe) -> str:
    """The upload that a recipe uses up; "" for none."""
    if isinstance(recipe, Join):
        return recipe.upload_id
    return recipe.cells.removeprefix(FILE) if isinstance(recipe, Take) and recipe.cells.startswith(FILE) else ""


def _join(datasets: Datasets, recipe: Join, report: Report) -> Made:
    table, shown = datasets.upload(recipe.upload_id)
    card, matrix = datasets.card(recipe.dataset_id), datasets.open(recipe.dataset_id)
    with datasets.scratch_folder() as scratch:
        rows = read_own_table(table, shown, look=lambda: _goes_on(report))
        joined = join_table(matrix, rows, shown)
        report("checking", 0, 1)
        write_joined(_on_disk(datasets, recipe.dataset_id, matrix, scratch), scratch / "counts", joined)
        name = f"{card.name} with {stem(shown)}"
        made = datasets.keep(load_counts(scratch / "counts"), name, scratch, parent=card.parent)
        return Made(made, joined.notices[0])


def _combine(datasets: Datasets, recipe: Combine, report: Report) -> Made:
    parts = {sample: datasets.open(dataset_id) for sample, dataset_id in recipe.samples.items()}
    with datasets.scratch_folder() as scratch:
        combined = combine(parts, scratch / "counts", report=report)
        said = combined.notices[0]
        return Made(datasets.keep(combined, " + ".join(recipe.samples)[:LONGEST_TITLE], scratch), said)


def _take(datasets: Datasets, recipe: Take, report: Report) -> Made:
    card, matrix = datasets.card(recipe.dataset_id), datasets.open(recipe.dataset_id)
    upload_id = _upload_of(recipe)
    chosen = f"{FILE}{datasets.upload(upload_id)[0]}" if upload_id else recipe.cells
    cells, found = chosen_cells(matrix, chosen)
    words = recipe.words or found
    with datasets.scratch_folder() as scratch:
        taken = take_cells(matrix, cells, scratch / "counts", parent=card.name, words=words, report=report)
        said, parent = taken.notices[0], Parent(recipe.dataset_id, card.name, words)
        if recipe.dataset_id != DEMO:
            copy_gene_columns(datasets.folder(recipe.dataset_id), scratch / "counts")
        made = datasets.keep(taken, f"{card.name}: {words}"[:LONGEST_TITLE], scratch, parent=parent)
        return Made(made, said)


def _rename(datasets: Datasets, recipe: Rename, report: Report) -> Made:
    """A data set beside the old one, which runs that were made from it go on to use."""
    card, matrix = datasets.card(recipe.dataset_id), datasets.open(recipe.dataset_id)
    with datasets.scratch_folder() as scratch:
        source = _on_disk(datasets, recipe.dataset_id, matrix, scratch)
        said = rename(source, matrix, scratch / "counts", genes=recipe.genes, cells=recipe.cells, report=report)
        by = [f"{side} by {name}" for side, name in (("genes", recipe.genes), ("cells", recipe.cells)) if name]
        name = f"{card.name}, {', '.join(by)}"[:LONGEST_TITLE]
        renamed = load_counts(scratch / "counts")
        made = datasets.keep(renamed, name, scratch, origin=card.source, parent=card.parent)
        return Made(made, " ".join(said))


def _on_disk(datasets: Datasets, dataset_id: str, matrix: CountMatrix, scratch: Path) -> Path:
    """The folder of a data set; the demo, which has none, is written into one."""
    if dataset_id != DEMO:
        return datasets.folder(dataset_id)
    save_counts(matrix, scratch / "demo")
    return scratch / "demo"


def _goes_on(report: Report) -> bool:
    """For work that can only be asked whether to go on: what a report raises ends it."""
    report("opening", 1, 2)
    return True
