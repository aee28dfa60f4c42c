"""What people add to a finished run: names and notes of its factors, turned axes, and cells they have selected.

They lie beside the results, which are never changed: in the run's own folder, for the run that comes with the program
in the workspace. Everything that is added goes through Additions.writing, maps and gene set results too: writers take
turns, also those of several servers, and nothing is added to a run that was deleted. Every file is replaced in one
step; what this version does not know in it stays, and a damaged one is put aside before it is replaced.
"""

import datetime
import logging
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from ldvae_core import durable
from ldvae_core.errors import RunError
from ldvae_core.jobs.progress import read_object
from ldvae_core.workspace import database
from ldvae_core.workspace.folders import Workspace, make_id

log = logging.getLogger(__name__)

LONGEST_NAME, LONGEST_NOTES, LONGEST_WHO, LONGEST_VIEW = 60, 2_000, 80, 500  # characters
MOST_SELECTIONS = 200  # of one run
OTHERS = "other cells"  # the second level of a selection's annotation
LEIDEN = "Leiden clusters (this run)"
MAP = "map"  # the folder that runs/maps.py fills
NOTES_FILE, SELECTIONS_FILE = "factors.json", "selections.json"


@dataclass(frozen=True)
class FactorNote:
    """What somebody wrote to a factor."""

    name: str = ""
    notes: str = ""
    flipped: bool = False
    who: str = ""
    when: str = ""  # ISO 8601, UTC


@dataclass(frozen=True)
class Selection:
    """Cells that somebody chose in a figure and kept as an annotation."""

    selection_id: str
    name: str  # also the annotation's
    n_cells: int
    who: str
    when: str  # ISO 8601, UTC
    view: str  # the figure they were chosen in: its words, ": ", and its address, which begins with the plane

    @property
    def plane(self) -> str:
        """Name of the plane they were drawn in, such as "readable.0.3" or "map"; "" where it was not noted."""
        found = re.search(r": plane=([a-z_]{1,20}(?:\.[0-9]{1,5}t?)*)(?:&|$)", self.view)
        return found[1] if found else ""


SELECTION_FIELDS = tuple(Selection.__dataclass_fields__)


class Additions:
    """The additions to one run. Got from RunStore.additions, which has checked the run; cheap to make."""

    def __init__(self, workspace: Workspace, folder: Path, *, of: Path) -> None:
        """of: the folder of the run itself."""
        self._workspace, self.folder, self._run = workspace, folder, of

    @classmethod
    def beside(cls, run_folder: Path) -> "Additions":
        """The additions in a run's own folder, to be read."""
        return cls(Workspace.default(), run_folder / "kept", of=run_folder)

    def make(self) -> Path:
        """The folder, created when it is missing. Raises RunError when it cannot be, or the run is gone."""
        if not self._run.is_dir() or durable.is_deleted(self._run):
            raise RunError(f"The run {self._run.name} was deleted meanwhile.", "Nothing was added to it.")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as fault:
            raise RunError(f"Nothing can be added to this run ({fault.strerror}).", "Look at the disk.") from None
        return self.folder

    @property
    def run_folder(self) -> Path:
        """The folder of the run itself."""
        return self._run

    @property
    def version(self) -> str:
        """Changes whenever something that opened runs show has changed."""
        return " ".join(_stamp(self.folder / name) for name in (NOTES_FILE, SELECTIONS_FILE, f"{MAP}/about.json"))

    def factor_notes(self, axes: str) -> dict[int, FactorNote]:
        """By factor (from 0), those that have any; {} where nothing was written or it cannot be read."""
        notes = {}
        for factor, values in _dict(read_object(self.folder / NOTES_FILE).get(axes)).items():
            if str(factor).isdigit() and isinstance(values, dict):
                texts = {name: str(values.get(name) or "") for name in ("name", "notes", "who", "when")}
                notes[int(factor)] = FactorNote(**texts, flipped=values.get("flipped") is True)
        return notes

    def write_factor_note(
        self,
        axes: str,
        factor: int,
        *,
        name: str | None = None,
        notes: str | None = None,
        flipped: bool | None = None,
        who: str = "",
    ) -> FactorNote:
        """Change what is given and keep the rest; returns the note. Raises RunError: too long, not writable."""
        given = {"name": name, "notes": notes, "flipped": flipped}
        _refuse_long({"name": (name, LONGEST_NAME), "notes": (notes, LONGEST_NOTES), "your name": (who, LONGEST_WHO)})
        with self.writing():
            content = _to_change(self.folder / NOTES_FILE)
            of_axes = _dict(content.get(axes))
            row = _dict(of_axes.get(str(factor)))
            before = self.factor_notes(axes).get(factor, FactorNote())
            changed = {key: value for key, value in given.items() if value is not None}
            note = FactorNote(**{**asdict(before), **changed, "who": who.strip(), "when": _now()})
            note = FactorNote(**{**asdict(note), "name": " ".join(note.name.split())})
            rows = {**of_axes, str(factor): {**row, **asdict(note)}}
            durable.write_json(self.folder / NOTES_FILE, {**content, axes: rows})
        return note

    def take_back_factor_note(self, axes: str, factor: int, *, to: FactorNote, written: FactorNote) -> None:
        """Have the note as it was before `written`. Raises RunError when somebody has changed it since."""
        with self.writing():
            content = _to_change(self.folder / NOTES_FILE)
            of_axes = _dict(content.get(axes))
            if self.factor_notes(axes).get(factor) != written:
                raise RunError("Somebody has changed it since.", "It stays as it is now.")
            rows = {**of_axes, str(factor): {**_dict(of_axes.get(str(factor))), **asdict(to)}}
            durable.write_json(self.folder / NOTES_FILE, {**content, axes: rows})

    def selections(self) -> list[Selection]:
        """In the order they were made."""
        return _understood(_rows(read_object(self.folder / SELECTIONS_FILE)))

    def cells_of(self, selection: Selection, n_cells: int) -> np.ndarray:
        """(n_cells,) bool. Raises RunError when its file is missing, damaged or of other data."""
        packed = durable.read_array(self.folder / f"{selection.selection_id}.npy")
        if packed.dtype != np.uint8 or packed.shape != (-(-n_cells // 8),):
            raise RunError(f"The selection {selection.name!r} does not fit the cells of this run.", "Delete it.")
        return np.unpackbits(np.asarray(packed), count=n_cells).astype(bool)

    def save_selection(self, name: str, cells: np.ndarray, *, who: str, view: str, taken: list[str]) -> Selection:
        """Keep cells (n_cells,) bool as an annotation. taken: annotation names that exist already.

        Raises RunError: no name, a name that is too long or taken, no cell, all cells, too many selections.
        """
        name, n_chosen = " ".join(name.split()), int(np.count_nonzero(cells))
        _refuse_long({"name": (name, LONGEST_NAME), "your name": (who, LONGEST_WHO)})
        if not name:
            raise RunError("The selection has no name.", "Give it one: it becomes an annotation of the cells.")
        if n_chosen in (0, len(cells)):
            raise RunError(
                f"{'No cell is' if n_chosen == 0 else 'All cells are'} selected.", "Draw around some of the cells."
            )
        with self.writing():
            content = _to_change(self.folder / SELECTIONS_FILE)
            known = _understood(_rows(content))
            if name.casefold() in {other.casefold() for other in (*taken, LEIDEN, *(s.name for s in known))}:
                raise RunError(f"There is an annotation {name!r} already.", "Choose another name.")
            if len(known) >= MOST_SELECTIONS:
                raise RunError(f"This run has {MOST_SELECTIONS} selections, the most it can keep.", "Delete some.")
            made = Selection(make_id(name, uuid.uuid4().hex), name, n_chosen, who.strip(), _now(), view[:LONGEST_VIEW])
            durable.write_array(self.folder / f"{made.selection_id}.npy", np.packbits(np.asarray(cells, bool)))
            self._write_selections(content, [*_rows(content), asdict(made)])
        return made

    def restore_selection(self, selection: Selection, cells: np.ndarray) -> None:
        """Have a deleted selection back, with its cells (n_cells,) bool. Raises RunError when its name is taken now."""
        with self.writing():
            content = _to_change(self.folder / SELECTIONS_FILE)
            if any(selection.name.casefold() == other.name.casefold() for other in _understood(_rows(content))):
                raise RunError(f"There is another selection {selection.name!r} by now.", "Rename or delete that first.")
            durable.write_array(self.folder / f"{selection.selection_id}.npy", np.packbits(np.asarray(cells, bool)))
            self._write_selections(content, [*_rows(content), asdict(selection)])

    def delete_selection(self, selection_id: str) -> None:
        """Remove it; one that is gone already is no error."""
        with self.writing():
            content = _to_change(self.folder / SELECTIONS_FILE)
            known = {selection.selection_id for selection in _understood(_rows(content))}
            if selection_id in known:  # only ids that stand in the list ever name a file
                self._write_selections(content, [row for row in _rows(content) if not _is_named(row, selection_id)])
                (self.folder / f"{selection_id}.npy").unlink(missing_ok=True)

    def annotations(self, n_cells: int) -> dict[str, "pd.Categorical[Any]"]:
        """Every selection as an annotation, and the clusters on the map's neighbours; unreadable ones are left out."""
        columns: dict[str, pd.Categorical[Any]] = {}
        for selection in self.selections():
            try:
                chosen = self.cells_of(selection, n_cells)
            except RunError:
                continue
            columns[selection.name] = pd.Categorical.from_codes(
                (~chosen).astype(np.int8), pd.Index([selection.name, OTHERS])
            )
        return columns | self._clusters(n_cells)

    def versions(self) -> dict[str, str]:
        """By annotation, what changes when its cells do."""
        selections = {selection.name: selection.selection_id for selection in self.selections()}
        return {**selections, LEIDEN: _stamp(self.folder / MAP / "about.json")}

    def _clusters(self, n_cells: int) -> dict[str, "pd.Categorical[Any]"]:
        try:
            codes = np.array(durable.read_array(self.folder / MAP / "leiden.npy"))
        except RunError:
            return {}
        if codes.shape != (n_cells,) or codes.dtype.kind not in "iu" or not len(codes) or codes.min() < 0:
            return {}
        names = [f"Cluster {number + 1}" for number in range(int(codes.max()) + 1)]
        return {LEIDEN: _as_categories(codes, names)}

    def _write_selections(self, content: dict[str, Any], rows: list[object]) -> None:
        durable.write_json(self.folder / SELECTIONS_FILE, {**content, "selections": rows})

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One writer at a time; the queue's own lock serves. Raises RunError: the disk refuses, or the run is gone."""
        self._workspace.make()
        with database.writing(self._workspace.index):
            self.make()  # asked with the lock: whoever deletes the run has it then, or will find this in its folder
            try:
                yield
            except OSError as fault:
                raise RunError(f"Nothing was saved ({fault.strerror}).", "Make room on the disk, then again.") from None


def _as_categories(codes: np.ndarray, names: list[str]) -> "pd.Categorical[Any]":
    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(names))


def _to_change(path: Path) -> dict[str, Any]:
    """What the file holds, {} without one. A damaged file is put aside, so that nothing in it is lost for good."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return {}
    content = read_object(path)
    if content or text.split() == [b"{}"]:
        return content
    aside = path.with_name(f"{path.name}.damaged-{uuid.uuid4().hex[:8]}")
    durable.write_bytes(aside, text)
    log.warning("%s of %s was damaged; it is kept as %s", path.name, path.parent.parent.name, aside.name)
    return {}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _rows(content: dict[str, Any]) -> list[object]:
    """The rows of selections.json as they stand there, also those that this version does not understand."""
    rows = content.get("selections")
    return rows if isinstance(rows, list) else []


def _understood(rows: list[object]) -> list[Selection]:
    return [Selection(**{name: row[name] for name in SELECTION_FIELDS}) for row in rows if _is_selection(row)]


def _is_named(row: object, selection_id: str) -> bool:
    return isinstance(row, dict) and row.get("selection_id") == selection_id


def _is_selection(row: object) -> TypeGuard[dict[str, Any]]:
    """Whether it has what this version needs; a later one may have added to it."""
    return (
        isinstance(row, dict)
        and all(isinstance(row.get(name), int if name == "n_cells" else str) for name in SELECTION_FIELDS)
        and re.fullmatch(r"[a-z0-9-]{1,80}", row["selection_id"]) is not None
    )


def _refuse_long(texts: dict[str, tuple[str | None, int]]) -> None:
    problems = [
        f"The {what} has {len(text):,} characters; at most {longest:,} are kept."
        for what, (text, longest) in texts.items()
        if text and len(text) > longest
    ]
    if problems:
        raise RunError(problems, "Write less.")


def _stamp(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "-"
    return f"{found.st_mtime_ns}.{found.st_ino}"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
