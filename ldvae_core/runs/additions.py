"""What people add to a finished run: names and notes of its factors, turned axes, and cells they have selected.

They lie beside the results, which are never changed: in the run's own folder, for the run that comes with the program
in the workspace. Writers take turns, also those of several servers; every file is replaced in one step.
"""

import datetime
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ldvae_core import durable
from ldvae_core.errors import RunError
from ldvae_core.workspace import database
from ldvae_core.workspace.folders import Workspace, make_id

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


class Additions:
    """The additions to one run. Got from RunStore.additions, which has checked the run; cheap to make."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self._workspace, self.folder = workspace, folder

    @classmethod
    def beside(cls, run_folder: Path) -> "Additions":
        """The additions in a run's own folder, to be read."""
        return cls(Workspace.default(), run_folder / "kept")

    def make(self) -> Path:
        """The folder, created when it is missing. Raises RunError when it cannot be."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as fault:
            raise RunError(f"Nothing can be added to this run ({fault.strerror}).", "Look at the disk.") from None
        return self.folder

    @property
    def version(self) -> str:
        """Changes whenever something that opened runs show has changed."""
        return " ".join(_stamp(self.folder / name) for name in (NOTES_FILE, SELECTIONS_FILE, f"{MAP}/about.json"))

    def factor_notes(self, axes: str) -> dict[int, FactorNote]:
        """By factor (from 0), those that have any; {} where nothing was written or it cannot be read."""
        found = _read(self.folder / NOTES_FILE).get(axes)
        notes = {}
        for factor, values in found.items() if isinstance(found, dict) else ():
            if str(factor).isdigit() and isinstance(values, dict):
                notes[int(factor)] = FactorNote(
                    *(str(values.get(name) or "") for name in ("name", "notes")),
                    values.get("flipped") is True,
                    *(str(values.get(name) or "") for name in ("who", "when")),
                )
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
        with self._writing():
            content = _read(self.folder / NOTES_FILE)
            before = self.factor_notes(axes).get(factor, FactorNote())
            changed = {key: value for key, value in given.items() if value is not None}
            note = FactorNote(**{**asdict(before), **changed, "who": who.strip(), "when": _now()})
            note = FactorNote(**{**asdict(note), "name": " ".join(note.name.split())})
            of_axes = content.get(axes) if isinstance(content.get(axes), dict) else {}
            durable.write_json(self.folder / NOTES_FILE, {**content, axes: {**of_axes, str(factor): asdict(note)}})
        return note

    def selections(self) -> list[Selection]:
        """In the order they were made."""
        rows = _read(self.folder / SELECTIONS_FILE).get("selections")
        return [Selection(**row) for row in rows if _is_selection(row)] if isinstance(rows, list) else []

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
        with self._writing():
            known = self.selections()
            if name.casefold() in {other.casefold() for other in (*taken, LEIDEN, *(s.name for s in known))}:
                raise RunError(f"There is an annotation {name!r} already.", "Choose another name.")
            if len(known) >= MOST_SELECTIONS:
                raise RunError(f"This run has {MOST_SELECTIONS} selections, the most it can keep.", "Delete some.")
            made = Selection(make_id(name, uuid.uuid4().hex), name, n_chosen, who.strip(), _now(), view[:LONGEST_VIEW])
            durable.write_array(self.folder / f"{made.selection_id}.npy", np.packbits(np.asarray(cells, bool)))
            self._write_selections([*known, made])
        return made

    def delete_selection(self, selection_id: str) -> None:
        """Remove it; one that is gone already is no error."""
        with self._writing():
            rest = [selection for selection in self.selections() if selection.selection_id != selection_id]
            gone = len(rest) < len(self.selections())
            self._write_selections(rest)
            if gone:  # only ids that stand in the list ever name a file
                (self.folder / f"{selection_id}.npy").unlink(missing_ok=True)

    def annotations(self, n_cells: int) -> dict[str, pd.Categorical]:
        """Every selection as an annotation, and the clusters on the map's neighbours; unreadable ones are left out."""
        columns = {}
        for selection in self.selections():
            try:
                chosen = self.cells_of(selection, n_cells)
            except RunError:
                continue
            columns[selection.name] = pd.Categorical.from_codes((~chosen).astype(np.int8), [selection.name, OTHERS])
        return columns | self._clusters(n_cells)

    def versions(self) -> dict[str, str]:
        """By annotation, what changes when its cells do."""
        selections = {selection.name: selection.selection_id for selection in self.selections()}
        return {**selections, LEIDEN: _stamp(self.folder / MAP / "about.json")}

    def _clusters(self, n_cells: int) -> dict[str, pd.Categorical]:
        try:
            codes = np.asarray(durable.read_array(self.folder / MAP / "leiden.npy"))
        except RunError:
            return {}
        if codes.shape != (n_cells,) or codes.dtype.kind not in "iu" or not len(codes) or codes.min() < 0:
            return {}
        names = [f"Cluster {number + 1}" for number in range(int(codes.max()) + 1)]
        return {LEIDEN: pd.Categorical.from_codes(codes, names)}

    def _write_selections(self, selections: list[Selection]) -> None:
        durable.write_json(self.folder / SELECTIONS_FILE, {"selections": [asdict(row) for row in selections]})

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One writer at a time; the queue's own lock serves. Raises RunError when the disk refuses."""
        self._workspace.make()
        self.make()
        with database.writing(self._workspace.index):
            try:
                yield
            except OSError as fault:
                raise RunError(f"Nothing was saved ({fault.strerror}).", "Make room on the disk, then again.") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = durable.read_json(path)
    except (RunError, OSError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_selection(row: object) -> bool:
    fields = {"n_cells": int} | dict.fromkeys(("selection_id", "name", "who", "when", "view"), str)
    return (
        isinstance(row, dict)
        and row.keys() == fields.keys()
        and all(isinstance(row[name], kind) for name, kind in fields.items())
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
