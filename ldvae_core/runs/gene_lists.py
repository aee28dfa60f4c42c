"""Lists of genes that people keep under a name, for all runs of a workspace: one file, replaced in one step."""

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, TypeGuard

from ldvae_core import durable
from ldvae_core.errors import RunError
from ldvae_core.jobs.progress import read_object
from ldvae_core.workspace import database
from ldvae_core.workspace.folders import Workspace

FILE = "gene_lists.json"
LONGEST_NAME, MOST_GENES, MOST_LISTS = 60, 500, 200


@dataclass(frozen=True)
class GeneList:
    """Genes as they were called where the list was made; another run looks them up in its own."""

    name: str
    genes: tuple[str, ...]
    who: str
    when: str  # ISO 8601, UTC


class GeneLists:
    """Those of one workspace; cheap to make."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._path = workspace, workspace.root / FILE

    def all(self) -> list[GeneList]:
        """By name; what this version does not understand is left out."""
        found = [_read(row) for row in _rows(read_object(self._path)) if _is_list(row)]
        return sorted(found, key=lambda one: one.name.casefold())

    def save(self, name: str, genes: Sequence[str], *, who: str = "") -> GeneList:
        """Keep genes under a name, in place of a list of that name in whatever case.

        Raises RunError: no name or a long one, fewer than 2 genes or too many, too many lists, the disk refuses.
        """
        name = " ".join(name.split())
        if not 1 <= len(name) <= LONGEST_NAME:
            raise RunError(f"The name of a list has 1 to {LONGEST_NAME} characters; this one has {len(name)}.")
        if not 2 <= len(genes) <= MOST_GENES:
            raise RunError(f"A list holds 2 to {MOST_GENES} genes; this one has {len(genes):,}.")
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        made = GeneList(name, tuple(map(str, genes)), who.strip()[:80], now)
        self.restore(made)
        return made

    def restore(self, made: GeneList) -> None:
        """Have this very list under its name. Raises RunError: too many lists, or the disk refuses."""
        with self._changed() as rows:
            rows[:] = [row for row in rows if not _is_named(row, made.name)]
            if len(rows) >= MOST_LISTS:
                raise RunError(f"There are {MOST_LISTS} lists already, the most that are kept.", "Delete some.")
            rows.append(asdict(made))

    def delete(self, name: str) -> None:
        """Remove it; one that is gone already is no error. Raises RunError when the disk refuses."""
        with self._changed() as rows:
            rows[:] = [row for row in rows if not _is_named(row, name)]

    @contextmanager
    def _changed(self) -> Iterator[list[object]]:
        """The rows, to be changed; one writer at a time, for which the queue's own lock serves."""
        self._workspace.make()
        with database.writing(self._workspace.index):
            content = read_object(self._path)
            rows = _rows(content)
            yield rows
            try:
                durable.write_json(self._path, {**content, "lists": rows})
            except OSError as fault:
                raise RunError(f"Nothing was saved ({fault.strerror}).", "Make room on the disk, then again.") from None


def _rows(content: dict[str, Any]) -> list[object]:
    rows = content.get("lists")
    return list(rows) if isinstance(rows, list) else []


def _is_list(row: object) -> TypeGuard[dict[str, Any]]:
    return (
        isinstance(row, dict)
        and isinstance(row.get("name"), str)
        and isinstance(row.get("genes"), list)
        and all(isinstance(gene, str) for gene in row["genes"])
    )


def _read(row: dict[str, Any]) -> GeneList:
    return GeneList(row["name"], tuple(row["genes"]), str(row.get("who", "")), str(row.get("when", "")))


def _is_named(row: object, name: str) -> bool:
    return isinstance(row, dict) and str(row.get("name", "")).casefold() == name.casefold()
