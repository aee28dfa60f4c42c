"""Folders of a sparse matrix in text with names beside it: 10x, Parse Biosciences, kallisto bustools, alevin-fry.

A prefix common to the files of a sample, as on GEO, is allowed; samples with different prefixes can be chosen.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from ldvae_core.data.formats import READABLE, Format, folder_format, packings
from ldvae_core.data.loose_folder import open_loose
from ldvae_core.data.matrix_market import open_matrix_market
from ldvae_core.data.names import listing
from ldvae_core.data.opened import Candidate, Opened, Opening, Side
from ldvae_core.data.regular import LINK_REMEDY, require_regular
from ldvae_core.data.stored import DAMAGED_REMEDY, Entries, Stored
from ldvae_core.data.text_files import numbers_of, rows_of, table_of
from ldvae_core.errors import CountsError

INNER = (  # folders that tools write their counts into, those of cells before those of all barcodes
    *("outs", "per_sample_outs", "count", "filtered_feature_bc_matrix", "sample_filtered_feature_bc_matrix"),
    *("filtered_gene_bc_matrices", "umi_count", "alevin", "Gene", "GeneFull", "filtered", "DGE_filtered"),
    *("counts_filtered", "counts_unfiltered", "all-sample"),
)
DEEPEST = 6
KALLISTO_NAMES = (".genes.names.txt",)

Names = Callable[[Path], Side]


class Sample(NamedTuple):
    """The three files of a sample; prefix: what their names begin with, "" where nothing."""

    prefix: str
    matrix: Path
    cells: Path
    genes: Path


def open_tenx(folder: Path, opening: Opening) -> Opened:
    """10x, STARsolo, CITE-seq-Count; also with names in files called otherwise, or with a header.

    Raises CountsError: a file is missing, lengths disagree, text that is no table.
    """
    try:
        return _opened(folder, _barcodes, _features)
    except CountsError as refusal:
        try:
            return open_loose(folder, opening)
        except CountsError:
            raise refusal from None


def open_parse(folder: Path, _opening: Opening) -> Opened:
    """Parse Biosciences: its matrix has a row for each cell, its tables are comma-separated."""
    return _opened(folder, _parse_cells, _parse_genes, cells_first=True)


def open_kallisto(folder: Path, _opening: Opening) -> Opened:
    """kallisto bustools: a row for each cell, names of genes in a file of their own."""
    return _opened(folder, _barcodes, _kallisto_genes, cells_first=True)


def open_alevin(folder: Path, _opening: Opening) -> Opened:
    """alevin-fry: a row for each cell. Where it tells spliced from unspliced molecules, the former are read."""
    opened = _opened(folder, _barcodes, _features, cells_first=True)
    return Opened(tuple(map(_spliced, opened.candidates)), opened.notices)


def inner_folders(folder: Path, deepest: int = DEEPEST) -> dict[str, Path]:
    """The folders that hold the matrices, by their name for people: this one, one that a tool wrote inside, or several.

    Raises CountsError when the one that a tool wrote is a link.
    """
    if deepest == 0 or folder_format(folder) is not None:
        return {"": folder}
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "__MACOSX"))]
    inside = {path.name: path for path in entries if path.is_dir()}
    known = next((inside[name] for name in INNER if name in inside), None)
    if known is not None:
        if known.is_symlink():
            raise CountsError(
                f"{folder.name}/{known.name} is a link to another place, which is not followed.", LINK_REMEDY
            )
        return inner_folders(known, deepest - 1)
    plain = {name: path for name, path in inside.items() if not path.is_symlink()}
    holding = {
        f"{name}/{within}" if within else name: found
        for name, path in plain.items()
        for within, found in inner_folders(path, deepest - 1).items()
        if folder_format(found) is not None
    }
    return holding if holding else {"": folder}


def _opened(folder: Path, cells: Names, genes: Names, *, cells_first: bool = False) -> Opened:
    layout = folder_format(folder)
    if layout is None:
        raise CountsError(f"{folder.name} holds no matrix.mtx, so it is not a 10x folder.", f"Readable: {READABLE}.")
    samples = _samples(folder, layout)
    several = len({sample.prefix for sample in samples}) > 1
    twice = [path.name for path in samples[0][1:] if isinstance(path, Path) and _is_twice(path)]
    notices = [f"Also there without .gz: the gzipped files were read ({listing(twice)})."] if twice else []
    candidates: list[Candidate] = []
    for sample in samples:
        try:
            group = sample.prefix.rstrip("._-") if several else ""
            candidates.append(_candidate(sample, cells, genes, group, cells_first=cells_first))
        except CountsError:
            if sample == samples[-1] and not candidates:  # a broken one must not refuse the others
                raise
    return Opened(tuple(candidates), tuple(notices))


def _is_twice(path: Path) -> bool:
    return path.name.lower().endswith(".gz") and path.with_suffix("").exists()


def _samples(folder: Path, layout: Format) -> list[Sample]:
    """The samples of a folder, gzipped files before others: these are checksummed."""
    found = []
    for matrix in _with_ending(folder, layout.holding[0]):
        prefix = _prefix(matrix.name, layout.holding[0])
        cells = _partner(folder, prefix, layout.holding[1], "barcodes", layout)
        genes = _partner(folder, prefix, layout.holding[2], "features", layout)
        found.append(Sample(prefix, matrix, cells, genes))
    return sorted(found, key=lambda sample: (sample.prefix, not sample.matrix.name.lower().endswith(".gz")))


def _partner(folder: Path, prefix: str, endings: tuple[str, ...], part: str, layout: Format) -> Path:
    """The file that goes with a matrix: with its prefix, else the only one there is."""
    found = _with_ending(folder, endings)
    same = [path for path in found if path.name.lower().startswith(prefix.lower())] if prefix else found
    exact = [path for path in found if _prefix(path.name, endings) == prefix]
    chosen = exact or same or (found if len(found) == 1 else [])
    if not chosen:
        wanted = " or ".join(packings(endings)) + (f" that begins with {prefix!r}" if prefix and found else "")
        whole = layout.name if layout.name.endswith("folder") else f"whole folder of {layout.name}"
        raise CountsError(
            f"{folder.name} holds no {wanted}, so it is not a {whole}.",
            f"Readable: {READABLE}.",
        )
    stems = {path.name.lower().removesuffix(".gz") for path in chosen}
    if len(stems) > 1:
        raise CountsError(
            f"{folder.name} holds several files of {part}: {listing(path.name for path in chosen)}.",
            "Keep one data set (matrix, barcodes, features) in a folder.",
        )
    return next((path for path in chosen if path.name.lower().endswith(".gz")), chosen[0])


def _candidate(sample: Sample, cells: Names, genes: Names, group: str, *, cells_first: bool) -> Candidate:
    """Which side holds the genes is told by the lengths, and by the tool where both are equal."""
    stored = open_matrix_market(sample.matrix)
    cells_side, genes_side = cache(lambda: cells(sample.cells)), cache(lambda: genes(sample.genes))
    shape = (stored.n_rows, stored.n_columns)
    n_cells, n_genes = len(cells_side().table), len(genes_side().table)
    by_row = (n_cells, n_genes)
    if shape == by_row and (cells_first or n_cells != n_genes):
        said = () if cells_first else ("Rows hold cells in this matrix: read as such.",)
        rows = cache(lambda: cells_side()._replace(notices=(*cells_side().notices, *said)))
        return Candidate(sample.matrix.name, stored, rows, genes_side, "columns", certain=True, group=group)
    if shape == by_row[::-1]:
        return Candidate(sample.matrix.name, stored, genes_side, cells_side, "rows", certain=True, group=group)
    raise CountsError(
        f"{sample.matrix.name} is {shape[0]:,} x {shape[1]:,}, but there are {n_genes:,} features and {n_cells:,} "
        "barcodes.",
        "The three files must come from the same run.",
    )


@dataclass(frozen=True)
class SplicedCounts:
    """A matrix whose columns are the spliced, then the unspliced, then the ambiguous counts of n_columns genes.

    Spliced and ambiguous ones are added up, as alevin-fry's own loader does for single cells.
    """

    whole: Stored
    n_columns: int
    order: Literal["any"] = "any"

    @property
    def n_rows(self) -> int:
        """Cells."""
        return self.whole.n_rows

    @property
    def n_entries(self) -> int:
        """Stored values, with the unspliced."""
        return self.whole.n_entries

    def blocks(self) -> Iterator[Entries]:
        """Entries of the genes; a gene can come twice in a cell."""
        for block in self.whole.blocks():
            assert isinstance(block, Entries)
            kind, gene = np.divmod(block.columns, self.n_columns)
            kept = kind != 1
            yield Entries(block.rows[kept], gene[kept], block.values[kept])

    def values(self) -> Iterator[np.ndarray]:
        """Their values."""
        for block in self.blocks():
            yield block.values


def _spliced(candidate: Candidate) -> Candidate:
    """The candidate itself, unless its genes come three times: as they are, with -U and with -A."""
    genes = candidate.columns()
    names = genes.table.index.tolist()
    n = len(names) // 3
    if candidate.genes_in != "columns" or n == 0 or [f"{name}-U" for name in names[:n]] != names[n : 2 * n]:
        return candidate
    said = "Spliced and ambiguous molecules were added up; unspliced ones were left out."
    shorter = Side(genes.table.iloc[:n], genes.named_by, notices=(said,))
    return replace(candidate, stored=SplicedCounts(candidate.stored, n), columns=lambda: shorter)


def _barcodes(path: Path) -> Side:
    return Side(pd.DataFrame(index=pd.Index([row[0] for row in rows_of(path)], dtype=object)), path.name)


def _features(path: Path) -> Side:
    """What the lines say; a shorter line than the others, as of a gene added by hand, is a gene named by its id."""
    rows = rows_of(path)
    columns = max((len(row) for row in rows), default=0)
    names = [row[1] if len(row) > 1 and row[1] else row[0] for row in rows]
    table = pd.DataFrame(index=pd.Index(names, dtype=object))
    if columns > 1:
        table["gene_ids"] = [row[0] for row in rows]
    if columns > 2:
        table["feature_types"] = [row[2] if len(row) > 2 and row[2] else "Gene Expression" for row in rows]
    return Side(table, path.name)


def _kallisto_genes(path: Path) -> Side:
    """Ids, and names from the file beside it where it has as many lines."""
    ids = [row[0] for row in rows_of(path)]
    beside = _with_ending(path.parent, KALLISTO_NAMES)
    if len(beside) == 1:
        names = [row[0] for row in rows_of(beside[0], keep_empty=True)]
        if len(names) == len(ids):
            known = pd.Index([name or gene_id for name, gene_id in zip(names, ids, strict=True)], dtype=object)
            return Side(pd.DataFrame({"gene_ids": ids}, index=known), beside[0].name)
    return Side(pd.DataFrame(index=pd.Index(ids, dtype=object)), path.name)


def _parse_cells(path: Path) -> Side:
    """Cells of Parse Biosciences, and what its table says of them."""
    table = table_of(path)
    cells = table["bc_wells"] if "bc_wells" in table else table.iloc[:, 0]
    rest = table.drop(columns=[str(cells.name)]).apply(numbers_of)
    return Side(rest.set_axis(pd.Index(cells.astype(str), dtype=object)), str(cells.name))


def _parse_genes(path: Path) -> Side:
    table = table_of(path)
    if not {"gene_id", "gene_name"} <= set(table.columns):
        raise CountsError(f"{path.name} has no columns gene_id and gene_name.", DAMAGED_REMEDY)
    names = table["gene_name"].where(table["gene_name"].str.strip() != "", table["gene_id"])
    return Side(pd.DataFrame({"gene_ids": table["gene_id"].tolist()}, index=pd.Index(names, dtype=object)), "gene_name")


def _with_ending(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Files with such an ending, gzipped or not; those of a Mac that begin with "._" are none of them."""
    named = (path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir())
    found = sorted(path for path in named if path.name.lower().endswith(packings(endings)))
    for path in found:
        require_regular(path, folder)
    return found


def _prefix(name: str, endings: tuple[str, ...]) -> str:
    """What stands before the ending."""
    ending = max((one for one in packings(endings) if name.lower().endswith(one)), key=len, default="")
    return name[: len(name) - len(ending)]
