"""CountMatrix: raw molecules per cell and gene, checked once and trusted everywhere else."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

from ldvae_core.data.annotations import tidy_annotations
from ldvae_core.data.blocks import row_blocks
from ldvae_core.data.by_gene import GeneIndex, gene_columns
from ldvae_core.data.faults import RAW_COUNTS_REMEDY, diagnose, fault_sentences, find_faults
from ldvae_core.data.histogram import GeneHistogram
from ldvae_core.data.names import tidy_names
from ldvae_core.data.reading_options import Reading
from ldvae_core.data.tallies import Tallies
from ldvae_core.durable import ArrayFile, release_mapped_pages
from ldvae_core.errors import CountsError

FEWEST_CELLS = 50  # a factor model of fewer cells learns their noise
FEWEST_GENES = 20
HASHED_TOGETHER = 4_000_000  # entries
SUMMED_TOGETHER = 2_000_000  # entries


@dataclass(frozen=True, eq=False)
class CountMatrix:
    """Raw counts with the names of both axes. Built by make_count_matrix, which does the checks.

    counts: CSR (n_cells, n_genes), whole numbers >= 0, uint16 (uint32 when one exceeds 65,535), sorted, no zeros.
    cell_ids, gene_names: str arrays, unique. gene_ids: str (n_genes,), such as Ensembl ids, or None.
    annotations: table of the cells, index = cell_ids. counts_from: place in the file: "X", "raw.X", "layers['counts']".
    notices: what was changed or chosen while reading, one sentence each. about: title, origin, licence, caveats and
    derived_labels (comma-separated annotation columns not made by the data's authors), colours (JSON of annotation ->
    category -> "#RRGGBB", from the file), where known. whole_library: float64 (n_cells,), molecules over all genes of
    the file that these genes were chosen from; None when it is not known, or when these are all. reading: how it was
    read, where it came from a file. maps: places of the cells that came with the file, by name, float32 (n_cells, 2),
    NaN where a cell has none. tallies, gene_index: what was counted then, and the counts by gene, while these are all
    cells and genes of a data set.
    """

    counts: sparse.csr_matrix
    cell_ids: np.ndarray
    gene_names: np.ndarray
    gene_ids: np.ndarray | None
    annotations: pd.DataFrame
    counts_from: str = "X"
    notices: tuple[str, ...] = ()
    about: dict[str, str] = field(default_factory=dict)
    whole_library: np.ndarray | None = None
    reading: Reading | None = None
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    tallies: Tallies | None = None
    gene_index: GeneIndex | None = None

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.counts.shape[0]

    @property
    def n_genes(self) -> int:
        """Number of genes."""
        return self.counts.shape[1]

    @property
    def nonzero_share(self) -> float:
        """Share of the entries that are not zero, 0 to 1."""
        return self.counts.nnz / (self.n_cells * self.n_genes)

    @cached_property
    def library_size(self) -> np.ndarray:
        """Molecules per cell over the genes of this matrix: float64 (n_cells,)."""
        return sum_by_cell(self.counts) if self.tallies is None else self.tallies.library_size

    @property
    def molecules(self) -> np.ndarray:
        """Of every cell, what shares are taken of: whole_library where it is known, else library_size; (n_cells,)."""
        return self.library_size if self.whole_library is None else self.whole_library

    @cached_property
    def genes_per_cell(self) -> np.ndarray:
        """Number of genes with at least one molecule: int64 (n_cells,)."""
        return np.diff(self.counts.indptr).astype(np.int64) if self.tallies is None else self.tallies.genes_per_cell

    @cached_property
    def histogram(self) -> GeneHistogram:
        """How often each gene shows each count over the cells."""
        if self.tallies is not None:
            return self.tallies.histogram
        return GeneHistogram.of((block for _, block in row_blocks(self.counts)), self.n_genes)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (64 hex digits) over shape, counts and names; annotations do not enter."""
        parts = (self.counts.indptr, self.counts.indices, self.counts.data)
        return fingerprint_of(*parts, self.cell_ids, self.gene_names)

    def gene_counts(self, genes: Sequence[int] | np.ndarray) -> sparse.csc_matrix:
        """The counts of some genes in all cells: CSC (n_cells, len(genes)); in a moment where there is an index.

        genes: positions, in any order. Raises IndexError where there is no such gene, RunError for a damaged index.
        """
        wanted = np.asarray(genes, np.int64)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < self.n_genes:
            raise IndexError(f"genes are counted from 0 to {self.n_genes - 1}")
        return gene_columns(self.counts, wanted) if self.gene_index is None else self.gene_index.counts_of(wanted)

    def subset(self, cells: np.ndarray | None = None, genes: np.ndarray | None = None) -> "CountMatrix":
        """Only these cells and genes, in that order: positions or boolean masks; None keeps all."""
        rows = _positions(cells, self.n_cells)
        columns = _positions(genes, self.n_genes)
        n_entries = None
        if rows is None and columns is not None and self.tallies is not None:
            n_entries = int(self.histogram.sums(np.ones(len(self.histogram.cells)))[columns].sum())
        counts = _chosen(self.counts, rows, columns, n_entries)
        return replace(
            self,
            counts=counts,
            cell_ids=self.cell_ids if rows is None else self.cell_ids[rows],
            gene_names=self.gene_names if columns is None else self.gene_names[columns],
            gene_ids=self.gene_ids if columns is None or self.gene_ids is None else self.gene_ids[columns],
            annotations=self.annotations if rows is None else self.annotations.iloc[rows],
            whole_library=None if self.whole_library is None else _taken(self.whole_library, rows),
            maps={name: _taken(places, rows) for name, places in self.maps.items()},
            tallies=None,
            gene_index=None,
        )

    def with_notices(self, *more: str) -> "CountMatrix":
        """The same matrix with further notices."""
        return replace(self, notices=(*self.notices, *more))


def make_count_matrix(
    counts: sparse.spmatrix | sparse.sparray | np.ndarray,
    *,
    cell_ids: Iterable[object],
    gene_names: Iterable[object],
    gene_ids: Iterable[object] | None = None,
    annotations: pd.DataFrame | None = None,
    counts_from: str = "X",
    notices: Iterable[str] = (),
    about: Mapping[str, str] | None = None,
) -> CountMatrix:
    """Check everything, then build. counts: (n_cells, n_genes), any number type; annotations: one row a cell, in order.

    Repeated names are made unique and cells without counts dropped, each with a notice.
    Raises CountsError with all problems at once: lengths that disagree, entries that are not whole numbers >= 0, names
    that cannot be shown, fewer than FEWEST_CELLS cells or FEWEST_GENES genes with counts.
    """
    matrix = sparse.csr_matrix(counts)  # type: ignore[arg-type]  # its stubs know spmatrix only as a mixin
    cells, cell_problems, cell_notices = tidy_names(cell_ids, kind="cell")
    genes, gene_problems, gene_notices = tidy_names(gene_names, kind="gene")
    ids = None if gene_ids is None else np.asarray([str(name) for name in gene_ids], dtype=str)
    problems = [*cell_problems, *gene_problems]
    if not problems:
        problems += _length_problems(matrix, cells, genes, ids, annotations)
    problems += value_problems(matrix, where=counts_from)
    if problems:
        raise CountsError(problems, RAW_COUNTS_REMEDY)
    table, table_notices = tidy_annotations(annotations, cells)
    built = CountMatrix(
        counts=_compact(matrix),
        cell_ids=cells,
        gene_names=genes,
        gene_ids=ids,
        annotations=table,
        counts_from=counts_from,
        notices=(*notices, *cell_notices, *gene_notices, *table_notices),
        about=dict(about or {}),
    )
    return _without_empty(built)


def value_problems(counts: sparse.csr_matrix, *, where: str) -> list[str]:
    """Why these entries cannot be molecules: a sentence a fault, and a guess at what was done; [] if they can."""
    if counts.dtype.kind not in "buif":
        return [f"The entries of {where} are not numbers (type {counts.dtype})."]
    faults = find_faults(counts.data)
    if not faults:
        return []
    guess = diagnose(counts, faults).sentence
    return [*fault_sentences(faults, n_entries=counts.nnz, where=where), *([guess] if guess else [])]


def fingerprint_of(
    indptr: np.ndarray | ArrayFile,
    indices: np.ndarray | ArrayFile,
    data: np.ndarray | ArrayFile,
    cell_ids: np.ndarray,
    gene_names: np.ndarray,
    *,
    on_piece: Callable[[int, int], object] = lambda _done, _of: None,
) -> str:
    """sha256 (64 hex digits) of a CSR matrix and its names, a piece at a time. on_piece: told (entries done, of)."""
    digest = hashlib.sha256(f"counts 1 {len(cell_ids)} {len(gene_names)}".encode())
    done, of = 0, len(indptr) + len(indices) + len(data)
    for array, dtype in ((indptr, np.int64), (indices, np.uint32), (data, np.uint32)):
        # one dtype, so that it depends on the numbers and not on how they are stored
        for start in range(0, len(array), HASHED_TOGETHER):
            digest.update(np.ascontiguousarray(array[start : start + HASHED_TOGETHER], dtype=dtype).data)
            done += min(HASHED_TOGETHER, len(array) - start)
            on_piece(done, of)
            release_mapped_pages()
    for names in (cell_ids, gene_names):
        digest.update("\n".join(names.tolist()).encode())
    return digest.hexdigest()


def sum_by_cell(counts: sparse.csr_matrix) -> np.ndarray:
    """Row sums, float64 (n_cells,), a piece of the cells at a time: numpy would make all counts float64 first."""
    sums, n_cells = np.zeros(counts.shape[0]), counts.shape[0]
    step = max(1, SUMMED_TOGETHER * n_cells // max(counts.nnz, 1))
    for start in range(0, n_cells, step):
        bounds = counts.indptr[start : start + step + 1]
        starts, filled = bounds[:-1] - bounds[0], np.diff(bounds) > 0
        if filled.any():
            found = np.add.reduceat(counts.data[bounds[0] : bounds[-1]], starts[filled], dtype=np.float64)
            sums[start : start + step][filled] = found
    return sums


def sum_by_gene(counts: sparse.csr_matrix) -> np.ndarray:
    """Column sums, float64 (n_genes,), likewise a piece at a time."""
    sums = np.zeros(counts.shape[1])
    for start in range(0, counts.nnz, SUMMED_TOGETHER):
        entries = slice(start, start + SUMMED_TOGETHER)
        sums += np.bincount(counts.indices[entries], weights=counts.data[entries], minlength=len(sums))
    return sums


def _compact(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Sorted, summed, without stored zeros, in the smallest number types; the caller's arrays are left as they were."""
    values = counts.data.astype(np.uint32, copy=False)
    matrix = sparse.csr_matrix((values, counts.indices, counts.indptr), shape=counts.shape)
    if not matrix.has_canonical_format or not matrix.data.all():
        matrix = matrix.copy()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
    largest = int(matrix.data.max(initial=0))
    data: np.ndarray = matrix.data.astype(np.uint16) if largest < 65_536 else matrix.data
    positions: type[np.signedinteger] = np.int32 if max(matrix.nnz, *matrix.shape) < 2**31 else np.int64
    indices, indptr = matrix.indices.astype(positions, copy=False), matrix.indptr.astype(positions, copy=False)
    return sparse.csr_matrix((data, indices, indptr), shape=matrix.shape)


def _length_problems(
    counts: sparse.csr_matrix,
    cells: np.ndarray,
    genes: np.ndarray,
    ids: np.ndarray | None,
    annotations: pd.DataFrame | None,
) -> list[str]:
    lengths = [("cell names", len(cells), 0), ("gene names", len(genes), 1)]
    if ids is not None:
        lengths.append(("gene ids", len(ids), 1))
    if annotations is not None:
        lengths.append(("rows of annotations", len(annotations), 0))
    axis_words = ("cells", "genes")
    return [
        f"The matrix has {counts.shape[axis]:,} {axis_words[axis]}, but there are {length:,} {what}."
        for what, length, axis in lengths
        if length != counts.shape[axis]
    ]


def _without_empty(matrix: CountMatrix) -> CountMatrix:
    """Drop cells without counts and count the genes without; refuse what is then too small to learn from.

    Such genes stay, so that the data set has the shape of its file; select_genes never chooses them.
    """
    cells = matrix.genes_per_cell > 0
    n_cells, n_genes = int(cells.sum()), int((sum_by_gene(matrix.counts) > 0).sum())
    problems = []
    if n_cells < FEWEST_CELLS:
        problems.append(f"{n_cells:,} of {matrix.n_cells:,} cells have counts; at least {FEWEST_CELLS} are needed.")
    if n_genes < FEWEST_GENES:
        problems.append(f"{n_genes:,} of {matrix.n_genes:,} genes have counts; at least {FEWEST_GENES} are needed.")
    if problems:
        raise CountsError(problems, "Load a data set with more cells and genes.")
    notices = []
    if n_cells < matrix.n_cells:
        notices.append(f"{matrix.n_cells - n_cells:,} of {matrix.n_cells:,} cells have no counts: dropped.")
    if n_genes < matrix.n_genes:
        silent = matrix.n_genes - n_genes
        notices.append(f"{silent:,} of {matrix.n_genes:,} genes have no counts in any cell: never modelled.")
    kept = matrix if n_cells == matrix.n_cells else matrix.subset(cells)
    return kept.with_notices(*notices)


def _chosen(
    counts: sparse.csr_matrix, rows: np.ndarray | None, columns: np.ndarray | None, n_entries: int | None = None
) -> sparse.csr_matrix:
    """These rows and columns; genes of ascending cells are taken block by block, never from all genes at once."""
    if columns is None or (rows is not None and (np.diff(rows) <= 0).any()):
        chosen = counts if rows is None else counts[rows]
        chosen = chosen if columns is None else chosen[:, columns]
    else:
        wanted = np.zeros(counts.shape[0], bool)
        wanted[slice(None) if rows is None else rows] = True
        chosen = _gathered(counts, wanted, columns, n_entries)
    chosen.sort_indices()
    return chosen


def _gathered(
    counts: sparse.csr_matrix, wanted: np.ndarray, columns: np.ndarray, n_entries: int | None
) -> sparse.csr_matrix:
    """These rows (a mask) and columns, into arrays of their final length: never twice in memory.

    n_entries: how many that is; None: counted first.
    """
    if n_entries is None:
        kept = np.bincount(columns, minlength=counts.shape[1])
        per_row = (np.add.reduceat(np.append(kept[block.indices], 0), block.indptr[:-1]) * (np.diff(block.indptr) > 0)
                   for _, block in row_blocks(counts))  # fmt: skip
        n_entries = int(np.concatenate([np.zeros(0, np.int64), *per_row])[wanted].sum())
    small = np.int32 if max(counts.shape[0] + 1, n_entries, len(columns)) < 2**31 else np.int64
    data: np.ndarray = np.empty(n_entries, counts.dtype)
    indices: np.ndarray = np.empty(n_entries, small)
    lengths, end = [np.zeros(1, small)], 0
    everything = wanted.all()
    for cells, block in row_blocks(counts):
        part = (block if everything else block[wanted[cells]])[:, columns]
        data[end : end + part.nnz], indices[end : end + part.nnz] = part.data, part.indices
        lengths.append(np.diff(part.indptr))
        end += part.nnz
    starts: np.ndarray = np.cumsum(np.concatenate(lengths), dtype=small)
    return sparse.csr_matrix((data, indices, starts), shape=(len(starts) - 1, len(columns)))


def _taken(values: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
    return values if rows is None else values[rows]


def _positions(chosen: np.ndarray | None, length: int) -> np.ndarray | None:
    if chosen is None:
        return None
    chosen = np.asarray(chosen)
    if chosen.dtype == bool:
        if len(chosen) != length:
            raise ValueError(f"a mask of {len(chosen)} cannot choose among {length}")
        return np.flatnonzero(chosen)
    return chosen
