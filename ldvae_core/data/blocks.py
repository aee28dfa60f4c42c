"""Counts in blocks of rows: what is larger than memory is gone through a piece at a time."""

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from ldvae_core.durable import release_mapped_pages

ENTRIES = 2_000_000  # of a block: a dozen arrays of that length live at a time
RELEASED_EVERY = 8  # blocks


def row_blocks(counts: sparse.csr_matrix) -> Iterator[tuple[slice, sparse.csr_matrix]]:
    """Consecutive rows of a matrix, as (which rows, a copy of them), each block of about ENTRIES entries.

    Arrays mapped from disk are given back as the walk goes on, so that a file of any size takes a block's memory.
    """
    n_rows, indptr = counts.shape[0], counts.indptr
    start = n_blocks = 0
    while start < n_rows:
        stop = int(np.searchsorted(indptr, indptr[start] + ENTRIES, side="right")) - 1
        stop = min(max(stop, start + 1), n_rows)
        first, last = int(indptr[start]), int(indptr[stop])
        parts = (
            np.array(counts.data[first:last]),
            np.array(counts.indices[first:last]),
            indptr[start : stop + 1] - first,
        )
        block = sparse.csr_matrix(parts, shape=(stop - start, counts.shape[1]))
        block.has_canonical_format = counts.has_canonical_format
        yield slice(start, stop), block
        start, n_blocks = stop, n_blocks + 1
        if n_blocks % RELEASED_EVERY == 0:
            release_mapped_pages()
    if n_blocks >= RELEASED_EVERY:
        release_mapped_pages()
