"""Raw counts out of Cell Ranger: matrix folders (v2 genes.tsv, v3 features.tsv, gzipped or not) and .h5 files."""

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
from ldvae_core.data.h5ad import EXPRESSION
from ldvae_core.data.names import listing
from ldvae_core.data.places import DAMAGED_REMEDY, sparse_place, take_counts
from ldvae_core.data.regular import require_regular
from ldvae_core.errors import CountsError

SHORTEST_ENTRY = 6  # characters of a line in a matrix.mtx: row, column, count, two spaces and the line's end
LONGEST_LINE = 10_000
_PARTS = {"matrix": ("matrix.mtx",), "barcodes": ("barcodes.tsv",), "features": ("features.tsv", "genes.tsv")}


class Features(NamedTuple):
    """What Cell Ranger says of each row: names, ids and kinds ("Gene Expression", "Antibody Capture"); None unknown."""

    names: Sequence[str]
    ids: Sequence[str] | None
    kinds: Sequence[str] | None


def read_folder(folder: Path) -> CountMatrix:
    """Counts of a 10x folder. A prefix common to the three files, as on GEO, is allowed.

    Raises CountsError: a file is missing or there are several, lengths disagree, an entry lies outside the matrix.
    """
    files = {part: _only_file(folder, part, endings) for part, endings in _PARTS.items()}
    barcodes = [row[0] for row in _rows(files["barcodes"])]
    features = _features(_rows(files["features"]))
    stored = _read_mtx(files["matrix"])
    lengths = (len(features.names), len(barcodes))
    if stored.shape == lengths:
        return _built(sparse.csr_matrix(stored.T), barcodes, features, files["matrix"].name)
    if stored.shape == lengths[::-1]:
        notice = "Rows hold cells in this matrix: read as such."
        return _built(sparse.csr_matrix(stored), barcodes, features, files["matrix"].name).with_notices(notice)
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


def _built(counts: sparse.csr_matrix, barcodes: Sequence[str], features: Features, counts_from: str) -> CountMatrix:
    names = np.asarray(features.names, dtype=object)
    ids = None if features.ids is None else np.asarray(features.ids, dtype=object)
    notices = []
    if features.kinds is not None and len(features.kinds) == counts.shape[1] == len(names):
        genes = np.asarray(features.kinds, dtype=object) == EXPRESSION
        if genes.any() and not genes.all():
            notices.append(f"{int((~genes).sum()):,} features are not gene expression (such as antibodies): left out.")
            counts, names, ids = counts[:, genes], names[genes], None if ids is None else ids[genes]
    return make_count_matrix(
        counts,
        cell_ids=barcodes,
        gene_names=names,
        gene_ids=ids,
        annotations=pd.DataFrame(index=range(counts.shape[0])),
        counts_from=counts_from,
        notices=notices,
    )


def _only_file(folder: Path, part: str, endings: tuple[str, ...]) -> Path:
    """The one file of the folder with such an ending, gzipped or not."""
    wanted = tuple(f"{ending}{packed}" for ending in endings for packed in ("", ".gz"))
    files = (path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir())  # "._" of a Mac
    found = sorted(path for path in files if path.name.lower().endswith(wanted))
    for path in found:
        require_regular(path, folder)
    if len(found) == 1:
        return found[0]
    if not found:
        raise CountsError(
            f"{folder.name} holds no {' or '.join(wanted)}, so it is not a 10x folder.", f"Readable: {READABLE}."
        )
    raise CountsError(
        f"{folder.name} holds several files of {part}: {listing(path.name for path in found)}.",
        "Keep one data set (matrix, barcodes, features) in a folder.",
    )


def _open_text(path: Path) -> TextIO:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return open(path, encoding="utf-8-sig", newline="")


def _rows(path: Path) -> list[list[str]]:
    """Tab-separated rows that are not empty, without a byte order mark and the quotes that R puts around words."""
    try:
        with _open_text(path) as file:
            reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            return [[_unquoted(word) for word in row[:3]] for row in reader if row]
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
