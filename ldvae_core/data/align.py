"""Counts of other cells on given genes: found by name, else by Ensembl id; what is missing is counted as 0."""

import re
from dataclasses import replace

import numpy as np
from scipy import sparse

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


def align_genes(
    data: CountMatrix, gene_names: np.ndarray, gene_ids: np.ndarray | None = None
) -> tuple[CountMatrix, np.ndarray]:
    """The cells of `data` with exactly the wanted genes, in their order, and which were found: bool (n_genes,).

    Missing genes have no counts. Cells without counts in these genes are left out, with a notice. Raises CountsError
    when fewer than half of the genes are found, or no cell is left.
    """
    places = match_genes(data, gene_names, gene_ids)
    found = places >= 0
    if found.mean() < FEWEST_FOUND:
        raise CountsError(
            f"{int(found.sum()):,} of the {len(found):,} modelled genes are in the data; at least half are needed. "
            f"Not found, among others: {listing(gene_names[~found])}.",
            f"Check species and spelling; the genes of the data are called {listing(data.gene_names, 3)}.",
        )
    part = sparse.csr_matrix(data.counts[:, places[found]])
    columns = np.flatnonzero(found).astype(part.indices.dtype)
    counts = sparse.csr_matrix((part.data, columns[part.indices], part.indptr), shape=(data.n_cells, len(found)))
    counts.sort_indices()
    wanted = np.asarray(gene_names)
    aligned = replace(
        data, counts=counts, gene_names=wanted, gene_ids=gene_ids, notices=(), tallies=None, gene_index=None
    )
    filled = aligned.genes_per_cell > 0
    if not filled.any():
        raise CountsError("No cell has counts in the modelled genes.", "Check that these are the right data.")
    if filled.all():
        return aligned, found
    empty = int((~filled).sum())
    notice = f"{empty:,} of {data.n_cells:,} cells have no counts in the modelled genes: left out."
    return aligned.subset(cells=filled).with_notices(notice), found


def _ensembl_ids(names: np.ndarray, ids: np.ndarray | None) -> list[str]:
    """Ensembl id of every gene without its version, from its id or else its name; "" where neither is one."""
    given = [names] if ids is None else [ids, names]
    rows = zip(*(column.tolist() for column in given), strict=True)
    return [next((match[1] for text in row if (match := _ENSEMBL.fullmatch(text))), "") for row in rows]
