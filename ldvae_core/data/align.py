"""Counts of other cells on given genes: found by name, else by Ensembl id; what is missing is counted as 0."""

import re
from collections.abc import Iterator

import numpy as np
from scipy import sparse

from ldvae_core.data.blocks import row_blocks
from ldvae_core.data.counts import CountMatrix
from ldvae_core.data.names import listing
from ldvae_core.errors import CountsError

FEWEST_FOUND = 0.5  # share of the wanted genes; with fewer, positions say what is missing and not what the cells are
_ENSEMBL = re.compile(r"(ENS[A-Z]*G\d{6,})(\.\d+)?")


def match_genes(data: CountMatrix, gene_names: np.ndarray, gene_ids: np.ndarray | None) -> np.ndarray:
    """Position in `data` of every wanted gene, -1 where it is not there: int64 (n_genes,).

    gene_names: (n_genes,) str; gene_ids: the same, or None. Names must agree to the letter (Gapdh is mouse, GAPDH is
    human); what is not found so is sought by Ensembl id, its version left out. No gene of `data` is used twice.
    """
    place = {name: position for position, name in enumerate(data.gene_names.tolist())}
    found = np.array([place.get(name, -1) for name in gene_names.tolist()], dtype=np.int64)
    taken = set(found.tolist())
    by_id: dict[str, int] = {}
    for position, gene_id in enumerate(_ensembl_ids(data.gene_names, data.gene_ids)):
        if gene_id and position not in taken:
            by_id.setdefault(gene_id, position)
    wanted = _ensembl_ids(gene_names, gene_ids)
    for gene in np.flatnonzero(found < 0).tolist():
        found[gene] = by_id.pop(wanted[gene], -1)
    return found


def find_genes(data: CountMatrix, gene_names: np.ndarray, gene_ids: np.ndarray | None) -> np.ndarray:
    """The same as match_genes. Raises CountsError when fewer than half of the genes are found."""
    places = match_genes(data, gene_names, gene_ids)
    found = places >= 0
    if found.mean() < FEWEST_FOUND:
        raise CountsError(
            f"{int(found.sum()):,} of the {len(found):,} modelled genes are in the data; at least half are needed. "
            f"Not found, among others: {listing(gene_names[~found])}.",
            f"Check species and spelling; the genes of the data are called {listing(data.gene_names, 3)}.",
        )
    return places


def aligned_blocks(counts: sparse.csr_matrix, places: np.ndarray) -> Iterator[tuple[slice, sparse.csr_matrix]]:
    """Blocks of cells as (which cells, their counts of the wanted genes): CSR (k, n_genes), sorted, in any number type.

    places: of find_genes.
    """
    found = np.flatnonzero(places >= 0)
    column = np.full(counts.shape[1], -1, np.int64)
    column[places[found]] = found
    for rows, block in row_blocks(counts):
        to = column[block.indices]
        kept = to >= 0
        indptr = np.concatenate([[0], np.cumsum(kept)])[block.indptr]
        aligned = sparse.csr_matrix((block.data[kept], to[kept].astype(np.int32), indptr),
                                    shape=(block.shape[0], len(places)))  # fmt: skip
        aligned.sort_indices()
        yield rows, aligned


def _ensembl_ids(names: np.ndarray, ids: np.ndarray | None) -> list[str]:
    """Ensembl id of every gene without its version, from its id or else its name; "" where neither is one."""
    given = [names] if ids is None else [ids, names]
    rows = zip(*(column.tolist() for column in given), strict=True)
    return [next((match[1] for text in row if (match := _ENSEMBL.fullmatch(text))), "") for row in rows]
