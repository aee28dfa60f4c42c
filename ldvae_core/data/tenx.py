"""Raw counts out of folders of sparse matrices (10x, Parse Biosciences, kallisto, alevin-fry) and Cell Ranger's .h5."""

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, TextIO

import h5py
import numpy as np
import pandas as pd
from scipy import sparse
from scipy.io import mmread

from ldvae_core.data.counts import CountMatrix, make_count_matrix
from ldvae_core.data.formats import READABLE
from ldvae_core.data.gate import MOST_UNFOLDING
from ldvae_core.data.h5ad import are_genes
from ldvae_core.data.names import listing
from ldvae_core.data.places import DAMAGED_REMEDY, sparse_place, take_counts
from ldvae_core.data.regular import require_regular
from ldvae_core.errors import CountsError

SHORTEST_ENTRY = 6  # characters of a line in a matrix.mtx: row, column, count, two spaces and the line's end
LONGEST_LINE = 10_000


class Layout(NamedTuple):
    """How a tool names its files (their endings), and whether its matrix holds a row for each cell."""

    matrix: tuple[str, ...]
    barcodes: tuple[str, ...]
    features: tuple[str, ...]
    cells_first: bool


TENX = Layout(("matrix.mtx",), ("barcodes.tsv",), ("features.tsv", "genes.tsv"), False)
PARSE = Layout(("count_matrix.mtx", "dge.mtx"), ("cell_metadata.csv",), ("all_genes.csv",), True)
KALLISTO = Layout(("cells_x_genes.mtx", "cells_x_genes.total.mtx"), (".barcodes.txt",), (".genes.txt",), True)
ALEVIN = Layout(("quants_mat.mtx",), ("quants_mat_rows.txt",), ("quants_mat_cols.txt",), True)
LAYOUTS = (PARSE, KALLISTO, ALEVIN, TENX)
INNER = (  # folders that tools write their counts into, those of cells before those of all barcodes
    "outs", "filtered_feature_bc_matrix", "sample_filtered_feature_bc_matrix", "filtered_gene_bc_matrices", "umi_count",
    "alevin", "Gene", "GeneFull", "filtered", "DGE_filtered", "counts_filtered", "counts_unfiltered",
)  # fmt: skip
DEEPEST = 4
KALLISTO_NAMES = (".genes.names.txt",)


class Features(NamedTuple):
    """What Cell Ranger says of each row: names, ids and kinds ("Gene Expression", "Antibody Capture"); None unknown."""

    names: Sequence[str]
    ids: Sequence[str] | None
    kinds: Sequence[str] | None


def read_folder(folder: Path) -> CountMatrix:
    """Counts of a folder of 10x, Parse Biosciences, kallisto bustools or alevin-fry.

    A prefix common to the files, as on GEO, is allowed.

    Raises CountsError: a file is missing or there are several, lengths disagree, an entry lies outside the matrix.
    """
    chosen, folder = folder, _innermost(folder)
    layout = next((kind for kind in (PARSE, KALLISTO, ALEVIN) if _with_ending(folder, kind.matrix)), TENX)
    files = {part: _only_file(folder, part, getattr(layout, part)) for part in ("matrix", "barcodes", "features")}
    inner = folder.relative_to(chosen).as_posix()
    notices = [] if folder == chosen else [f"Read from the folder {inner} inside {chosen.name}."]
    annotations = None
    if layout is PARSE:
        barcodes, annotations = _parse_cells(files["barcodes"])
        features = _parse_genes(files["features"])
    else:
        barcodes = [row[0] for row in _rows(files["barcodes"])]
        features = _features(_rows(files["features"]))
    if layout is KALLISTO and _with_ending(folder, KALLISTO_NAMES):
        names = [row[0] for row in _rows(_only_file(folder, "gene names", KALLISTO_NAMES), keep_empty=True)]
        if len(names) == len(features.names):
            known = [name or other for name, other in zip(names, features.names, strict=True)]
            features = Features(known, features.names, None)
    twice = [path.name for path in files.values() if path.name.endswith(".gz") and path.with_suffix("").exists()]
    if twice:
        notices.append(f"Also there without .gz: the gzipped files were read ({listing(twice)}).")
    stored = _read_mtx(files["matrix"])
    counts_from = files["matrix"].name
    lengths = (len(features.names), len(barcodes))
    if stored.shape == lengths and not (layout.cells_first and lengths[0] == lengths[1]):
        return _built(sparse.csr_matrix(stored.T), barcodes, features, counts_from, annotations).with_notices(*notices)
    if stored.shape == lengths[::-1]:
        if not layout.cells_first:
            notices.append("Rows hold cells in this matrix: read as such.")
        return _built(sparse.csr_matrix(stored), barcodes, features, counts_from, annotations).with_notices(*notices)
    raise CountsError(
        f"{files['matrix'].name} is {stored.shape[0]:,} x {stored.shape[1]:,}, but there are {lengths[0]:,} features "
        f"and {lengths[1]:,} barcodes.",
        "The three files must come from the same run.",
    )


def matrix_groups(root: h5py.Group) -> list[str]:
    """Groups of a Cell Ranger .h5 that hold a matrix: "matrix" (v3), or one a genome (v2)."""
    return [name for name, item in root.items() if isinstance(item, h5py.Group) and "barcodes" in item]


def read_tenx(root: h5py.Group) -> CountMatrix:
    """Counts of an opened Cell Ranger .h5 that has passed the gate. Raises CountsError: damaged, several genomes."""
    groups = matrix_groups(root)
    if len(groups) != 1:
        raise CountsError(f"The file holds {len(groups)} matrices: {listing(groups)}.", "Save one of them alone.")
    group = root[groups[0]]
    n_genes, n_cells = _declared_shape(group, groups[0])
    place = sparse_place(group, groups[0], n_rows=n_cells, n_columns=n_genes, layout="csr")
    features = _h5_features(group)
    barcodes = _texts(group["barcodes"])
    counts, _, _ = take_counts([place])
    return _built(counts, barcodes, features, groups[0])


def _built(
    counts: sparse.csr_matrix,
    barcodes: Sequence[str],
    features: Features,
    counts_from: str,
    annotations: pd.DataFrame | None = None,
) -> CountMatrix:
    names = np.asarray(features.names, dtype=object)
    ids = None if features.ids is None else np.asarray(features.ids, dtype=object)
    notices = []
    if features.kinds is not None and len(features.kinds) == counts.shape[1] == len(names):
        genes = are_genes(features.kinds)
        if genes.any() and not genes.all():
            notices.append(f"{int((~genes).sum()):,} features are not gene expression (such as antibodies): left out.")
            counts, names, ids = counts[:, genes], names[genes], None if ids is None else ids[genes]
    return make_count_matrix(
        counts,
        cell_ids=barcodes,
        gene_names=names,
        gene_ids=ids,
        annotations=pd.DataFrame(index=range(counts.shape[0])) if annotations is None else annotations,
        counts_from=counts_from,
        notices=notices,
    )


def _only_file(folder: Path, part: str, endings: tuple[str, ...]) -> Path:
    """The one file of the folder with such an ending, gzipped or not; gzipped where both are, as that is checksummed.

    Raises CountsError when there is none, or several.
    """
    wanted = _endings(endings)
    found = _with_ending(folder, endings)
    for path in found:
        require_regular(path, folder)
    packed = [path for path in found if path.name.lower().endswith(".gz")]
    if len(found) == 1 or (len(found) == 2 and len(packed) == 1 and found[1].name == f"{found[0].name}.gz"):
        return found[-1]
    if not found:
        raise CountsError(
            f"{folder.name} holds no {' or '.join(wanted)}, so it is not a 10x folder.", f"Readable: {READABLE}."
        )
    raise CountsError(
        f"{folder.name} holds several files of {part}: {listing(path.name for path in found)}.",
        "Keep one data set (matrix, barcodes, features) in a folder.",
    )


def _innermost(folder: Path, deepest: int = DEEPEST) -> Path:
    """The folder inside that holds the matrix, where this one holds none; links are not followed."""
    if deepest == 0 or any(_with_ending(folder, layout.matrix) for layout in LAYOUTS):
        return folder
    inside = {path.name: path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()}
    known = next((inside[name] for name in INNER if name in inside), None)
    if known is not None:
        return _innermost(known, deepest - 1)
    holding = sorted(
        path
        for name, path in inside.items()
        if not name.startswith(".") and any(_with_ending(path, layout.matrix) for layout in LAYOUTS)
    )
    if len(holding) > 1:
        raise CountsError(
            f"{folder.name} holds several folders of counts: {listing(path.name for path in holding)}.",
            "Choose one of them.",
        )
    return holding[0] if holding else folder


def _endings(endings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{ending}{packed}" for ending in endings for packed in ("", ".gz"))


def _with_ending(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    files = (path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir())  # "._" of a Mac
    return sorted(path for path in files if path.name.lower().endswith(_endings(endings)))


def _open_text(path: Path) -> TextIO:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return open(path, encoding="utf-8-sig", newline="")


def _rows(path: Path, *, keep_empty: bool = False) -> list[list[str]]:
    """Tab-separated rows that are not empty, without a byte order mark and the quotes that R puts around words."""
    try:
        with _open_text(path) as file:
            reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            return [[_unquoted(word) for word in row[:3]] or [""] for row in reader if row or keep_empty]
    except (UnicodeDecodeError, csv.Error, EOFError, gzip.BadGzipFile) as fault:
        raise CountsError(f"{path.name} is not a readable text table ({fault}).", DAMAGED_REMEDY) from None


def _features(rows: list[list[str]]) -> Features:
    """What the lines say; a shorter line than the others, as of a gene added by hand, is a gene named by its id."""
    columns = max((len(row) for row in rows), default=0)
    ids = [row[0] for row in rows]
    return Features(
        names=[row[1] if len(row) > 1 and row[1] else row[0] for row in rows],
        ids=ids if columns > 1 else None,
        kinds=[row[2] if len(row) > 2 and row[2] else EXPRESSION for row in rows] if columns > 2 else None,
    )


def _parse_cells(path: Path) -> tuple[list[str], pd.DataFrame]:
    """Cells of Parse Biosciences, and what its table says of them."""
    table = _parse_table(path)
    cells = table["bc_wells"] if "bc_wells" in table else table.iloc[:, 0]
    rest = table.drop(columns=[str(cells.name)])
    return cells.astype(str).tolist(), rest.apply(_numbers)


def _numbers(column: pd.Series) -> pd.Series:
    """The column as numbers where all of it are; an empty field is missing."""
    filled = column.mask(column == "")
    numbers = pd.to_numeric(filled, errors="coerce")
    return numbers if numbers.notna().equals(filled.notna()) else filled


def _parse_genes(path: Path) -> Features:
    table = _parse_table(path)
    if not {"gene_id", "gene_name"} <= set(table.columns):
        raise CountsError(f"{path.name} has no columns gene_id and gene_name.", DAMAGED_REMEDY)
    names = table["gene_name"].where(table["gene_name"].str.strip() != "", table["gene_id"])
    return Features(names.tolist(), table["gene_id"].tolist(), None)


def _parse_table(path: Path) -> pd.DataFrame:
    try:
        with _open_text(path) as file:
            return pd.read_csv(file, dtype=str, keep_default_na=False)
    except (ValueError, EOFError, gzip.BadGzipFile) as fault:
        raise CountsError(f"{path.name} is not a readable text table ({fault}).", DAMAGED_REMEDY) from None


def _unquoted(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] == '"' else word


def _read_mtx(path: Path) -> sparse.coo_matrix:
    """The matrix as stored, after its header was compared with the size of the file."""
    size = path.stat().st_size * (MOST_UNFOLDING if path.name.lower().endswith(".gz") else 1)
    try:
        with _open_text(path) as file:
            banner = file.readline(LONGEST_LINE)
            line = file.readline(LONGEST_LINE)
            while line.startswith("%"):
                line = file.readline(LONGEST_LINE)
        n_rows, n_columns, n_entries = (int(word) for word in line.split())
    except (ValueError, EOFError, gzip.BadGzipFile):
        raise CountsError(f"{path.name} has no readable Matrix Market header.", DAMAGED_REMEDY) from None
    if not banner.lower().startswith("%%matrixmarket matrix coordinate") or min(n_rows, n_columns, n_entries) < 0:
        raise CountsError(f"{path.name} is not a sparse Matrix Market file.", DAMAGED_REMEDY)
    if n_entries * SHORTEST_ENTRY > size:
        raise CountsError(f"{path.name} declares {n_entries:,} entries, more than it can hold.", DAMAGED_REMEDY)
    try:
        with _open_bytes(path) as packed:
            stream: Any = _Renamed(packed) if banner.lower().split()[3:4] in (["float"], ["double"]) else path
            matrix = sparse.coo_matrix(mmread(stream, spmatrix=False))
    except (ValueError, OverflowError, OSError, EOFError) as fault:
        raise CountsError(f"{path.name} cannot be read ({str(fault).splitlines()[0][:100]}).", DAMAGED_REMEDY) from None
    outside = matrix.nnz and (min(matrix.row.min(), matrix.col.min()) < 0 or _reaches_out(matrix))
    if outside:
        raise CountsError(f"{path.name} has an entry outside the matrix.", DAMAGED_REMEDY)
    return matrix


class _Renamed(io.RawIOBase):
    """A matrix whose banner says "float", as STARsolo writes it, under the word of the format: "real"."""

    def __init__(self, file: IO[bytes]) -> None:
        words = file.readline(LONGEST_LINE).lower().split()
        self._banner = b" ".join([b"%%MatrixMarket", *words[1:3], b"real", *words[4:]]) + b"\n"
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        banner, self._banner = self._banner, b""
        return banner or self._file.read(size)


def _open_bytes(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else open(path, "rb")  # type: ignore[return-value]


def _reaches_out(matrix: sparse.coo_matrix) -> bool:
    return bool(matrix.row.max() >= matrix.shape[0] or matrix.col.max() >= matrix.shape[1])


def _declared_shape(group: Any, where: str) -> tuple[int, int]:
    """(n_genes, n_cells) as Cell Ranger writes it."""
    shape = group["shape"][:] if "shape" in group and getattr(group["shape"], "shape", None) == (2,) else None
    if shape is None or shape.dtype.kind not in "iu":
        raise CountsError(f"{where} does not say its shape.", DAMAGED_REMEDY)
    return int(shape[0]), int(shape[1])


def _h5_features(group: Any) -> Features:
    if "features" in group:  # v3
        features = group["features"]
        kinds = _texts(features["feature_type"]) if "feature_type" in features else None
        return Features(_texts(features["name"]), _texts(features["id"]), kinds)
    return Features(_texts(group["gene_names"]), _texts(group["genes"]), None)


def _texts(dataset: Any) -> list[str]:
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in dataset[:]]
