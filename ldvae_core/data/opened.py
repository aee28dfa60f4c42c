"""A file as its format presents it: the matrices that could hold the counts, and what names their rows and columns."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ldvae_core.data.reading_options import GenesIn
from ldvae_core.data.stored import Stored

NO_COLOURS: dict[str, str] = {}


class Side(NamedTuple):
    """One axis of a matrix. table: a row for each of its lines, the index their names; named_by: where these came from.

    For the side of the genes the columns gene_ids and feature_types mean what they say, where a format has them.
    left_out: columns that could not be read; beyond: those that are too many. notices: what else people should know.
    maps: name and places of every map of these lines, see own_maps.py.
    """

    table: pd.DataFrame
    named_by: str = "index"
    left_out: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()
    maps: Callable[[], Iterable[tuple[str, np.ndarray]]] = tuple


@dataclass(frozen=True, eq=False)
class Candidate:
    """A matrix that could hold the counts. where: its place, as people know it: "X", "layers['counts']".

    rows, columns: read what names the two sides; both raise CountsError where that is damaged. genes_in: where the
    format says which side holds the genes; `certain` if nobody may say otherwise; told: a notice of how that was told,
    for where nobody does. group: the sample, genome or modality
    that it belongs to, in files that hold several. about: what else the file says (see CountMatrix.about), from the
    table of the cells.
    """

    where: str
    stored: Stored
    rows: Callable[[], Side]
    columns: Callable[[], Side]
    genes_in: GenesIn | None = None
    certain: bool = False
    told: str = ""
    group: str = ""
    about: Callable[[pd.DataFrame], dict[str, str]] = lambda _cells: NO_COLOURS
    apart: tuple[str, ...] = ()  # columns of a text table that were taken for no counts

    @property
    def name(self) -> str:
        """What `choose` calls it."""
        return f"{self.group}/{self.where}" if self.group else self.where


class Opened(NamedTuple):
    """candidates: in the order of preference within their group. notices: what the opening decided."""

    candidates: tuple[Candidate, ...]
    notices: tuple[str, ...] = ()


class Opening(NamedTuple):
    """What an opener may use: files stay open as long as `stack`; `scratch` is a folder for what it unpacks."""

    stack: ExitStack
    scratch: Path
    columns: Mapping[str, str] = NO_COLOURS  # of a text table: what is said of them, see ReadingOptions.columns

    def folder(self, name: str) -> Path:
        """A new folder in scratch, numbered where there are others of that name."""
        n = sum(path.name.startswith(name) for path in self.scratch.iterdir())
        path = self.scratch / f"{name}{n or ''}"
        path.mkdir()
        return path


Opener = Callable[[Path, Opening], Opened]
